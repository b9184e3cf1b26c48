"""Owns the verification of every night: chains, heads, corrections, facts, and readings in turns.

Each part is one transaction that notes what it found: who is stopped goes on with the next part,
and of several settlers one is at it. Sums are reconciled beside it (`ingest/reconcile.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, datetime

import structlog

import db.heads
import db.links
import db.nightly
import db.patience
import db.pool
import db.reconciliation
from app import verification
from app.verification import Finding, Report
from db.nightly import Checked
from db.pool import Connection, Pool
from energy.periods import LOCAL, Span
from ingest.reconcile import NIGHT_HOUR, NIGHTLY_SPAN

LOOK_S = 60.0
STATEMENT_S = 3_600
"""The readings of a province in a week are one statement."""

OLD_WEEKS_A_NIGHT = 8
"""Weeks before NIGHTLY_SPAN that are held against their links each night: a year takes a week."""

CHAINS, CORRECTIONS, FACTS, READINGS = "chains", "corrections", "facts", "readings/"
ALWAYS = (CHAINS, CORRECTIONS, FACTS)

log = structlog.get_logger("verify")


async def run(url: str, clock: Callable[[], datetime]) -> None:
    """Verify every night, until cancelled."""
    while True:
        try:
            async with await db.pool.create_pool(
                url, timeout_s=STATEMENT_S, size_max=1, application="nenghao verify"
            ) as pool:
                while await _run_one(pool, clock()):
                    pass
        except Exception as error:
            if not db.patience.is_retryable(error):
                raise
            log.warning("not_verified", error=repr(error))  # the next round goes on
        await asyncio.sleep(LOOK_S)


async def _run_one(pool: Pool, now: datetime) -> bool:
    async with pool.acquire() as connection:
        return await check_one(connection, now)


def night_of(now: datetime) -> date:
    """Return the night that `now` belongs to, by the day on which it began at 02:00.

    >>> night_of(datetime.fromisoformat("2026-11-26T01:59+08:00")).isoformat()
    '2026-11-25'
    """
    return (now.astimezone(LOCAL) - NIGHT_HOUR).date()


async def check_one(connection: Connection, now: datetime) -> bool:
    """Do the next check of the night; False: there is none, or somebody else is at one.

    The night in which the database was made has none: it is at work on what it begins with.
    """
    night = night_of(now)
    async with connection.transaction(isolation="repeatable_read"):
        if not await db.nightly.try_lock(connection):
            return False
        if night <= night_of(await db.reconciliation.fetch_first(connection)):
            return False
        newest = {each.part: each for each in await db.nightly.list_newest(connection)}
        due = [part for part in ALWAYS if part not in newest or newest[part].night < night]
        weeks = await db.links.list_weeks(connection) if not due else []
        due += [READINGS + verification.name_of(week) for week in _due(weeks, newest, night, now)]
        if not due:
            return False
        findings = await _check(connection, due[0], weeks)
        first = f"{findings[0].chain}: {findings[0].fault}" if findings else None
        await db.nightly.note(connection, Checked(due[0], night, now, len(findings), first))
    for each in findings[:3]:
        log.critical("not_as_it_was", part=due[0], chain=each.chain, link=each.number,
                     fault=each.fault)  # fmt: skip
    log.info("verified", part=due[0], findings=len(findings))
    return True


def _due(
    weeks: Sequence[Span], newest: dict[str, Checked], night: date, now: datetime
) -> list[Span]:
    """Return the weeks that are to be looked at this night and were not yet, the newest first."""
    last = {
        week: newest[part].night if (part := READINGS + verification.name_of(week)) in newest
        else date.min
        for week in weeks
    }  # fmt: skip
    recent = [week for week in weeks if week.ends_at > now - NIGHTLY_SPAN]
    old = sorted((week for week in weeks if week not in recent), key=lambda each: last[each])
    looked_at = sum(last[week] >= night for week in old)
    turn = old[: max(0, OLD_WEEKS_A_NIGHT - looked_at)]
    return [week for week in [*reversed(recent), *turn] if last[week] < night]


async def _check(connection: Connection, part: str, weeks: Sequence[Span]) -> list[Finding]:
    report = Report()
    match part:
        case "chains":
            await verification.check_changes(connection, report, _unseen)
            await verification.check_links(connection, report, _unseen)
            kept = await db.heads.list_kept(connection)
            await verification.check_times(connection, report, kept, [])
            await verification.check_heads(connection, report, kept, "here")
        case "corrections":
            await verification.check_corrections(connection, report, _unseen)
            await verification.check_proposals(connection, report, _unseen)
        case "facts":
            from app import standing  # here: it needs every kind of file

            for one in await standing.of_all(connection):
                report.findings += [
                    Finding(f"facts/{each.kind}", None, f"{each.subject}: {each.fault}")
                    for each in one.findings
                ]
        case _:
            (week,) = [each for each in weeks if READINGS + verification.name_of(each) == part]
            await verification.check_readings(connection, report, _unseen, [week])
    return report.findings


def _unseen(check: str, done: int, total: int) -> None:
    """Nobody looks on."""
