"""Owns agreement in time and sum: daily against monthly figures, where days and months begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from energy.periods import LOCAL

AGREEMENT_MAX = 0.05
DAY_BEGINS_WITHIN = timedelta(minutes=1)
MONTH_BEGINS_WITHIN = timedelta(days=1)

_ROUNDING = 1e-9
"""Sums of doubles may miss a border by this share; they are on it then."""


class Agreement(StrEnum):
    """How the sum of the days stands to the monthly figure; `unknown` has a reason."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    UNKNOWN = "unknown"


class NotComparable(StrEnum):
    """Why days and month cannot be compared."""

    DAYS_MISSING = "days_missing"
    FILED_ZERO = "filed_zero"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`difference` = (sum of days − filed) ÷ filed; None where it has no meaning."""

    agreement: Agreement
    summed: float | None
    filed: float
    difference: float | None
    reason: NotComparable | None = None


def compare(
    days: Sequence[float | None], filed: float, *, tolerance: float = AGREEMENT_MAX
) -> Comparison:
    """Return how the daily figures of a month agree with the monthly one. (within 5 %, national
    upload rules 2019)

    A day that is unknown makes the sum unknown. Against a filed 0 only a sum of 0 agrees.

    >>> compare([35.0, 70.0], 100.0).agreement
    <Agreement.AGREES: 'agrees'>
    >>> compare([35.0, None], 100.0).reason
    <NotComparable.DAYS_MISSING: 'days_missing'>
    """
    known = [day for day in days if day is not None]
    if len(known) < len(days) or not days:
        return Comparison(Agreement.UNKNOWN, None, filed, None, NotComparable.DAYS_MISSING)
    summed = sum(known)
    if filed == 0:
        agreement = Agreement.AGREES if summed == 0 else Agreement.DISAGREES
        return Comparison(agreement, summed, filed, None, NotComparable.FILED_ZERO)
    difference = (summed - filed) / abs(filed)
    within = abs(difference) <= tolerance + _ROUNDING
    return Comparison(
        Agreement.AGREES if within else Agreement.DISAGREES, summed, filed, difference
    )


def begins_the_month(starts_on: date, month: date) -> bool:
    """Return whether a monthly period begins in time. (1st ± 1 day; national upload rules 2019)

    >>> [begins_the_month(date(2026, 10, day), date(2026, 11, 1)) for day in (30, 31)]
    [False, True]
    """
    return abs(starts_on - month.replace(day=1)) <= MONTH_BEGINS_WITHIN


def is_late(stated_at: datetime, month: date, deadline_day: int) -> bool:
    """Return whether a figure of `month` is stated after the deadline of the month that follows.

    The deadline day counts to its end.
    """
    following = (month.replace(day=1) + timedelta(days=31)).replace(day=1)
    last = following + timedelta(days=deadline_day - 1)
    return stated_at.astimezone(LOCAL).date() > last
