"""What is new of a unit for rules on days, months and data quality; several units at once.

Safe before the new code starts: it adds a table and functions that nobody asks yet. Locks
`production` for an instant, for its triggers.
"""

from alembic import op

revision = "0046"
down_revision = "0039"

SCHEMA = """
SET lock_timeout = '5s';

CREATE TABLE unit_news (
    unit_id   integer NOT NULL REFERENCES units,
    source    text NOT NULL CHECK (source IN ('settled', 'stated', 'assessed')),
    starts_at timestamptz NOT NULL,
    ends_at   timestamptz NOT NULL CHECK (ends_at > starts_at),
    mark      bigint NOT NULL DEFAULT nextval('fresh_marks'),
    PRIMARY KEY (unit_id, source)
);
COMMENT ON TABLE unit_news IS
    'What changed of a unit and rules on days, months and data quality have not looked at since';
COMMENT ON COLUMN unit_news.source IS
    'settled: hours of days that are over; stated: output or its value; assessed: its data';
COMMENT ON COLUMN unit_news.mark IS 'a new one each time, so that none is looked past';
CREATE INDEX unit_news_mark ON unit_news (mark);  -- the oldest first
CREATE TRIGGER unit_news_fenced BEFORE DELETE ON unit_news
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_fenced();

GRANT SELECT, INSERT, UPDATE, DELETE ON unit_news TO nenghao_service;
"""

# Whoever states output, restates or withdraws it: no statement can forget to say so.
STATED = """
CREATE FUNCTION note_stated() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO unit_news AS held (unit_id, source, starts_at, ends_at)
    SELECT unit_id, 'stated', min(starts_at), max(ends_at)
      FROM stated
     GROUP BY unit_id
     ORDER BY unit_id
        ON CONFLICT (unit_id, source)
        DO UPDATE SET starts_at = least(held.starts_at, excluded.starts_at),
                      ends_at = greatest(held.ends_at, excluded.ends_at),
                      mark = excluded.mark;
    RETURN NULL;
END
$$;
CREATE TRIGGER production_stated AFTER INSERT ON production
    REFERENCING NEW TABLE AS stated FOR EACH STATEMENT EXECUTE FUNCTION note_stated();
CREATE TRIGGER production_restated AFTER UPDATE ON production
    REFERENCING NEW TABLE AS stated FOR EACH STATEMENT EXECUTE FUNCTION note_stated();
CREATE TRIGGER production_withdrawn AFTER DELETE ON production
    REFERENCING OLD TABLE AS stated FOR EACH STATEMENT EXECUTE FUNCTION note_stated();
"""

SEVERAL = """
CREATE FUNCTION visible_units_of(region_prefix text, own_units text[]) RETURNS SETOF units
LANGUAGE sql STABLE AS $$
    SELECT units.*
      FROM units
     WHERE length(region_prefix) >= 2
       AND region LIKE region_prefix || '%'
       AND (own_units IS NULL OR unit = ANY (own_units))
$$;
COMMENT ON FUNCTION visible_units_of IS
    'as visible_units, of several units that a worker asks for at once; NULL: all';
"""


def upgrade() -> None:
    op.execute(SCHEMA)
    op.execute(STATED)
    op.execute(SEVERAL)
