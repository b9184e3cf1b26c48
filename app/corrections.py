"""Owns `nenghao corrections`: stating what holds in place of a reading, withdrawing it, listing."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import db.changes
import db.corrections
from app import correcting, foreseen, proposals, session
from app.approval import Deed, Rule
from app.imports import fields
from app.imports.kinds import Kind
from app.resolve import Refusal
from db.changes import UNAPPROVED, Author, Change
from db.corrections import CorrectionRow, Target
from db.pool import Connection, Pool
from energy import codes

console = Console()
corrections_app = typer.Typer(
    no_args_is_help=True, help="Corrections of readings: facts beside them, never instead."
)

UnitOption = Annotated[str, typer.Option(help="credit code of the unit")]
MeterOption = Annotated[str, typer.Option(help="the unit's own code of the meter")]
TimeOption = Annotated[str, typer.Option(help="of the reading, 2026-11-23T08:00:00+08:00")]
ReasonOption = Annotated[str, typer.Option(help="why")]
EvidenceOption = Annotated[str, typer.Option(help="what proves it: a document number, a file")]
ActorOption = Annotated[str | None, typer.Option(help="who states this; the login's name")]


@corrections_app.command("add")
def add_command(
    context: typer.Context,
    unit: UnitOption,
    meter: MeterOption,
    time: TimeOption,
    reason: ReasonOption,
    value: Annotated[
        float | None, typer.Option(help="what holds, in the meter's unit, before its multiplier")
    ] = None,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="the reading does not count, nothing is known")
    ] = False,
    evidence: EvidenceOption = "",
    actor: ActorOption = None,
) -> None:
    """State what holds in place of a reading. The reading itself is never changed."""
    if (value is None) != set_aside:
        raise Refusal("say what holds: --value, or --set-aside")
    row, author = _row(unit, meter, time, value), _author(actor, reason, evidence)

    rule = session.addresses(context).rule

    async def work(pool: Pool) -> str:
        now = datetime.now(UTC)
        async with pool.acquire() as connection, connection.transaction():
            target = await _target(connection, row)
            held = await foreseen.list_held(connection, [(row, target)])
            if rule.asks(Deed.CORRECTION, Kind.CORRECTIONS):
                told = await _proposed(connection, rule, row, author, Deed.CORRECTION, now)
            else:
                stated = await correcting.state(connection, author, [(row, target)], now)
                told = "stated" if stated else "was stated already"
            return "\n".join([told, *map(str, held)])

    console.print(session.with_pool(context, work), markup=False, soft_wrap=True)


@corrections_app.command("withdraw")
def withdraw_command(
    context: typer.Context,
    unit: UnitOption,
    meter: MeterOption,
    time: TimeOption,
    reason: ReasonOption,
    evidence: EvidenceOption = "",
    actor: ActorOption = None,
) -> None:
    """Let the reading itself hold again; what was stated stays in the ledger."""
    row, author = _row(unit, meter, time, None), _author(actor, reason, evidence)

    rule = session.addresses(context).rule

    async def work(pool: Pool) -> str:
        now = datetime.now(UTC)
        async with pool.acquire() as connection, connection.transaction():
            target = await _target(connection, row)
            if rule.asks(Deed.WITHDRAWAL, Kind.CORRECTIONS):
                return await _proposed(connection, rule, row, author, Deed.WITHDRAWAL, now)
            if not await correcting.withdraw(connection, author, row, target, now):
                raise Refusal("no correction of this reading holds; see `nenghao corrections list`")
            return "withdrawn"

    console.print(session.with_pool(context, work), markup=False, soft_wrap=True)


async def _proposed(
    connection: Connection,
    rule: Rule,
    row: CorrectionRow,
    author: Author,
    deed: Deed,
    now: datetime,
) -> str:
    """Propose a correction, or its withdrawal; return what is told."""
    from app import drafts, proposing  # here: they need every kind of file

    is_withdrawal = deed is Deed.WITHDRAWAL
    payload = row.subject.encode() if is_withdrawal else drafts.written([row])
    wanted = drafts.Submission(deed, Kind.CORRECTIONS, row.subject, payload, author)
    drafted = await drafts.draft(connection, wanted)
    return proposals.waiting(await proposing.propose(connection, rule, wanted, drafted, now))


@corrections_app.command("list")
def list_command(
    context: typer.Context,
    unit: UnitOption,
    meter: Annotated[str | None, typer.Option(help="only of this meter")] = None,
) -> None:
    """List what was stated of the readings of a unit, the oldest first."""
    code = _unit(unit)
    prefix = f"{code}/" if meter is None else f"{code}/{meter}/"

    async def work(pool: Pool) -> list[Change]:
        async with pool.acquire() as connection:
            return await db.changes.list_stated(connection, db.corrections.NOUN, prefix)

    table = Table("stated", session.key("meter"), session.key("time"), session.key("value"),
                  "actor", "approved by", "reason", "evidence")  # fmt: skip
    for each in session.with_pool(context, work):
        content = each.fact.content
        _, _, rest = each.fact.subject.partition("/")
        named, _, time = rest.rpartition("/")
        holds = "withdrawn" if content is None else content["value"]
        author = each.author
        approver = "nobody" if author.approver == UNAPPROVED else author.approver
        cells = (each.changed_at, named, time, "set aside" if holds is None else holds,
                 author.actor, approver, author.reason, author.evidence)  # fmt: skip
        table.add_row(*map(session.cell, cells))
    session.show(console, table)


def _row(unit: str, meter: str, time: str, value: float | None) -> CorrectionRow:
    try:
        read_at = fields.parse_instant(time)
    except ValueError as error:
        raise Refusal(f"--time {error}") from None
    if value is not None and not abs(value) < float("inf"):
        raise Refusal("--value is not a finite number")
    return CorrectionRow(_unit(unit), meter, read_at, value)


def _unit(text: str) -> str:
    try:
        return codes.parse_credit_code(text)
    except ValueError as error:
        raise Refusal(f"--unit {error}") from None


def _author(actor: str | None, reason: str, evidence: str) -> Author:
    if not reason.strip():
        raise Refusal("--reason is empty: say why")
    return Author(actor or getpass.getuser(), reason.strip(), evidence.strip())


async def _target(connection: Connection, row: CorrectionRow) -> Target:
    targets = await db.corrections.list_targets(connection, [row])
    if row.subject not in targets:
        raise Refusal(
            f"meter {row.meter} of unit {row.unit} has no reading at {row.time.isoformat()}"
        )
    return targets[row.subject]
