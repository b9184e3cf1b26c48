"""Owns what is answered about data quality: rows of a league, their sums, their periods."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from db.filings import FiledMonth
from db.scores import Counted
from energy import agreement, periods, quality
from energy.agreement import Comparison
from energy.periods import LOCAL, Span, Step
from energy.quality import Composite, Index, Scheme, Score, Tally

_PERIOD = re.compile(r"(20[0-9]{2})(?:-(0[1-9]|1[0-2])(?:-([0-9]{2}))?)?")


class QualityGroup(StrEnum):
    """What a row is about."""

    REGION = "region"
    UNIT = "unit"
    METER = "meter"


@dataclass(frozen=True, slots=True)
class Period:
    """A day, month or year of Asia/Shanghai, as it is named: 2026, 2026-11, 2026-11-23."""

    name: str
    step: Step
    span: Span


@dataclass(frozen=True, slots=True)
class Row:
    """The scores of a region, a unit or a meter; `rank` among those with a composite."""

    key: str
    region: str
    counted: Counted | None
    units: int
    expected: int
    tally: Tally
    measured_at: datetime | None
    scores: Mapping[Index, Score]
    composite: Composite
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class MonthCheck:
    """A monthly figure as filed, held against its days."""

    filed: FiledMonth
    comparison: Comparison
    begins_in_time: bool
    ends_in_time: bool


def period(text: str | None, now: datetime) -> Period:
    """Return the period that `text` names; None: the month of `now`. Raises ValueError.

    >>> period("2026-02", datetime(2026, 1, 1, tzinfo=LOCAL)).span.ends_at.isoformat()
    '2026-02-28T16:00:00+00:00'
    """
    name = f"{now.astimezone(LOCAL):%Y-%m}" if text is None else text
    match = _PERIOD.fullmatch(name)
    if match is None:
        raise ValueError("is a year, a month or a day, as in 2026, 2026-11 or 2026-11-23")
    step = Step.DAY if match[3] else Step.MONTH if match[2] else Step.YEAR
    first = date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    starts_at = periods.floor(datetime(first.year, first.month, first.day, tzinfo=LOCAL), step)
    return Period(name, step, Span(starts_at, periods.following(starts_at, step)))


def so_far(asked: Period, now: datetime) -> Span | None:
    """Return the days of a period that have begun; None: none has."""
    ends_at = min(asked.span.ends_at, periods.following(now, Step.DAY))
    return Span(asked.span.starts_at, ends_at) if ends_at > asked.span.starts_at else None


def league(rows: Iterable[Row]) -> list[Row]:
    """Return `rows` in order of their composite, the best first, ranked; equal ones share a rank.

    Those without a composite come last and have no rank.
    """
    ordered = sorted(
        rows,
        key=lambda row: (
            row.composite.value is None,
            -(row.composite.value or 0.0),
            row.key,
        ),
    )
    ranked: list[Row] = []
    for place, row in enumerate(ordered, start=1):
        value, rank = row.composite.value, None
        if value is not None:
            before = ranked[-1] if ranked else None
            tied = before is not None and before.composite.value == value
            rank = before.rank if before is not None and tied else place
        ranked.append(replace(row, rank=rank))
    return ranked


def row_of(counted: Counted, scheme: Scheme) -> Row:
    """Return the row of a unit or a meter."""
    key = counted.unit if counted.meter is None else counted.meter
    return _row(key, counted.region, [counted], scheme, counted)


def total(counted: Sequence[Counted], region: str, scheme: Scheme) -> Row:
    """Return the sums of all: of counts, not of shares."""
    return _row(region, region, counted, scheme, None)


def by_region(counted: Sequence[Counted], digits: int, scheme: Scheme) -> list[Row]:
    """Return a row for each region whose code has `digits` digits of its own (4 city, 6 county)."""
    groups: dict[str, list[Counted]] = {}
    for one in counted:
        groups.setdefault(one.region[:digits].ljust(6, "0"), []).append(one)
    return [_row(region, region, group, scheme, None) for region, group in groups.items()]


def checked(filed: FiledMonth, scheme: Scheme) -> MonthCheck:
    """Return how a filed month stands to its days, and whether it begins and ends in time."""
    following = periods.following(
        datetime(filed.month.year, filed.month.month, 1, tzinfo=LOCAL), Step.MONTH
    )
    return MonthCheck(
        filed,
        agreement.compare(filed.days, filed.filed, tolerance=scheme.agreement_max),
        agreement.begins_the_month(filed.starts_on, filed.month),
        agreement.begins_the_month(filed.ends_on, following.astimezone(LOCAL).date()),
    )


def _row(
    key: str, region: str, parts: Sequence[Counted], scheme: Scheme, counted: Counted | None
) -> Row:
    tally = quality.pooled(one.tally for one in parts)
    scores = quality.scores(tally)
    measured = [one.measured_at for one in parts if one.measured_at is not None]
    return Row(
        key,
        region,
        counted,
        len({one.unit for one in parts}),
        sum(one.expected for one in parts),
        tally,
        min(measured, default=None),
        scores,
        quality.composite(scores, scheme),
    )
