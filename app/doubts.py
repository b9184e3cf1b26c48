"""Owns `nenghao doubts`: what waits for somebody who knows what happened to a meter."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import db.doubts
from app import session
from db.doubts import DoubtEntry
from db.pool import Pool

ADVICE = {
    "fell": "record a replacement, a reset or the rate_max, or set the readings aside",
    "too_fast": "check the reading, or the rate_max of the meter",
    "lasted": "set the readings aside, or record what happened",
    "values_missing": "give first_value and previous_last_value of the epoch",
}

PASSED_OVER = {
    "fell": "nothing is lost, the register came back up: if the meter did fall, say what happened",
    "too_fast": "nothing is lost, the register came back down: if it often happens, look at the "
    "meter",
}
"""Of readings that do not count and hold nothing up."""

console = Console()
doubts_app = typer.Typer(no_args_is_help=True, help="Readings and steps of registers in doubt.")


def advice(doubt: DoubtEntry) -> str:
    """Return what to do about a doubt."""
    return ADVICE[doubt.reason] if doubt.held else PASSED_OVER.get(doubt.reason, "")


@doubts_app.callback()
def doubts() -> None:
    """Keep `list` a command of its own: more will follow."""


@doubts_app.command("list")
def doubts_list(
    context: typer.Context,
    unit: Annotated[str | None, typer.Option(help="only this unit (credit code)")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="rows at most")] = 100,
) -> None:
    """List what is held for review, then what was passed over."""

    async def work(pool: Pool) -> Table:
        table = Table(
            session.unit_column(),
            session.key("meter"),
            session.key("from"),
            session.key("to"),
            "reason",
            "readings",
            "held",
            "what to do",
        )
        async with pool.acquire() as connection:
            for each in await db.doubts.list_doubts(connection, unit=unit, limit=limit):
                held = "held" if each.held else ""
                row = (each.unit, each.meter, each.first_at, each.last_at, each.reason,
                       each.readings, held, advice(each))  # fmt: skip
                table.add_row(*map(session.cell, row))
        return table

    session.show(console, session.with_pool(context, work))
