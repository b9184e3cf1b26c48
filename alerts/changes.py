"""Owns storing a transition: the alert, its event and its letters, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import structlog

import db.alert_cases
import db.alert_events
import db.alert_parts
import db.alerts
import db.amendments
import db.contests
import db.judgements
import db.kept
import db.outbox
from alerts import amending, dues, factors, history, outbox, parts, reach, tasks
from alerts.kinds.kind import Judged, Rule, Surroundings
from alerts.kinds.words import Note, Occasion, UnverifiedFactor
from alerts.lifecycle import ABOUT, Reason, Transition
from alerts.outbox import Posting
from alerts.reach import full_name
from alerts.series import Series
from alerts.tasks import TaskKind
from alerts.verdicts import Verdict
from db.alert_parts import NewPart
from db.alerts import About, AlertState, Finding, OpenAlert
from db.pool import Connection
from db.scope import Scope
from energy import workdays

log = structlog.get_logger("alert")


async def apply(
    connection: Connection,
    rule: Rule,
    judged: Judged,
    alert: OpenAlert | None,
    transition: Transition,
    around: Surroundings,
) -> bool:
    """Store what happens to `alert`; False: somebody was faster, and nothing is stored."""
    async with connection.transaction():
        alert_id = await _store(connection, rule, judged, alert, transition)
        if alert_id is None:
            return False
        reason = judged.verdict.reason
        event_id = await db.alert_events.insert(
            connection,
            alert_id,
            at=transition.at,
            kind=transition.reason,
            measured=judged.verdict.measured,
            reason=reason if transition.kept is None else f"{reason}; {transition.kept}",
            version=rule.version,
        )
        await _judge(connection, rule, judged, alert_id, transition)
        await db.kept.owe(connection, alert_id, transition.owed)
        letters = 0
        if transition.is_told:
            told = (alert_id, event_id)
            letters = await tell(connection, rule, judged, alert, transition, around, told)
    log.info(
        "alert_changed",
        alert_id=alert_id,
        subject=judged.watched.subject,
        reason=transition.reason,
        letters=letters,
    )
    return True


async def tell(
    connection: Connection,
    rule: Rule,
    judged: Judged,
    alert: OpenAlert | None,
    transition: Transition,
    around: Surroundings,
    told: tuple[int, int],
) -> int:
    """Write the letters about an event, `told` by the numbers of alert and event; return how many.

    It belongs into the transaction of the event.
    """
    posting = _posting(rule, judged, alert, transition, around, *told)
    posting = await _widened(connection, posting, judged, transition)
    await _part(connection, posting, judged)
    occasion = _occasion(
        rule,
        judged,
        transition,
        posting,
        around,
        asks=await _asked(connection, rule, judged.verdict, transition, posting.alert_id),
        unverified=await factors.list_unverified(connection, judged, around.unverified),
        series=await history.fetch(connection, rule, judged, around),
    )
    return await outbox.write(
        connection,
        posting,
        occasion,
        transition.at,
        anew=transition.reason is Reason.RETRACTED,
        ends=transition.reason is Reason.RESOLVED,
    )


async def end(connection: Connection, alert: OpenAlert, at: datetime) -> bool:
    """Close an alert whose rule watches nobody any more; no letter says that all is well."""
    async with connection.transaction():
        if not await db.alerts.resolve(connection, alert, at, by=None):
            return False
        await db.alert_events.insert(
            connection,
            alert.alert_id,
            at=at,
            kind=Reason.RULE_ENDED,
            reason="its rule is ended: whether it is still over is not looked at any more",
        )
        await db.outbox.drop_reminders(connection, alert.alert_id)
        await db.kept.owe(connection, alert.alert_id, None)
    log.info("alert_changed", alert_id=alert.alert_id, reason=Reason.RULE_ENDED, letters=0)
    return True


async def _store(
    connection: Connection,
    rule: Rule,
    judged: Judged,
    alert: OpenAlert | None,
    transition: Transition,
) -> int | None:
    """Write the alert; return its alert_id, or None if it is not as it was."""
    if alert is None:
        finding = finding_of(judged.verdict)
        about = ABOUT.get(transition.reason, About.OVER)
        return await db.alerts.insert_alert(
            connection,
            judged.watched,
            finding,
            transition.state,
            transition.at,
            about,
            is_told=transition.is_told,
        )
    if transition.reason is Reason.RETRACTED:
        ends_at = judged.verdict.period.ends_at
        done = await db.amendments.retract(connection, alert.alert_id, transition.at, by=ends_at)
    elif transition.state is AlertState.RESOLVED:
        done = await db.alerts.resolve(
            connection, alert, transition.at, by=judged.verdict.period.ends_at
        )
    else:
        finding = finding_of(judged.verdict)
        done = await db.alerts.change(
            connection,
            alert,
            finding,
            transition.state,
            transition.at,
            version=rule.version,
            is_told=transition.is_told,
            unless_acknowledged=transition.reason is Reason.REMINDER,
            about=ABOUT.get(transition.reason, About.OVER),
        )
    return alert.alert_id if done else None


async def _judge(
    connection: Connection, rule: Rule, judged: Judged, alert_id: int, transition: Transition
) -> None:
    """Keep what was found of the period, and to which event it led.

    Nothing is told of what is pending: what is found of its period later takes its place.
    """
    found = amending.judgement(judged)
    await db.judgements.upsert(connection, rule.rule_id, [found], transition.at, is_told=True)
    if transition.state is AlertState.PENDING:
        return
    await db.judgements.link(
        connection, rule.rule_id, [(found.subject, found.period)], alert_id, transition.reason
    )


def finding_of(verdict: Verdict) -> Finding:
    assert verdict.level is not None
    assert verdict.measured is not None
    assert verdict.threshold is not None
    return Finding(
        level=verdict.level,
        period=verdict.period,
        measured=verdict.measured,
        threshold=verdict.threshold,
        uom=verdict.uom,
        coverage=verdict.coverage,
        estimated_share=verdict.estimated_share,
        reason=verdict.reason,
    )


def _posting(
    rule: Rule,
    judged: Judged,
    alert: OpenAlert | None,
    transition: Transition,
    around: Surroundings,
    alert_id: int,
    event_id: int,
) -> Posting:
    """Return who is to know: the end of an alert goes to those who were told of its beginning."""
    return Posting(
        alert_id=alert_id,
        event_id=event_id,
        opened_at=transition.at if alert is None else alert.pending_at,
        region=judged.watched.region if alert is None else alert.region,
        level=level_of(judged.verdict, alert, transition),
        rule_region=rule.region,
        region_names=around.region_names,
    )


async def _widened(
    connection: Connection, posting: Posting, judged: Judged, transition: Transition
) -> Posting:
    """Return who is to know of an incident that takes in other regions: their contacts, too.

    Only who may acknowledge it is reminded to.
    """
    if not judged.facts.tells_regions or transition.reason is Reason.REMINDER:
        return posting
    takes_in, has_widened = sorted(judged.facts.regions), transition.reason is Reason.WIDENED
    told = await db.kept.add_regions(connection, posting.alert_id, ())
    regions = reach.of_incident(posting.region, takes_in, told, has_widened=has_widened)
    await db.kept.add_regions(connection, posting.alert_id, takes_in)
    return replace(posting, regions=regions)


async def _part(connection: Connection, posting: Posting, judged: Judged) -> None:
    """Keep what is told to each region of an incident that it is told only a part of."""
    within = Scope.of_region(posting.rule_region).region_prefix
    found = [
        (region, part)
        for region in posting.regions or ()
        if region.startswith(within) and (part := parts.of(judged.facts, region)) is not None
    ]
    told = [
        NewPart(region, part.measured, part.threshold, part.reason, part.period)
        for region, part in found
    ]
    await db.alert_parts.insert(connection, posting.alert_id, posting.event_id, told)


def level_of(verdict: Verdict, alert: OpenAlert | None, transition: Transition) -> int:
    """Return the level whose contacts are to know."""
    level = verdict.level
    if alert is not None and transition.state is AlertState.RESOLVED:
        level = alert.level
    assert level is not None
    return level


def _occasion(
    rule: Rule,
    judged: Judged,
    transition: Transition,
    posting: Posting,
    around: Surroundings,
    *,
    asks: Asked,
    unverified: Sequence[UnverifiedFactor],
    series: Series | None,
) -> Occasion:
    return Occasion(
        task=asks.task,
        task_due_on=asks.task_due_on,
        is_contested=asks.is_contested,
        due_on=asks.due_on,
        remedy_on=asks.remedy_on,
        kind=rule.kind,
        reason=transition.reason,
        verdict=judged.verdict,
        facts=judged.facts,
        region_name=full_name(posting.region, around.region_names),
        link=outbox.link_to(around.public_url, posting.alert_id),
        unverified=unverified,
        note=Note(judged.watched.subject),
        rule_name=rule.name,
        rule_version=rule.version,
        series=series,
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What `alerts/care.py` will see to, with the last days that are in time; `is_contested`: a
    contest waits for somebody to decide.
    """

    due_on: date | None = None
    remedy_on: date | None = None
    task: TaskKind | None = None
    task_due_on: date | None = None
    is_contested: bool = False


