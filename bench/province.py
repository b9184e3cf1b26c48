"""Owns the province that queries are measured on: units, meters, settled sums and readings by SQL.

1,500 units of 20 meters. Every figure follows from one rule (a register counts 1 to 7 an hour), so
an answer can be computed from the readings as well as from the sums. What is stored in full, and
what only of some units, is in `Size`; README.md says why.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

import db.pool
from energy.periods import Step
from ingest import settle

UNTIL = datetime(2026, 9, 30, 16, tzinfo=UTC)
"""00:00 of 1 October in Shanghai: the end of what is settled."""

MONTH_AT = datetime(2026, 8, 31, 16, tzinfo=UTC)
"""September, which is asked for."""

COUNTY = "450202"
"""Of which there are readings."""

UNITS, METERS = 1_500, 20
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Size:
    """How much history there is: `days` before UNTIL, in days, months and years.

    Hours are stored of `hourly_units`, readings of one county (`has_readings`), hourly as well.
    """

    days: int
    hourly_units: int = 0
    has_readings: bool = False


FLEET = """
INSERT INTO units (unit, name, region, industry)
SELECT '92450200MB' || to_char(number, 'FM00000000'), 'bench ' || number, region, industry
  FROM generate_series(1, %(units)s) AS number
  JOIN (SELECT region, row_number() OVER (ORDER BY region) - 1 AS place,
               count(*) OVER () AS of_all
          FROM regions
         WHERE tier = 'county') AS counties
    ON CASE WHEN number %% 75 = 0 THEN region = %(county)s
            ELSE place = (number * 7919) %% of_all END
  JOIN (VALUES (0, 'C3120'), (1, 'C3011'), (2, 'C2614'), (3, 'D4411'), (4, 'C1340'),
               (5, 'C3216'), (6, 'C2221'), (7, 'C2011')) AS industries (turn, industry)
    ON turn = number %% 8
"""

FLEET_METERS = """
WITH made AS (
    INSERT INTO meters (unit_id, meter, name, carrier, kind, uom, interval_s, role, installed_at)
    SELECT unit_id, 'M' || to_char(number, 'FM00'), 'bench',
           CASE WHEN number < 12 THEN 'electricity' WHEN number < 16 THEN 'raw_coal'
                WHEN number < 18 THEN 'heat' ELSE 'diesel' END,
           'register', CASE WHEN number < 12 THEN 'kWh' WHEN number < 16 THEN 'kg'
                            WHEN number < 18 THEN 'MJ' ELSE 'kg' END,
           3600, CASE WHEN number %% 4 = 3 THEN 'sub' ELSE 'boundary' END, %(installed_at)s
      FROM units
     CROSS JOIN generate_series(0, %(meters)s - 1) AS number
     WHERE unit LIKE '92450200MB%%'
    RETURNING meter_id, installed_at
)
INSERT INTO meter_epochs (meter_id, starts_at, reason, multiplier)
SELECT meter_id, installed_at, 'installed', 1
  FROM made
"""

# What a unit used of a carrier in an hour, in standard coal by either basis too.
RATES = """
CREATE TABLE bench_rates AS
SELECT units.unit_id, carrier, count(*) AS meters, sum(rate) AS per_hour,
       sum(rate) * calorific.kgce_per_uom / 1000 AS calorific,
       sum(rate) * equivalent.kgce_per_uom / 1000 AS equivalent,
       dense_rank() OVER (ORDER BY units.unit_id) AS place
  FROM units
  JOIN meters USING (unit_id)
 CROSS JOIN LATERAL (SELECT (1 + meter_id %% 7)::double precision AS rate) AS counting
  JOIN dated_factors AS calorific USING (carrier)
  JOIN dated_factors AS equivalent USING (carrier)
 WHERE unit LIKE '92450200MB%%'
   AND role = 'boundary'
   AND calorific.basis = 'calorific'
   AND calorific.unit_id IS NULL
   AND calorific.validity @> %(day)s::date
   AND equivalent.basis = 'equivalent'
   AND equivalent.unit_id IS NULL
   AND equivalent.validity @> %(day)s::date
 GROUP BY units.unit_id, carrier, calorific.kgce_per_uom, equivalent.kgce_per_uom
"""

UNIT_SUMS = """
INSERT INTO unit_consumption (unit_id, carrier, step, starts_at, quantity, estimated_quantity,
                              readings_present, held, calorific_tce, equivalent_tce)
SELECT unit_id, carrier, %(step)s, starts_at, hours * per_hour, 0, hours * meters, false,
       hours * calorific, hours * equivalent
  FROM (SELECT greatest(starts_at, %(from)s) AS begins_at, starts_at,
               least(%(to)s, (starts_at AT TIME ZONE 'Asia/Shanghai'
                              + ('1 ' || %(step)s)::interval) AT TIME ZONE 'Asia/Shanghai')
               AS ends_at
          FROM generate_series(date_trunc(%(step)s, %(from)s, 'Asia/Shanghai'),
                               %(to)s - INTERVAL '1 second',
                               ('1 ' || %(step)s)::interval, 'Asia/Shanghai') AS starts_at
       ) AS buckets
 CROSS JOIN LATERAL (SELECT extract(epoch FROM ends_at - begins_at)::double precision / 3600
                            AS hours) AS long
 CROSS JOIN bench_rates
 WHERE place <= %(units)s
"""

AREAS = """
INSERT INTO stale_areas (region, division, carrier, starts_at, ends_at)
SELECT DISTINCT region, division, carrier, %(from)s, %(to)s
  FROM units
  JOIN bench_rates USING (unit_id)
"""

READINGS = """
INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at)
SELECT meter_id, read_at,
       (1 + meter_id %% 7) * extract(epoch FROM read_at - %(installed_at)s) / 3600, 'good', read_at
  FROM meters
  JOIN units USING (unit_id)
 CROSS JOIN generate_series(%(from)s::timestamptz, %(to)s::timestamptz, '1 hour') AS read_at
 WHERE region = %(county)s
   AND unit LIKE '92450200MB%%'
"""


def fill(url: str, size: Size) -> None:
    """Put the province into a database, beside what is in it."""
    starts_at = UNTIL - timedelta(days=size.days)
    installed_at = starts_at - timedelta(days=1)
    whole = {"from": starts_at, "to": UNTIL}
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        connection.execute(FLEET, {"units": UNITS, "county": COUNTY})
        connection.execute(FLEET_METERS, {"meters": METERS, "installed_at": installed_at})
        connection.execute(RATES, {"day": MONTH_AT})
        for step in Step:
            units = size.hourly_units if step is Step.HOUR else UNITS
            connection.execute(UNIT_SUMS, {**whole, "step": step, "units": units})
        connection.execute(AREAS, whole)
        if size.has_readings:
            given = {**whole, "county": COUNTY, "installed_at": installed_at}
            connection.execute(READINGS, given)
    asyncio.run(_add_up(url))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


async def _add_up(url: str) -> None:
    """Add up the areas, as settlement does."""
    async with await db.pool.create_pool(url, timeout_s=600) as pool, pool.acquire() as connection:
        while await settle.settle_region(connection):
            pass
