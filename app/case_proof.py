"""Owns whether what people do about an alert stands as its history says it must. Pure.

What people said decides whose an alert is, who acknowledged it, its contest and its end; due dates
are computed anew, by the calendar of this release, from the instant they count from. That instant
is one at which the platform wrote about the alert.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from alerts import dues, rules
from alerts.dues import CONTEST_STOPS_FOR, Turn
from alerts.kinds.kind import DueWorkdays
from alerts.lifecycle import Reason
from db import alert_events
from db.alert_cases import Contest
from db.case_history import Happened, Stood
from db.rules import RuleRow, StoredVersion
from energy import workdays
from energy.periods import LOCAL
from energy.workdays import NoDeadline

Asked = tuple[int | None, int | None]
"""Working days to acknowledge and to remedy, as a version of the rule asks."""

LATE_MAX = timedelta(days=1)
"""So much later at most an evaluator sees that a contest has stopped a clock for long enough."""

CONTESTS = {
    alert_events.CONTESTED: Contest.OPEN,
    alert_events.UPHELD: Contest.UPHELD,
    alert_events.REJECTED: Contest.REJECTED,
}
ENDS = frozenset({Turn.CLOCK_RESUMED, alert_events.UPHELD, alert_events.REJECTED})
OF_A_CASE = frozenset({alert_events.ASSIGNED, alert_events.CLOSED, Turn.RAISED_TO, *CONTESTS})
ACKNOWLEDGES = frozenset({alert_events.ACKNOWLEDGED, alert_events.UPHELD})
WORSE = frozenset(
    {
        Reason.FIRST,
        Reason.ESCALATED,
        Reason.RELEASED,
        Reason.WIDENED,
        Reason.EARLY,
        Reason.LATE,
        Reason.AMENDED,
        Reason.UNKNOWN,
    }
)
"""After these an alert may be another, or worse: who acknowledged it before has not done so now."""

LONG_AGO = datetime.min.replace(tzinfo=UTC)


def asked_by_rule(versions: Iterable[StoredVersion]) -> dict[int, set[Asked]]:
    """Return, by rule, the working days its versions ask for; none, where one is unreadable."""
    found: dict[int, set[Asked]] = {}
    for each in versions:
        days = DueWorkdays()
        if each.parameters is not None:
            row = RuleRow(
                each.rule_id, each.kind, each.region, each.version, each.name, each.parameters
            )
            with suppress(ValueError):
                days = rules.parse(row).parameters.due_workdays
        found.setdefault(each.rule_id, set()).add((days.acknowledge, days.remedy))
    return found


def faults(
    alert: Stood, happened: Sequence[Happened], asked: Set[Asked], dated_since: datetime | None
) -> Iterator[str]:
    """Yield what of an alert its history does not justify.

    `asked` by any version of its rule; `dated_since`: when due dates were given first, None: never.
    """
    yield from _acknowledged(alert, happened)
    if not alert.has_case:
        if _last(happened, OF_A_CASE) is not None:
            yield "something was done about it, and nothing is kept of that any more"
        return
    yield from _said(alert, happened)
    yield from _stopped(alert, happened)
    if alert.dated_at is not None:
        yield from _counted(alert, happened, asked, alert.dated_at)
    else:
        yield from _undated(alert, dated_since)


def _acknowledged(alert: Stood, happened: Sequence[Happened]) -> Iterator[str]:
    said = [each for each in happened if each.kind in ACKNOWLEDGES]
    if alert.acknowledged_at is not None or alert.acknowledged_by is not None:
        if (alert.acknowledged_at, alert.acknowledged_by) not in [(e.at, e.actor) for e in said]:
            yield (
                f"is acknowledged by {alert.acknowledged_by} at {_told(alert.acknowledged_at)}, "
                "who did not say so"
            )
        return
    last = _last(happened, {alert_events.ACKNOWLEDGED})
    if last is not None and not any(each.kind in WORSE and each.at >= last.at for each in happened):
        yield f"{last.actor} acknowledged it, and it does not say so"


def _said(alert: Stood, happened: Sequence[Happened]) -> Iterator[str]:
    """Yield what does not stand as people said it; of a worse level nothing was said yet."""
    worse_at = alert.dated_at or LONG_AGO
    assigned = _last(happened, {alert_events.ASSIGNED})
    whose = None if assigned is None else assigned.assignee
    if alert.assigned_to != whose:
        yield f"is assigned to {alert.assigned_to}; said was {whose}"
    held = None if assigned is None else assigned.holder_sha256
    if held and held != hashlib.sha256((alert.assignee or "").encode()).hexdigest():
        yield f"is in the hands of {alert.assignee}, who is not whom it was given to"
    contests = sum(each.kind == alert_events.CONTESTED for each in happened)
    if (alert.contests or 0) != contests:
        yield f"was contested {alert.contests} times; said was so {contests} times"
    last = _last(happened, CONTESTS.keys())
    contest = None if last is None else CONTESTS[last.kind]
    if last is not None and contest is Contest.UPHELD and worse_at > last.at:
        contest = None
    if alert.contest != contest:
        yield f"its contest is {alert.contest}; said was {contest}"
    closed = _last(happened, {alert_events.CLOSED})
    closed_at = None if closed is None or worse_at > closed.at else closed.at
    if alert.closed_at != closed_at:
        yield f"was closed at {_told(alert.closed_at)}; said was {_told(closed_at)}"


def _stopped(alert: Stood, happened: Sequence[Happened]) -> Iterator[str]:
    """Yield that its clock stands still, or goes on, as nothing explains."""
    last = _last(happened, CONTESTS.keys())
    if last is None or last.kind != alert_events.CONTESTED:
        right: set[datetime | None] = {None}
    elif any(each.kind == Turn.CLOCK_RESUMED and each.at >= last.at for each in happened):
        right = {None, alert.dated_at}  # it goes on; it stands still again where it became worse
    else:
        right = {last.at, alert.dated_at}
    if alert.stopped_at not in right:
        yield f"its clock stands still since {_told(alert.stopped_at)}, for which there is no cause"


def _undated(alert: Stood, dated_since: datetime | None) -> Iterator[str]:
    """Yield that it has no due dates: what fired before any were given has none, nor a notice."""
    is_older = dated_since is None or (alert.fired_at or LONG_AGO) < dated_since
    if alert.dated_level is not None and not is_older:
        yield "its due dates are gone"
    for name in ("acknowledge_by", "remedy_by", "raise_at"):
        if (due_at := getattr(alert, name)) is not None:
            yield f"{name} is {_told(due_at)}, and nothing says from when it counts"


def _counted(
    alert: Stood, happened: Sequence[Happened], asked: Set[Asked], dated_at: datetime
) -> Iterator[str]:
    """Yield what of its due dates is not as it must be, counted from `dated_at` on."""
    if not _is_cause(alert, happened, dated_at):
        yield f"its due dates count from {_told(dated_at)}, when nothing happened to it"
    if (alert.acknowledge_workdays, alert.remedy_workdays) not in asked:
        yield (
            f"it has {alert.acknowledge_workdays} and {alert.remedy_workdays} working days, which "
            "no version of its rule says"
        )
    raised = _last(happened, {Turn.RAISED_TO})
    if raised is not None and raised.at < dated_at:
        raised = None
    clock_from = dated_at if raised is None else raised.at
    if alert.clock_from != clock_from:
        yield f"its clock goes from {_told(alert.clock_from)}; its history says {_told(clock_from)}"
    if alert.raised_to is not None or raised is not None:
        told = [each.reason for each in happened if each.kind == Turn.RAISED_TO]
        newest = told[-1].rpartition("(")[2].rstrip(")") if told else None
        if alert.raised_to != newest:
            yield f"was raised to {alert.raised_to}; its history says {newest}"
    yield from _dates(alert, happened, dated_at, clock_from)
    is_told = any(each.kind == Turn.REMEDY_OVERDUE and each.at >= dated_at for each in happened)
    if alert.remedy_raised_to is not None and not is_told:
        yield f"{alert.remedy_raised_to} heard that it is not remedied; its history knows nothing"
    if alert.remedy_raised_to is None and alert.remedy_raise_at != alert.remedy_by:
        yield f"it is written about as not remedied at {_told(alert.remedy_raise_at)}, not in time"


def _dates(
    alert: Stood, happened: Sequence[Happened], dated_at: datetime, clock_from: datetime
) -> Iterator[str]:
    dates = dues.dated(
        alert.raised_to or alert.region,
        alert.rule_region,
        acknowledge=alert.acknowledge_workdays,
        remedy=alert.remedy_workdays,
        at=dated_at,
        clock_from=clock_from,
    )
    for name, due_at, since in (
        ("acknowledge_by", dates.acknowledge_by, dated_at),
        ("remedy_by", dates.remedy_by, dated_at),
        ("raise_at", dates.raise_at, clock_from),
    ):
        right = [_postponed(due_at, stops) for stops in _stops(happened, since)]
        found: datetime | None = getattr(alert, name)
        if found not in right and not _is_unknown(alert, found, right[0], since):
            yield f"{name} is {_told(found)}; its history says {_told(right[0])}"


def _is_cause(alert: Stood, happened: Sequence[Happened], dated_at: datetime) -> bool:
    """Return whether dates may count from an instant: people were told of the alert then, or its
    clock went on into a year that was not known.
    """
    for each in happened:
        if each.kind in ENDS and each.actor is not None and each.at == dated_at:
            return True
        if each.kind == alert_events.CONTESTED and each.at + CONTEST_STOPS_FOR == dated_at:
            return True
        if each.actor is None and each.at == dated_at:
            return True
        if each.kind == Turn.CLOCK_RESUMED and timedelta(0) <= each.at - dated_at <= LATE_MAX:
            return True
    return dated_at == alert.fired_at


def _stops(happened: Sequence[Happened], since: datetime) -> list[list[tuple[datetime, datetime]]]:
    """Return from when to when a clock stood still that runs since an instant.

    Also as it was where the first contest came before the alert had its dates.
    """
    found: list[tuple[datetime, datetime]] = []
    for place, contest in enumerate(happened):
        starts_at = max(contest.at, since)
        if contest.kind != alert_events.CONTESTED or contest.at + CONTEST_STOPS_FOR == since:
            continue
        for each in happened[place + 1 :]:
            if each.kind in ENDS and each.at >= starts_at:
                is_late = each.kind == Turn.CLOCK_RESUMED
                found.append((starts_at, starts_at + CONTEST_STOPS_FOR if is_late else each.at))
                break
            if each.kind in ENDS and each.actor is not None:
                break
    early = [(since, ends_at) for _, ends_at in found[:1]]
    return [found, early + found[1:]]


def _postponed(
    due_at: datetime | None, stops: Iterable[tuple[datetime, datetime]]
) -> datetime | None:
    for starts_at, ends_at in stops:
        if due_at is None:
            return None
        due_at = workdays.postponed(due_at, starts_at, ends_at).due_at
    return due_at


def _is_unknown(
    alert: Stood, found: datetime | None, right: datetime | None, since: datetime
) -> bool:
    """Return whether a date may be missing: it is of a year that was not known when it was given.

    Days off of the year under way are always known.
    """
    if found is not None or alert.undated != NoDeadline.CALENDAR_UNKNOWN or right is None:
        return False
    return right.astimezone(LOCAL).year > since.astimezone(LOCAL).year


def _last(happened: Sequence[Happened], kinds: Set[str]) -> Happened | None:
    return next((each for each in reversed(happened) if each.kind in kinds), None)


def _told(at: datetime | None) -> str:
    return "never" if at is None else at.astimezone(LOCAL).isoformat(timespec="seconds")
