"""Owns the commands of administrators: import, API keys, gateways.

They get where the database and the broker are from the command line, which alone knows settings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

import db.gateways
import db.keys
import db.pool
from app import enrolment, import_report, importing
from app.imports.kinds import Kind
from app.resolve import Addresses, Refusal
from db.pool import Pool
from energy import codes

STATEMENT_S = 300
"""An import of a whole province is one long transaction."""

T = TypeVar("T")

UNIT_COLUMN = Column("unit", no_wrap=True, min_width=codes.CREDIT_CODE_LENGTH)

console = Console()
keys_app = typer.Typer(no_args_is_help=True, help="API keys.")
gateways_app = typer.Typer(no_args_is_help=True, help="Gateways and their broker logins.")


def import_command(
    context: typer.Context,
    kind: Annotated[Kind, typer.Argument(help="what the file holds")],
    file: Annotated[Path, typer.Argument(help="CSV or XLSX", exists=True, dir_okay=False)],
    apply: Annotated[bool, typer.Option("--apply", help="write it; without: a dry run")] = False,
) -> None:
    """Load a registry file. A dry run shows what would change; nothing is written half."""

    async def work(pool: Pool) -> bool:
        async with pool.acquire() as connection, connection.transaction():
            with Progress(console=console, transient=True) as progress:
                bar = progress.add_task(file.name, total=None)

                def show(done: int, total: int) -> None:
                    progress.update(bar, completed=done, total=total)

                plan = await importing.plan(connection, kind, file, show)
            import_report.render(plan, console)
            if plan.problems:
                return False
            if apply:
                await importing.apply(connection, plan)
            console.print("imported" if apply else "a dry run: add --apply to write this")
            return True

    if not _with_pool(context, work):
        raise typer.Exit(1)


@keys_app.command("create")
def keys_create(
    context: typer.Context,
    label: Annotated[str, typer.Option(help="whose key it is")],
    region: Annotated[str, typer.Option(help="GB/T 2260 code: all within may be seen")],
    unit: Annotated[str | None, typer.Option(help="only this unit (credit code)")] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="expires after so many days")
    ] = None,
) -> None:
    """Make an API key; it is shown this once."""
    from app import auth  # here: it needs the web framework

    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)

    async def work(pool: Pool) -> str:
        async with pool.acquire() as connection, connection.transaction():
            return await auth.create_key(
                connection, label=label, region=region, unit=unit, expires_at=expires_at
            )

    print(_with_pool(context, work))


@keys_app.command("list")
def keys_list(context: typer.Context) -> None:
    """List the keys, never what they are."""

    async def work(pool: Pool) -> Table:
        table = Table("id", "label", "region", UNIT_COLUMN, "created", "expires", "revoked")
        async with pool.acquire() as connection:
            for key in await db.keys.list_keys(connection):
                row = (key.key_id, key.label, key.region, key.unit, key.created_at,
                       key.expires_at, key.revoked_at)  # fmt: skip
                table.add_row(*map(_cell, row))
        return table

    console.print(_with_pool(context, work))


@keys_app.command("revoke")
def keys_revoke(
    context: typer.Context,
    key_id: Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="see `nenghao keys list`")],
) -> None:
    """Make a key useless from now on."""

    async def work(pool: Pool) -> bool:
        async with pool.acquire() as connection:
            return await db.keys.revoke(connection, key_id)

    if not _with_pool(context, work):
        raise Refusal(f"there is no key {key_id}; see `nenghao keys list`")


UnitOption = Annotated[str, typer.Option(help="credit code of the unit")]
GatewayOption = Annotated[str, typer.Option(help="name of the gateway, A-Z a-z 0-9 _ -")]


@gateways_app.command("enrol")
def gateways_enrol(
    context: typer.Context,
    unit: UnitOption,
    gateway: GatewayOption,
    any_client_id: Annotated[
        bool, typer.Option("--any-client-id", help="for try-outs: do not bind the MQTT client id")
    ] = False,
) -> None:
    """Let a gateway in; its login is shown this once."""
    admin_url = _addresses(context).broker_admin()

    async def work(pool: Pool) -> None:
        async with pool.acquire() as connection:
            (login,) = await enrolment.enrol(
                connection, admin_url, [(unit, gateway)], any_client_id=any_client_id
            )
        print(f"username:  {login.username}\npassword:  {login.password}")
        print(f"client id: {'any' if any_client_id else login.username}")
        print(f"topics:    nenghao/v1/{login.city}/{login.unit}/{login.gateway}/…")

    _with_pool(context, work)


@gateways_app.command("revoke")
def gateways_revoke(context: typer.Context, unit: UnitOption, gateway: GatewayOption) -> None:
    """Shut a gateway out; its live connection is cut."""
    admin_url = _addresses(context).broker_admin()

    async def work(pool: Pool) -> None:
        async with pool.acquire() as connection:
            await enrolment.revoke(connection, admin_url, unit, gateway)

    _with_pool(context, work)


@gateways_app.command("list")
def gateways_list(context: typer.Context) -> None:
    """List the gateways and when each was last heard."""

    async def work(pool: Pool) -> Table:
        table = Table("city", UNIT_COLUMN, "gateway", "connection", "last seen", "revoked")
        async with pool.acquire() as connection:
            for row in await db.gateways.list_all(connection):
                cells = (row.city, row.unit, row.gateway, row.connection, row.last_seen_at,
                         row.revoked_at)  # fmt: skip
                table.add_row(*map(_cell, cells))
        return table

    console.print(_with_pool(context, work))


def _cell(value: object) -> str:
    """Return a cell of a list: instants to the minute, in UTC; nothing for None."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%MZ}"
    return "" if value is None else str(value)


def _addresses(context: typer.Context) -> Addresses:
    addresses = context.obj
    assert isinstance(addresses, Addresses)
    return addresses


def _with_pool(context: typer.Context, work: Callable[[Pool], Awaitable[T]]) -> T:
    """Return what `work` does with a pool on the database of the settings."""
    url = _addresses(context).database()

    async def run() -> T:
        async with await db.pool.create_pool(url, timeout_s=STATEMENT_S) as pool:
            return await work(pool)

    return asyncio.run(run())
