"""Units of measure convert within energy, mass and volume, and never from one to another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import carriers
from energy.carriers import UomError

QUANTITIES = [uom for uom in carriers.known_uoms() if not carriers.is_rate(uom)]


@pytest.mark.parametrize(
    ("uom", "reference_uom", "times"),
    [
        ("kWh", "kWh", 1),
        ("MWh", "kWh", 1_000),
        ("1e4kWh", "kWh", 10_000),
        ("GJ", "MJ", 1_000),
        ("MJ", "kWh", 1 / 3.6),
        ("t", "kg", 1_000),
        ("1e4m3", "m3", 10_000),
        ("L", "m3", 0.001),
        ("kW", "kWh", 1),
        ("MW", "kWh", 1_000),
        ("t/h", "kg", 1_000),
        ("GJ/h", "MJ", 1_000),
        ("m3/min", "m3", 60),
        ("kg/s", "t", 3.6),
    ],
)
def test_quantities_and_hourly_rates_convert(uom: str, reference_uom: str, times: float) -> None:
    assert carriers.conversion(uom, reference_uom) == pytest.approx(times, rel=1e-15)


@given(st.sampled_from(QUANTITIES), st.sampled_from(QUANTITIES))
def test_a_conversion_and_its_inverse_cancel(uom: str, other: str) -> None:
    try:
        there = carriers.conversion(uom, other)
    except UomError:
        with pytest.raises(UomError):
            carriers.conversion(other, uom)
    else:
        assert there * carriers.conversion(other, uom) == pytest.approx(1.0, rel=1e-15)


@pytest.mark.parametrize(("uom", "reference_uom"), [("L", "kg"), ("m3", "MJ"), ("kWh", "m3")])
def test_what_needs_a_density_or_a_calorific_value_is_refused(uom: str, reference_uom: str) -> None:
    with pytest.raises(UomError, match="multiplier"):
        carriers.conversion(uom, reference_uom)


@pytest.mark.parametrize(
    ("text", "uom"),
    [("万kWh", "1e4kWh"), ("KWH", "kWh"), ("万m³", "1e4m3"), ("10^4 kWh", "1e4kWh"), ("mw", "MW")],
)
def test_a_unit_of_measure_is_taken_as_people_write_it(text: str, uom: str) -> None:
    assert carriers.parse_uom(text) == uom


@pytest.mark.parametrize("text", ["", "tce", "kWh/h", "Nm3", "kWh/kWh"])
def test_an_unknown_unit_of_measure_is_refused(text: str) -> None:
    with pytest.raises(UomError, match="known are kJ"):
        carriers.parse_uom(text)


def test_a_rate_is_no_reference_unit() -> None:
    with pytest.raises(UomError, match="rate"):
        carriers.conversion("kW", "kW")
