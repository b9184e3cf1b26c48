"""Suspicions are found in what is stored, kept once, and hold nothing back."""

from __future__ import annotations

import csv
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import db.changes
from db.changes import Author, Fact
from db.pool import Connection
from energy.periods import LOCAL
from tests import factories
from tests.history import DAY, EVERY, NOW, SLOT, assess_all, put

GOLDEN = Path(__file__).parent.parent / "golden" / "suspicions"
BEFORE = DAY - timedelta(days=1)
"""Golden histories begin here; their second day is DAY."""


def golden(name: str) -> list[float]:
    with (GOLDEN / f"{name}.csv").open(encoding="utf-8") as file:
        return [float(row["value"]) for row in csv.DictReader(file)]


async def replay(connection: Connection, meter_id: int, name: str, *, add: float = 0.0) -> None:
    shown = [value + add for value in golden(name)]
    await put(connection, meter_id, [BEFORE + SLOT * n for n in range(len(shown))], values=shown)


async def use(
    connection: Connection, meter_id: int, step: str, starts_at: datetime, quantity: float | None
) -> None:
    await connection.execute(
        "INSERT INTO meter_consumption VALUES ($1, $2, $3, $4, 0, 96, false)",
        meter_id,
        step,
        starts_at,
        quantity,
    )


async def found(connection: Connection, kind: str) -> list[dict[str, Any]]:
    rows = await connection.fetch(
        "SELECT * FROM suspicions WHERE kind = $1 ORDER BY starts_at, subject", kind
    )
    return [{**row, "evidence": json.loads(row["evidence"])} for row in rows]


@pytest.fixture
async def unit_id(connection: Connection) -> int:
    return await factories.unit(connection)


@pytest.fixture
async def meter_id(connection: Connection, unit_id: int) -> int:
    return await factories.meter(connection, unit_id, installed_at=BEFORE, multiplier=4000)


@pytest.fixture
async def producing(connection: Connection, unit_id: int) -> int:
    """An output meter that counts in every hour of both days."""
    output = await factories.meter(
        connection, unit_id, "P01", role="output", kind="interval", uom="t", product="steel",
        installed_at=BEFORE,
    )  # fmt: skip
    for hour in range(48):
        await use(connection, output, "hour", BEFORE + timedelta(hours=hour), 10.0)
    return output


@pytest.mark.tampers("sums: put in by hand")
async def test_a_stuck_register_is_suspected_with_its_numbers(
    connection: Connection, meter_id: int, producing: int
) -> None:
    await replay(connection, meter_id, "register_stuck")
    await use(connection, meter_id, "day", BEFORE, 0.2 * 96 * 4000)
    await assess_all(connection)
    (one,) = await found(connection, "flat_line")
    assert (one["subject"], one["sureness"]) == ("E01", "likely")
    assert one["starts_at"] == DAY + timedelta(hours=10)
    assert one["evidence"]["intervals"] == 16


@pytest.mark.tampers("sums: put in by hand")
async def test_a_multiplier_of_100000_makes_no_stuck_register(
    connection: Connection, unit_id: int, producing: int
) -> None:
    slow = await factories.meter(
        connection, unit_id, "E09", multiplier=100_000, installed_at=BEFORE
    )
    await replay(connection, slow, "register_times_100000")
    await use(connection, slow, "day", BEFORE, 0.0013 * 96 * 100_000)
    await assess_all(connection)
    assert await found(connection, "flat_line") == []


async def test_a_copied_day_is_suspected_and_readings_stay(
    connection: Connection, meter_id: int
) -> None:
    await replay(connection, meter_id, "register_copied")
    await assess_all(connection)
    (one,) = await found(connection, "copied_curve")
    assert (one["starts_at"], one["evidence"]["copy_of"]) == (DAY, "2026-11-21")
    assert await connection.fetchval("SELECT count(*) FROM readings") == 193


@pytest.mark.parametrize("name", ["register_two_days", "register_almost_copied"])
async def test_a_day_of_its_own_is_not(connection: Connection, meter_id: int, name: str) -> None:
    await replay(connection, meter_id, name)
    await assess_all(connection)
    assert await found(connection, "copied_curve") == []


