"""Deductions: the worked example of the feedstock rule, and that no year is treated differently."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from energy import rulesets
from energy.certificates import EnergyType, Source
from energy.rulesets import Account, Extent, Gap, Measure, RuleSet

RENEWABLE = frozenset(EnergyType) - {EnergyType.NUCLEAR}
BOTH = frozenset(Measure)

RULES_2022 = RuleSet(
    rule_set="2022",
    name_zh="测试",
    name_en="test",
    documents=("发改环资〔2022〕803号", "发改运行〔2022〕1258号"),
    in_force_from=date(2022, 11, 16),
    in_force_to=date(2024, 1, 27),
    first_year=2021,
    last_year=2023,
    feedstock_from=BOTH,
    electricity_from=frozenset({Measure.TOTAL}),
    extent=Extent.INCREMENT,
    energy_types=RENEWABLE,
    increment_base_year=2020,
    across_share_max=None,
    period_first_year=2021,
    period_years=5,
    source="test",
)
RULES_2024 = replace(
    RULES_2022,
    rule_set="2024",
    in_force_from=date(2024, 1, 27),
    in_force_to=None,
    first_year=2024,
    last_year=2025,
    electricity_from=BOTH,
    extent=Extent.ALL,
    energy_types=frozenset(EnergyType),
    increment_base_year=None,
    across_share_max=0.5,
)
WITHOUT = replace(RULES_2022, feedstock_from=frozenset(), electricity_from=frozenset())

WIND, NUCLEAR = Source(EnergyType.WIND, is_across=False), Source(EnergyType.NUCLEAR, False)
ACROSS = Source(EnergyType.WIND, is_across=True)

BASE = Account(100.0, 10.0, 60.0, 0.1, {}, saving_needed_tce=0.0)
TARGET = Account(110.0, 16.0, 60.0, 0.1, {})
GDP_RATIO = 212 / 200
"""The worked example: energy 100 → 110, feedstock 10 → 16, GDP 200 → 212."""


def change(base: Account, target: Account, rules: RuleSet) -> float | None:
    return rulesets.movement(base, target, rules, Measure.INTENSITY, gdp_ratio=GDP_RATIO).rate


def total(account: Account, rules: RuleSet) -> rulesets.Assessed:
    return rulesets.assessed(account, rules, Measure.TOTAL)


def test_without_the_feedstock_rule_the_example_rises() -> None:
    assert change(BASE, TARGET, WITHOUT) == pytest.approx(0.0377, abs=5e-5)


@pytest.mark.parametrize("rules", [RULES_2022, RULES_2024])
def test_feedstock_out_of_both_years_makes_the_example_fall(rules: RuleSet) -> None:
    assert change(BASE, TARGET, rules) == pytest.approx(-0.0147, abs=5e-5)


def test_feedstock_out_of_one_year_alone_cannot_be_had() -> None:
    one_sided = (110 - 16) / 100 / GDP_RATIO - 1
    assert one_sided == pytest.approx(-0.113, abs=5e-4)
    unknown = replace(BASE, feedstock_tce=None)
    for rules in (RULES_2022, RULES_2024):
        assert change(BASE, TARGET, rules) != pytest.approx(one_sided, abs=1e-3)
        found = rulesets.movement(unknown, TARGET, rules, Measure.INTENSITY, gdp_ratio=GDP_RATIO)
        assert (found.rate, found.gap) == (None, Gap.FEEDSTOCK_MISSING)
        assert found.gap_in_base
        assert change(BASE, replace(TARGET, feedstock_tce=None), rules) is None


def test_the_2022_rules_take_the_renewable_increment_out_of_the_total_only() -> None:
    account = replace(TARGET, non_fossil_mwh={WIND: 300.0}, increment_base_mwh=100.0)
    found = total(account, RULES_2022)
    assert found.non_fossil_tce == pytest.approx(20)
    assert found.energy_tce == pytest.approx(74)
    assert rulesets.assessed(account, RULES_2022, Measure.INTENSITY).energy_tce == 94


def test_the_2022_rules_know_no_nuclear_power() -> None:
    account = replace(TARGET, non_fossil_mwh={NUCLEAR: 300.0}, increment_base_mwh=0.0)
    assert total(account, RULES_2022).energy_tce == 94


def test_less_than_in_the_base_year_is_no_increment() -> None:
    account = replace(TARGET, non_fossil_mwh={WIND: 50.0}, increment_base_mwh=100.0)
    assert total(account, RULES_2022).energy_tce == 94


@pytest.mark.parametrize("measure", [*Measure])
def test_the_2024_rules_take_all_non_fossil_out_of_total_and_intensity(measure: Measure) -> None:
    account = replace(TARGET, non_fossil_mwh={WIND: 100.0, NUCLEAR: 200.0})
    assert rulesets.assessed(account, RULES_2024, measure).energy_tce == pytest.approx(64)


def test_certificates_from_other_provinces_cover_half_of_the_saving_at_most() -> None:
    saving = rulesets.saving_needed(90.0, GDP_RATIO, 0.13)
    account = replace(TARGET, non_fossil_mwh={WIND: 50.0, ACROSS: 100.0}, saving_needed_tce=saving)
    assert saving == pytest.approx(12.402)
    found = total(account, RULES_2024)
    assert found.non_fossil_tce == pytest.approx(5 + 12.402 / 2)
    assert found.not_counted_tce == pytest.approx(10 - 12.402 / 2)


def test_within_the_bound_certificates_count_in_full() -> None:
    account = replace(TARGET, non_fossil_mwh={ACROSS: 60.0}, saving_needed_tce=12.402)
    found = total(account, RULES_2024)
    assert found.non_fossil_tce == pytest.approx(6)
    assert found.not_counted_tce == 0


@pytest.mark.parametrize(
    ("account", "rules", "gap"),
    [
        (replace(TARGET, energy_tce=None), RULES_2022, Gap.ENERGY_MISSING),
        (replace(TARGET, feedstock_tce=None), RULES_2022, Gap.FEEDSTOCK_MISSING),
        (replace(TARGET, feedstock_tce=111.0), RULES_2024, Gap.DEDUCTIONS_EXCEED_ENERGY),
        (replace(TARGET, non_fossil_mwh=None), RULES_2024, Gap.NON_FOSSIL_MISSING),
        (TARGET, RULES_2022, Gap.INCREMENT_BASE_MISSING),
        (replace(TARGET, non_fossil_mwh={ACROSS: 1.0}), RULES_2024, Gap.SAVING_MISSING),
        (
            replace(TARGET, non_fossil_mwh={WIND: 601.0}),
            RULES_2024,
            Gap.NON_FOSSIL_EXCEEDS_ELECTRICITY,
        ),
        (
            replace(TARGET, non_fossil_mwh={WIND: 1.0}, kgce_per_kwh=None),
            RULES_2024,
            Gap.ENERGY_MISSING,
        ),
    ],
)
def test_an_unknown_deduction_is_no_deduction_of_zero(
    account: Account, rules: RuleSet, gap: Gap
) -> None:
    found = total(account, rules)
    assert (found.energy_tce, found.gap) == (None, gap)


def test_energy_per_gdp_needs_gdp_and_a_base_above_zero() -> None:
    no_gdp = rulesets.movement(BASE, TARGET, RULES_2022, Measure.INTENSITY)
    assert (no_gdp.rate, no_gdp.gap) == (None, Gap.GDP_MISSING)
    nothing = replace(BASE, energy_tce=10.0)
    found = rulesets.movement(nothing, TARGET, RULES_2022, Measure.INTENSITY, gdp_ratio=1.0)
    assert (found.rate, found.gap, found.gap_in_base) == (None, Gap.NOT_POSITIVE, True)


def test_a_year_has_the_rules_that_came_into_force_last() -> None:
    known = [RULES_2022, RULES_2024, replace(RULES_2024, rule_set="late", last_year=2024)]
    late = replace(RULES_2024, rule_set="later", in_force_from=date(2025, 1, 1), first_year=2025)
    found = {year: rulesets.applicable([*known, late], year) for year in (2020, 2023, 2025, 2026)}
    names = {year: rules and rules.rule_set for year, rules in found.items()}
    assert names == {2020: None, 2023: "2022", 2025: "later", 2026: None}


kinds = st.builds(Source, st.sampled_from([*EnergyType]), st.booleans())
sources = st.dictionaries(kinds, st.floats(0.1, 1e4), max_size=12)


def mostly(known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy that is unknown now and then."""
    return st.one_of(known, known, known, known, known, st.none())


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    """A year of which as a rule enough is known, and enough is left after deductions."""
    energy = draw(st.floats(1e4, 1e6))
    return Account(
        energy_tce=energy,
        feedstock_tce=draw(mostly(st.floats(0, 0.3 * energy))),
        electricity_tce=energy * draw(st.floats(0.3, 1)),
        kgce_per_kwh=draw(st.sampled_from([0.1229, 0.302])),
        non_fossil_mwh=draw(mostly(sources)),
        increment_base_mwh=draw(mostly(st.floats(0, 1e4))),
        saving_needed_tce=draw(mostly(st.floats(0, 1e5))),
    )


