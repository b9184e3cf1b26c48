"""Owns what a year's assessment deducts from the energy of a region: rule sets as data.

What is deducted is deducted by one rule set from every year that is compared. No function here
takes a figure of which something is deducted already.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from math import fsum, prod

from energy.certificates import EnergyType, Source
from energy.factors import KGCE_PER_TCE

KWH_PER_MWH = 1000.0

TOLERANCE = 1e-9
"""Relative: a deduction this little above what it is deducted from is the same."""


class Measure(StrEnum):
    """What is assessed: the total, and energy per GDP."""

    TOTAL = "total"
    INTENSITY = "intensity"


class Extent(StrEnum):
    """How much of the non-fossil electricity is deducted."""

    ALL = "all"
    INCREMENT = "increment"
    """What exceeds that of the rule set's increment base year."""


class Gap(StrEnum):
    """Why energy by a rule set is not known."""

    ENERGY_MISSING = "energy_missing"
    FEEDSTOCK_MISSING = "feedstock_missing"
    DEDUCTIONS_EXCEED_ENERGY = "deductions_exceed_energy"
    NON_FOSSIL_MISSING = "non_fossil_missing"
    NON_FOSSIL_EXCEEDS_ELECTRICITY = "non_fossil_exceeds_electricity"
    INCREMENT_BASE_MISSING = "increment_base_missing"
    SAVING_MISSING = "saving_missing"
    """Certificates from other provinces count up to a share of a saving that is not known."""

    GDP_MISSING = "gdp_missing"
    NOT_POSITIVE = "not_positive"
    """Nothing is left of the base year to compare with."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What is deducted from what, by which documents, for which assessment years (inclusive).

    `across_share_max`: certificates from other provinces cover at most this share of the saving
    that the intensity target of the period needs; None: no such bound. The period is
    `period_years` from `period_first_year` on, its base year the one before.
    """

    rule_set: str
    name_zh: str
    name_en: str
    documents: tuple[str, ...]
    in_force_from: date
    in_force_to: date | None
    first_year: int
    last_year: int | None
    feedstock_from: frozenset[Measure]
    electricity_from: frozenset[Measure]
    extent: Extent
    energy_types: frozenset[EnergyType]
    increment_base_year: int | None
    across_share_max: float | None
    period_first_year: int
    period_years: int
    source: str

    def applies_to(self, year: int) -> bool:
        return self.first_year <= year and (self.last_year is None or year <= self.last_year)

    @property
    def period_base_year(self) -> int:
        return self.period_first_year - 1


@dataclass(frozen=True, slots=True)
class Account:
    """A region's year before any deduction; None: unknown. Energy in tce, electricity in MWh.

    `electricity_tce` is the electricity in `energy_tce`, `kgce_per_kwh` what it was counted with;
    `increment_base_mwh` what of its kinds was used in the increment base year;
    `saving_needed_tce` what the period's intensity target asks to be saved by then: 0 in the
    period's base year.
    """

    energy_tce: float | None
    feedstock_tce: float | None
    electricity_tce: float | None
    kgce_per_kwh: float | None
    non_fossil_mwh: Mapping[Source, float] | None
    increment_base_mwh: float | None = None
    saving_needed_tce: float | None = None


@dataclass(frozen=True, slots=True)
class Assessed:
    """Energy of a year by a rule set. [tce]

    None: `gap` says why. `not_counted_tce` is what certificates exceed their bound by.
    """

    energy_tce: float | None
    feedstock_tce: float | None
    non_fossil_tce: float | None
    not_counted_tce: float = 0.0
    gap: Gap | None = None


def applicable(rule_sets: Iterable[RuleSet], year: int) -> RuleSet | None:
    """Return the rule set for an assessment year: of several the one that came into force last."""
    fitting = [each for each in rule_sets if each.applies_to(year)]
    return max(fitting, key=lambda each: each.in_force_from, default=None)


def assessed(account: Account, rules: RuleSet, measure: Measure) -> Assessed:
    """Return the energy of a year that counts for `measure` by `rules`. [tce]

    Feedstock (发改环资〔2022〕803号) and non-fossil electricity (发改运行〔2022〕1258号,
    发改环资〔2024〕113号) as the rule set says. What it deducts must be known: an unknown
    deduction is no deduction of zero. Never more is deducted than was counted.
    """
    if account.energy_tce is None:
        return Assessed(None, None, None, gap=Gap.ENERGY_MISSING)
    feedstock = 0.0
    if measure in rules.feedstock_from:
        if account.feedstock_tce is None:
            return Assessed(None, None, None, gap=Gap.FEEDSTOCK_MISSING)
        feedstock = account.feedstock_tce
    non_fossil = over = 0.0
    if measure in rules.electricity_from:
        non_fossil, over, gap = _non_fossil(account, rules)
        if gap is not None:
            return Assessed(None, feedstock, None, gap=gap)
    left = fsum((account.energy_tce, -feedstock, -non_fossil))
    if left < -TOLERANCE * account.energy_tce:
        return Assessed(None, feedstock, non_fossil, gap=Gap.DEDUCTIONS_EXCEED_ENERGY)
    return Assessed(left, feedstock, non_fossil, over)


