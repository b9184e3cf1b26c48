"""Ways through what is kept: rejected messages and arrivals by their time, conflicts by both times.

Safe before the new code starts. Collectors wait while the indexes are built: seconds, more where
millions of messages were rejected.
"""

from alembic import op

revision = "0029"
down_revision = "0028"

SCHEMA = """
SET lock_timeout = '5s';

CREATE INDEX quarantine_messages_received
    ON quarantine_messages (received_at, sha256);  -- measuring, retention and replay go through all
CREATE INDEX arrivals_received
    ON arrivals ((received_at[1]), first_link_id);  -- retention begins with the oldest
CREATE INDEX conflicts_received
    ON conflicts (received_at);  -- does one refer to these arrivals?
CREATE INDEX conflicts_first_received
    ON conflicts (first_received_at);  -- the same of the value that stands
"""


def upgrade() -> None:
    op.execute(SCHEMA)
