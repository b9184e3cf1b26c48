"""Regions, industries, energy carriers with dated factors, units, gateways, meters with epochs.

Safe before the new code starts. Locks nothing that exists: the database is empty.
"""

from alembic import op

revision = "0001"
down_revision = None

SCHEMA = """
CREATE EXTENSION IF NOT EXISTS timescaledb;

CREATE TABLE regions (
    region     text PRIMARY KEY CHECK (region ~ '^[0-9]{6}$'),
    name       text NOT NULL,
    parent     text REFERENCES regions,
    tier       text NOT NULL CHECK (tier IN ('province', 'city', 'county'))
);
COMMENT ON TABLE regions IS 'Administrative divisions, GB/T 2260 codes';

CREATE TABLE region_aliases (
    alias      text PRIMARY KEY CHECK (alias ~ '^[0-9]{6}$'),
    region     text NOT NULL REFERENCES regions,
    name       text NOT NULL,
    retired_on date NOT NULL
);
COMMENT ON TABLE region_aliases IS 'Retired codes that old records may carry, and when they ended';

CREATE TABLE industries (
    industry   text PRIMARY KEY CHECK (industry ~ '^[A-T]([0-9]{2})?$'),
    name_zh    text NOT NULL,
    name_en    text NOT NULL
);
COMMENT ON TABLE industries IS 'GB/T 4754-2017: section letter, or section letter and division';

CREATE TABLE carriers (
    carrier       text PRIMARY KEY,
    name_zh       text NOT NULL,
    name_en       text NOT NULL,
    reference_uom text NOT NULL
);
COMMENT ON COLUMN carriers.reference_uom IS
    'unit in which quantities of this carrier are accounted';

CREATE TABLE units (
    unit_id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit            text NOT NULL UNIQUE CHECK (length(unit) = 18),
    name            text NOT NULL,
    region          text NOT NULL REFERENCES regions,
    city            text GENERATED ALWAYS AS (left(region, 4) || '00') STORED,
    industry        text NOT NULL CHECK (industry ~ '^[A-T][0-9]{2,4}$'),
    division        text GENERATED ALWAYS AS (left(industry, 3)) STORED REFERENCES industries,
    annual_tce      double precision CHECK (annual_tce >= 0),
    commissioned_on date,
    contact_email   text,
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX units_region ON units (region text_pattern_ops);  -- a scope is a prefix

CREATE TABLE factors (
    factor_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    carrier      text NOT NULL REFERENCES carriers,
    basis        text NOT NULL CHECK (basis IN ('calorific', 'equivalent')),
    unit_id      integer REFERENCES units,
    kgce_per_uom double precision NOT NULL CHECK (kgce_per_uom > 0 AND kgce_per_uom < 'Infinity'),
    valid_from   date NOT NULL,
    valid_to     date CHECK (valid_to > valid_from),
    edition      text NOT NULL,
    source       text NOT NULL,
    verified     boolean NOT NULL,
    UNIQUE NULLS NOT DISTINCT (carrier, basis, unit_id, valid_from)
);
COMMENT ON COLUMN factors.kgce_per_uom IS 'kgce per reference_uom of the carrier';
COMMENT ON COLUMN factors.unit_id IS
    'a value measured by this unit, which takes precedence; NULL: for everyone';

CREATE TABLE gateways (
    gateway_id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id      integer NOT NULL REFERENCES units,
    gateway      text NOT NULL CHECK (gateway ~ '^[A-Za-z0-9_-]{1,32}$'),
    enrolled_at  timestamptz NOT NULL DEFAULT now(),
    revoked_at   timestamptz,
    connection   text CHECK (connection IN ('online', 'offline')),
    connection_at timestamptz,
    firmware     text,
    last_seen_at timestamptz,
    UNIQUE (unit_id, gateway)
);

CREATE TABLE meters (
    meter_id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id      integer NOT NULL REFERENCES units,
    meter        text NOT NULL CHECK (length(meter) BETWEEN 1 AND 32),
    name         text NOT NULL,
    carrier      text REFERENCES carriers,
    kind         text NOT NULL CHECK (kind IN ('register', 'interval', 'gauge')),
    uom          text NOT NULL,
    interval_s   integer NOT NULL CHECK (interval_s BETWEEN 1 AND 86400),
    role         text NOT NULL
                 CHECK (role IN ('boundary', 'sub', 'output', 'feedstock', 'renewable', 'export')),
    product      text,
    data_code    text CHECK (data_code ~ '^[0-9]{16}$'),
    installed_at timestamptz NOT NULL,
    UNIQUE (unit_id, meter),
    CHECK ((role = 'output') = (product IS NOT NULL)),
    CHECK ((role = 'output') = (carrier IS NULL))
);

CREATE TABLE meter_epochs (
    meter_id       integer NOT NULL REFERENCES meters,
    starts_at      timestamptz NOT NULL,
    reason         text NOT NULL CHECK (reason IN ('installed', 'replaced', 'multiplier', 'reset')),
    multiplier     double precision NOT NULL CHECK (multiplier > 0 AND multiplier < 'Infinity'),
    rollover       double precision CHECK (rollover > 0 AND rollover < 'Infinity'),
    first_value    double precision,
    previous_last_value double precision,
    PRIMARY KEY (meter_id, starts_at)
);
COMMENT ON TABLE meter_epochs IS 'A span in which a register counts on without a break (计量段)';
COMMENT ON COLUMN meter_epochs.first_value IS
    'what the register showed when the epoch began; a used meter need not start at zero';
COMMENT ON COLUMN meter_epochs.previous_last_value IS
    'the final reading of the register that was taken out';

CREATE FUNCTION visible_units(region_prefix text, own_unit text) RETURNS SETOF units
LANGUAGE sql STABLE AS $$
    SELECT units.*
      FROM units
     WHERE length(region_prefix) >= 2
       AND region LIKE region_prefix || '%'
       AND (own_unit IS NULL OR unit = own_unit)
$$;
COMMENT ON FUNCTION visible_units IS 'the one definition of "may see": no prefix, no rows';
"""


def upgrade() -> None:
    op.execute(SCHEMA)