@pytest.mark.tampers("sums: put in by hand")
async def test_what_was_found_is_kept_once(connection: Connection, meter_id: int) -> None:
    await replay(connection, meter_id, "register_copied")
    await assess_all(connection)
    await use(connection, meter_id, "day", DAY, 1.0)  # settled again: the checks run again
    await assess_all(connection, NOW + EVERY)
    (one,) = await found(connection, "copied_curve")
    assert one["seen_at"] > one["found_at"]


async def test_two_units_with_the_same_curve_are_both_suspected(
    connection: Connection, unit_id: int, meter_id: int
) -> None:
    other_unit = await factories.unit(connection, factories.unit_code(2), region="450302")
    other = await factories.meter(
        connection, other_unit, "E77", installed_at=BEFORE, multiplier=100
    )
    await replay(connection, meter_id, "register_two_days")
    await replay(connection, other, "register_two_days", add=5000)
    await assess_all(connection)
    pairs = {
        (one["unit_id"], one["subject"], one["evidence"]["other_meter"], one["other_unit_id"])
        for one in await found(connection, "same_values")
    }
    assert pairs == {(unit_id, "E01", "E77", other_unit), (other_unit, "E77", "E01", unit_id)}


async def test_two_meters_of_one_unit_may_have_the_same_curve(
    connection: Connection, unit_id: int, meter_id: int
) -> None:
    other = await factories.meter(connection, unit_id, "E02", installed_at=BEFORE)
    for each in (meter_id, other):
        await replay(connection, each, "register_two_days")
    await assess_all(connection)
    assert await found(connection, "same_values") == []


@pytest.mark.parametrize(("subs", "count"), [(102_000.0, 0), (103_000.0, 1)])
async def test_subs_above_the_boundary_are_suspected_beyond_their_accuracy(
    connection: Connection, unit_id: int, meter_id: int, subs: float, count: int
) -> None:
    sub = await factories.meter(connection, unit_id, "S01", role="sub", installed_at=BEFORE)
    await use(connection, meter_id, "day", DAY, 100_000)
    await use(connection, sub, "day", DAY, subs)
    await assess_all(connection)
    rows = await found(connection, "subs_above_boundary")
    assert [row["subject"] for row in rows] == ["electricity"] * count


@pytest.mark.tampers("facts: the ledger alone is written")
@pytest.mark.parametrize(("day", "count"), [(10, 0), (11, 1)])
async def test_what_is_stated_after_the_deadline_is_a_late_edit(
    connection: Connection, unit_id: int, meter_id: int, day: int, count: int
) -> None:
    fact = Fact("monthly_filings", f"{factories.unit_code()}/coke/2026-10", {"month": "2026-10"})
    for at in (datetime(2026, 11, 5, tzinfo=LOCAL), datetime(2026, 11, day, 23, tzinfo=LOCAL)):
        await db.changes.record(connection, Author("zhao", "test"), [fact], at)
    await assess_all(connection)
    rows = await found(connection, "late_edit")
    assert len(rows) == count
    for row in rows:
        assert (row["sureness"], row["evidence"]["actor"]) == ("likely", "zhao")
        assert row["starts_at"] == datetime(2026, 10, 1, tzinfo=LOCAL)


@pytest.mark.tampers("facts: the ledger alone is written")
async def test_what_others_stated_is_not_held_against_a_unit(
    connection: Connection, unit_id: int, meter_id: int
) -> None:
    fact = Fact("production", f"{factories.unit_code(2)}/x", {"from": "2026-09-01T00:00:00+08:00"})
    await db.changes.record(connection, Author("zhao", "test"), [fact], NOW)
    await assess_all(connection)
    assert await found(connection, "late_edit") == []


@pytest.mark.tampers("facts: the ledger alone is written")
@pytest.mark.parametrize(("day", "count"), [(10, 0), (11, 1)])
async def test_what_is_stated_of_several_months_is_due_after_the_last(
    connection: Connection, meter_id: int, day: int, count: int
) -> None:
    content: dict[str, object] = {
        "from": "2026-06-30T16:00:00+00:00",
        "to": "2026-10-31T16:00:00+00:00",
    }
    fact = Fact("production", f"{factories.unit_code()}/steel/2026-07", content)
    stated_at = datetime(2026, 11, day, 12, tzinfo=LOCAL)
    await db.changes.record(connection, Author("zhao", "test"), [fact], stated_at)
    await assess_all(connection)
    rows = await found(connection, "late_edit")
    assert [row["sureness"] for row in rows] == ["possible"] * count
