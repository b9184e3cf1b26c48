"""Owns `nenghao silences`: what keeps letters of alerts back, until when, and why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

import db.silences
from app import session
from app.resolve import Refusal
from db.pool import Pool
from db.silences import SilenceRow
from energy.periods import LOCAL

if TYPE_CHECKING:
    from app.depends import Caller

LISTED_MAX = 1_000

console = Console()
silences_app = typer.Typer(no_args_is_help=True, help="What keeps letters of alerts back.")

RegionOption = Annotated[str, typer.Option(help="GB/T 2260 code: what is within")]
NumberArgument = Annotated[
    int, typer.Argument(min=1, max=2**31 - 1, help="see `nenghao silences list`")
]
ReasonOption = Annotated[str, typer.Option(help="why, for the ledger of changes")]
NameOption = Annotated[str | None, typer.Option("--as", help="who states it; the login's name")]
Minute = Annotated[
    datetime,
    typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="in the time of Asia/Shanghai"),
]


@silences_app.command("list")
def list_command(
    context: typer.Context,
    region: RegionOption = "450000",
    every: Annotated[bool, typer.Option("--all", help="also those that are over")] = False,
) -> None:
    """List silences that act on a region, the newest first."""
    from app import silences  # here: it needs the web framework

    now = datetime.now(UTC)

    async def work(pool: Pool) -> list[SilenceRow]:
        async with pool.acquire() as connection:
            return await db.silences.list_visible(
                connection,
                session.scope(region),
                region_prefix="",
                is_over=None if every else False,
                now=now,
                limit=LISTED_MAX,
                before_silence_id=None,
            )

    table = Table(session.key("id"), "state", session.key("region"), "rule",
                  session.unit_column(), "subject", "from", "until", "by", "reason")  # fmt: skip
    for row in session.with_pool(context, work):
        cells = (row.silence_id, silences.state(row, now), row.region, row.rule_id, row.unit,
                 row.subject, row.starts_at, row.ended_at or row.ends_at, row.actor,
                 row.reason)  # fmt: skip
        table.add_row(*map(session.cell, cells))
    session.show(console, table)


@silences_app.command("add")
def add_command(
    context: typer.Context,
    region: Annotated[str, typer.Option(help="GB/T 2260 code: alerts within, and no others")],
    until: Minute,
    reason: ReasonOption,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--from", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="in Asia/Shanghai; now"
        ),
    ] = None,
    rule: Annotated[int | None, typer.Option(help="only alerts of this rule")] = None,
    unit: Annotated[str | None, typer.Option(help="only alerts about this unit")] = None,
    subject: Annotated[str | None, typer.Option(help="only alerts about this")] = None,
    actor: NameOption = None,
) -> None:
    """Keep letters back for a while. Alerts are judged and shown as ever."""
    from app import silences  # here: it needs the web framework
    from app.silences import Statement

    statement = Statement(
        region=region,
        rule_id=rule,
        unit=unit,
        subject=subject,
        starts_at=_instant(since),
        ends_at=until.replace(tzinfo=LOCAL).astimezone(UTC),
        reason=_said(reason),
    )

    async def state(caller: Caller) -> SilenceRow:
        return await silences.visible(caller, await silences.make(caller, statement))

    _tell(context, region, actor, state)


@silences_app.command("approve")
def approve_command(
    context: typer.Context,
    silence_id: NumberArgument,
    reason: ReasonOption,
    actor: NameOption = None,
    region: RegionOption = "450000",
) -> None:
    """Let a silence act that another person stated, and that waits for a second one."""
    from app import silences  # here: it needs the web framework

    why = _said(reason)

    async def approve(caller: Caller) -> SilenceRow:
        await silences.approve(caller, silence_id, why)
        return await silences.visible(caller, silence_id)

    _tell(context, region, actor, approve)


@silences_app.command("end")
def end_command(
    context: typer.Context,
    silence_id: NumberArgument,
    reason: ReasonOption,
    actor: NameOption = None,
    region: RegionOption = "450000",
) -> None:
    """Let a silence keep nothing back from now on."""
    from app import silences  # here: it needs the web framework

    why = _said(reason)

    async def end(caller: Caller) -> SilenceRow:
        await silences.end(caller, silence_id, why)
        return await silences.visible(caller, silence_id)

    _tell(context, region, actor, end)


def _tell(
    context: typer.Context,
    region: str,
    actor: str | None,
    deed: Callable[[Caller], Awaitable[SilenceRow]],
) -> None:
    """Do something to a silence in one transaction, and say what it does now."""
    from app import deeds, silences  # here: they need the web framework

    row = deeds.do(context, region, actor, deed)
    console.print(
        f"silence {row.silence_id}: {silences.state(row, datetime.now(UTC))}", markup=False
    )


def _said(reason: str) -> str:
    if not reason.strip():
        raise Refusal("--reason must say something")
    return reason.strip()


def _instant(local: datetime | None) -> datetime | None:
    return None if local is None else local.replace(tzinfo=LOCAL).astimezone(UTC)
