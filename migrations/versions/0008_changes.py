"""The ledger of changes: every fact that people state, who stated it, why, and on what evidence.

Safe before the new code starts. Locks nothing that exists.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

SCHEMA = """
SET lock_timeout = '5s';

CREATE TABLE changes (
    change_id  bigint PRIMARY KEY CHECK (change_id > 0),
    changed_at timestamptz NOT NULL,
    actor      text NOT NULL CHECK (actor <> ''),
    reason     text NOT NULL CHECK (reason <> ''),
    evidence   text NOT NULL,
    noun       text NOT NULL,
    subject    text NOT NULL,
    content    text,
    sha256     bytea NOT NULL CHECK (length(sha256) = 32)
);
COMMENT ON TABLE changes IS
    'Append-only, chained: what was known on any day is the newest row of each subject until then';
COMMENT ON COLUMN changes.change_id IS '1, 2, 3 … without a gap';
COMMENT ON COLUMN changes.noun IS 'what kind of fact, as in nenghao import';
COMMENT ON COLUMN changes.content IS 'what holds from now on, canonical JSON; NULL: withdrawn';
COMMENT ON COLUMN changes.sha256 IS 'of the link before and of this row: energy/ledger.py';
CREATE INDEX changes_subject ON changes (noun, subject, change_id);  -- the history of a fact

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER changes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON changes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    op.execute(SCHEMA)
