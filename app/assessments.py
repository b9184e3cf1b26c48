"""Owns putting together what the assessment of a region needs, and for which year and months.

What is found is the business of `energy.assessment`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import db.figures
import db.levels
from app.api import parameters
from app.depends import Caller
from app.errors import NotFound
from db.figures import FigureRow, RegionName, TargetRow
from db.scope import Scope
from energy import assessment
from energy.assessment import Finding
from energy.periods import LOCAL

DECEMBER = 12

R = TypeVar("R", FigureRow, TargetRow)


@dataclass(frozen=True, slots=True)
class Period:
    """A year, and the month through which its figures are to go; None: the newest there is."""

    year: int
    through_month: int | None = None


@dataclass(frozen=True, slots=True)
class Assessed:
    """A region with the findings of its indicators; `figure` None: none was published.

    `before` is the figure of the whole year before, which the cap on the total is held against.
    """

    region: RegionName
    year: int
    figure: FigureRow | None
    before: FigureRow | None
    findings: Sequence[Finding]


async def assessed(caller: Caller, region: str | None, period: Period | None) -> list[Assessed]:
    """Return the regions within `region` that have figures or targets; it itself in any case.

    A region that the caller may not see is not found.
    """
    known = await parameters.known_region(caller, region)
    prefix = "" if known is None else Scope.of_region(known).region_prefix
    regions = await db.figures.list_regions(caller.connection, caller.scope, region_prefix=prefix)
    if known is not None and not regions:
        raise NotFound("region")
    figures = _by_region(await db.figures.list_figures(caller.connection))
    targets = _by_region(await db.figures.list_targets(caller.connection))
    schemes = db.levels.schemes(await db.levels.list_bands(caller.connection))
    choices = await db.levels.list_choices(caller.connection)
    result = []
    for each in regions:
        ours, asked = figures.get(each.region, []), targets.get(each.region, [])
        if not ours and not asked and each.region != known:
            continue
        chosen = db.levels.chosen(schemes, choices, each.region)
        when = period or _newest(ours, asked, caller.now.astimezone(LOCAL).year)
        figure, history = _published(ours, when)
        findings = assessment.findings(
            None if figure is None else figure.figures(),
            [row.figures() for row in history],
            [row.target() for row in asked],
            chosen,
            when.year,
        )
        before = next((row for row in history if row.year == when.year - 1), None)
        result.append(Assessed(each, when.year, figure, before, findings))
    return result


def _newest(figures: Sequence[FigureRow], targets: Sequence[TargetRow], this_year: int) -> Period:
    """Return the newest year with figures; without any, this year or the last one with a target."""
    if figures:
        return Period(max(row.year for row in figures))
    if targets:
        return Period(min(this_year, max(row.through_year for row in targets)))
    return Period(this_year)


def _published(
    figures: Sequence[FigureRow], period: Period
) -> tuple[FigureRow | None, list[FigureRow]]:
    """Return the figure of a period and those of the whole years before it."""
    ours = [
        row
        for row in figures
        if row.year == period.year and period.through_month in (None, row.through_month)
    ]
    history = [row for row in figures if row.year < period.year and row.through_month == DECEMBER]
    return max(ours, key=lambda row: row.through_month, default=None), history


def _by_region(rows: Sequence[R]) -> Mapping[str, Sequence[R]]:
    by_region: dict[str, list[R]] = {}
    for row in rows:
        by_region.setdefault(row.region, []).append(row)
    return by_region
