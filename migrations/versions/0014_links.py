"""The chain over readings, daily heads of all chains, corrections, keys that may state facts.

Safe before the new code starts: readings without a link are those from before the ledger. Adding
the column locks `readings` for a moment and rewrites nothing.
"""

from alembic import op

revision = "0014"
down_revision = "0013"

SCHEMA = """
SET lock_timeout = '5s';

ALTER TABLE readings ADD COLUMN link_id bigint;
COMMENT ON COLUMN readings.link_id IS
    'the link that vouches for it; NULL: stored before the ledger began';

CREATE SEQUENCE link_terms AS integer;
COMMENT ON SEQUENCE link_terms IS
    'whoever begins to store takes one: the upper half of the link_id of all its links';

ALTER TABLE ingest_totals
    ADD COLUMN links bigint NOT NULL DEFAULT 0,
    ADD COLUMN head  bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex')
        CHECK (length(head) = 32);
COMMENT ON COLUMN ingest_totals.links IS 'links in the chain of this collector';
COMMENT ON COLUMN ingest_totals.head IS 'sha256 of its newest link';

CREATE TABLE links (
    chain     text NOT NULL,
    number    bigint NOT NULL CHECK (number > 0),
    link_id   bigint NOT NULL UNIQUE,
    stored_at timestamptz NOT NULL,
    week_at   timestamptz NOT NULL,
    readings  integer NOT NULL CHECK (readings > 0),
    content   bytea NOT NULL CHECK (length(content) = 32),
    sha256    bytea NOT NULL CHECK (length(sha256) = 32),
    PRIMARY KEY (chain, number)
);
CREATE INDEX links_week ON links (week_at);  -- verification goes through readings week by week
COMMENT ON TABLE links IS
    'Append-only, a chain for each collector: what vouches for the readings of a flush and week';
COMMENT ON COLUMN links.chain IS 'name of the collector, as in ingest_totals';
COMMENT ON COLUMN links.number IS '1, 2, 3 … without a gap in each chain';
COMMENT ON COLUMN links.week_at IS
    'start of the seven days, from a Thursday 00:00Z as chunks are, in which all its readings lie';
COMMENT ON COLUMN links.content IS
    'SHA-256 of its readings as binary COPY rows, by meter_id and read_at: db/reading_rows.py';
COMMENT ON COLUMN links.sha256 IS 'of the link before and of this row: db/links.py';

CREATE TABLE heads (
    day      date NOT NULL,
    chain    text NOT NULL,
    links    bigint NOT NULL CHECK (links > 0),
    sha256   bytea NOT NULL CHECK (length(sha256) = 32),
    noted_at timestamptz NOT NULL,
    PRIMARY KEY (day, chain)
);
COMMENT ON TABLE heads IS
    'Append-only: the newest link of each chain when a day of Asia/Shanghai had ended';
COMMENT ON COLUMN heads.chain IS 'changes, or readings/ and the name of the collector';

CREATE TRIGGER links_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON links
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER heads_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON heads
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE corrections (
    meter_id integer NOT NULL REFERENCES meters,
    read_at  timestamptz NOT NULL,
    value    double precision CHECK (value > '-Infinity' AND value < 'Infinity'),
    PRIMARY KEY (meter_id, read_at)
);
COMMENT ON TABLE corrections IS
    'What holds now in place of a reading; who stated it, why, and what held before: changes';
COMMENT ON COLUMN corrections.value IS 'NULL: the reading is set aside';

CREATE OR REPLACE VIEW accountable_readings AS
SELECT meter_id, read_at, coalesce(corrections.value, raw_value) AS raw_value
  FROM readings
  LEFT JOIN corrections USING (meter_id, read_at)
 WHERE CASE WHEN corrections.meter_id IS NULL THEN quality <> 'bad'
            ELSE corrections.value IS NOT NULL END;
COMMENT ON VIEW accountable_readings IS
    'What settlement accounts for, as corrected; what was set aside, or its gateway calls bad, '
    'stays as evidence';

COMMENT ON COLUMN api_keys.may_state IS 'its holder may state facts, such as corrections';
"""


def upgrade() -> None:
    op.execute(SCHEMA)
