"""Owns the verification of every night: chains, heads, corrections, facts, and readings in turns.

Each part is one transaction that notes what it found: who is stopped goes on with the next part,
and of several settlers one is at it. A part that cannot be checked waits for the others. Sums are
reconciled beside it (`ingest/reconcile.py`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta

import structlog

import db.heads
import db.links
import db.metrics
import db.nightly
import db.pool
import db.reconciliation
from app import told_twice, verification
from app.findings import Finding, Report
from db.heads import AUDIT
from db.metrics import Night
from db.nightly import Checked
from db.pool import Connection, Pool
from energy import instants
from energy.periods import LOCAL, Span
from ingest.reconcile import NIGHT_HOUR, NIGHTLY_SPAN

LOOK_S = 60.0
STATEMENT_S = 3_600
"""The readings of a province in a week are one statement."""

AUDIT_SPAN = timedelta(days=8)
"""Of the audit log this much is verified each night; all of it by `nenghao verify`."""

OLD_WEEKS_A_NIGHT = 8
"""Weeks before NIGHTLY_SPAN that are held against their links each night: a year takes a week."""

CHAINS, CORRECTIONS, FACTS, READINGS = "chains", "corrections", "facts", "readings/"
ALWAYS = (CHAINS, CORRECTIONS, FACTS)

log = structlog.get_logger("verify")

Tries = Counter[str]
"""How often each part was begun since it was done last."""


class UncheckedError(Exception):
    """A part could not be checked."""


async def run(url: str, clock: Callable[[], datetime]) -> None:
    """Verify every night, until cancelled. What fails rests: settlement goes on beside it.

    That a part was not checked is seen by its age (`nenghao_verification_age_seconds`).
    """
    tries = Tries()
    while True:
        try:
            async with await db.pool.create_pool(
                url, timeout_s=STATEMENT_S, size_max=1, application="nenghao verify"
            ) as pool:
                while await _run_one(pool, clock(), tries):
                    pass
        except Exception as error:  # the next round goes on with another part
            log.error("not_verified", error=repr(error), cause=repr(error.__cause__))
        await asyncio.sleep(LOOK_S)


async def _run_one(pool: Pool, now: datetime, tries: Tries) -> bool:
    async with pool.acquire() as connection:
        return await check_one(connection, now, tries)


def night_of(now: datetime) -> date:
    """Return the night that `now` belongs to, by the day on which it began at 02:00.

    >>> night_of(datetime.fromisoformat("2026-11-26T01:59+08:00")).isoformat()
    '2026-11-25'
    """
    return (now.astimezone(LOCAL) - NIGHT_HOUR).date()


def recent_weeks(now: datetime) -> list[Span]:
    """Return the weeks whose readings are checked every night, the oldest first."""
    week = instants.week(instants.of(now - NIGHTLY_SPAN))
    last = instants.week(instants.of(now))
    starts = [instants.moment(instants.week_start(each)) for each in range(week, last + 1)]
    return [Span(start, start + instants.WEEK_LONG) for start in starts]


async def fetch_night(connection: Connection, now: datetime) -> Night:
    """Return what the last night found, and since when no part is older."""
    recent = recent_weeks(now)
    return await db.metrics.fetch_night(
        connection,
        night_of(now),
        always=ALWAYS,
        recent={READINGS + verification.name_of(week): week.starts_at for week in recent},
        weeks_a_night=OLD_WEEKS_A_NIGHT,
    )


async def check_one(connection: Connection, now: datetime, tries: Tries | None = None) -> bool:
    """Do the next check of the night; False: there is none, or somebody else is at one.

    The night in which the database was made has none: it is at work on what it begins with.
    Raises UncheckedError if it cannot be done; with the same `tries` another is next.
    """
    tries = Tries() if tries is None else tries
    night = night_of(now)
    async with connection.transaction(isolation="repeatable_read"):
        if not await db.nightly.try_lock(connection):
            return False
        if night <= night_of(await db.reconciliation.fetch_first(connection)):
            return False
        newest = await db.nightly.list_newest(connection, night)
        weeks = await db.links.list_weeks(connection)
        due = _due({each.part: each for each in newest}, weeks, night, now, tries)
        if not due:
            return False
        part = min(due, key=lambda each: tries[each])
        tries[part] += 1
        try:
            findings = await _check(connection, part, weeks, night)
        except Exception as error:
            raise UncheckedError(part) from error
        first = f"{findings[0].chain}: {findings[0].fault}" if findings else None
        await db.nightly.note(connection, Checked(part, night, now, len(findings), first))
    del tries[part]
    for each in findings[:3]:
        log.critical("not_as_it_was", part=part, chain=each.chain, link=each.number,
                     fault=each.fault)  # fmt: skip
    log.info("verified", part=part, findings=len(findings))
    return True


def _due(
    newest: Mapping[str, Checked], weeks: Sequence[Span], night: date, now: datetime, tries: Tries
) -> list[str]:
    """Return the parts that are to be checked this night and were not yet."""
    always = [part for part in ALWAYS if part not in newest or newest[part].night < night]
    named = {READINGS + verification.name_of(week): week for week in weeks}
    last = {part: newest[part].night if part in newest else date.min for part in named}
    recent = [part for part, week in named.items() if week.ends_at > now - NIGHTLY_SPAN]
    old = sorted(named.keys() - set(recent), key=lambda part: (tries[part], last[part], part))
    looked_at = sum(last[part] >= night for part in old)
    turn = old[: max(0, OLD_WEEKS_A_NIGHT - looked_at)]
    return [*always, *(part for part in (*reversed(recent), *turn) if last[part] < night)]


async def _check(
    connection: Connection, part: str, weeks: Sequence[Span], night: date
) -> list[Finding]:
    report = Report()
    match part:
        case "chains":
            await verification.check_changes(connection, report, _unseen)
            await verification.check_links(connection, report, _unseen)
            kept = await db.heads.list_kept(connection)
            audited = [
                each for each in kept if each.chain == AUDIT and each.day <= night - AUDIT_SPAN
            ]
            since = audited[-1] if audited else None
            await verification.check_audit(connection, report, _unseen, since)
            await verification.check_times(connection, report, kept, [])
            await verification.check_heads(connection, report, kept, "here")
        case "corrections":
            await told_twice.corrections(connection, report, _unseen)
            await told_twice.alert_events(connection, report, _unseen)
            await told_twice.alert_cases(connection, report, _unseen)
            await told_twice.tasks(connection, report, _unseen)
            await told_twice.proposals(connection, report, _unseen)
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
