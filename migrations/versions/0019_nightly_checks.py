"""Where the reconciliation of a night stands, and what each check of a night found.

Safe before the new code starts: tables are added, and a column with a default. Locks
`reconciliations`, which is written once a night, for an instant.
"""

from alembic import op

revision = "0019"
down_revision = "0018"

SCHEMA = """
SET lock_timeout = '5s';

CREATE TABLE reconciliation_nights (
    night         date PRIMARY KEY,
    last_unit     integer NOT NULL DEFAULT 0,
    units         integer NOT NULL DEFAULT 0,
    differences   integer NOT NULL DEFAULT 0,
    failed        integer NOT NULL DEFAULT 0,
    claimed_until timestamptz NOT NULL
);
COMMENT ON TABLE reconciliation_nights IS
    'How far a night''s reconciliation is: whoever takes it up goes on after last_unit';
COMMENT ON COLUMN reconciliation_nights.failed IS
    'units that could not be settled: nothing is known of their sums';

ALTER TABLE reconciliations ADD COLUMN failed integer NOT NULL DEFAULT 0;

CREATE TABLE nightly_checks (
    part        text NOT NULL CHECK (part <> ''),
    night       date NOT NULL,
    checked_at  timestamptz NOT NULL,
    findings    integer NOT NULL CHECK (findings >= 0),
    first_fault text,
    PRIMARY KEY (part, night)
);
COMMENT ON TABLE nightly_checks IS
    'What the parts of nenghao verify found by night; weeks of readings take turns';
COMMENT ON COLUMN nightly_checks.part IS
    'chains, corrections, facts, readings/ and the Thursday a week begins with';
"""


def upgrade() -> None:
    op.execute(SCHEMA)
