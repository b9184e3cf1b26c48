"""A factor that changes values anew what it concerns, that only, and nothing is left with the old.

From the files to the figures: imported, settled, imported again, settled again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import db.factors
from app.factors import revalue_unverified
from app.imports.kinds import Kind
from db.pool import Connection, Pool
from energy.factors import Unverified
from energy.periods import LOCAL
from ingest import settle
from tests import factories
from tests.app.test_factor_imports import BATCH, GAS, UNIT
from tests.app.test_importing import Desk

REFERENCE = 0.7143


@dataclass(frozen=True, slots=True)
class Works:
    """A unit that weighs its coal and counts its gas, every six hours from a local day on."""

    pool: Pool
    folder: Path
    unit_id: int
    coal_id: int
    gas_id: int

    async def read(self, meter_id: int, first: str, days: int, value: float = 250.0) -> None:
        """Deliver four readings a day of an interval meter, and mark them as ingestion does."""
        start = datetime.fromisoformat(first).replace(tzinfo=LOCAL).astimezone(UTC)
        ends = start + timedelta(days=days)
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(
                """
                INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at)
                SELECT $1, at, $4, 'good', at
                  FROM generate_series($2::timestamptz, $3, INTERVAL '6 hours') AS at
                 WHERE at < $3
                """,
                meter_id, start, ends, value,
            )  # fmt: skip
            await connection.execute(
                "INSERT INTO stale_ranges (unit_id, meter_id, starts_at, ends_at) "
                "SELECT unit_id, meter_id, $2, $3 FROM meters WHERE meter_id = $1",
                meter_id, start, ends,
            )  # fmt: skip

    async def settle(self, unverified: Unverified = Unverified.NOTE) -> int:
        """Settle everything; return how many hours were."""
        hours = 0
        async with self.pool.acquire() as connection:
            while done := await settle.settle_one(connection, unverified=unverified):
                hours += done.hours
        return hours

    async def take(self, kind: Kind, *rows: Mapping[str, str]) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            await Desk(connection, self.folder).take(kind, *rows)

    async def days(self, carrier: str, basis: str = "calorific") -> list[float | None]:
        """Return what a ton or cubic metre was worth, day by day. [kgce]"""
        rows = await self.pool.fetch(
            f"SELECT {basis}_tce * 1000 / quantity AS kgce FROM unit_consumption "
            "WHERE carrier = $1 AND step = 'day' ORDER BY starts_at",
            carrier,
        )
        return [row["kgce"] for row in rows]


@pytest.fixture
async def works(pool: Pool, tmp_path: Path) -> Works:
    async with pool.acquire() as connection:
        unit_id = await factories.unit(connection)
        meters = [
            await factories.meter(
                connection, unit_id, code, carrier=carrier, kind="interval", uom=uom,
                interval_s=6 * 3600,
            )
            for code, carrier, uom in (("C01", "raw_coal", "kg"), ("G01", "natural_gas", "m3"))
        ]  # fmt: skip
    return Works(pool, tmp_path, unit_id, *meters)


async def test_a_measured_batch_values_its_days_anew_and_no_others(works: Works) -> None:
    await works.read(works.coal_id, "2026-10-30", days=4)
    await works.settle()
    assert await works.days("raw_coal") == pytest.approx([REFERENCE] * 4)
    await works.take(Kind.CALORIFIC_VALUES, BATCH)
    assert await works.settle() == 2 * 24 + 6  # the reach of an interval before and after
    measured = 22_150 / 29_307.6
    for basis in ("calorific", "equivalent"):
        assert await works.days("raw_coal", basis) == pytest.approx(
            [measured, measured, REFERENCE, REFERENCE]
        )


async def test_a_factor_that_is_declared_later_gives_gas_its_coal(works: Works) -> None:
    await works.read(works.gas_id, "2026-01-01", days=2)
    await works.settle()
    assert await works.days("natural_gas") == [None, None]
    await works.take(Kind.FACTORS, {**GAS, "valid_from": "2026-01-02"})
    await works.settle()
    first, second = await works.days("natural_gas")
    assert first is None
    assert second == pytest.approx(1.2143)


async def test_the_month_and_the_unit_follow(works: Works) -> None:
    await works.read(works.gas_id, "2026-01-01", days=2)
    await works.take(Kind.FACTORS, GAS)
    await works.settle()
    await works.take(Kind.FACTORS, {**GAS, "kgce_per_uom": "1.33"})
    await works.settle()
    month = await works.pool.fetchval(
        "SELECT calorific_tce FROM unit_consumption WHERE step = 'month'"
    )
    assert month == pytest.approx(2 * 4 * 250 * 1.33 / 1000)


async def test_other_units_and_other_carriers_are_left_alone(works: Works) -> None:
    async with works.pool.acquire() as connection:
        other_id = await factories.unit(connection, factories.unit_code(2))
        meter_id = await factories.meter(
            connection, other_id, "G01", carrier="natural_gas", kind="interval", uom="m3"
        )
    await works.read(works.coal_id, "2026-01-01", days=1)
    await works.read(works.gas_id, "2026-01-01", days=1)
    await works.read(meter_id, "2026-01-01", days=1)
    await works.settle()
    await works.take(Kind.FACTORS, GAS)
    marked = await works.pool.fetch("SELECT meter_id FROM stale_ranges")
    assert [row["meter_id"] for row in marked] == [works.gas_id]


async def test_a_change_that_values_nothing_differently_marks_nothing(works: Works) -> None:
    await works.read(works.gas_id, "2026-01-01", days=3)
    await works.take(Kind.FACTORS, GAS)
    await works.settle()
    await works.take(Kind.FACTORS, {**GAS, "source": "contract 18", "edition": "declared anew"})
    await works.take(Kind.FACTORS, {**GAS, "valid_to": "2027-01-01"})
    assert await works.pool.fetchval("SELECT count(*) FROM stale_ranges") == 0
    await works.take(Kind.FACTORS, {**GAS, "valid_to": "2026-01-03"})
    await works.settle()
    assert (await works.days("natural_gas"))[2] is None


async def test_hours_between_two_readings_that_both_lie_outside_are_valued_anew(
    works: Works,
) -> None:
    async with works.pool.acquire() as connection:
        meter_id = await factories.meter(
            connection, works.unit_id, "R01", carrier="raw_coal", uom="kg", interval_s=21_600
        )
        for day, value in (("2026-09-30", 0.0), ("2026-11-02", 3300.0)):
            await connection.execute(
                "INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at) "
                "VALUES ($1, $2::text::timestamptz, $3, 'good', now())",
                meter_id, f"{day} 00:00+08", value,
            )  # fmt: skip
            await connection.execute(
                "INSERT INTO stale_ranges (unit_id, meter_id, starts_at, ends_at) VALUES "
                "($1, $2, $3::text::timestamptz, $3::text::timestamptz + INTERVAL '1 hour')",
                works.unit_id, meter_id, f"{day} 00:00+08",
            )  # fmt: skip
    await works.settle()
    await works.take(Kind.CALORIFIC_VALUES, BATCH)
    await works.settle()
    days = await works.days("raw_coal")
    assert days == pytest.approx([REFERENCE, *[22_150 / 29_307.6] * 31, REFERENCE])


async def test_an_unverified_factor_is_used_or_refused_as_the_platform_is_set(
    works: Works,
) -> None:
    await works.read(works.gas_id, "2026-01-01", days=1)
    await works.take(Kind.FACTORS, {**GAS, "verified": "false"})
    await works.settle(Unverified.NOTE)
    assert await works.days("natural_gas") == pytest.approx([1.2143])
    await works.take(Kind.FACTORS, {**GAS, "verified": "false", "kgce_per_uom": "1.3"})
    await works.settle(Unverified.REFUSE)
    assert await works.days("natural_gas") == [None]
    await works.take(Kind.FACTORS, {**GAS, "verified": "true", "kgce_per_uom": "1.3"})
    await works.settle(Unverified.REFUSE)
    assert await works.days("natural_gas") == pytest.approx([1.3])


async def test_what_is_being_settled_while_a_factor_changes_is_valued_anew(works: Works) -> None:
    """A settler that has read the old factors ends first; whoever comes later reads the new."""
    await works.read(works.gas_id, "2026-01-01", days=1)
    async with works.pool.acquire() as settler, settler.transaction():
        assert await settle.settle_one(settler)
        importing = asyncio.create_task(works.take(Kind.FACTORS, GAS))
        await until_waiting(works.pool)
        assert not importing.done()
    await importing
    await works.settle()
    assert await works.days("natural_gas") == pytest.approx([1.2143])


async def until_waiting(pool: Pool) -> None:
    async with asyncio.timeout(10):
        while not await pool.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
            "AND objid = $1",
            db.factors.LOCK,
        ):
            await asyncio.sleep(0.02)


async def test_settlement_waits_for_a_change_and_values_with_what_it_left(works: Works) -> None:
    await works.read(works.gas_id, "2026-01-01", days=1)
    async with works.pool.acquire() as connection, connection.transaction():
        await Desk(connection, works.folder).take(Kind.FACTORS, GAS)
        settling = asyncio.create_task(works.settle())
        await until_waiting(works.pool)
    await settling
    assert await works.days("natural_gas") == pytest.approx([1.2143])


async def test_a_long_past_is_marked_in_pieces_without_a_gap(works: Works) -> None:
    await works.read(works.gas_id, "2026-01-01", days=100)
    await works.settle()
    await works.take(Kind.FACTORS, GAS)
    rows = await works.pool.fetch("SELECT starts_at, ends_at FROM stale_ranges ORDER BY starts_at")
    assert len(rows) == 4
    assert [row["ends_at"] for row in rows[:-1]] == [row["starts_at"] for row in rows[1:]]
    assert rows[-1]["ends_at"] - rows[0]["starts_at"] == timedelta(days=100)
    await works.settle()
    assert await works.days("natural_gas") == pytest.approx([1.2143] * 100)


async def test_marking_goes_through_meters_in_bounded_steps(connection: Connection) -> None:
    unit_id = await factories.unit(connection)
    for number in range(5):
        await factories.meter(connection, unit_id, f"E{number}")
    first = await db.factors.list_meter_ids(connection, "electricity", UNIT, after=0, limit=3)
    rest = await db.factors.list_meter_ids(
        connection, "electricity", None, after=first[-1], limit=3
    )
    assert (len(first), len(rest)) == (3, 2)


@pytest.mark.tampers("sums: settled with another setting of unverified factors")
@pytest.mark.tampers("a reference factor that nobody stated anew")
async def test_a_platform_that_is_set_anew_values_the_past_anew(works: Works) -> None:
    await works.read(works.coal_id, "2026-01-01", days=1)
    await works.read(works.gas_id, "2026-01-01", days=1)
    await works.take(Kind.FACTORS, {**GAS, "verified": "false"})
    await works.pool.execute("UPDATE factors SET verified = true WHERE carrier = 'raw_coal'")
    await works.settle(Unverified.NOTE)
    async with works.pool.acquire() as connection, connection.transaction():
        assert await revalue_unverified(connection) == 1  # gas
    await works.settle(Unverified.REFUSE)
    assert await works.days("natural_gas") == [None]
    assert await works.days("raw_coal") == pytest.approx([REFERENCE])
