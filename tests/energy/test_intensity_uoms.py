"""Units of measure of intensities are a closed set, explained, and lead to one another or not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import carriers, intensity_uoms
from energy.intensity_uoms import Energy, IntensityUom, IntensityUomError


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("kgce/t", "kgce/t"),
        ("KGCE / T", "kgce/t"),
        ("千克标准煤/吨", "kgce/t"),
        ("kgce/m²", "kgce/m2"),
        ("kgce/㎡", "kgce/m2"),
        ("kgce/万m2", "kgce/1e4m2"),
        ("kgce/重量箱", "kgce/weight_case"),
        ("kgce/m3", "kgce/m3"),
        ("kgce/kg", "kgce/kg"),
        ("kWh/t", "kWh/t"),
        ("kW·h/t", "kWh/t"),
        ("千瓦时/吨", "kWh/t"),
        ("kgoe/t", "kgoe/t"),
        ("kgoe/(t·能量因数)", "kgoe/t·EF"),
        ("tce/万元产值", "tce/1e4CNY output value"),
        ("tce/万元增加值", "tce/1e4CNY value added"),
        ("kgce/万t", "kgce/1e4t"),
        ("PUE", "PUE"),
        ("kWh/kWh", "PUE"),
    ],
)
def test_a_unit_of_intensity_is_read_in_either_language(text: str, canonical: str) -> None:
    assert str(intensity_uoms.parse(text)) == canonical
    assert intensity_uoms.parse(canonical) == intensity_uoms.parse(text)


@pytest.mark.parametrize("text", ["", "kgce", "/t", "kgce/", "kgce/kW", "lb/t", "kgce/dozen", "1"])
def test_an_unknown_unit_is_refused_with_those_that_are_known(text: str) -> None:
    with pytest.raises(IntensityUomError, match=r"known are PUE and kgce, tce, kgoe, kWh per .*m2"):
        intensity_uoms.parse(text)


def test_yuan_of_output_value_are_not_yuan_of_value_added() -> None:
    value, added = intensity_uoms.MONEY
    assert intensity_uoms.output_conversion(value, added) is None


OUTPUTS = [*carriers.known_quantities(), "m2", "1e4m2", "weight_case", "piece", "1e4t", "t·EF"]


@given(st.sampled_from(OUTPUTS), st.sampled_from(OUTPUTS), st.sampled_from(OUTPUTS))
def test_conversions_of_output_lead_back_and_through(one: str, two: str, three: str) -> None:
    there = intensity_uoms.output_conversion(one, two)
    back = intensity_uoms.output_conversion(two, one)
    assert (there is None) == (back is None)
    if there is not None and back is not None:
        assert there * back == pytest.approx(1)
        onward = intensity_uoms.output_conversion(two, three)
        if onward is not None:
            through = intensity_uoms.output_conversion(one, three)
            assert through is None or through == pytest.approx(there * onward)


@given(st.sampled_from(Energy), st.sampled_from([each for each in OUTPUTS if each != "t·EF"]))
def test_what_is_written_is_read_as_the_same(energy: Energy, per: str) -> None:
    uom = IntensityUom(energy, per)
    assert intensity_uoms.parse(str(uom)) == uom


def test_electricity_is_counted_as_it_is_and_not_by_its_coal() -> None:
    counted = intensity_uoms.counted(
        Energy.KWH, energy_tce=None, electricity_kwh=13_350.0, kgce_per_kgoe=None
    )
    assert counted == 13_350.0


def test_oil_equivalent_needs_to_be_told_what_it_is_worth() -> None:
    found = [
        intensity_uoms.counted(
            Energy.KGOE, energy_tce=1.0, electricity_kwh=None, kgce_per_kgoe=worth
        )
        for worth in (None, 1.4286)
    ]
    assert found == [None, pytest.approx(699.986)]
