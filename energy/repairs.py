"""Owns the repair clock: what is a fault, since when, and where its 3 working days stand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from energy.periods import Span
from energy.workdays import Deadline

SILENT_INTERVALS = 4
SILENT_AT_LEAST = timedelta(hours=1)
"""A meter is silent once it owes this many intervals, and this long."""


class Fault(StrEnum):
    """What is to be repaired within 3 working days (provincial operating rules)."""

    SILENCE = "silence"
    GAP = "gap"
    VERIFICATION_EXPIRED = "verification_expired"
    CLOCK_OFFSET = "clock_offset"


class State(StrEnum):
    """Where the repair of a fault stands."""

    OPEN = "open"
    OVERDUE = "overdue"
    FILED = "filed"
    REPAIRED = "repaired"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is faulty: a meter, or a gateway, by the unit's own code."""

    name: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class Found:
    """A fault that is there now, and since when."""

    subject: Subject
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Day:
    """A local day of a meter that is over, and its readings."""

    starts_at: datetime
    ends_at: datetime
    due: int
    present: int


@dataclass(frozen=True, slots=True)
class Steps:
    """What reconciling asks for."""

    opened: list[Found]
    repaired: list[Subject]


def state(
    deadline: Deadline, filed_at: datetime | None, repaired_at: datetime | None, now: datetime
) -> State:
    """Return where a fault stands. The last instant of the third working day is in time.

    A fault that is not repaired in time must be reported on the platform and its data keyed by
    hand: then it is filed. Without a deadline (`deadline.reason`) nothing is overdue.
    """
    if repaired_at is not None:
        return State.REPAIRED
    if filed_at is not None:
        return State.FILED
    if deadline.due_at is not None and now >= deadline.due_at:
        return State.OVERDUE
    return State.OPEN


def silent_since(latest_at: datetime, interval_s: int, now: datetime) -> datetime | None:
    """Return since when a meter with a last reading at `latest_at` owes readings; None: it speaks.

    The clock starts where the first of them was due.
    """
    interval = timedelta(seconds=interval_s)
    patience = max(interval * SILENT_INTERVALS, SILENT_AT_LEAST)
    return latest_at + interval if now - latest_at > patience else None


def gap_since(
    days: Sequence[Day], completeness_pass: float, silences: Collection[Span] = ()
) -> datetime | None:
    """Return since when the newest of `days`, in order, lack readings; None: the newest passes.

    The days of a silence have a clock already and are passed over. So are the days before the
    meter was heard first, and the one on which it was: it was not connected yet.
    """
    since: datetime | None = None
    for day in reversed(_connected(days)):
        if any(_touch(day, silence) for silence in silences) or day.due == 0:
            continue
        if day.present / day.due >= completeness_pass:
            break
        since = day.starts_at
    return since


def reconcile(
    standing: Collection[Subject], found: Sequence[Found], unknown: Collection[Subject] = ()
) -> Steps:
    """Return which of `found` are new, and which of the `standing` faults are repaired.

    A fault keeps the instant at which it was first opened. Of which nothing is known now
    (`unknown`), the clock runs on.
    """
    present = {each.subject for each in found}
    return Steps(
        [each for each in found if each.subject not in standing],
        [each for each in standing if each not in present and each not in unknown],
    )


def _connected(days: Sequence[Day]) -> Sequence[Day]:
    first = next((number for number, day in enumerate(days) if day.present), len(days))
    return days[first + 1 :] if first else days


def _touch(day: Day, silence: Span) -> bool:
    return silence.starts_at < day.ends_at and day.starts_at < silence.ends_at
