"""Owns storing what follows when periods are judged again: amended, retracted and late alerts.

Each in one transaction with what was found, its event and its letters, which stay in the thread of
the alert and go to those who had been written to. A flood of late data is no flood of mail, and
nothing is left out of it: the outbox gathers letters into digests. What keeps letters back keeps
these back, too, but not that a warning had no reason: whoever was told that is told at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

import db.alert_events
import db.alerts
import db.amendments
import db.judgements
import db.kept
import db.outbox
from alerts import amending, changes, factors, history, outbox, rejudging
from alerts.amending import Again, Amendment, Late
from alerts.keepers import NOT_YET, Keepers, Kept
from alerts.kinds.kind import Judged, Rule, Surroundings
from alerts.kinds.words import Amended, Note, Occasion
from alerts.lifecycle import Reason, Transition
from alerts.outbox import Posting
from alerts.reach import full_name
from alerts.rejudging import Looked
from alerts.verdicts import HIGH_LEVEL, State
from db.alerts import AlertState, OpenAlert
from db.amendments import Life
from db.fresh import Fresh
from db.judgements import Judgement
from db.kept import Standing
from db.pool import Connection
from energy import periods
from energy.periods import Step

LATE_REST = timedelta(hours=24)
"""Who was told of a late alert is not told of another one of the same subject for so long."""

log = structlog.get_logger("alert")


async def apply(
    connection: Connection,
    rule: Rule,
    looked: Looked,
    fresh: Sequence[Fresh],
    around: Surroundings,
    keeping: Keepers,
) -> int:
    """Keep what was found again, and tell what has to be told anew; return how many alerts."""
    marks: dict[int | None, int] = {}
    for each in fresh:
        marks[each.unit_id] = max(each.mark, marks.get(each.unit_id, 0))
    by_subject = amending.grouped(looked.again)
    subjects = list(by_subject)
    since = rejudging.amended_since(rule, around)
    lives = await db.amendments.list_lives(connection, rule.rule_id, subjects, since)
    first = await db.amendments.list_first(connection, rule.rule_id, rule.version, subjects)
    hour = periods.floor(around.now, Step.HOUR)
    newest = {each.watched.subject: each for each in looked.newest}
    quiet = [replace(each, mark=marks.get(each.unit_id, 0)) for each in looked.missed]
    changed = 0
    for subject, again in by_subject.items():
        own = [life for life in lives if life.subject == subject]
        last = newest.get(subject) or max(again, key=lambda each: each.ends_at).judged
        newest_at = last.verdict.period.ends_at if subject in newest else hour
        known = [
            each
            for each in again
            if each.was is not None or (subject in first and first[subject] <= each.ends_at)
        ]
        kept = [
            amending.judgement(each.judged, marks.get(each.judged.watched.unit_id, 0))
            for each in known
        ]
        amended = amending.amendments(known, own, newest_at)
        late = None
        if not rule.parameters.is_restated:  # the newest month holds those before it
            late = amending.late(known, own, rule.parameters, first.get(subject), newest_at)
        if not amended and late is None:
            quiet += kept
            continue
        async with connection.transaction():
            await _keep(connection, rule, kept, amended, late, around)
            for amendment in amended:
                changed += await _amend(connection, rule, amendment, last, around, keeping)
            if late is not None:
                changed += await _open_late(connection, rule, late, own, last, around, keeping)
    await db.judgements.upsert(connection, rule.rule_id, quiet, around.now)
    return changed


async def ended(
    connection: Connection,
    rule: Rule,
    judged: Judged,
    alert: OpenAlert | None,
    transition: Transition | None,
) -> Transition | None:
    """Return how an alert ends: withdrawn where what opened it, and all after it, was not over."""
    if alert is None or transition is None or transition.reason is not Reason.RESOLVED:
        return transition
    ends_at = judged.verdict.period.ends_at
    looks_back = rule.parameters.looks_back
    if looks_back and await db.amendments.is_groundless(connection, alert.alert_id, ends_at):
        return replace(transition, reason=Reason.RETRACTED)
    return transition


async def _keep(
    connection: Connection,
    rule: Rule,
    found: Sequence[Judgement],
    amended: Sequence[Amendment],
    late: Late | None,
    around: Surroundings,
) -> None:
    """Keep what was found again of a subject, and of which periods that is told."""
    told = [each for one in amended for each in one.changed] + [*(late.again if late else ())]
    anew = [amending.judgement(each.judged) for each in told]
    await db.judgements.upsert(connection, rule.rule_id, found, around.now)
    await db.judgements.upsert(connection, rule.rule_id, anew, around.now, is_told=True)


async def _amend(
    connection: Connection,
    rule: Rule,
    amendment: Amendment,
    last: Judged,
    around: Surroundings,
    keeping: Keepers,
) -> bool:
    """Tell anew what was told of an alert, or that it is to be; False: it was done before, or
    nothing was told of what changed.
    """
    life, again = amendment.life, amendment.again
    is_retracted = amendment.is_doubtful and await db.amendments.is_groundless(
        connection, life.alert_id, life.resolved_by
    )
    if not is_retracted and not amendment.changed:
        return False
    if is_retracted:
        if not await db.amendments.retract(connection, life.alert_id, around.now, by=again.ends_at):
            return False
        await db.outbox.drop_reminders(connection, life.alert_id)
    kept = None
    if life.is_told and not is_retracted:
        kept = keeping.over(_standing(rule, life, again.judged.watched.unit_id))
    await _renew(connection, amendment, around, is_told=kept is None)
    if not is_retracted:
        await _show_what_fires(connection, rule, amendment, last, around)
    if kept is not None and not await _owe(connection, rule, amendment, around):
        return False
    reason = Reason.RETRACTED if is_retracted else Reason.AMENDED
    event_id = await _event(
        connection, rule, life.alert_id, again, reason if life.is_told else Reason.NOTED, around,
        f"{amending.was(again)}; now: {again.verdict.reason}"
        + _more(len(amendment.changed)) + _kept(kept),
    )  # fmt: skip
    letters = 0
    if life.is_told and kept is None:
        note = amending.note(amendment, None if is_retracted else last)
        told = amending.before(amendment)
        letters = await _write(
            connection, rule, again.judged, life, event_id, reason, note, around, told
        )
        if note.newest is not None and note.newest.state is State.FIRING:
            key = (life.subject, note.newest.period)
            await db.judgements.link(connection, rule.rule_id, [key], life.alert_id, reason)
    log.info("alert_amended", alert_id=life.alert_id, subject=life.subject, reason=reason,
             letters=letters)  # fmt: skip
    return True


async def _renew(
    connection: Connection, amendment: Amendment, around: Surroundings, *, is_told: bool
) -> None:
    """Let an alert show what was found anew of its period, whichever of them that is."""
    life = amendment.life
    for each in amendment.changed:
        verdict = each.verdict
        if verdict.measured is not None and verdict.threshold is not None:
            finding = changes.finding_of(replace(verdict, level=verdict.level or life.level))
            await db.amendments.amend(
                connection, life.alert_id, each.ends_at, finding, around.now, is_told=is_told
            )


async def _show_what_fires(
    connection: Connection, rule: Rule, amendment: Amendment, last: Judged, around: Surroundings
) -> None:
    """Let an alert that fires show a period that is over, not one that turned out not to be; what
    is found of that one later is told anew, too.
    """
    life, verdict = amendment.life, last.verdict
    shown = [each for each in amendment.changed if each.ends_at == life.shown_by]
    if life.state is not AlertState.FIRING or not any(each.has_ceased for each in shown):
        return
    shown_now = await db.amendments.show_last_over(connection, life.alert_id, around.now)
    if shown_now is not None:
        key = (life.subject, shown_now)
        await db.judgements.link(connection, rule.rule_id, [key], life.alert_id, Reason.AMENDED)
    if verdict.state is State.FIRING:
        await db.amendments.amend(
            connection, life.alert_id, verdict.period.ends_at, changes.finding_of(verdict),
            around.now, is_told=False,
        )  # fmt: skip


async def _owe(
    connection: Connection, rule: Rule, amendment: Amendment, around: Surroundings
) -> bool:
    """Let what stands in letters stand until they are amended; False: that is owed already."""
    told = [each.was for each in amendment.changed if each.was is not None]
    await db.judgements.upsert(connection, rule.rule_id, told, around.now, is_told=True)
    if Reason.AMENDED in amendment.life.owed_anew:
        return False
    await db.kept.owe_anew(connection, amendment.life.alert_id, Reason.AMENDED)
    return True


async def _open_late(
    connection: Connection,
    rule: Rule,
    late: Late,
    lives: Sequence[Life],
    newest: Judged,
    around: Surroundings,
    keeping: Keepers,
) -> bool:
    """Open the alert that should have been opened when nobody could know; it may be over by now."""
    worst, first = late.worst, min(late.again, key=lambda each: each.ends_at)
    keys = [(each.judged.watched.subject, each.verdict.period) for each in late.again]
    life = _late_life(NOT_YET, worst, first, around)
    kept = keeping.before(_standing(rule, life, worst.judged.watched.unit_id))
    lately = _told_lately(lives, around, is_kept=kept is not None)
    said = f"known only now: {worst.verdict.reason}" + _more(len(late.again))
    if lately is not None:
        await _event(connection, rule, lately, worst, Reason.NOTED, around, said)
        await db.judgements.link(connection, rule.rule_id, keys, lately, Reason.NOTED)
        return True
    opened = await db.alerts.insert_alert(
        connection,
        worst.judged.watched,
        changes.finding_of(worst.verdict),
        AlertState.FIRING,
        around.now,
        is_told=kept is None,
    )
    if opened is None:
        return False
    await db.amendments.mark_late(connection, opened, first.ends_at)
    await db.judgements.link(connection, rule.rule_id, keys, opened, Reason.LATE)
    event_id = await _event(
        connection, rule, opened, worst, Reason.LATE, around, said + _kept(kept)
    )
    is_past = newest.verdict.state in (State.OK, State.WARN)
    life = replace(life, alert_id=opened)
    letters = 0
    if kept is None:
        note = Note(life.subject, periods=len(late.again), is_past=is_past)
        letters = await _write(
            connection, rule, worst.judged, life, event_id, Reason.LATE, note, around, None
        )
    if is_past:
        await _end_late(connection, rule, life, newest, around)
    else:
        await db.kept.owe(connection, opened, Reason.FIRST)
    log.info("alert_late", alert_id=opened, subject=life.subject, letters=letters)
    return True


def _told_lately(lives: Sequence[Life], around: Surroundings, *, is_kept: bool) -> int | None:
    """Return the late alert that was told of a short while ago, or could not be told of either."""
    found = [
        life.alert_id
        for life in lives
        if life.is_late
        and life.retracted_at is None
        and life.pending_at > around.now - LATE_REST
        and (life.is_told or is_kept)
    ]
    return found[-1] if found else None


def _late_life(alert_id: int, worst: Again, first: Again, around: Surroundings) -> Life:
    """Return a late alert that has just been opened."""
    return Life(
        alert_id=alert_id,
        subject=worst.judged.watched.subject,
        region=worst.judged.watched.region,
        level=worst.verdict.level or HIGH_LEVEL,
        state=AlertState.FIRING,
        pending_at=around.now,
        fired_at=around.now,
        told_at=None,
        opened_by=first.ends_at,
        resolved_by=None,
        is_late=True,
        retracted_at=None,
        is_told=False,
        owed_anew=(),
        shown_by=worst.ends_at,
    )


async def _end_late(
    connection: Connection, rule: Rule, life: Life, newest: Judged, around: Surroundings
) -> None:
    """Close a late alert that is over: its letter says so, and there is no other."""
    ends_at = newest.verdict.period.ends_at
    await db.amendments.close(connection, life.alert_id, around.now, by=ends_at)
    await _event(
        connection, rule, life.alert_id, Again(newest, None), Reason.RESOLVED, around,
        f"over before its data came: {newest.verdict.reason}",
    )  # fmt: skip


async def _event(
    connection: Connection,
    rule: Rule,
    alert_id: int,
    again: Again,
    reason: Reason,
    around: Surroundings,
    said: str,
) -> int:
    return await db.alert_events.insert(
        connection,
        alert_id,
        at=around.now,
        kind=reason,
        measured=again.verdict.measured,
        reason=said,
        version=rule.version,
    )


async def _write(
    connection: Connection,
    rule: Rule,
    judged: Judged,
    life: Life,
    event_id: int,
    reason: Reason,
    note: Note,
    around: Surroundings,
    amended: Amended | None,
) -> int:
    posting = Posting(
        alert_id=life.alert_id,
        event_id=event_id,
        opened_at=life.pending_at,
        region=life.region,
        level=judged.verdict.level or life.level,
        rule_region=rule.region,
        region_names=around.region_names,
    )
    occasion = Occasion(
        kind=rule.kind,
        reason=reason,
        verdict=judged.verdict,
        facts=judged.facts,
        region_name=full_name(life.region, around.region_names),
        link=outbox.link_to(around.public_url, life.alert_id),
        unverified=await factors.list_unverified(connection, judged, around.unverified),
        rule_name=rule.name,
        rule_version=rule.version,
        series=await history.fetch(connection, rule, judged, around),
        note=note,
        amended=amended,
    )
    anew = reason is not Reason.LATE
    return await outbox.write(connection, posting, occasion, around.now, anew=anew)


def _standing(rule: Rule, life: Life, unit_id: int | None) -> Standing:
    return Standing(
        life.alert_id, rule.rule_id, life.region, unit_id, life.subject, life.state, life.level
    )


def _kept(kept: Kept | None) -> str:
    return "" if kept is None else f"; {kept.reason}"


def _more(periods: int) -> str:
    return f"; and {periods - 1} more periods" if periods > 1 else ""