def _non_fossil(account: Account, rules: RuleSet) -> tuple[float, float, Gap | None]:
    """Return what is deducted, what exceeds the bound, and why neither is known. [tce]"""
    if account.non_fossil_mwh is None:
        return 0.0, 0.0, Gap.NON_FOSSIL_MISSING
    fitting = {
        source: mwh
        for source, mwh in account.non_fossil_mwh.items()
        if source.energy_type in rules.energy_types
    }
    mwh = fsum(fitting.values())
    if rules.extent is Extent.INCREMENT:
        if account.increment_base_mwh is None:
            return 0.0, 0.0, Gap.INCREMENT_BASE_MISSING
        increment = max(0.0, mwh - account.increment_base_mwh)
        return _valued(account, increment, 0.0)
    over = 0.0
    if rules.across_share_max is not None:
        across = fsum(mwh for source, mwh in fitting.items() if source.is_across)
        if across > 0:
            if account.saving_needed_tce is None:
                return 0.0, 0.0, Gap.SAVING_MISSING
            most = across_mwh_max(account, rules.across_share_max)
            if most is None:
                return 0.0, 0.0, Gap.ENERGY_MISSING
            over = max(0.0, across - most)
    return _valued(account, mwh - over, over)


def _valued(account: Account, mwh: float, over: float) -> tuple[float, float, Gap | None]:
    if mwh == 0 and over == 0:
        return 0.0, 0.0, None
    if account.kgce_per_kwh is None or account.electricity_tce is None:
        return 0.0, 0.0, Gap.ENERGY_MISSING
    tce = electricity_tce(mwh, account.kgce_per_kwh)
    if tce > account.electricity_tce * (1 + TOLERANCE):
        return 0.0, 0.0, Gap.NON_FOSSIL_EXCEEDS_ELECTRICITY
    return tce, electricity_tce(over, account.kgce_per_kwh), None


def electricity_tce(mwh: float, kgce_per_kwh: float) -> float:
    """Return electricity at the value it was counted with. [tce]

    >>> electricity_tce(1000.0, 0.1229)
    122.9
    """
    return mwh * KWH_PER_MWH * kgce_per_kwh / KGCE_PER_TCE


def across_mwh_max(account: Account, share_max: float) -> float | None:
    """Return how much certificates from other provinces may cover in a year. [MWh]

    发改环资〔2024〕113号: at most half of the saving needed for the period's intensity target.
    """
    if account.saving_needed_tce is None or not account.kgce_per_kwh:
        return None
    bound_tce = share_max * account.saving_needed_tce
    return bound_tce * KGCE_PER_TCE / account.kgce_per_kwh / KWH_PER_MWH


def saving_needed(
    base_energy_tce: float | None, gdp_ratio: float | None, reduction: float | None
) -> float | None:
    """Return what must be saved for an intensity target: energy without it less with it. [tce]

    `gdp_ratio` is GDP of the year ÷ GDP of the period's base year at constant prices,
    `reduction` the share by which energy per GDP is to fall over the period.

    >>> round(saving_needed(100.0, 1.3, 0.13), 6)
    16.9
    """
    if base_energy_tce is None or gdp_ratio is None or reduction is None:
        return None
    return base_energy_tce * gdp_ratio * reduction


def compounded(rates: Iterable[float | None]) -> float | None:
    """Return yearly changes of a figure as one ratio; None if any is unknown.

    >>> round(compounded([-0.02747] * 5), 4)
    0.87
    """
    known = list(rates)
    held = [1 + rate for rate in known if rate is not None]
    return prod(held) if len(held) == len(known) else None


@dataclass(frozen=True, slots=True)
class Movement:
    """How a measure moved between two years, both by the same rule set. [share]

    None: `gap` says why, and `gap_in_base` in which of the two years.
    """

    rate: float | None
    gap: Gap | None = None
    gap_in_base: bool = False


def movement(
    base: Account,
    target: Account,
    rules: RuleSet,
    measure: Measure,
    *,
    gdp_ratio: float | None = None,
) -> Movement:
    """Return the change from `base` to `target`, of the total or of energy per GDP. [share]

    Both years come here before any deduction and `rules` deduct from both (发改环资〔2022〕803号:
    from base year and target year alike): one side alone cannot be deducted. `gdp_ratio` is GDP of
    the target year ÷ GDP of the base year at constant prices; GDP itself is not adjusted.
    """
    before, after = assessed(base, rules, measure), assessed(target, rules, measure)
    if before.energy_tce is None or after.energy_tce is None:
        in_base = before.energy_tce is None
        return Movement(None, before.gap if in_base else after.gap, in_base)
    if before.energy_tce <= 0:
        return Movement(None, Gap.NOT_POSITIVE, gap_in_base=True)
    ratio = after.energy_tce / before.energy_tce
    if measure is Measure.TOTAL:
        return Movement(ratio - 1)
    if gdp_ratio is None:
        return Movement(None, Gap.GDP_MISSING)
    return Movement(ratio / gdp_ratio - 1)
