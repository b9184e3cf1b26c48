"""Letters in HTML with a picture, beside their plain text.

Safe before the new code starts: what it adds has defaults, old letters have plain text alone. Locks
outbox for a moment.
"""

from alembic import op

revision = "0040"
down_revision = "0036"

SCHEMA = """
SET lock_timeout = '5s';

ALTER TABLE outbox
    ADD COLUMN html text NOT NULL DEFAULT '',
    ADD COLUMN chart bytea,
    ADD CONSTRAINT outbox_chart_check
        CHECK (chart IS NULL OR (html <> '' AND octet_length(chart) <= 30720));
COMMENT ON COLUMN outbox.html IS 'says the same as body; empty: there is only plain text';
COMMENT ON COLUMN outbox.chart IS 'PNG that html refers to; NULL: there is no picture';
"""


def upgrade() -> None:
    op.execute(SCHEMA)