any_rules = st.builds(
    lambda feedstock, electricity, extent, types, share: replace(
        RULES_2022,
        feedstock_from=frozenset(feedstock),
        electricity_from=frozenset(electricity),
        extent=extent,
        energy_types=frozenset(types),
        across_share_max=share,
    ),
    st.sets(st.sampled_from([*Measure])),
    st.sets(st.sampled_from([*Measure])),
    st.sampled_from([*Extent]),
    st.sets(st.sampled_from([*EnergyType])),
    st.none() | st.floats(0, 1),
)


@given(accounts(), accounts(), any_rules, st.sampled_from([*Measure]), st.floats(0.5, 2))
def test_no_deduction_makes_the_base_year_differ_in_method(
    base: Account, target: Account, rules: RuleSet, measure: Measure, gdp_ratio: float
) -> None:
    """There and back again is no change: with a one-sided deduction it would be one."""
    there = rulesets.movement(base, target, rules, measure, gdp_ratio=gdp_ratio)
    back = rulesets.movement(target, base, rules, measure, gdp_ratio=1 / gdp_ratio)
    if there.rate is not None and back.rate is not None:
        assert (1 + there.rate) * (1 + back.rate) == pytest.approx(1, rel=1e-6)
    event("compared" if there.rate is not None else "unknown")
    same = rulesets.movement(base, base, rules, measure, gdp_ratio=1.0)
    assert same.rate is None or same.rate == 0


