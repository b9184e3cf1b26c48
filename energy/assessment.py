"""Owns the assessment of a region's indicators: figures and targets in, level or reason out.

Nothing is guessed: a level that lacks an input is None, and the reason names the input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from energy import levels, targets
from energy.indicators import DESCRIPTIONS, Growth, Indicator
from energy.levels import Band, Measure, Reason, Scheme
from energy.targets import PlanProgress, Requirement, Target, TargetKind

MISSING: dict[Growth, Reason] = {
    Growth.ENERGY: Reason.ENERGY_GROWTH_MISSING,
    Growth.GDP: Reason.GDP_GROWTH_MISSING,
    Growth.INDUSTRIAL_ENERGY: Reason.INDUSTRIAL_ENERGY_GROWTH_MISSING,
    Growth.VALUE_ADDED: Reason.VALUE_ADDED_GROWTH_MISSING,
    Growth.CARBON: Reason.CARBON_GROWTH_MISSING,
}


@dataclass(frozen=True, slots=True)
class Figures:
    """Growth from January to `through_month` against the same months, as shares. [0.06]

    Output at constant prices. `energy_tce` is the energy of those months. None: not published.
    """

    year: int
    through_month: int
    growth: Mapping[Growth, float | None]
    energy_tce: float | None = None


class Exemption(StrEnum):
    """Whether the total is assessed, and why (桂政发〔2022〕24号, 四(一))."""

    INCENTIVE_REACHED = "incentive_reached"
    """The region is exempt: its energy per GDP reached the incentive target."""

    INCENTIVE_NOT_REACHED = "incentive_not_reached"
    INCENTIVE_TARGET_MISSING = "incentive_target_missing"
    PROGRESS_MISSING = "progress_missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """What an indicator came to. `band` None: `reason` names the input that is missing.

    `measured` is the change of the indicator [share], of a total what the year comes to as a share
    of its cap. `progress` is the share of the required reduction that is reached; None where
    nothing or no reduction is required.
    """

    indicator: Indicator
    measured: float | None
    base: Requirement | None
    incentive: Requirement | None
    progress: float | None
    incentive_progress: float | None
    plan: PlanProgress | None
    scheme: Scheme | None
    band: Band | None
    reason: Reason
    exemption: Exemption | None = None

    @property
    def is_exempt(self) -> bool | None:
        """Return whether the total is out of the assessment; None: it cannot be told."""
        match self.exemption:
            case Exemption.INCENTIVE_REACHED:
                return True
            case Exemption.INCENTIVE_NOT_REACHED:
                return False
            case _:
                return None


def change(indicator: Indicator, figures: Figures | None) -> tuple[float | None, Reason | None]:
    """Return the change of an indicator that is a ratio, or the input that is missing. [share]

    >>> figures = Figures(2026, 9, {Growth.ENERGY: 0.03, Growth.GDP: 0.06})
    >>> change(Indicator.CARBON_PER_GDP, figures)
    (None, <Reason.CARBON_GROWTH_MISSING: 'carbon_growth_missing'>)
    """
    of = DESCRIPTIONS[indicator]
    parts = [of.numerator] if of.denominator is None else [of.numerator, of.denominator]
    growths = []
    for part in parts:
        growth = None if figures is None else figures.growth.get(part)
        if growth is None:
            return None, MISSING[part]
        growths.append(growth)
    return (growths[0] if len(growths) == 1 else levels.intensity_rate(*growths)), None


def findings(
    figures: Figures | None,
    history: Sequence[Figures],
    region_targets: Sequence[Target],
    schemes: Mapping[Indicator, Scheme],
    year: int,
) -> list[Finding]:
    """Return the finding of each indicator, in the order of `Indicator`.

    `history` are the whole years (through December) before; the total needs the year before, and
    the progress of a plan needs all of them. The total is exempt where energy per GDP reached the
    incentive target.
    """
    found = {
        indicator: _finding(indicator, figures, history, region_targets, schemes, year)
        for indicator in Indicator
    }
    exempt = exemption(found[Indicator.ENERGY_PER_GDP])
    return [
        replace(finding, exemption=exempt) if indicator is Indicator.TOTAL_ENERGY else finding
        for indicator, finding in found.items()
    ]


def exemption(of_intensity: Finding) -> Exemption:
    """Return whether the total is exempt, from the finding of energy per GDP."""
    if of_intensity.measured is None:
        return Exemption.PROGRESS_MISSING
    if of_intensity.incentive is None or of_intensity.incentive.rate is None:
        return Exemption.INCENTIVE_TARGET_MISSING
    reached = of_intensity.measured <= of_intensity.incentive.rate + levels.TOLERANCE
    return Exemption.INCENTIVE_REACHED if reached else Exemption.INCENTIVE_NOT_REACHED


def _finding(
    indicator: Indicator,
    figures: Figures | None,
    history: Sequence[Figures],
    region_targets: Sequence[Target],
    schemes: Mapping[Indicator, Scheme],
    year: int,
) -> Finding:
    base = targets.requirement(region_targets, indicator, TargetKind.BASE, year)
    incentive = targets.requirement(region_targets, indicator, TargetKind.INCENTIVE, year)
    measured, missing = change(indicator, figures)
    if indicator is Indicator.TOTAL_ENERGY:
        measured, missing = _use(measured, missing, history, base, year)
    scheme = schemes.get(indicator)
    band, reason = _level(measured, missing, base, scheme)
    is_rate = indicator is not Indicator.TOTAL_ENERGY
    return Finding(
        indicator=indicator,
        measured=measured,
        base=base,
        incentive=incentive,
        progress=_progress(measured, base) if is_rate else None,
        incentive_progress=_progress(measured, incentive) if is_rate else None,
        plan=_plan(indicator, figures, history, region_targets, year) if is_rate else None,
        scheme=scheme,
        band=band,
        reason=reason,
    )


def _use(
    growth: float | None,
    missing: Reason | None,
    history: Sequence[Figures],
    base: Requirement | None,
    year: int,
) -> tuple[float | None, Reason | None]:
    """Return what the year comes to as a share of its cap, or the input that is missing."""
    before = next((one.energy_tce for one in history if one.year == year - 1), None)
    if growth is None:
        return None, missing
    if before is None:
        return None, Reason.BASE_YEAR_TOTAL_MISSING
    if base is None or base.amount_tce is None:
        return None, Reason.TARGET_MISSING
    return levels.cap_share(growth, before, base.amount_tce), None


def _level(
    measured: float | None,
    missing: Reason | None,
    base: Requirement | None,
    scheme: Scheme | None,
) -> tuple[Band | None, Reason]:
    if measured is None:
        assert missing is not None
        return None, missing
    if base is None:
        return None, Reason.TARGET_MISSING
    if scheme is None:
        return None, Reason.SCHEME_MISSING
    if base.rate is None:
        if scheme.measure is not Measure.CAP_SHARE:
            return None, Reason.SCHEME_MISSING
        within = measured <= 1 + levels.TOLERANCE
        return scheme.level_of_use(measured), Reason.WITHIN_CAP if within else Reason.OVER_CAP
    if scheme.measure is not Measure.REDUCTION_SHARE:
        return None, Reason.SCHEME_MISSING
    return scheme.level_of_rate(measured, base.rate), levels.movement(measured, base.rate)


def _progress(measured: float | None, required: Requirement | None) -> float | None:
    """Return the share of the required reduction that is reached; negative: it rose. [share]"""
    if measured is None or required is None or required.rate is None or required.rate >= 0:
        return None
    return measured / required.rate


def _plan(
    indicator: Indicator,
    figures: Figures | None,
    history: Sequence[Figures],
    region_targets: Sequence[Target],
    year: int,
) -> PlanProgress | None:
    """Return how far the plan is with the year so far taken as the year."""
    rates = {}
    for one in [*history, *([] if figures is None else [figures])]:
        rate, _ = change(indicator, one)
        if rate is not None:
            rates[one.year] = rate
    return targets.plan_progress(region_targets, indicator, TargetKind.BASE, rates, year)