def asked(rule: Rule, verdict: Verdict, transition: Transition) -> Asked:
    """Return by when this is to be acknowledged and remedied, and which task it opens: from this
    letter on.
    """
    reason = transition.lets_out or transition.reason
    if reason not in (Reason.FIRST, Reason.ESCALATED) or verdict.level is None:
        return Asked()
    assert verdict.measured is not None
    days, at = rule.parameters.due_workdays, transition.at
    return replace(
        _dates(_due_at(at, days.acknowledge), _due_at(at, days.remedy)),
        task=tasks.asked(rule.parameters, verdict.level, verdict.measured),
        task_due_on=dues.last_day(_due_at(at, workdays.LIST_WORKDAYS)),
    )


async def _asked(
    connection: Connection, rule: Rule, verdict: Verdict, transition: Transition, alert_id: int
) -> Asked:
    """Return what is asked; a reminder says by when it was to be done. While a contest waits, there
    are no dates.
    """
    is_reminder = (transition.lets_out or transition.reason) == Reason.REMINDER
    if not is_reminder and transition.reason is not Reason.RELEASED:
        return asked(rule, verdict, transition)
    case = await db.alert_cases.fetch_clock(connection, alert_id)
    if not is_reminder:  # where there was nobody to tell, its days count since then
        asks = asked(rule, verdict, transition)
        if case is None or transition.lets_out != Reason.FIRST:
            return asks
        dates = _dates(case.dates.acknowledge_by, case.dates.remedy_by)
        return replace(asks, due_on=dates.due_on, remedy_on=dates.remedy_on)
    is_contested = await db.contests.is_open(connection, alert_id)
    if case is None or case.stopped_at is not None:
        return Asked(is_contested=is_contested)
    dates = _dates(case.dates.acknowledge_by, case.dates.remedy_by)
    return replace(dates, is_contested=is_contested)


def _dates(acknowledge_by: datetime | None, remedy_by: datetime | None) -> Asked:
    return Asked(due_on=dues.last_day(acknowledge_by), remedy_on=dues.last_day(remedy_by))


def _due_at(at: datetime, days: int | None) -> datetime | None:
    return None if days is None else workdays.deadline(at, days).due_at
