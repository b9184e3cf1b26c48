"""Epochs with side and physical limit, doubts of registers, years, and consumption by area.

Safe before the new code starts. Locks the consumption tables for an instant.
"""

from alembic import op

revision = "0009"
down_revision = "0008"

SCHEMA = """
SET lock_timeout = '5s';

ALTER TABLE meter_epochs
    ADD COLUMN side text NOT NULL DEFAULT 'secondary' CHECK (side IN ('primary', 'secondary')),
    ADD COLUMN rate_max double precision CHECK (rate_max > 0 AND rate_max < 'Infinity');
COMMENT ON COLUMN meter_epochs.side IS
    'primary: the multiplier is in the values already; secondary: it is applied to them';
COMMENT ON COLUMN meter_epochs.rate_max IS
    'the most it can count in an hour, in the meter''s uom, multiplier applied (rated power)';

CREATE TABLE doubts (
    meter_id integer NOT NULL REFERENCES meters,
    first_at timestamptz NOT NULL,
    last_at  timestamptz NOT NULL CHECK (last_at >= first_at),
    reason   text NOT NULL CHECK (reason IN ('fell', 'too_fast', 'lasted', 'values_missing')),
    readings integer NOT NULL CHECK (readings >= 0),
    held     boolean NOT NULL,
    PRIMARY KEY (meter_id, first_at, reason)
);
COMMENT ON TABLE doubts IS
    'Readings off the course of their register, and steps that are held: written by settlement';
COMMENT ON COLUMN doubts.readings IS '0: the step between the two instants is in doubt';

CREATE VIEW accountable_readings AS
SELECT meter_id, read_at, raw_value
  FROM readings
 WHERE quality <> 'bad';
COMMENT ON VIEW accountable_readings IS
    'What settlement accounts for; readings their gateway calls bad stay as evidence';

CREATE VIEW course_readings AS
SELECT meter_id, read_at, raw_value
  FROM accountable_readings
 WHERE NOT EXISTS (SELECT
                     FROM doubts
                    WHERE doubts.meter_id = accountable_readings.meter_id
                      AND doubts.readings > 0
                      AND accountable_readings.read_at BETWEEN doubts.first_at AND doubts.last_at);
COMMENT ON VIEW course_readings IS
    'Those on the course of their register: settlement may begin anew at any of them';

ALTER TABLE meter_consumption
    DROP CONSTRAINT meter_consumption_step_check,
    ADD CONSTRAINT meter_consumption_step_check
        CHECK (step IN ('hour', 'day', 'month', 'year')) NOT VALID;
ALTER TABLE unit_consumption
    DROP CONSTRAINT unit_consumption_step_check,
    ADD CONSTRAINT unit_consumption_step_check
        CHECK (step IN ('hour', 'day', 'month', 'year')) NOT VALID;

CREATE TABLE area_consumption (
    region             text NOT NULL,
    division           text NOT NULL,
    carrier            text NOT NULL,
    step               text NOT NULL CHECK (step IN ('hour', 'day', 'month', 'year')),
    starts_at          timestamptz NOT NULL,
    quantity           double precision,
    estimated_quantity double precision NOT NULL,
    readings_present   integer NOT NULL,
    held               boolean NOT NULL,
    calorific_tce      double precision,
    equivalent_tce     double precision,
    PRIMARY KEY (region, division, carrier, step, starts_at)
);
COMMENT ON TABLE area_consumption IS
    'Units of one region and industry division added up; coarser areas are sums of these';
SELECT create_hypertable('area_consumption', by_range('starts_at', INTERVAL '90 days'),
                         create_default_indexes => false);
CREATE INDEX area_consumption_step ON area_consumption (step, starts_at);  -- a province by month

CREATE TABLE stale_areas (
    range_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    region    text NOT NULL,
    division  text NOT NULL,
    carrier   text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at   timestamptz NOT NULL CHECK (ends_at > starts_at)
);
CREATE INDEX stale_areas_region ON stale_areas (region, range_id);  -- settlement claims by region

CREATE TABLE reconciliations (
    reconciled_at timestamptz PRIMARY KEY,
    units         integer NOT NULL,
    differences   integer NOT NULL
);
COMMENT ON TABLE reconciliations IS 'Readings against all sums above them, nightly';
INSERT INTO reconciliations (reconciled_at, units, differences) VALUES (now(), 0, 0);

CREATE FUNCTION differs(one double precision, other double precision, tolerance double precision)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT (one IS NULL) <> (other IS NULL)
           OR abs(one - other) > tolerance * greatest(1, abs(one), abs(other))
$$;

INSERT INTO stale_ranges (unit_id, meter_id, starts_at, ends_at)
SELECT unit_id, meter_id, min(starts_at), max(starts_at) + INTERVAL '1 hour'
  FROM meter_consumption
  JOIN meters USING (meter_id)
 WHERE step = 'hour'
 GROUP BY unit_id, meter_id;
"""


def upgrade() -> None:
    op.execute(SCHEMA)
