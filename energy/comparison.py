"""Owns comparison: which period another is held against (同比, 环比), and what the change comes to.

A comparison that would mislead has no figure but a reason: unknown is not zero, a period that goes
on is not one that is over, and what was left out or held on either side is no change.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from energy import periods, workdays
from energy.periods import LOCAL, Span, Step

SPRING_FESTIVALS = {
    festival.year: festival
    for festival in (
        date(2014, 1, 31), date(2015, 2, 19), date(2016, 2, 8), date(2017, 1, 28),
        date(2018, 2, 16), date(2019, 2, 5), date(2020, 1, 25), date(2021, 2, 12),
        date(2022, 2, 1), date(2023, 1, 22), date(2024, 2, 10), date(2025, 1, 29),
        date(2026, 2, 17), date(2027, 2, 6),
    )
}  # fmt: skip
"""The first day of the first month of the lunar calendar (GB/T 33661-2017), by year: since readings
are stored, and no further than days off are published."""

SEASON_BEFORE, SEASON_AFTER = timedelta(days=15), timedelta(days=24)
"""The season of the festival is that of its travel (春运), 40 days: from the 15th day before to the
24th after. Works run down before it and up again after it. [D]"""

LAST_MONTH_OF_SEASON = 3
"""The festival lies between 21 January and 20 February."""

YEAR_OF_WEEKS = timedelta(weeks=52)
SAME_KIND_WITHIN = 16
"""Days in which a working day and a day off are found; no festival takes as many."""

DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)


class Compare(StrEnum):
    """What a period is compared with."""

    YOY = "yoy"
    """同比: the same period a year before."""
    MOM = "mom"
    """环比: the period before."""


class Calendar(StrEnum):
    """Whether festivals and days off are heeded."""

    PLAIN = "plain"
    ADJUSTED = "adjusted"
    """Days lie as far from the Spring Festival, or on the same day of the week; working days
    divide."""


class Rule(StrEnum):
    """By which rule the other period was found."""

    SAME_DATE = "same_date"
    PRECEDING = "preceding"
    SAME_WEEKDAY = "same_weekday"
    """52 weeks before."""
    SPRING_FESTIVAL = "spring_festival"
    """As many days from the Spring Festival of its year."""
    SAME_KIND_OF_DAY = "same_kind_of_day"
    """The working day, or the day off, before."""


class NoChange(StrEnum):
    """Why there is no figure of a change."""

    NOT_OVER = "not_over"
    """The period goes on: a part of it is not to be held against a whole one."""
    NO_SUCH_DAY = "no_such_day"
    """There was no 29 February a year before."""
    CALENDAR_UNKNOWN = "calendar_unknown"
    """The days off of a year are not published, or the date of its Spring Festival not held."""
    UNKNOWN = "unknown"
    """Nothing is known of the period itself."""
    NOT_METERED_THEN = "not_metered_then"
    """No meter was there in the other period."""
    UNKNOWN_THEN = "unknown_then"
    """Nothing is known of the other period, which is not zero."""
    HELD = "held"
    """A step of a register waits for review, in either period: its energy is in neither figure."""
    FACTOR_MISSING = "factor_missing"
    """A carrier is left out for want of a factor, in either period."""
    NOT_POSITIVE_THEN = "not_positive_then"
    """Nothing, or less, was used in the other period: there is no percentage of it."""
    NO_WORKDAYS = "no_workdays"
    """There is no working day in either period, or in one."""


@dataclass(frozen=True, slots=True)
class Other:
    """The period that one is compared with. `span` None: there is none, for `reason`."""

    rule: Rule
    span: Span | None
    reason: NoChange | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """What is known of one period: a figure, or None: nothing is."""

    figure: float | None
    is_held: bool = False
    lacks_factor: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What changed, in the unit of the figure and in percent; what is None is so for `reason`."""

    amount: float | None
    percent: float | None
    reason: NoChange | None


def other(bucket: Span, step: Step, compare: Compare, calendar: Calendar) -> Other:
    """Return the period that `bucket`, a whole one of `step`, is compared with.

    A year before: the same date, hour by hour. Adjusted, a day in the season of the Spring Festival
    is compared with the day as far from the festival a year before, and so is a month that touches
    it, day by day as a whole; another day with that of the same weekday 52 weeks before. It is
    the season if either of the two periods lies in it. The period before: the one that ends where
    it starts; adjusted, a working day with the working day before, a day off with the day off.

    >>> festival = Span(_midnight(date(2026, 2, 17)), _midnight(date(2026, 2, 18)))
    >>> _first(other(festival, Step.DAY, Compare.YOY, Calendar.ADJUSTED).span).isoformat()
    '2025-01-29'
    """
    is_adjusted = calendar is Calendar.ADJUSTED
    if compare is Compare.MOM:
        if is_adjusted and step is Step.DAY:
            return _same_kind_of_day(_first(bucket))
        starts_at = periods.floor(bucket.starts_at - INSTANT, step)
        return Other(Rule.PRECEDING, Span(starts_at, bucket.starts_at))
    if not is_adjusted or step not in (Step.DAY, Step.MONTH):
        return _same_date(bucket, step)
    if step is Step.MONTH:
        before = _same_date(bucket, step)
    else:
        before = Other(Rule.SAME_WEEKDAY, _earlier(bucket, YEAR_OF_WEEKS))
    assert before.span is not None
    try:
        if not (_is_in_season(bucket) or _is_in_season(before.span)):
            return before
        year = _first(bucket).year
        apart = SPRING_FESTIVALS[year] - SPRING_FESTIVALS[year - 1]
    except KeyError:
        return Other(Rule.SPRING_FESTIVAL, None, NoChange.CALENDAR_UNKNOWN)
    return Other(Rule.SPRING_FESTIVAL, _earlier(bucket, apart))


