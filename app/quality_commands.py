"""Owns `nenghao quality` and `nenghao repairs`: suspicions, the repair clock, filing a fault."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import db.changes
import db.repairs
import db.suspicions
from app import session
from app.resolve import Refusal
from db.changes import Author, Fact
from db.pool import Connection, Pool
from db.repairs import RepairEntry
from db.suspicions import SuspicionEntry
from energy.periods import Span
from energy.suspicion import Suspicion

LISTED = 50

console = Console()
quality_app = typer.Typer(no_args_is_help=True)
repairs_app = typer.Typer(no_args_is_help=True, help="Faults and their 3 working days.")

RegionOption = Annotated[str, typer.Option(help="GB/T 2260 code: what is within")]
UnitOption = Annotated[str | None, typer.Option(help="only of this unit (credit code)")]
LimitOption = Annotated[int, typer.Option(min=1, max=1000)]


@quality_app.callback()
def quality() -> None:
    """Data quality."""  # without this Typer takes a group with one command for that command


@quality_app.command("suspicions")
def suspicions_command(
    context: typer.Context,
    region: RegionOption = "450000",
    unit: UnitOption = None,
    kind: Annotated[Suspicion | None, typer.Option(help="only of this kind")] = None,
    days: Annotated[int, typer.Option(min=1, max=36_500, help="that touch the last days")] = 31,
    limit: LimitOption = LISTED,
) -> None:
    """List what calls for a look, the newest first. A suspicion is no verdict."""
    now = datetime.now(UTC)

    async def work(pool: Pool) -> list[SuspicionEntry]:
        async with pool.acquire() as connection:
            return await db.suspicions.list_entries(
                connection,
                session.scope(region),
                span=Span(now - timedelta(days=days), now + timedelta(days=1)),
                unit=unit,
                kind=kind,
                limit=limit,
            )

    table = Table(session.key("id"), "kind", session.unit_column(), session.key("subject"), "from",
                  "to", "sure", "evidence")  # fmt: skip
    for one in session.with_pool(context, work):
        cells = (one.suspicion_id, one.kind, one.unit, one.subject, one.starts_at, one.ends_at,
                 one.sureness, one.evidence)  # fmt: skip
        table.add_row(*map(session.cell, cells))
    session.show(console, table)


@repairs_app.command("list")
def list_command(
    context: typer.Context,
    region: RegionOption = "450000",
    unit: UnitOption = None,
    every: Annotated[bool, typer.Option("--all", help="also what was repaired")] = False,
    limit: LimitOption = LISTED,
) -> None:
    """List faults, the one due first first."""

    async def work(pool: Pool) -> list[RepairEntry]:
        async with pool.acquire() as connection:
            return await db.repairs.list_entries(
                connection,
                session.scope(region),
                unit=unit,
                is_standing=None if every else True,
                limit=limit,
            )

    now = datetime.now(UTC)
    table = Table(session.key("id"), session.unit_column(), session.key("subject"), "fault",
                  "state", "opened", "due", "filed", "repaired")  # fmt: skip
    for one in session.with_pool(context, work):
        due = one.due_at or one.due_reason
        cells = (one.repair_id, one.unit, one.subject, one.fault, one.state(now), one.opened_at,
                 due, one.filed_at, one.repaired_at)  # fmt: skip
        table.add_row(*map(session.cell, cells))
    session.show(console, table)


@repairs_app.command("file")
def file_command(
    context: typer.Context,
    repair_id: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="see `repairs list`")],
    reason: Annotated[str, typer.Option(help="why it is not repaired, for the ledger")],
    evidence: Annotated[str, typer.Option(help="the report: its number, a file")] = "",
    actor: Annotated[str | None, typer.Option(help="who states this; the login's name")] = None,
) -> None:
    """State that a fault was reported on the platform and its data are keyed by hand."""
    author = Author(actor or getpass.getuser(), reason, evidence)

    async def work(pool: Pool) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await file(connection, repair_id, author, datetime.now(UTC))

    session.with_pool(context, work)
    console.print("filed")


async def file(connection: Connection, repair_id: int, author: Author, now: datetime) -> None:
    """File a fault and record who said so. Raises Refusal."""
    found = await db.repairs.fetch(connection, repair_id)
    if found is None:
        raise Refusal(f"there is no fault {repair_id}; see `nenghao repairs list`")
    if found.repaired_at is not None:
        raise Refusal(f"fault {repair_id} is repaired; there is nothing to file")
    if not await db.repairs.file(connection, repair_id, now):
        raise Refusal(f"fault {repair_id} is filed already")
    subject = f"{found.unit}/{found.subject}/{found.fault}/{found.opened_at.isoformat()}"
    content: dict[str, object] = {"repair_id": repair_id, "filed_at": now.isoformat()}
    await db.changes.record(connection, author, [Fact("repairs", subject, content)], now)
