"""Owns what a region is required to reach in a year: as filed, or by default from its plan.

A city breaks its five-year target down to years itself and files that (桂政发〔2022〕24号, 四(一)).
Where it has not, the geometric path stands in; every requirement says which of the two it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import copysign, expm1, log1p

from energy.indicators import Indicator


class TargetKind(StrEnum):
    """Of the two targets of a region: the one it must reach, and the one that is rewarded."""

    BASE = "base"
    INCENTIVE = "incentive"


class Path(StrEnum):
    """Where the requirement of a year comes from."""

    FILED = "filed"
    GEOMETRIC_DEFAULT = "geometric_default"


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be reached from the start of `year` to the end of `through_year`.

    `required_rate` is a change, as in -0.13 over the whole period [share]; `amount_tce` a cap on
    the energy of the last year [tce]. One of the two is there. `rule_set` names the rules by
    which it will be assessed; None: not stated.
    """

    indicator: Indicator
    kind: TargetKind
    year: int
    through_year: int
    required_rate: float | None
    amount_tce: float | None
    rule_set: str | None
    source: str

    @property
    def is_plan(self) -> bool:
        return self.through_year > self.year

    @property
    def years(self) -> int:
        return self.through_year - self.year + 1

    @property
    def period(self) -> str:
        """Return the period as text.

        >>> Target(Indicator.TOTAL_ENERGY, TargetKind.BASE, 2026, 2030, None, 1e6, None, "").period
        '2026-2030'
        """
        return f"{self.year}-{self.through_year}" if self.is_plan else f"{self.year}"


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a year requires: a rate of change [share] or a cap [tce], and the target behind it."""

    rate: float | None
    amount_tce: float | None
    path: Path
    target: Target


@dataclass(frozen=True, slots=True)
class PlanProgress:
    """How far a plan is: cumulative change so far and what its path asks for by then. [share]

    `reached` None: a year of `missing_years` has no figure.
    """

    target: Target
    through_year: int
    reached: float | None
    scheduled: float
    missing_years: tuple[int, ...]


def annual_rate(reduction: float, years: int = 5) -> float:
    """Return the yearly step of a reduction over `years`, on the geometric path. [share]

    A reduction may be written 0.13 or, as a change, -0.13: the step keeps the sign. The path is
    a default only; a city files its own. Linear is not equivalent: 13 % in five years is
    2.747 % a year, not 2.6 %.

    >>> round(annual_rate(0.13), 5), round(annual_rate(-0.13), 5)
    (0.02747, -0.02747)
    """
    return copysign(-expm1(log1p(-abs(reduction)) / years), reduction)


def cumulative(rates: Iterable[float]) -> float:
    """Return the change that yearly changes amount to. [share]

    >>> round(cumulative([-0.02747] * 5), 4)
    -0.13
    """
    return expm1(sum(log1p(rate) for rate in rates))


def path(plan: Target, filed: Mapping[int, float]) -> dict[int, float]:
    """Return the yearly changes of `plan`, as filed or else by default. [share]

    A year that is not filed takes an even (geometric) share of what the years before it have left
    over, so that the years multiply to the target of the plan; a later filing changes no earlier
    year. Where the years before have more than reached the plan, nothing more is required: 0.

    >>> plan = Target(
    ...     Indicator.ENERGY_PER_GDP, TargetKind.BASE, 2026, 2030, -0.13, None, None, "filed"
    ... )
    >>> [round(rate, 5) for rate in path(plan, {2026: -0.05}).values()]
    [-0.05, -0.02175, -0.02175, -0.02175, -0.02175]
    """
    if plan.required_rate is None:
        return {}
    left = log1p(plan.required_rate)
    rates = {}
    for year in range(plan.year, plan.through_year + 1):
        step = min(0.0, expm1(left / (plan.through_year - year + 1)))
        rates[year] = filed.get(year, step)
        left -= log1p(rates[year])
    return rates


def requirement(
    targets: Iterable[Target], indicator: Indicator, kind: TargetKind, year: int
) -> Requirement | None:
    """Return what `year` requires; None: neither the year nor a plan that holds it has a target.

    The year's own target comes first. Of plans that overlap, the one that began last is in force.
    A cap of a plan is one of its last year and has no path: other years have none.
    """
    ours = [one for one in targets if one.indicator is indicator and one.kind is kind]
    filed = {one.year: one for one in ours if not one.is_plan}
    if year in filed:
        target = filed[year]
        return Requirement(target.required_rate, target.amount_tce, Path.FILED, target)
    plan = plan_of(ours, indicator, kind, year)
    if plan is None:
        return None
    if plan.required_rate is None:
        if year != plan.through_year:
            return None
        return Requirement(None, plan.amount_tce, Path.FILED, plan)
    rate = path(plan, _rates(filed.values()))[year]
    return Requirement(rate, None, Path.GEOMETRIC_DEFAULT, plan)


def plan_of(
    targets: Iterable[Target], indicator: Indicator, kind: TargetKind, year: int
) -> Target | None:
    """Return the plan that holds `year`; of several, the one that began last."""
    plans = [
        one
        for one in targets
        if one.indicator is indicator
        and one.kind is kind
        and one.is_plan
        and one.year <= year <= one.through_year
    ]
    return max(plans, key=lambda one: (one.year, -one.through_year), default=None)


def plan_progress(
    targets: Iterable[Target],
    indicator: Indicator,
    kind: TargetKind,
    rates: Mapping[int, float],
    year: int,
) -> PlanProgress | None:
    """Return how far the plan is at the end of `year`, from the changes of its years so far.

    None: no plan with a rate holds that year. A year without a figure leaves no result: missing
    is not zero.
    """
    ours = [one for one in targets if one.indicator is indicator and one.kind is kind]
    plan = plan_of(ours, indicator, kind, year)
    if plan is None or plan.required_rate is None:
        return None
    years = range(plan.year, year + 1)
    planned = path(plan, _rates(one for one in ours if not one.is_plan))
    missing = tuple(each for each in years if each not in rates)
    return PlanProgress(
        target=plan,
        through_year=year,
        reached=None if missing else cumulative(rates[each] for each in years),
        scheduled=(
            plan.required_rate
            if year == plan.through_year
            else cumulative(planned[each] for each in years)
        ),
        missing_years=missing,
    )


def _rates(filed: Iterable[Target]) -> dict[int, float]:
    return {one.year: one.required_rate for one in filed if one.required_rate is not None}
