"""Owns `nenghao alerts`: what there is to take care of, and what people say of it, for desks that
have no key of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

import db.alert_events
import db.alert_rows
from app import session
from app.resolve import Refusal
from db.alert_cases import Contest
from db.alert_events import EventRow
from db.alert_rows import AlertRow, Which
from db.alerts import AlertState
from db.pool import Pool
from energy import workdays

if TYPE_CHECKING:
    from app.depends import Caller

LISTED = 100
LISTED_MAX = 1_000
TEXT_LENGTH_MAX = 2_000

console = Console()
alerts_app = typer.Typer(no_args_is_help=True, help="Early warnings, and what is done about them.")

NumberArgument = Annotated[
    int, typer.Argument(min=1, max=2**63 - 1, help="see `nenghao alerts list`, or the letter")
]
RegionOption = Annotated[str, typer.Option(help="GB/T 2260 code: what is within")]
NameOption = Annotated[str | None, typer.Option("--as", help="who says it; the login's name")]
TextOption = Annotated[str, typer.Option(help="what is said, as it is shown")]
EvidenceOption = Annotated[str, typer.Option(help="what proves it: a document number")]


@alerts_app.command("list")
def list_command(
    context: typer.Context,
    region: RegionOption = "450000",
    every: Annotated[bool, typer.Option("--all", help="also those that are over")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="only what is late")] = False,
    limit: Annotated[int, typer.Option(min=1, max=LISTED_MAX)] = LISTED,
) -> None:
    """List alerts that fire in a region, the newest first."""
    which = Which(state=None if every else AlertState.FIRING, is_overdue=True if overdue else None)

    async def work(pool: Pool) -> list[AlertRow]:
        async with pool.acquire() as connection:
            return await db.alert_rows.list_alerts(
                connection, session.scope(region), which, now=datetime.now(UTC), limit=limit,
                before_alert_id=None,
            )  # fmt: skip

    table = Table(session.key("id"), "state", "level", session.key("region"),
                  session.key("subject"), "measured", "threshold", "since", "due on",
                  "acknowledged by", "contest")  # fmt: skip
    for row in session.with_pool(context, work):
        due_on = None if row.due_at is None else workdays.last_day(row.due_at)
        state = "closed" if row.closed_at else row.state
        cells = (row.alert_id, state, row.level, row.region, row.subject,
                 f"{row.measured:g} {row.uom}", f"{row.threshold:g}", row.fired_at, due_on,
                 row.acknowledged_by, row.contest)  # fmt: skip
        table.add_row(*map(session.cell, cells))
    session.show(console, table)


@alerts_app.command("show")
def show_command(
    context: typer.Context, alert_id: NumberArgument, region: RegionOption = "450000"
) -> None:
    """Show what happened to an alert, the oldest first."""

    async def work(pool: Pool) -> tuple[AlertRow, list[EventRow]]:
        async with pool.acquire() as connection:
            row = await db.alert_rows.fetch_alert(
                connection, session.scope(region), alert_id, datetime.now(UTC)
            )
            if row is None:
                raise Refusal(f"there is no alert {alert_id} in {region}")
            return row, await db.alert_events.list_of(connection, alert_id)

    row, events = session.with_pool(context, work)
    console.print(_told(row), markup=False, soft_wrap=True)
    table = Table("at", "what", "by", "said", "evidence")
    for event in events:
        cells = (event.happened_at, event.kind, event.actor, event.reason, event.evidence)
        table.add_row(*map(session.cell, cells))
    session.show(console, table)


@alerts_app.command("acknowledge")
def acknowledge_command(
    context: typer.Context,
    alert_id: NumberArgument,
    note: Annotated[str, typer.Option(help="what is done about it")] = "",
    actor: NameOption = None,
    region: RegionOption = "450000",
) -> None:
    """Note that somebody takes care of an alert: nobody is reminded of it."""
    from app import alerting  # here: it needs the web framework

    text = _text(note, is_needed=False)
    _tell(context, alert_id, region, actor,
          lambda caller: alerting.acknowledge(caller, alert_id, text))  # fmt: skip


@alerts_app.command("comment")
def comment_command(
    context: typer.Context,
    alert_id: NumberArgument,
    text: TextOption,
    actor: NameOption = None,
    region: RegionOption = "450000",
) -> None:
    """Write what was found and done into the record of an alert."""
    from app import alerting  # here: it needs the web framework

    said = _text(text)

    async def comment(caller: Caller) -> None:
        await alerting.comment(caller, alert_id, said)

    _tell(context, alert_id, region, actor, comment)


@alerts_app.command("contest")
def contest_command(
    context: typer.Context,
    alert_id: NumberArgument,
    text: TextOption,
    evidence: EvidenceOption,
    actor: NameOption = None,
    region: RegionOption = "450000",
) -> None:
    """Note that an enterprise contests an alert: its clock stands still until that is decided."""
    from app import cases  # here: it needs the web framework

    said, proof = _text(text), _text(evidence)
    _tell(context, alert_id, region, actor,
          lambda caller: cases.contest(caller, alert_id, said, proof))  # fmt: skip


@alerts_app.command("decide")
def decide_command(
    context: typer.Context,
    alert_id: NumberArgument,
    outcome: Annotated[Contest, typer.Argument(help="upheld or rejected")],
    text: TextOption,
    actor: NameOption = None,
    region: RegionOption = "450000",
) -> None:
    """Decide on a contest."""
    from app import cases  # here: it needs the web framework

    if outcome is Contest.OPEN:
        raise Refusal("a contest is upheld or rejected")
    said = _text(text)
    _tell(context, alert_id, region, actor,
          lambda caller: cases.decide(caller, alert_id, outcome, said))  # fmt: skip


@alerts_app.command("close")
def close_command(
    context: typer.Context,
    alert_id: NumberArgument,
    text: TextOption,
    actor: NameOption = None,
    region: RegionOption = "450000",
) -> None:
    """Close the file of an alert that is over, or was contested with success."""
    from app import cases  # here: it needs the web framework

    said = _text(text)
    _tell(context, alert_id, region, actor,
          lambda caller: cases.close(caller, alert_id, said))  # fmt: skip


@alerts_app.command("task-done")
def task_done_command(
    context: typer.Context,
    task_id: Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="see the letter")],
    text: TextOption,
    evidence: EvidenceOption,
    actor: NameOption = None,
    region: RegionOption = "450000",
) -> None:
    """Note that a task of level 1 is done, and what proves it."""
    from app import cases, deeds  # here: they need the web framework

    said, proof = _text(text), _text(evidence)
    deeds.do(context, region, actor,
             lambda caller: cases.settle_task(caller, task_id, said, proof))  # fmt: skip
    console.print(f"task {task_id}: done", markup=False)


def _tell(
    context: typer.Context,
    alert_id: int,
    region: str,
    actor: str | None,
    deed: Callable[[Caller], Awaitable[None]],
) -> None:
    """Do something about an alert in one transaction, and say how it stands now."""
    from app import alerting, deeds  # here: they need the web framework

    async def work(caller: Caller) -> AlertRow:
        await deed(caller)
        return await alerting.visible(caller, alert_id)

    row = deeds.do(context, region, actor, work)
    console.print(_told(row), markup=False, soft_wrap=True)


def _told(row: AlertRow) -> str:
    """Return how an alert stands, as a sentence."""
    taken = f", {row.acknowledged_by} takes care of it" if row.acknowledged_at else ""
    contest = f", contest {row.contest}" if row.contest else ""
    closed = ", its file is closed" if row.closed_at else ""
    return f"alert {row.alert_id} ({row.subject}): {row.state}{taken}{contest}{closed}"


def _text(text: str, *, is_needed: bool = True) -> str:
    said = text.strip()
    if is_needed and not said:
        raise Refusal("what is said must say something")
    if len(said) > TEXT_LENGTH_MAX:
        raise Refusal(f"at most {TEXT_LENGTH_MAX:,} characters are kept")
    return said
