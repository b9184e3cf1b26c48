"""Evidence of both sides of a conflict; of rejected batches what they say, and how many they are;
gateways with certificates that speak Sparkplug.

Safe before the new code starts: columns and tables are added, nothing is rewritten. Locks
`quarantine_messages` against writing while its (empty) index is built.
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

ALTER TABLE gateways ADD COLUMN sparkplug boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN gateways.sparkplug IS 'has a certificate, and Sparkplug topics beside its own';

CREATE TABLE quarantine_size (
    only_one      boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    measured_at   timestamptz NOT NULL,
    messages      bigint NOT NULL,
    payload_bytes bigint NOT NULL,
    unreplayed    bigint NOT NULL
);
COMMENT ON TABLE quarantine_size IS 'What there was in quarantine when it was last measured';

CREATE TABLE arrivals (
    first_link_id bigint PRIMARY KEY,
    gateway_ids   integer[] NOT NULL,
    received_at   timestamptz[] NOT NULL,
    sha256        bytea[] NOT NULL
);
COMMENT ON TABLE arrivals IS
    'The messages of a flush that stored readings, under the first of its links';
COMMENT ON COLUMN arrivals.sha256 IS 'of topic, newline, payload of each message';

ALTER TABLE conflicts
    ADD COLUMN first_value double precision,
    ADD COLUMN first_quality text,
    ADD COLUMN first_received_at timestamptz,
    ADD COLUMN first_gateway_id integer REFERENCES gateways,
    ADD COLUMN first_sha256 bytea;
COMMENT ON COLUMN conflicts.first_value IS 'of the reading that stands, as it arrived';
COMMENT ON COLUMN conflicts.first_sha256 IS
    'of topic, newline, payload of the message it came in; NULL: not known';
"""


def upgrade() -> None:
    op.execute(SCHEMA)
