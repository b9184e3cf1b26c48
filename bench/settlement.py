"""Owns the measures of settlement: readings settled against COPY, and late floods as history grows.

History is made by SQL, so that growth is real: every meter has a reading for every interval.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import asyncpg
import psycopg

import db.pool
from bench import load
from bench.baselines import COLUMNS, Row
from bench.measures import Result, against
from bench.stage import Stage, drained_per_s, end, new_name
from db.pool import Pool
from ingest import settle

FIRST_AT = datetime(2026, 10, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
DAYS, SLOTS = 20, 96
READINGS = load.UNITS * load.METERS * DAYS * SLOTS
SELDOM_S = 0.05
"""Counting what is left costs the database something."""

HISTORY_DAYS = (30, 300)
FLOODS = 11

SETTLED = """
SELECT %(total)s - %(per_range)s * (SELECT count(*) FROM stale_ranges)
       - (SELECT least(1, count(*)) FROM stale_areas)
"""

MARK = """
INSERT INTO stale_ranges (unit_id, meter_id, starts_at, ends_at)
SELECT unit_id, meter_id, day, day + INTERVAL '1 day'
  FROM generate_series(%s::timestamptz, %s::timestamptz - INTERVAL '1 day', '1 day') AS day
 CROSS JOIN meters
 ORDER BY day, unit_id
"""

HISTORY = """
INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at)
SELECT meter_id, read_at, extract(epoch FROM read_at) / 3600 - 400000, 'good', now()
  FROM generate_series(%s::timestamptz, %s::timestamptz - INTERVAL '1 hour', '1 hour') AS read_at
 CROSS JOIN meters
"""

FLOOD = """
INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at)
SELECT meter_id, read_at, extract(epoch FROM read_at) / 3600 - 400000, 'good', now()
  FROM generate_series($1::timestamptz, $1::timestamptz + INTERVAL '47 hours', '1 hour') AS read_at
 CROSS JOIN meters
 WHERE unit_id = (SELECT min(unit_id) FROM units)
"""

MARK_FLOOD = """
INSERT INTO stale_ranges (unit_id, meter_id, starts_at, ends_at)
SELECT unit_id, meter_id, date_trunc('hour', $1::timestamptz),
       $1::timestamptz + INTERVAL '48 hours'
  FROM meters
 WHERE unit_id = (SELECT min(unit_id) FROM units)
"""


def settle_vs_copy(stage: Stage) -> Result:
    """The same rows: stored by COPY, and settled up to years and areas by one settler."""
    url = ""

    def copied() -> float:
        nonlocal url
        url = stage.fresh_database()
        return asyncio.run(_copy_per_s(url))

    def settled() -> float:
        with psycopg.connect(url) as connection:
            connection.execute(MARK, (FIRST_AT, FIRST_AT + timedelta(days=DAYS)))
        count = SETTLED % {"total": READINGS, "per_range": SLOTS}
        process = stage.start("settle", url=url, name=new_name("settle"))
        try:
            return drained_per_s(url, READINGS, count, SELDOM_S)
        finally:
            end(process)

    result = against("settle_vs_copy", "readings/s", "≥ 0.5", 3, copied, settled)
    return Result(result.name, 1 / result.ratio, result.baseline or 0.0, result.ours, result.unit,
                  result.bar)  # fmt: skip


async def _copy_per_s(url: str) -> float:
    connection = await asyncpg.connect(url)
    meters = [row["meter_id"] for row in await connection.fetch("SELECT meter_id FROM meters")]
    taken_s = 0.0
    for day in range(DAYS):
        since = FIRST_AT + timedelta(days=day)
        rows: list[Row] = [
            (meter_id, since + QUARTER * slot, float((day * SLOTS + slot) * 7), "good", since)
            for slot in range(SLOTS)
            for meter_id in meters
        ]
        begun = time.monotonic()
        await connection.copy_records_to_table("readings", records=rows, columns=COLUMNS)
        taken_s += time.monotonic() - begun
    await connection.execute("ANALYZE readings")
    await connection.close()
    return READINGS / taken_s


def late_flood(stage: Stage) -> Result:
    """Two days of a unit come late: how long it takes with ten times the history, over once.

    The floods of the two databases alternate, and each pair is a ratio: its median counts.
    """
    until = FIRST_AT + timedelta(days=DAYS)
    urls = [_with_history(stage, days, until) for days in HISTORY_DAYS]
    once, tenfold = zip(*asyncio.run(_floods_s(urls, until)), strict=True)
    ratio = statistics.median(more / less for less, more in zip(once, tenfold, strict=True))
    return Result(
        "late_flood_recompute", ratio, statistics.median(tenfold), statistics.median(once),
        "s a flood", "≤ 1.2",
    )  # fmt: skip


def _with_history(stage: Stage, days: int, until: datetime) -> str:
    """Return the URL of a database with a reading for each hour of so many days."""
    url = stage.fresh_database(f"bench_{days}")
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE meters SET interval_s = 3600")
        connection.execute(HISTORY, (until - timedelta(days=days), until))
        connection.execute(MARK, (until - timedelta(days=days), until))
    return url


async def _floods_s(urls: list[str], until: datetime) -> list[tuple[float, ...]]:
    """Return how long each flood took in each database; the first does not count."""
    taken = []
    async with AsyncExitStack() as opened:
        pools = [
            await opened.enter_async_context(await db.pool.create_pool(url, timeout_s=300))
            for url in urls
        ]
        for pool in pools:
            await _settle_all(pool)
            await pool.execute("VACUUM ANALYZE")
        for flood in range(FLOODS + 1):
            at = until - timedelta(days=2 * flood + 4, hours=flood, minutes=20)
            taken.append(tuple([await _flood_s(pool, at) for pool in pools]))
    return taken[1:]


async def _flood_s(pool: Pool, at: datetime) -> float:
    await pool.execute(FLOOD, at)
    await pool.execute(MARK_FLOOD, at)
    begun = time.monotonic()
    await _settle_all(pool)
    return time.monotonic() - begun


async def _settle_all(pool: Pool) -> None:
    async with pool.acquire() as connection:
        while await settle.settle_one(connection) or await settle.settle_region(connection):
            pass


ALL = (settle_vs_copy, late_flood)