@given(st.dictionaries(kinds, st.floats(0.1, 1e4), min_size=3), st.data())
def test_the_order_of_deductions_does_not_matter(
    amounts: dict[Source, float], data: st.DataObject
) -> None:
    account = Account(1e5, 123.4, 1e5, 0.1229, amounts, saving_needed_tce=1e4)
    other = replace(account, non_fossil_mwh=dict(data.draw(st.permutations([*amounts.items()]))))
    found = total(account, RULES_2024)
    assert found.energy_tce is not None
    assert found == total(other, RULES_2024)


@given(accounts(), any_rules, st.sampled_from([*Measure]))
def test_never_more_is_deducted_than_was_counted_and_all_of_it_is_told(
    account: Account, rules: RuleSet, measure: Measure
) -> None:
    found = rulesets.assessed(account, rules, measure)
    assert (found.energy_tce is None) == (found.gap is not None)
    if found.energy_tce is not None:
        assert account.energy_tce is not None
        told = [found.energy_tce, found.feedstock_tce or 0.0, found.non_fossil_tce or 0.0]
        assert sum(told) == pytest.approx(account.energy_tce)
        assert found.energy_tce >= -1e-9 * account.energy_tce


@given(accounts(), st.floats(0, 1), st.floats(0, 1e5))
def test_no_more_than_the_bound_comes_from_other_provinces(
    account: Account, share: float, saving_tce: float
) -> None:
    rules = replace(RULES_2024, across_share_max=share)
    found = total(replace(account, saving_needed_tce=saving_tce), rules)
    if found.non_fossil_tce is not None and account.non_fossil_mwh is not None:
        assert account.kgce_per_kwh is not None
        local = sum(mwh for source, mwh in account.non_fossil_mwh.items() if not source.is_across)
        local_tce = rulesets.electricity_tce(local, account.kgce_per_kwh)
        assert found.non_fossil_tce <= local_tce + share * saving_tce + 1e-6
