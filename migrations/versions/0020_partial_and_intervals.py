"""Sums that lack a factor for a part say so at every level; intervals of meters are dated.

Safe before the new code starts. Locks the consumption tables until it has looked at every hour of
every meter once: plan minutes where there are years of them. It writes only rows for which a factor
is missing. A settler of the old code that still
runs says `false` of what it replaces: the nightly reconciliation finds and repairs it.

What `…_partial` means is the same of meters, units and areas, in hours, days, months and years: the
coal equivalent beside it is a sum that lacks a part of `quantity`, for want of a factor. It is
false where there is no coal equivalent at all: then all of `quantity` is left out. So of any row of
any level `is_left_out(quantity, tce, partial)` is the one question to ask. A sum is partial if
anything below it is left out, all of it or a part, and something else is not. An hour of a meter is
never partial: it has one factor or none.
"""

from alembic import op

revision = "0020"
down_revision = "0019"

SCHEMA = """
SET lock_timeout = '5s';

ALTER TABLE meter_consumption
    ADD COLUMN calorific_partial boolean NOT NULL DEFAULT false,
    ADD COLUMN equivalent_partial boolean NOT NULL DEFAULT false;
ALTER TABLE unit_consumption
    ADD COLUMN calorific_partial boolean NOT NULL DEFAULT false,
    ADD COLUMN equivalent_partial boolean NOT NULL DEFAULT false;
ALTER TABLE area_consumption
    ADD COLUMN calorific_partial boolean NOT NULL DEFAULT false,
    ADD COLUMN equivalent_partial boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN meter_consumption.calorific_partial IS
    'calorific_tce lacks a part of quantity, for want of a factor; false: all of it, or none';
COMMENT ON COLUMN unit_consumption.calorific_partial IS
    'calorific_tce lacks a part of quantity, for want of a factor; false: all of it, or none';
COMMENT ON COLUMN area_consumption.calorific_partial IS
    'calorific_tce lacks a part of quantity, for want of a factor; false: all of it, or none';

CREATE FUNCTION is_left_out(quantity double precision, tce double precision, partial boolean)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT quantity IS NOT NULL AND (tce IS NULL OR partial)
$$;
COMMENT ON FUNCTION is_left_out IS 'some of the quantity has no coal equivalent, or all of it';

WITH lacking AS (
    SELECT meter_id, carrier, bucket.step, bucket.starts_at,
           bool_or(calorific_tce IS NULL) AS calorific,
           bool_or(equivalent_tce IS NULL) AS equivalent
      FROM meter_consumption
      JOIN meters USING (meter_id)
     CROSS JOIN LATERAL (
           SELECT step, date_trunc(step, meter_consumption.starts_at, 'Asia/Shanghai') AS starts_at
             FROM unnest(ARRAY['hour', 'day', 'month', 'year']) AS steps (step)) AS bucket
     WHERE meter_consumption.step = 'hour'
       AND carrier IS NOT NULL
       AND quantity IS NOT NULL
       AND (calorific_tce IS NULL OR equivalent_tce IS NULL)
     GROUP BY meter_id, carrier, bucket.step, bucket.starts_at
), of_meters AS (
    UPDATE meter_consumption AS summed
       SET calorific_partial = calorific AND calorific_tce IS NOT NULL,
           equivalent_partial = equivalent AND equivalent_tce IS NOT NULL
      FROM lacking
     WHERE summed.meter_id = lacking.meter_id
       AND summed.step = lacking.step
       AND summed.starts_at = lacking.starts_at
       AND (calorific_tce IS NOT NULL OR equivalent_tce IS NOT NULL)
), of_units AS (
    UPDATE unit_consumption AS summed
       SET calorific_partial = calorific AND calorific_tce IS NOT NULL,
           equivalent_partial = equivalent AND equivalent_tce IS NOT NULL
      FROM (SELECT unit_id, lacking.carrier, step, starts_at,
                   bool_or(calorific) AS calorific, bool_or(equivalent) AS equivalent
              FROM lacking
              JOIN meters USING (meter_id)
             WHERE role IN ('boundary', 'export')
             GROUP BY unit_id, lacking.carrier, step, starts_at) AS below
     WHERE summed.unit_id = below.unit_id
       AND summed.carrier = below.carrier
       AND summed.step = below.step
       AND summed.starts_at = below.starts_at
       AND (calorific_tce IS NOT NULL OR equivalent_tce IS NOT NULL)
)
UPDATE area_consumption AS summed
   SET calorific_partial = calorific AND calorific_tce IS NOT NULL,
       equivalent_partial = equivalent AND equivalent_tce IS NOT NULL
  FROM (SELECT region, division, lacking.carrier, step, starts_at,
               bool_or(calorific) AS calorific, bool_or(equivalent) AS equivalent
          FROM lacking
          JOIN meters USING (meter_id)
          JOIN units USING (unit_id)
         WHERE role IN ('boundary', 'export')
         GROUP BY region, division, lacking.carrier, step, starts_at) AS below
 WHERE summed.region = below.region
   AND summed.division = below.division
   AND summed.carrier = below.carrier
   AND summed.step = below.step
   AND summed.starts_at = below.starts_at
   AND (calorific_tce IS NOT NULL OR equivalent_tce IS NOT NULL);

ALTER TABLE meter_epochs
    ADD COLUMN interval_s integer CHECK (interval_s BETWEEN 1 AND 86400),
    ALTER COLUMN multiplier DROP NOT NULL,
    DROP CONSTRAINT meter_epochs_reason_check,
    ADD CONSTRAINT meter_epochs_reason_check
        CHECK (reason IN ('installed', 'replaced', 'multiplier', 'reset', 'interval')),
    ADD CONSTRAINT meter_epochs_interval_check
        CHECK (CASE reason WHEN 'interval' THEN interval_s IS NOT NULL AND multiplier IS NULL
                           ELSE multiplier IS NOT NULL END);
COMMENT ON COLUMN meters.interval_s IS
    'since it was installed until an epoch says otherwise: dated_meters knows what held when';
COMMENT ON COLUMN meter_epochs.interval_s IS
    'how often it is due to be read from then on; NULL: as before';
COMMENT ON COLUMN meter_epochs.multiplier IS
    'NULL: the epoch is one of the interval only, the register counts on as before';
CREATE INDEX meter_epochs_interval ON meter_epochs (meter_id, starts_at)
    WHERE interval_s IS NOT NULL;  -- dated_meters: few meters ever get another

CREATE VIEW dated_meters AS
SELECT meter_id, unit_id, meter, carrier, kind, uom, role, product, installed_at, interval_s,
       '-infinity'::timestamptz AS interval_from, coalesce(first_at, 'infinity') AS interval_to
  FROM meters
  LEFT JOIN (
        SELECT meter_id, min(starts_at) AS first_at
          FROM meter_epochs
         WHERE interval_s IS NOT NULL
         GROUP BY meter_id
       ) AS later USING (meter_id)
 UNION ALL
SELECT meter_id, unit_id, meter, carrier, kind, uom, role, product, installed_at, told.interval_s,
       starts_at, lead(starts_at, 1, 'infinity') OVER (PARTITION BY meter_id ORDER BY starts_at)
  FROM meter_epochs AS told
  JOIN meters USING (meter_id)
 WHERE told.interval_s IS NOT NULL;
COMMENT ON VIEW dated_meters IS
    'Each meter once for each interval at which it is due: from when until before when';

ALTER TABLE changes
    DROP CONSTRAINT changes_actor_check,
    ADD CONSTRAINT changes_actor_check
        CHECK (actor <> '' OR reason = 'stood before the ledger heard of it') NOT VALID;
COMMENT ON COLUMN changes.actor IS
    'who states it; empty: it stood before the ledger heard of it, when something took its place';
"""


def upgrade() -> None:
    op.execute(SCHEMA)
