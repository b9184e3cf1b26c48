"""Owns `nenghao ready`: whether readings are being collected, for people and orchestrators."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import db.metrics
from app import session
from db.pool import Pool
from ingest import readiness
from ingest.readiness import CollectorState

EXIT_NOT_READY = 1

console = Console()


def ready_command(
    context: typer.Context,
    collector: Annotated[
        str | None, typer.Option(help="only this one, such as collector-450200")
    ] = None,
) -> None:
    """Say whether each collector is ready; exit code 1 if one is not, or there is none."""

    async def work(pool: Pool) -> list[CollectorState]:
        async with pool.acquire() as connection:
            beats = await db.metrics.list_heartbeats(connection)
        return readiness.states(beats, datetime.now(UTC))

    found = session.with_pool(context, work)
    if collector is not None:
        heard = sorted({each.collector.partition("@")[0] for each in found})
        found = [each for each in found if each.collector.partition("@")[0] == collector]
        if not found:
            print(
                f"no collector {collector} was heard within a day; "
                f"heard were: {', '.join(heard) or 'none'}"
            )
            raise typer.Exit(EXIT_NOT_READY)
    table = Table("collector", "state", "said at")
    for each in found:
        table.add_row(each.collector, each.readiness, f"{each.beat_at:%Y-%m-%d %H:%M:%SZ}")
    console.print(table)
    if not readiness.is_collected(found):
        raise typer.Exit(EXIT_NOT_READY)
