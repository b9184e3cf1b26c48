"""Owns `nenghao contacts`: who is written to, and who cannot be reached."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import db.contacts
from app import session
from db.contacts import Reached
from db.pool import Pool
from db.scope import Scope

console = Console()
contacts_app = typer.Typer(no_args_is_help=True, help="Contacts that warnings are written to.")


@contacts_app.callback()
def of_contacts() -> None:
    """Keep `list` a command of its own, whatever joins it."""


@contacts_app.command("list")
def list_command(
    context: typer.Context,
    region: Annotated[str, typer.Option(help="GB/T 2260 code: what is within")] = "450000",
    troubled: Annotated[
        bool, typer.Option("--troubled", help="only those whose newest letter did not arrive")
    ] = False,
) -> None:
    """List contacts, what became of the newest letter to each, and why it did not arrive."""

    async def work(pool: Pool) -> list[Reached]:
        async with pool.acquire() as connection:
            return await db.contacts.list_reached(connection, Scope.of_region(region).region_prefix)

    table = Table(session.key("region"), "name", "channel", "address", "level", "newest letter",
                  "at", "what was said")  # fmt: skip
    for one in session.with_pool(context, work):
        if troubled and one.state in (None, "sent"):
            continue
        who = one.contact
        cells = (who.region, who.name, who.channel, who.email, who.minimum_level,
                 one.state or "none yet", one.at, one.error or "")  # fmt: skip
        table.add_row(*map(session.cell, cells))
    session.show(console, table)
