"""Owns what a verdict on a region is given: its figures, and what its year requires.

Pure. A fact says what is known and what is not; what follows from it is for `verdict`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime

import energy.targets
from alerts.kinds.kind import Facts
from db.figures import FigureRow, TargetRow
from db.scope import Scope
from energy import periods
from energy.indicators import Indicator
from energy.periods import LOCAL, Span, Step
from energy.targets import Path, Target, TargetKind


@dataclass(frozen=True, slots=True)
class RegionFacts(Facts):
    """Cumulative growth of a region through a month of a year, and what the year requires.

    `path`: what is required was filed, or is the default from a plan of several years.
    """

    region: str
    region_name: str
    year: int
    through_month: int
    energy_growth: float | None
    gdp_growth: float | None
    required_rate: float | None
    path: Path = Path.FILED

    @property
    def subject(self) -> str:
        return f"{self.region}/{self.year}"

    @property
    def period(self) -> Span:
        """Return January to the end of the month. [Asia/Shanghai, as UTC]"""
        starts_at = datetime(self.year, 1, 1, tzinfo=LOCAL)
        last = datetime(self.year, self.through_month, 1, tzinfo=LOCAL)
        return Span(starts_at.astimezone(UTC), periods.following(last, Step.MONTH))


def regions(
    figures: Iterable[FigureRow],
    targets: Iterable[TargetRow],
    names: Mapping[str, str],
    open_subjects: Set[str],
) -> list[RegionFacts]:
    """Return the newest month of each region's newest year, and of years with an open alert."""
    by_region: dict[str, list[Target]] = {}
    for row in targets:
        by_region.setdefault(row.region, []).append(row.target())
    newest: dict[tuple[str, int], FigureRow] = {}
    newest_year: dict[str, int] = {}
    for figure in sorted(figures, key=lambda row: (row.region, row.year, row.through_month)):
        newest[figure.region, figure.year] = figure
        newest_year[figure.region] = figure.year
    judged = [
        _region(figure, names.get(region, region), by_region.get(region, []))
        for (region, _), figure in newest.items()
    ]
    return [
        facts
        for facts in judged
        if facts.year == newest_year[facts.region] or facts.subject in open_subjects
    ]


def over(figures: Iterable[FigureRow], at: datetime) -> list[FigureRow]:
    """Return the figures whose last month is over at an instant."""
    return [
        figure
        for figure in figures
        if periods.following(
            datetime(figure.year, figure.through_month, 1, tzinfo=LOCAL), Step.MONTH
        )
        <= at
    ]


def within(figures: Iterable[FigureRow], scope: Scope) -> Sequence[FigureRow]:
    """Return the figures of regions of which all is in scope: none for an enterprise."""
    if scope.unit is not None:
        return []
    return [row for row in figures if row.region.startswith(scope.region_prefix)]


def _region(figure: FigureRow, name: str, targets: Sequence[Target]) -> RegionFacts:
    required = energy.targets.requirement(
        targets, Indicator.ENERGY_PER_GDP, TargetKind.BASE, figure.year
    )
    return RegionFacts(
        region=figure.region,
        region_name=name,
        year=figure.year,
        through_month=figure.through_month,
        energy_growth=figure.energy_growth,
        gdp_growth=figure.gdp_growth,
        required_rate=None if required is None else required.rate,
        path=Path.FILED if required is None else required.path,
    )
