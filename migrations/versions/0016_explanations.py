"""An index by which rejections of a span are counted.

Safe before the new code starts. Locks `quarantine` against writing while the index is built, which
is a matter of seconds for a million rows; collectors wait for it.
"""

from alembic import op

revision = "0016"
down_revision = "0015"

SCHEMA = """
SET lock_timeout = '5s';

CREATE INDEX quarantine_received ON quarantine (received_at);  -- an explanation counts by span
"""


def upgrade() -> None:
    op.execute(SCHEMA)
