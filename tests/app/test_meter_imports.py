"""An import of meters says what each measures, and never rewrites what its past readings mean."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from app.imports.kinds import Kind
from tests import factories
from tests.app.test_importing import (
    METER,
    OUTPUT,
    Desk,
    desk,
    insert_reading,
    meter_desk,
    stored_meter,
)

__all__ = ["desk", "meter_desk"]


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ({**METER, "unit": factories.unit_code(2)}, "unit", "is not registered"),
        ({**METER, "carrier": "phlogiston"}, "carrier", "not a known energy carrier"),
        ({**METER, "carrier": ""}, "carrier", "is required of every meter but"),
        ({**METER, "uom": "t"}, "uom", "t measures mass"),
        ({**METER, "uom": "kW"}, "uom", "a register shows a quantity"),
        ({**METER, "kind": "gauge", "rollover": ""}, "uom", "a gauge shows a rate"),
        ({**METER, "kind": "interval"}, "rollover", "only a register wraps"),
        ({**METER, "kind": "counter"}, "kind", "'register', 'interval' or 'gauge'"),
        ({**METER, "role": "main"}, "role", "'boundary', 'sub', 'output'"),
        ({**METER, "product": "sugar"}, "product", "only an output meter"),
        ({**OUTPUT, "product": ""}, "product", "is required of an output meter"),
        ({**OUTPUT, "carrier": "coke"}, "carrier", "a product, not a carrier"),
        ({**OUTPUT, "kind": "gauge", "rollover": ""}, "kind", "output is counted"),
        ({**METER, "multiplier": "0"}, "multiplier", "should be greater than 0"),
        ({**METER, "multiplier": "inf"}, "multiplier", "should be a finite number"),
        ({**METER, "interval_s": "86401"}, "interval_s", "less than or equal to 86400"),
        ({**METER, "data_code": "12"}, "data_code", "16 digits, this one has 2"),
        ({**METER, "installed_at": "2020-01-01T08:00:00"}, "installed_at", "without an offset"),
        ({**METER, "installed_at": "0001-01-01"}, "installed_at", "between the years"),
        ({**METER, "meter": "E" * 33}, "meter", "at most 32 characters"),
    ],
)
async def test_a_bad_meter_is_explained(
    meter_desk: Desk, row: Mapping[str, str], column: str, reason: str
) -> None:
    found_column, found_reason = await meter_desk.problem(Kind.METERS, row)
    assert found_column == column
    assert reason in found_reason


async def test_a_new_meter_begins_with_an_epoch_on_the_local_day(meter_desk: Desk) -> None:
    await meter_desk.take(Kind.METERS, {**METER, "uom": "万KWH"}, {**OUTPUT, "meter": "P01"})
    epochs = await meter_desk.connection.fetch(
        """
        SELECT meter, uom, meters.interval_s, starts_at, reason, multiplier, meter_epochs.rollover
          FROM meters JOIN meter_epochs USING (meter_id) ORDER BY meter
        """
    )
    begun_at = datetime(2019, 12, 31, 16, tzinfo=UTC)
    assert tuple(epochs[0]) == ("E01", "1e4kWh", 900, begun_at, "installed", 100.0, 1e6)
    assert [row["uom"] for row in epochs] == ["1e4kWh", "t"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("multiplier", "200"),
        ("rollover", "100000"),
        ("uom", "MWh"),
        ("role", "sub"),
        ("installed_at", "2021-01-01"),
    ],
)
async def test_a_meter_with_readings_keeps_their_meaning(
    meter_desk: Desk, column: str, value: str
) -> None:
    await meter_desk.take(Kind.METERS, METER)
    await insert_reading(meter_desk)
    found, reason = await meter_desk.problem(Kind.METERS, {**METER, column: value})
    assert found == column
    assert "would rewrite the past" in reason


async def test_a_meter_without_readings_may_be_put_right(meter_desk: Desk) -> None:
    await meter_desk.take(Kind.METERS, METER)
    changes = {"multiplier": "200", "uom": "MWh", "installed_at": "2021-01-01", "rollover": ""}
    await meter_desk.take(Kind.METERS, {**METER, **changes})
    meter = await stored_meter(meter_desk)
    assert (meter.multiplier, meter.rollover, meter.uom) == (200.0, None, "MWh")
    epochs = await meter_desk.connection.fetch("SELECT starts_at FROM meter_epochs")
    assert [row["starts_at"] for row in epochs] == [meter.installed_at]


async def test_a_meter_with_readings_may_be_renamed_and_installed_earlier(meter_desk: Desk) -> None:
    await meter_desk.take(Kind.METERS, METER)
    await insert_reading(meter_desk)
    await meter_desk.take(Kind.METERS, {**METER, "name": "进线", "installed_at": "2018-01-01"})
    meter = await stored_meter(meter_desk)
    assert (meter.name, meter.installed_at) == ("进线", datetime(2017, 12, 31, 16, tzinfo=UTC))


@pytest.mark.tampers("an epoch that nobody stated")
async def test_an_import_leaves_later_epochs_alone(meter_desk: Desk) -> None:
    await meter_desk.take(Kind.METERS, METER)
    await meter_desk.connection.execute(
        """
        INSERT INTO meter_epochs (meter_id, starts_at, reason, multiplier, rollover)
        SELECT meter_id, $1, 'multiplier', 300, 1000000 FROM meters
        """,
        datetime(2025, 1, 1, tzinfo=UTC),
    )
    current = {**METER, "multiplier": "300"}
    assert (await meter_desk.plan(Kind.METERS, current)).unchanged == 1
    earlier = await meter_desk.problem(Kind.METERS, {**current, "installed_at": "2019-01-01"})
    assert earlier[0] == "installed_at"
    assert (await meter_desk.problem(Kind.METERS, METER))[0] == "multiplier"


async def test_registers_that_can_hardly_be_judged_are_named_once(meter_desk: Desk) -> None:
    await meter_desk.take(Kind.METERS, METER)
    known = {column: cell for column, cell in METER.items() if column != "rollover"}
    gauge = {**known, "meter": "G1", "kind": "gauge", "uom": "kW"}
    assert (await meter_desk.plan(Kind.METERS, known, gauge)).notes == []
    bare = [{**known, "meter": f"B{number}"} for number in range(1, 6)]
    plan = await meter_desk.plan(Kind.METERS, known, gauge, *bare)
    (note,), unit = plan.notes, METER["unit"]
    assert (plan.problems, note.line, note.column) == ([], 4, "rate_max")
    assert note.text.startswith("5 registers have neither rollover nor rate_max")
    assert f"({unit} B1, {unit} B2, {unit} B3 and 2 more)" in note.text
