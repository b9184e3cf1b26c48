"""The simulator: the same seed tells the same story; the steel year sums to the golden figure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from energy import codes, registers
from energy.registers import Kind
from ingest.simulator import fleet, steel

ENDS_AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
CITIES = ["450100", "450200", "450300"]


def test_the_steel_year_sums_to_the_golden_figure_across_its_wrap() -> None:
    shown = list(steel.register(ENDS_AT))
    used = [registers.step(a, b, steel.ROLLOVER_KWH) for (_, a), (_, b) in pairwise(shown)]
    assert len(shown) == 35_041
    assert sum(step or 0 for step in used) == pytest.approx(959_636.71, abs=1e-6)
    assert sum(b < a for (_, a), (_, b) in pairwise(shown)) == 1


def test_the_steel_year_has_every_quarter_hour_and_ends_when_asked() -> None:
    instants = [read_at for read_at, _ in steel.register(ENDS_AT)]
    assert {b - a for a, b in pairwise(instants)} == {timedelta(minutes=15)}
    assert instants[-1] == ENDS_AT


def test_the_same_seed_tells_the_same_story() -> None:
    since = fleet.floor_slot(ENDS_AT)
    first, again = (fleet.plants(7, 6, CITIES) for _ in range(2))
    assert first == again
    until = since + timedelta(hours=1)
    assert list(first[1].readings(since, until)) == list(again[1].readings(since, until))


def test_made_up_units_have_well_formed_codes_and_lie_in_all_cities() -> None:
    plants = fleet.plants(7, 6, CITIES)
    assert all(codes.parse_credit_code(plant.unit) == plant.unit for plant in plants)
    assert {plant.city for plant in plants} == set(CITIES)


def test_one_unit_overruns() -> None:
    plants = fleet.plants(7, 6, CITIES)
    assert [plant.overrun > 1 for plant in plants] == [True] + [False] * 5


def test_registers_of_the_fleet_never_step_back_but_to_wrap() -> None:
    for plant in fleet.plants(7, 5, CITIES):
        told = list(plant.readings(ENDS_AT, ENDS_AT + timedelta(days=1)))
        for model in plant.meters:
            values = [value for meter, _, value in told if meter == model.meter]
            if model.kind is Kind.REGISTER:
                steps = [registers.step(a, b, model.rollover) for a, b in pairwise(values)]
                assert None not in steps
