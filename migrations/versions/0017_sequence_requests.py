"""How often a gateway was asked for numbers of batches that never came.

Safe before the new code starts: a table is added, nothing is rewritten.
"""

from alembic import op

revision = "0017"
down_revision = "0016"

SCHEMA = """
SET lock_timeout = '5s';

CREATE TABLE sequence_requests (
    request_id uuid NOT NULL,
    gateway_id integer NOT NULL REFERENCES gateways,
    boot       text NOT NULL,
    first      bigint NOT NULL,
    last       bigint NOT NULL CHECK (last >= first),
    asked_at   timestamptz NOT NULL,
    times      integer NOT NULL DEFAULT 1,
    PRIMARY KEY (gateway_id, boot, first)
);
COMMENT ON TABLE sequence_requests IS
    'Numbers of batches a gateway was asked to send again, and how often';
"""


def upgrade() -> None:
    op.execute(SCHEMA)
