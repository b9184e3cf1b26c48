"""What a year requires: as filed, or the geometric path of a plan, which says that it is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import targets
from energy.indicators import Indicator
from energy.targets import Path, Target, TargetKind

ENERGY = Indicator.ENERGY_PER_GDP
BASE = TargetKind.BASE
reductions = st.floats(min_value=-0.6, max_value=-0.001)


def target(
    rate: float | None,
    year: int = 2021,
    through_year: int | None = None,
    *,
    kind: TargetKind = BASE,
    indicator: Indicator = ENERGY,
    amount_tce: float | None = None,
) -> Target:
    through = year if through_year is None else through_year
    return Target(indicator, kind, year, through, rate, amount_tce, "2024", "test")


PLAN = target(-0.13, 2021, 2025)


@pytest.mark.parametrize(
    ("five_years", "one_year", "cumulative"),
    [
        (0.13, 0.02747, (2.75, 5.42, 8.02, 10.54, 13.00)),
        (0.135, 0.02859, (2.86, 5.64, 8.33, 10.95, 13.50)),
        (0.158, 0.03381, (3.38, 6.65, 9.80, 12.85, 15.80)),
        (0.17, 0.03658, (3.66, 7.18, 10.58, 13.85, 17.00)),
    ],
)
def test_a_five_year_reduction_is_spread_geometrically(
    five_years: float, one_year: float, cumulative: tuple[float, ...]
) -> None:
    rate = targets.annual_rate(five_years)
    assert rate == pytest.approx(one_year, abs=5e-6)
    rates = list(targets.path(target(-five_years, 2021, 2025), {}).values())
    reached = [-100 * targets.cumulative(rates[:years]) for years in range(1, 6)]
    assert reached == pytest.approx(cumulative, abs=0.005)


def test_linear_is_not_equivalent() -> None:
    linear = [-0.13 / 5] * 5
    assert targets.cumulative(linear) == pytest.approx(-0.1234, abs=5e-5)
    assert targets.cumulative(linear) > -0.13 + 0.006
    assert targets.annual_rate(-0.13) < linear[0] - 0.001


def test_a_reduction_written_as_a_change_keeps_its_sign() -> None:
    assert targets.annual_rate(-0.13) == -targets.annual_rate(0.13)


@given(
    reduction=reductions,
    years=st.integers(2, 10),
    filed=st.dictionaries(st.integers(0, 8), st.floats(-0.004, 0), max_size=8),
)
def test_a_path_multiplies_to_the_target_of_its_plan(
    reduction: float, years: int, filed: dict[int, float]
) -> None:
    plan = target(reduction, 2021, 2020 + years)
    rates = targets.path(plan, {})
    assert targets.cumulative(rates.values()) == pytest.approx(reduction, rel=1e-12)
    last_is_open = {2021 + n: rate for n, rate in filed.items() if n < years - 1}
    mixed = targets.path(plan, last_is_open)
    assert all(mixed[year] == rate for year, rate in last_is_open.items())
    reached = targets.cumulative(mixed.values())
    nothing_left = mixed[plan.through_year] == 0
    assert nothing_left or reached == pytest.approx(reduction, rel=1e-9)
    assert reached <= reduction + 1e-12


def test_the_own_target_of_a_year_comes_before_the_path_of_the_plan() -> None:
    filed = target(-0.03, 2022)
    found = targets.requirement([PLAN, filed], ENERGY, BASE, 2022)
    assert found is not None
    assert (found.rate, found.path, found.target) == (-0.03, Path.FILED, filed)


def test_the_path_of_a_plan_is_marked_as_a_default() -> None:
    found = targets.requirement([PLAN], ENERGY, BASE, 2023)
    assert found is not None
    assert found.rate == pytest.approx(-0.02747, abs=5e-6)
    assert (found.path, found.target) == (Path.GEOMETRIC_DEFAULT, PLAN)


def test_a_later_filing_changes_no_earlier_year() -> None:
    before = targets.path(PLAN, {})
    after = targets.path(PLAN, {2024: -0.05})
    assert [after[year] for year in (2021, 2022, 2023)] == [
        before[year] for year in (2021, 2022, 2023)
    ]
    assert after[2025] > before[2025]


def test_a_plan_that_is_more_than_reached_requires_nothing_more() -> None:
    assert list(targets.path(PLAN, {2021: -0.2}).values()) == [-0.2, 0, 0, 0, 0]


@pytest.mark.parametrize("year", [2020, 2026])
def test_a_year_outside_the_plan_has_no_requirement(year: int) -> None:
    assert targets.requirement([PLAN], ENERGY, BASE, year) is None


def test_targets_of_other_indicators_and_kinds_require_nothing_of_this_one() -> None:
    others = [
        target(-0.2, 2022, kind=TargetKind.INCENTIVE),
        target(-0.2, 2022, indicator=Indicator.CARBON_PER_GDP),
    ]
    assert targets.requirement(others, ENERGY, BASE, 2022) is None


def test_of_plans_that_overlap_the_one_that_began_last_is_in_force() -> None:
    newer = target(-0.03, 2024, 2026)
    found = targets.requirement([newer, PLAN], ENERGY, BASE, 2025)
    assert found is not None
    assert found.target is newer


def test_the_cap_of_a_plan_is_one_of_its_last_year_only() -> None:
    total = Indicator.TOTAL_ENERGY
    plan = target(None, 2026, 2030, indicator=total, amount_tce=130e6)
    found = targets.requirement([plan], total, BASE, 2030)
    assert found is not None
    assert (found.amount_tce, found.path) == (130e6, Path.FILED)
    assert targets.requirement([plan], total, BASE, 2028) is None


def test_progress_of_a_plan_multiplies_the_years_and_names_those_that_are_missing() -> None:
    rates = {2021: -0.03, 2022: -0.02, 2023: -0.01}
    found = targets.plan_progress([PLAN], ENERGY, BASE, rates, 2023)
    assert found is not None
    assert found.reached == pytest.approx(0.97 * 0.98 * 0.99 - 1)
    assert found.scheduled == pytest.approx(-0.0802, abs=5e-5)
    lacking = targets.plan_progress([PLAN], ENERGY, BASE, {2021: -0.03, 2023: -0.01}, 2023)
    assert lacking is not None
    assert (lacking.reached, lacking.missing_years) == (None, (2022,))


def test_the_schedule_of_the_last_year_is_the_plan_itself() -> None:
    found = targets.plan_progress([PLAN], ENERGY, BASE, {}, 2025)
    assert found is not None
    assert found.scheduled == -0.13
