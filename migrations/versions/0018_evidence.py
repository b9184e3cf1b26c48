"""What a rejected batch says but for `sent_at`: a re-send that stamps it anew is recognised.

Safe before the new code starts: columns are added, nothing is rewritten. Locks `quarantine_messages`
against writing while its (empty) index is built.
"""

from alembic import op

revision = "0018"
down_revision = "0017"

SCHEMA = """
SET lock_timeout = '5s';

ALTER TABLE quarantine_messages ADD COLUMN said_sha256 bytea;
COMMENT ON COLUMN quarantine_messages.said_sha256 IS
    'of topic, newline, what a numbered batch says but for sent_at; NULL: not numbered';
CREATE INDEX quarantine_messages_said ON quarantine_messages (said_sha256)
 WHERE said_sha256 IS NOT NULL;  -- is this batch a re-send of one that was rejected?
"""


def upgrade() -> None:
    op.execute(SCHEMA)
