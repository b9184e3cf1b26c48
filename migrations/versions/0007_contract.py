"""Keys, certificates and sequences of gateways; shards; replay of quarantine; births of Sparkplug.

Safe before the new code starts: columns are added with defaults, nothing is rewritten.
"""

from alembic import op

revision = "0007"
down_revision = "0006"

SCHEMA = """
SET lock_timeout = '5s';

ALTER TABLE units ADD COLUMN signature_required boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN units.signature_required IS 'unsigned batches of this unit are rejected';

CREATE TABLE gateway_keys (
    key_id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gateway_id  integer NOT NULL REFERENCES gateways,
    signing_key bytea NOT NULL CHECK (length(signing_key) = 32),
    issued_at   timestamptz NOT NULL DEFAULT now(),
    valid_until timestamptz
);
CREATE INDEX gateway_keys_gateway ON gateway_keys (gateway_id);  -- the keys of a gateway
COMMENT ON COLUMN gateway_keys.valid_until IS
    'end of the overlap after a newer key was issued; NULL: the newest';

CREATE TABLE gateway_certificates (
    serial     text PRIMARY KEY CHECK (serial ~ '^[0-9a-f]{1,40}$'),
    gateway_id integer NOT NULL REFERENCES gateways,
    issued_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > issued_at),
    revoked_at timestamptz
);
CREATE INDEX gateway_certificates_gateway ON gateway_certificates (gateway_id);

CREATE TABLE sequences (
    gateway_id integer NOT NULL REFERENCES gateways,
    boot       text NOT NULL,
    received   int8multirange NOT NULL,
    first_at   timestamptz NOT NULL,
    last_at    timestamptz NOT NULL,
    PRIMARY KEY (gateway_id, boot)
);
COMMENT ON TABLE sequences IS
    'Batch numbers received per boot of a gateway; what lies between them is missing';

CREATE TABLE requests (
    request_id uuid NOT NULL,
    gateway_id integer NOT NULL REFERENCES gateways,
    meter_id   integer NOT NULL REFERENCES meters,
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL CHECK (ends_at > starts_at),
    asked_at   timestamptz NOT NULL,
    times      integer NOT NULL DEFAULT 1,
    PRIMARY KEY (gateway_id, meter_id, starts_at)
);
COMMENT ON TABLE requests IS 'Gaps a gateway was asked to send again, and how often';

CREATE TABLE births (
    gateway_id integer NOT NULL REFERENCES gateways,
    device     text NOT NULL,
    birth      bytea NOT NULL,
    born_at    timestamptz NOT NULL,
    PRIMARY KEY (gateway_id, device)
);
COMMENT ON TABLE births IS
    'The last NBIRTH (device empty) or DBIRTH of each Sparkplug edge node: its aliases';

ALTER TABLE ingest_totals
    ADD COLUMN epoch bigint NOT NULL DEFAULT 0,
    ADD COLUMN repeated bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN ingest_totals.epoch IS
    'counts who collected under this name: whoever is not the latest may not write';
COMMENT ON COLUMN ingest_totals.repeated IS
    'batches of which every reading was here before';

ALTER TABLE conflicts ADD COLUMN sha256 bytea;
COMMENT ON COLUMN conflicts.sha256 IS 'of topic, newline, payload of the message that conflicted';

ALTER TABLE quarantine
    ADD COLUMN replayed_at timestamptz,
    ADD COLUMN outcome text CHECK (outcome IN ('stored', 'duplicate', 'conflicting', 'rejected'));
CREATE INDEX quarantine_open ON quarantine (quarantine_id)
 WHERE replayed_at IS NULL;  -- what waits for a decision
ALTER TABLE quarantine_messages ADD COLUMN signature text;
"""


def upgrade() -> None:
    op.execute(SCHEMA)
