"""Consumption by meter and by unit in hour, day and month steps; production.

Safe before the new code starts. Days and months are those of Asia/Shanghai, stored as UTC instants.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

SCHEMA = """
CREATE TABLE meter_consumption (
    meter_id           integer NOT NULL,
    step               text NOT NULL CHECK (step IN ('hour', 'day', 'month')),
    starts_at          timestamptz NOT NULL,
    quantity           double precision,
    estimated_quantity double precision NOT NULL,
    readings_present   integer NOT NULL,
    held               boolean NOT NULL,
    calorific_tce      double precision,
    equivalent_tce     double precision,
    PRIMARY KEY (meter_id, step, starts_at)
);
COMMENT ON COLUMN meter_consumption.quantity IS
    'in reference_uom of the carrier (output meters: in their uom); NULL: unknown, not zero';
COMMENT ON COLUMN meter_consumption.estimated_quantity IS
    'the part spread over gaps longer than the meter''s interval';
COMMENT ON COLUMN meter_consumption.held IS
    'a register step here could not be explained and waits for review';
SELECT create_hypertable('meter_consumption', by_range('starts_at', INTERVAL '90 days'),
                         create_default_indexes => false);

CREATE TABLE unit_consumption (
    unit_id            integer NOT NULL,
    carrier            text NOT NULL,
    step               text NOT NULL CHECK (step IN ('hour', 'day', 'month')),
    starts_at          timestamptz NOT NULL,
    quantity           double precision,
    estimated_quantity double precision NOT NULL,
    readings_present   integer NOT NULL,
    held               boolean NOT NULL,
    calorific_tce      double precision,
    equivalent_tce     double precision,
    PRIMARY KEY (unit_id, carrier, step, starts_at)
);
COMMENT ON TABLE unit_consumption IS 'boundary meters less export meters of the unit';
SELECT create_hypertable('unit_consumption', by_range('starts_at', INTERVAL '90 days'),
                         create_default_indexes => false);
CREATE INDEX unit_consumption_step ON unit_consumption (step, starts_at);  -- a province by month

CREATE TABLE production (
    unit_id          integer NOT NULL REFERENCES units,
    product          text NOT NULL,
    starts_at        timestamptz NOT NULL,
    ends_at          timestamptz NOT NULL CHECK (ends_at > starts_at),
    quantity         double precision CHECK (quantity >= 0),
    uom              text NOT NULL,
    output_value_cny double precision,
    value_added_cny  double precision,
    PRIMARY KEY (unit_id, product, starts_at)
);
"""


def upgrade() -> None:
    op.execute(SCHEMA)