def change(now: Side, then: Side | None, *, is_over: bool) -> Change:
    """Return the change from `then` to `now`; then None: no meter was there. [of the figure, %]

    >>> change(Side(110.0), Side(100.0), is_over=True)
    Change(amount=10.0, percent=10.0, reason=None)
    >>> change(Side(110.0), Side(None), is_over=True)
    Change(amount=None, percent=None, reason=<NoChange.UNKNOWN_THEN: 'unknown_then'>)
    """
    reason = _obstacle(now, then, is_over=is_over)
    if reason is not None:
        return Change(None, None, reason)
    assert then is not None
    assert now.figure is not None
    assert then.figure is not None
    return _changed(now.figure, then.figure)


def change_per_workday(
    total: Change,
    now_tce: float | None,
    then_tce: float | None,
    *,
    workdays_now: int | None,
    workdays_then: int | None,
) -> Change:
    """Return the change of the energy used per working day, where `total` changed. [tce, %]

    >>> change_per_workday(Change(0, 0, None), 90.0, 90.0, workdays_now=20, workdays_then=18)
    Change(amount=-0.5, percent=-10.0, reason=None)
    """
    if now_tce is None or then_tce is None or total.amount is None:
        return Change(None, None, total.reason)
    if workdays_now is None or workdays_then is None:
        return Change(None, None, NoChange.CALENDAR_UNKNOWN)
    if workdays_now == 0 or workdays_then == 0:
        return Change(None, None, NoChange.NO_WORKDAYS)
    return _changed(now_tce / workdays_now, then_tce / workdays_then)


def _obstacle(now: Side, then: Side | None, *, is_over: bool) -> NoChange | None:
    if not is_over:
        return NoChange.NOT_OVER
    if then is None:
        return NoChange.NOT_METERED_THEN
    if now.is_held or then.is_held:
        return NoChange.HELD
    if now.lacks_factor or then.lacks_factor:
        return NoChange.FACTOR_MISSING
    if now.figure is None:
        return NoChange.UNKNOWN
    return NoChange.UNKNOWN_THEN if then.figure is None else None


def _changed(now: float, then: float) -> Change:
    if then <= 0:
        return Change(now - then, None, NoChange.NOT_POSITIVE_THEN)
    return Change(now - then, (now - then) / then * 100, None)


def _same_date(bucket: Span, step: Step) -> Other:
    local = bucket.starts_at.astimezone(LOCAL)
    if (local.month, local.day) == (2, 29) and step in (Step.HOUR, Step.DAY):
        return Other(Rule.SAME_DATE, None, NoChange.NO_SUCH_DAY)
    starts_at = periods.floor(local.replace(year=local.year - 1), step)
    return Other(Rule.SAME_DATE, Span(starts_at, periods.following(starts_at, step)))


def _same_kind_of_day(day: date) -> Other:
    kind = workdays.is_workday(day)
    for back in range(1, SAME_KIND_WITHIN + 1):
        before = day - back * DAY
        worked = workdays.is_workday(before)
        if kind is None or worked is None:
            break
        if worked is kind:
            return Other(Rule.SAME_KIND_OF_DAY, Span(_midnight(before), _midnight(before + DAY)))
    return Other(Rule.SAME_KIND_OF_DAY, None, NoChange.CALENDAR_UNKNOWN)


def _is_in_season(span: Span) -> bool:
    """Return whether days of `span` are in the season. Raises KeyError: that year is not held."""
    first, last = _first(span), (span.ends_at - INSTANT).astimezone(LOCAL).date()
    if first.month > LAST_MONTH_OF_SEASON:
        return False
    festival = SPRING_FESTIVALS[first.year]
    return first <= festival + SEASON_AFTER and last >= festival - SEASON_BEFORE


def _earlier(span: Span, by: timedelta) -> Span:
    return Span(span.starts_at - by, span.ends_at - by)


def _first(span: Span) -> date:
    return span.starts_at.astimezone(LOCAL).date()


def _midnight(day: date) -> datetime:
    return periods.floor(datetime.combine(day, time(), LOCAL), Step.DAY)
