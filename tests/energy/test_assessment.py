"""An indicator has a level, or the name of the input it lacks; the incentive exempts the total."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import assessment
from energy.assessment import Exemption, Figures, Finding
from energy.indicators import DESCRIPTIONS, Growth, Indicator
from energy.levels import NATIONAL, Band, Measure, Reason, Scheme
from energy.targets import Target, TargetKind

YEAR = 2026
ALL = dict.fromkeys(Growth, 0.0) | {Growth.ENERGY: 0.03, Growth.GDP: 0.06, Growth.CARBON: 0.02}
TOTALS = Scheme(
    "total",
    "",
    "",
    Measure.CAP_SHARE,
    "",
    False,
    (
        Band("over", 1, None, True, "", "", None),
        Band("within", 2, 1.0, True, "", "", None),
    ),
)
SCHEMES = {**dict.fromkeys(Indicator, NATIONAL), Indicator.TOTAL_ENERGY: TOTALS}
BEFORE = Figures(2025, 12, ALL, 20e6)


def target(indicator: Indicator, value: float, kind: TargetKind = TargetKind.BASE) -> Target:
    is_total = indicator is Indicator.TOTAL_ENERGY
    rate, amount = (None, value) if is_total else (value, None)
    return Target(indicator, kind, YEAR, YEAR, rate, amount, None, "test")


TARGETS = [
    target(Indicator.ENERGY_PER_GDP, -0.02747),
    target(Indicator.ENERGY_PER_GDP, -0.028, TargetKind.INCENTIVE),
    target(Indicator.ENERGY_PER_INDUSTRIAL_VALUE_ADDED, -0.03381),
    target(Indicator.CARBON_PER_GDP, -0.038),
    target(Indicator.TOTAL_ENERGY, 21e6),
]


def found(
    figures: Figures | None = Figures(YEAR, 9, ALL),  # noqa: B008  # frozen
    targets: list[Target] = TARGETS,  # never changed
    history: tuple[Figures, ...] = (BEFORE,),
) -> dict[Indicator, Finding]:
    listed = assessment.findings(figures, history, targets, SCHEMES, YEAR)
    return {finding.indicator: finding for finding in listed}


def level(finding: Finding) -> str | None:
    return None if finding.band is None else finding.band.level


def test_each_indicator_has_its_own_figures_target_and_level() -> None:
    findings = found()
    assert {indicator: level(finding) for indicator, finding in findings.items()} == {
        Indicator.ENERGY_PER_GDP: "3",
        Indicator.ENERGY_PER_INDUSTRIAL_VALUE_ADDED: "2",
        Indicator.TOTAL_ENERGY: "within",
        Indicator.CARBON_PER_GDP: "2",
    }
    assert findings[Indicator.ENERGY_PER_GDP].progress == pytest.approx(0.0283019 / 0.02747)
    assert findings[Indicator.TOTAL_ENERGY].measured == pytest.approx(20.6 / 21)


def test_a_total_over_its_cap_has_a_level_of_its_own() -> None:
    tight = [*TARGETS[:-1], target(Indicator.TOTAL_ENERGY, 20.5e6)]
    finding = found(targets=tight)[Indicator.TOTAL_ENERGY]
    assert (level(finding), finding.reason) == ("over", Reason.OVER_CAP)


@pytest.mark.parametrize(
    ("incentive", "exemption", "exempt"),
    [
        (-0.0283, Exemption.INCENTIVE_REACHED, True),
        (-0.0284, Exemption.INCENTIVE_NOT_REACHED, False),
        (None, Exemption.INCENTIVE_TARGET_MISSING, None),
    ],
)
def test_reaching_the_incentive_target_exempts_the_total(
    incentive: float | None, exemption: Exemption, exempt: bool | None
) -> None:
    targets = [one for one in TARGETS if one.kind is TargetKind.BASE]
    if incentive is not None:
        targets.append(target(Indicator.ENERGY_PER_GDP, incentive, TargetKind.INCENTIVE))
    findings = found(targets=targets)
    total = findings[Indicator.TOTAL_ENERGY]
    assert (total.exemption, total.is_exempt) == (exemption, exempt)
    assert findings[Indicator.ENERGY_PER_GDP].exemption is None


def test_without_progress_nobody_is_exempt_nor_is_not() -> None:
    total = found(Figures(YEAR, 9, {**ALL, Growth.GDP: None}))[Indicator.TOTAL_ENERGY]
    assert (total.exemption, total.is_exempt) == (Exemption.PROGRESS_MISSING, None)


def test_an_incentive_met_exactly_is_reached() -> None:
    targets = [target(Indicator.ENERGY_PER_GDP, -0.03, TargetKind.INCENTIVE)]
    finding = found(Figures(YEAR, 9, {**ALL, Growth.ENERGY: 0.0282}), targets)
    assert finding[Indicator.TOTAL_ENERGY].is_exempt


def test_the_total_needs_the_year_before() -> None:
    finding = found(history=())[Indicator.TOTAL_ENERGY]
    assert (finding.band, finding.reason) == (None, Reason.BASE_YEAR_TOTAL_MISSING)


def test_a_region_without_figures_has_reasons_and_no_level() -> None:
    assert {finding.reason for finding in found(None).values()} == {
        Reason.ENERGY_GROWTH_MISSING,
        Reason.INDUSTRIAL_ENERGY_GROWTH_MISSING,
        Reason.CARBON_GROWTH_MISSING,
    }


def test_a_scheme_of_the_wrong_measure_gives_no_level() -> None:
    schemes = {Indicator.ENERGY_PER_GDP: TOTALS, Indicator.TOTAL_ENERGY: NATIONAL}
    listed = assessment.findings(Figures(YEAR, 9, ALL), [BEFORE], TARGETS, schemes, YEAR)
    assert {(one.band, one.reason) for one in listed} == {(None, Reason.SCHEME_MISSING)}


growths = st.none() | st.floats(min_value=-0.5, max_value=0.5)


@given(
    growth=st.fixed_dictionaries(dict.fromkeys(Growth, growths)),
    kept=st.sets(st.sampled_from(range(len(TARGETS)))),
    has_history=st.booleans(),
    has_figures=st.booleans(),
)
def test_a_level_never_appears_with_a_missing_input(
    growth: dict[Growth, float | None], kept: set[int], has_history: bool, has_figures: bool
) -> None:
    targets = [TARGETS[index] for index in kept]
    figures = Figures(YEAR, 9, growth) if has_figures else None
    for finding in found(figures, targets, (BEFORE,) if has_history else ()).values():
        of = DESCRIPTIONS[finding.indicator]
        needed = [growth[part] for part in (of.numerator, of.denominator) if part is not None]
        has_target = any(
            one.indicator is finding.indicator and one.kind is TargetKind.BASE for one in targets
        )
        is_total = finding.indicator is Indicator.TOTAL_ENERGY
        complete = has_figures and None not in needed and has_target
        complete = complete and (has_history or not is_total)
        assert (finding.band is not None) == complete
        assert complete != finding.reason.endswith("_missing")
