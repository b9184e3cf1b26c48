"""Owns `nenghao verify`: do the chains hold, and are the readings those that were stored?"""

from __future__ import annotations

import functools
import getpass
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import Progress, TaskID

import db.changes
import db.heads
import db.links
from app import evidence_file, findings, session, verification
from app.findings import Report
from app.resolve import Refusal, plain
from app.verification import Sums
from db.changes import UNAPPROVED, Author, Fact
from db.heads import KeptHead
from db.pool import Connection, Pool
from energy.ledger import Head
from energy.periods import LOCAL

if TYPE_CHECKING:
    from app.standing import Standing

STATEMENT_S = 3_600
"""A week of a whole province is one statement."""

DIFFERENCES_SHOWN = 20

console = Console()
verify_app = typer.Typer(
    invoke_without_command=True, help="Prove that nothing stored was changed, and by what heads."
)
verify_app.command("evidence")(evidence_file.evidence_command)


class HeadLine(BaseModel):
    """A head as a witness keeps it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    day: date
    chain: str
    links: Annotated[int, Field(ge=1)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    noted_at: datetime


LINES = TypeAdapter(list[HeadLine])


@verify_app.callback()
def verify_command(
    context: typer.Context,
    heads: Annotated[
        Path | None,
        typer.Option(help="heads kept elsewhere, as `verify heads` printed them", dir_okay=False),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="settle anew what differs from its readings")
    ] = False,
) -> None:
    """Follow every chain, hold readings and facts against what vouches for them, and sums against
    the readings.
    """
    if context.invoked_subcommand is not None:
        return
    witnessed = [] if heads is None else read(heads)
    unverified = session.addresses(context).unverified

    from app import standing  # here: it needs every kind of file

    async def work(pool: Pool) -> tuple[Report, list[Standing], Sums]:
        with Progress(console=console, transient=True) as bars:
            async with (
                pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                report = await verification.verify(connection, witnessed, _shown(bars))
                show = _shown(bars)
                facts = await standing.of_all(connection, functools.partial(show, "facts"))
            sums = await verification.sums(pool, _shown(bars), repair=repair, unverified=unverified)
        return report, facts, sums

    report, facts, sums = session.with_pool(context, work, statement_s=STATEMENT_S)
    render(report, console)
    if heads is not None:
        render_witnessed(report, len(witnessed), heads.name, console)
    unlike = render_facts(facts, console)
    render_sums(sums, console, repair=repair)
    if report.findings or unlike or not sums.hold:
        raise typer.Exit(1)


@verify_app.command("heads")
def heads_command(
    context: typer.Context,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="kept from this day on")
    ] = None,
) -> None:
    """Print the daily heads and the present ones, for a witness elsewhere to keep."""

    async def work(pool: Pool) -> list[KeptHead]:
        async with pool.acquire() as connection:
            kept = await db.heads.list_kept(connection, None if since is None else since.date())
            return [*kept, *await present(connection, datetime.now(UTC))]

    print(db.heads.written(session.with_pool(context, work)))


@verify_app.command("seal")
def seal_command(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="why, for the ledger of changes")],
    actor: Annotated[str | None, typer.Option(help="who states this; the login's name")] = None,
) -> None:
    """Vouch from now on, as they are now, for readings from before the ledger (once), and for rows
    that nobody stated.
    """
    from app import standing  # here: it needs every kind of file

    rule = session.addresses(context).rule

    async def work(pool: Pool) -> tuple[int, int]:
        with Progress(console=console, transient=True) as bars:
            async with pool.acquire() as connection, connection.transaction():
                weeks: list[Fact] = []
                if not await verification.list_sealed_weeks(connection):
                    weeks = await verification.list_seals(connection, _shown(bars))
                rows = await standing.list_seals(connection)
                alone = standing.called_for(rows)
                if alone and rule.is_required:
                    raise Refusal(
                        f"{alone[0].subject} stands and nobody stated it: what figures rest on is "
                        "not vouched for by one person. Remove the row, and state it by "
                        "`nenghao import`, for a second person to approve"
                    )
                author = Author(
                    actor or getpass.getuser(), reason, approver=UNAPPROVED if alone else None
                )
                await db.changes.record(connection, author, [*weeks, *rows], datetime.now(UTC))
                return len(weeks), len(rows)

    weeks, rows = session.with_pool(context, work, statement_s=STATEMENT_S)
    if not weeks and not rows:
        raise Refusal("there is nothing to seal: readings are sealed once, and all rows are stated")
    console.print(f"{weeks} weeks of readings and {rows} rows sealed")


def _shown(bars: Progress) -> findings.Progress:
    """Return what shows each check as a bar."""
    tasks: dict[str, TaskID] = {}

    def show(check: str, done: int, total: int) -> None:
        if check not in tasks:
            tasks[check] = bars.add_task(check)
        bars.update(tasks[check], completed=done, total=total)

    return show


async def present(connection: Connection, now: datetime) -> list[KeptHead]:
    """Return where every chain stands now."""
    day = now.astimezone(LOCAL).date()
    chains = await db.heads.list_present(connection)
    return [KeptHead(day, chain, head, now) for chain, head in chains]


def read(path: Path) -> list[KeptHead]:
    """Return the heads in a file. Raises Refusal with what is wrong with it."""
    try:
        lines = LINES.validate_json(path.read_bytes())
    except OSError as error:
        raise Refusal(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        fault = error.errors()[0]
        where = "/".join(map(str, fault["loc"]))
        raise Refusal(
            f"{path} holds no heads as `nenghao verify heads` prints them: "
            f"{where} {plain(fault['msg'])}"
        ) from None
    return [
        KeptHead(line.day, line.chain, Head(line.links, bytes.fromhex(line.sha256)), line.noted_at)
        for line in lines
    ]


def render(report: Report, console: Console) -> None:
    """Print for each chain that it holds, or the first link that does not and why."""
    for chain, links in report.links.items():
        if report.first(chain) is None:
            console.print(f"{chain}: {links:,} links hold", highlight=False, soft_wrap=True)
    for chain in dict.fromkeys(each.chain for each in report.findings):
        first = report.first(chain)
        assert first is not None
        count = sum(each.chain == chain for each in report.findings)
        more = f" (and {count - 1:,} more)" if count > 1 else ""
        where = "" if first.number is None else f"broken at link {first.number}: "
        line = f"{chain}: {where}{first.fault}{more}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    for note in report.notes:
        console.print(f"note: {note}", highlight=False, markup=False, soft_wrap=True)


def render_witnessed(report: Report, total: int, name: str, console: Console) -> None:
    """Print how many heads of a witness agree with the chains."""
    is_short = report.agreeing < total and not report.findings
    rest = "; the others are of entries of the audit log that were removed" if is_short else ""
    line = f"heads: {report.agreeing:,} of the {total:,} in {name} agree{rest}"
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def render_facts(facts: Sequence[Standing], console: Console) -> int:
    """Print which facts do not hold as they were stated or shipped; return how many."""
    findings = [each for one in facts for each in one.findings]
    for each in findings[:DIFFERENCES_SHOWN]:
        line = f"facts: {each.kind} {each.subject}: {each.fault}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if len(findings) > DIFFERENCES_SHOWN:
        console.print(f"facts: {len(findings) - DIFFERENCES_SHOWN:,} more", highlight=False)
    if not findings:
        console.print("facts: all hold as they were stated, reference rows as they were shipped")
    return len(findings)


def render_sums(sums: Sums, console: Console, *, repair: bool) -> None:
    """Print how many units agree with their readings, or the sums that do not."""
    for unit_id in sums.failed[:DIFFERENCES_SHOWN]:
        what = f"unit {unit_id} cannot be settled" if unit_id else "areas cannot be added up"
        line = f"sums: {what}, see the log: their sums are not known"
        console.print(line, highlight=False, soft_wrap=True)
    if sums.hold:
        console.print(f"sums: {sums.units:,} units and all areas agree with the readings")
    for each in sums.differences[:DIFFERENCES_SHOWN]:
        at = each.starts_at.astimezone(LOCAL).isoformat(timespec="minutes")
        line = f"sums: {each.owner} {each.step} {at}: {each.stored} stored, {each.right} is right"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    more = len(sums.differences) + sums.more - DIFFERENCES_SHOWN
    if sums.differences:
        tail = "were repaired" if repair else "repair them with --repair"
        console.print(f"sums: {f'{more:,} more; ' if more > 0 else ''}{tail}", highlight=False)
