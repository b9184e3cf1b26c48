"""Owns what a verdict on a region is given: its figures, and what its year requires.

Pure. A fact says what is known and what is not; what follows from it is for `verdict`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import db.levels
import energy.targets
from alerts.kinds.kind import Facts
from db.figures import FigureRow, TargetRow
from db.levels import ChoiceRow
from db.scope import Scope
from energy import assessment, levels, periods
from energy.indicators import DESCRIPTIONS, Indicator
from energy.levels import Scheme
from energy.periods import LOCAL, Span, Step
from energy.targets import Path, Target, TargetKind

DECEMBER = 12


@dataclass(frozen=True, slots=True)
class Ladder:
    """The levels of which indicator, and by which scheme: one for all, or by region."""

    indicator: Indicator = Indicator.ENERGY_PER_GDP
    scheme: Scheme | None = levels.NATIONAL
    schemes: Mapping[str, Scheme] = field(default_factory=dict)
    choices: Sequence[ChoiceRow] = ()

    def of(self, region: str) -> Scheme | None:
        """Return the scheme that holds in a region; None: none does."""
        if self.scheme is not None:
            return self.scheme
        return db.levels.chosen(self.schemes, self.choices, region).get(self.indicator)


@dataclass(frozen=True, slots=True)
class RegionFacts(Facts):
    """Cumulative growth of a region through a month of a year, and what the year requires.

    `energy_growth` and `gdp_growth` are those that the indicator is made of: of carbon or of value
    added, where it is of these. `required_rate` for a ratio; a total has a cap, held against the
    energy of the year before. `path`: what is required was filed, or is the default from a plan of
    several years. `is_exempt`: the total is not assessed, the incentive target is reached.
    """

    region: str
    region_name: str
    year: int
    through_month: int
    energy_growth: float | None
    gdp_growth: float | None
    required_rate: float | None
    path: Path = Path.FILED
    indicator: Indicator = Indicator.ENERGY_PER_GDP
    scheme: Scheme | None = levels.NATIONAL
    base_year_tce: float | None = None
    cap_tce: float | None = None
    is_exempt: bool = False

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
    ladder: Ladder,
) -> list[RegionFacts]:
    """Return the newest month of each region's newest year: that of a year before is over."""
    newest = _newest(figures)
    year_of = dict(newest.keys())  # in order of the year
    chosen = [figure for (region, year), figure in newest.items() if year == year_of[region]]
    return _regions(chosen, newest, targets, names, ladder)


def months(
    figures: Sequence[FigureRow],
    targets: Iterable[TargetRow],
    names: Mapping[str, str],
    ladder: Ladder,
) -> list[RegionFacts]:
    """Return all months of all years."""
    return _regions(figures, _newest(figures), targets, names, ladder)


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


def _newest(figures: Iterable[FigureRow]) -> dict[tuple[str, int], FigureRow]:
    """Return the newest month of each year of each region, in order of both."""
    ordered = sorted(figures, key=lambda row: (row.region, row.year, row.through_month))
    return {(figure.region, figure.year): figure for figure in ordered}


def _regions(
    chosen: Iterable[FigureRow],
    newest: Mapping[tuple[str, int], FigureRow],
    targets: Iterable[TargetRow],
    names: Mapping[str, str],
    ladder: Ladder,
) -> list[RegionFacts]:
    by_region: dict[str, list[Target]] = {}
    for row in targets:
        by_region.setdefault(row.region, []).append(row.target())
    return [
        _region(
            figure,
            newest.get((figure.region, figure.year - 1)),
            names.get(figure.region, figure.region),
            by_region.get(figure.region, []),
            ladder,
        )
        for figure in chosen
    ]


def _region(
    figure: FigureRow,
    before: FigureRow | None,
    name: str,
    targets: Sequence[Target],
    ladder: Ladder,
) -> RegionFacts:
    of = DESCRIPTIONS[ladder.indicator]
    required = energy.targets.requirement(targets, ladder.indicator, TargetKind.BASE, figure.year)
    is_whole = before is not None and before.through_month == DECEMBER
    return RegionFacts(
        region=figure.region,
        region_name=name,
        year=figure.year,
        through_month=figure.through_month,
        energy_growth=getattr(figure, of.numerator),
        gdp_growth=None if of.denominator is None else getattr(figure, of.denominator),
        required_rate=None if required is None else required.rate,
        path=Path.FILED if required is None else required.path,
        indicator=ladder.indicator,
        scheme=ladder.of(figure.region),
        base_year_tce=before.energy_tce if before is not None and is_whole else None,
        cap_tce=None if required is None else required.amount_tce,
        is_exempt=_is_exempt(figure, targets, ladder),
    )


def _is_exempt(figure: FigureRow, targets: Sequence[Target], ladder: Ladder) -> bool:
    """Return whether the total is known to be exempt; what is not known exempts nobody."""
    if ladder.indicator is not Indicator.TOTAL_ENERGY:
        return False
    found = assessment.findings(figure.figures(), [], targets, {}, figure.year)
    return any(one.is_exempt is True for one in found)
