"""Readings hypertable, conflicts kept as evidence, quarantine, stale ranges, conservation totals.

Safe before the new code starts.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

SCHEMA = """
CREATE TABLE readings (
    meter_id    integer NOT NULL,
    read_at     timestamptz NOT NULL CHECK (read_at >= '2015-01-01Z' AND read_at < '2100-01-01Z'),
    raw_value   double precision NOT NULL
                CHECK (raw_value > '-Infinity' AND raw_value < 'Infinity'),
    quality     text NOT NULL CHECK (quality IN ('good', 'uncertain', 'bad', 'substituted')),
    received_at timestamptz NOT NULL,
    PRIMARY KEY (meter_id, read_at)
);
COMMENT ON TABLE readings IS 'As they arrived; the first value wins, corrections are new facts';
SELECT create_hypertable('readings', by_range('read_at', INTERVAL '7 days'),
                         create_default_indexes => false);

CREATE TABLE conflicts (
    meter_id    integer NOT NULL REFERENCES meters,
    read_at     timestamptz NOT NULL,
    raw_value   double precision NOT NULL,
    quality     text NOT NULL,
    received_at timestamptz NOT NULL,
    topic       text NOT NULL,
    batch       text NOT NULL,
    PRIMARY KEY (meter_id, read_at, raw_value)
);
COMMENT ON TABLE conflicts IS
    'A second, different value for a stored reading: evidence, not an update';

CREATE TABLE quarantine_messages (
    sha256      bytea PRIMARY KEY,
    topic       text NOT NULL,
    payload     bytea NOT NULL,
    received_at timestamptz NOT NULL
);
COMMENT ON COLUMN quarantine_messages.sha256 IS 'of topic, newline, payload';

CREATE TABLE quarantine (
    quarantine_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256          bytea NOT NULL REFERENCES quarantine_messages,
    reading_index   integer,
    batch           text,
    meter           text,
    reason          text NOT NULL,
    detail          text NOT NULL,
    reading_count   integer NOT NULL CHECK (reading_count > 0),
    deliveries      integer NOT NULL DEFAULT 1,
    received_at     timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (sha256, reading_index, reason)
);

CREATE TABLE stale_ranges (
    range_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id   integer NOT NULL,
    meter_id  integer NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at   timestamptz NOT NULL CHECK (ends_at > starts_at),
    marked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX stale_ranges_unit ON stale_ranges (unit_id, range_id);  -- settlement claims by unit

CREATE TABLE ingest_totals (
    collector   text PRIMARY KEY,
    received    bigint NOT NULL DEFAULT 0,
    stored      bigint NOT NULL DEFAULT 0,
    duplicate   bigint NOT NULL DEFAULT 0,
    conflicting bigint NOT NULL DEFAULT 0,
    rejected    bigint NOT NULL DEFAULT 0,
    last_flush  uuid,
    CHECK (received = stored + duplicate + conflicting + rejected)
);
COMMENT ON TABLE ingest_totals IS
    'Conservation since the beginning, counted in the transaction that stores';

COMMENT ON COLUMN ingest_totals.last_flush IS
    'tells a collector whose commit went unanswered whether it was made';

CREATE TABLE heartbeats (
    program  text NOT NULL,
    instance text NOT NULL,
    beat_at  timestamptz NOT NULL,
    detail   text NOT NULL,
    PRIMARY KEY (program, instance)
);
"""


def upgrade() -> None:
    op.execute(SCHEMA)
