"""A unit that moves, a meter that is read at other times: the sums above them follow."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from app import importing
from app.imports.kinds import Kind
from db.changes import Author
from db.pool import Pool
from ingest import reconcile
from ingest.reconcile import ALL_TIME
from tests import factories
from tests.ingest.test_settlement import QUARTER, SINCE, settle_all, store, unit_with_register

NOW = datetime(2026, 5, 9, tzinfo=UTC)
UNIT = {
    "unit": factories.unit_code(),
    "name": "测试厂",
    "region": "450202",
    "industry": "C3120",
}
METER = {
    "unit": factories.unit_code(),
    "meter": "E01",
    "name": "E01",
    "carrier": "electricity",
    "kind": "register",
    "uom": "kWh",
    "role": "boundary",
    "installed_at": factories.INSTALLED_AT.isoformat(),
}


async def take(pool: Pool, folder: Path, kind: Kind, row: Mapping[str, str]) -> None:
    path = folder / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    async with pool.acquire() as connection, connection.transaction():
        plan = await importing.plan(connection, kind, path, lambda done, total: None)
        await importing.apply(connection, plan, Author("zhao", "test"), NOW)
    await settle_all(pool)


async def settled(pool: Pool) -> None:
    unit_id, meter_id = await unit_with_register(pool)
    told = [(meter_id, SINCE + QUARTER * n, 2.0 * n) for n in range(400)]
    await store(pool, unit_id, told)
    await settle_all(pool)


async def differences(pool: Pool) -> int:
    return sum(
        [len(some or []) async for _, some in reconcile.of_all(pool, ALL_TIME, repair=False)]
    )


async def test_the_energy_of_a_unit_that_moves_goes_with_it(pool: Pool, tmp_path: Path) -> None:
    await settled(pool)
    await take(pool, tmp_path, Kind.UNITS, UNIT | {"region": "450102", "industry": "C2511"})
    areas = await pool.fetch(
        "SELECT region, division, sum(quantity) AS used FROM area_consumption "
        "WHERE step = 'month' GROUP BY 1, 2"
    )
    assert [tuple(row) for row in areas] == [("450102", "C25", 798.0)]
    assert await differences(pool) == 0


async def test_readings_are_counted_anew_from_the_day_of_another_interval_on(
    pool: Pool, tmp_path: Path
) -> None:
    await settled(pool)
    change = {
        "unit": METER["unit"], "meter": "E01", "starts_at": (SINCE + QUARTER * 200).isoformat(),
        "reason": "interval", "interval_s": "3600",
    }  # fmt: skip
    await take(pool, tmp_path, Kind.EPOCHS, change)
    present = await pool.fetch(
        "SELECT readings_present FROM unit_consumption WHERE step = 'hour' ORDER BY starts_at"
    )
    assert [row["readings_present"] for row in present] == [4] * 50 + [1] * 50
    assert await differences(pool) == 0
