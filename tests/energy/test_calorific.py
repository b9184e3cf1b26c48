"""A measured calorific value and the factor it makes are one and the same, in any unit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import calorific
from energy.calorific import CalorificUom


@given(st.floats(1e-3, 1e6), st.sampled_from(CalorificUom))
def test_a_calorific_value_comes_back_from_its_factor(value: float, uom: CalorificUom) -> None:
    assert calorific.value_of(calorific.factor_of(value, uom), uom) == pytest.approx(
        value, rel=1e-12
    )


@given(st.floats(1e-3, 1e6), st.sampled_from(CalorificUom), st.sampled_from(CalorificUom))
def test_the_unit_of_measure_makes_no_difference(
    value: float, uom: CalorificUom, other: CalorificUom
) -> None:
    kgce = calorific.factor_of(value, uom)
    assert calorific.factor_of(calorific.value_of(kgce, other), other) == pytest.approx(
        kgce, rel=1e-12
    )


@pytest.mark.parametrize(
    ("value", "uom", "kgce"),
    [
        (29_307.6, CalorificUom.KJ_PER_KG, 1.0),
        (7_000, CalorificUom.KCAL_PER_KG, 1.0),
        (29.3076, CalorificUom.MJ_PER_M3, 1.0),
        (20_934, CalorificUom.KJ_PER_KG, 0.7143),
        (41.868, CalorificUom.MJ_PER_KG, 1.4286),
    ],
)
def test_published_pairs_agree(value: float, uom: CalorificUom, kgce: float) -> None:
    assert calorific.factor_of(value, uom) == pytest.approx(kgce, abs=5e-5)


@pytest.mark.parametrize(
    ("kgce", "plausible"), [(0.019, False), (0.02, True), (5.0, True), (5.1, False)]
)
def test_no_fuel_lies_beyond_the_borders(kgce: float, plausible: bool) -> None:
    assert calorific.is_plausible(kgce) is plausible
