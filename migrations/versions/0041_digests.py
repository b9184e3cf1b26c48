"""Letters that are held for a digest, and the digest each went into; channels of contacts.

Safe before the new code starts: the old code writes letters as before. Locks outbox and contacts
for a moment, outbox for writing while its indexes are built.
"""

from alembic import op

revision = "0041"
down_revision = "0040"

SCHEMA = """
SET lock_timeout = '5s';

ALTER TABLE outbox
    ALTER COLUMN alert_id DROP NOT NULL,
    ADD COLUMN event_id bigint REFERENCES alert_events,
    ADD COLUMN city text,
    ADD COLUMN language text NOT NULL DEFAULT 'zh' CHECK (language IN ('zh', 'en')),
    ADD COLUMN channel text NOT NULL DEFAULT 'email'
        CHECK (channel IN ('email', 'webhook', 'wecom', 'dingtalk', 'feishu')),
    ADD COLUMN digest_id bigint REFERENCES outbox,
    DROP CONSTRAINT outbox_state_check,
    ADD CONSTRAINT outbox_state_check
        CHECK (state IN ('waiting', 'sent', 'failed', 'dropped', 'held', 'gathered')),
    ADD CONSTRAINT outbox_gathered_check CHECK ((state = 'gathered') = (digest_id IS NOT NULL));
COMMENT ON COLUMN outbox.alert_id IS 'NULL: a digest, which tells of many';
COMMENT ON COLUMN outbox.event_id IS 'what it tells; by digest_id, which digest told it';
COMMENT ON COLUMN outbox.city IS
    'what its letters are gathered by: the city, or the province for what concerns all of it; '
    'NULL: a digest over several, or a letter of before';
COMMENT ON COLUMN outbox.recipient_email IS
    'address; for another channel than email the name of the webhook, whose URL is a secret';
COMMENT ON COLUMN outbox.created_at IS 'written, or let go by itself after it was held';

-- what was this recipient told of late?
CREATE INDEX outbox_told ON outbox (recipient_email, created_at)
 WHERE state IN ('waiting', 'sent', 'failed');
-- what is held for this recipient?
CREATE INDEX outbox_held ON outbox (recipient_email, city, letter_id) WHERE state = 'held';
-- which letter told of this event?
CREATE INDEX outbox_event ON outbox (event_id);
-- what is in this digest?
CREATE INDEX outbox_digest ON outbox (digest_id) WHERE digest_id IS NOT NULL;

ALTER TABLE contacts
    ADD COLUMN channel text NOT NULL DEFAULT 'email'
        CHECK (channel IN ('email', 'webhook', 'wecom', 'dingtalk', 'feishu'));
COMMENT ON COLUMN contacts.email IS
    'address; for another channel than email the name of the webhook, whose URL is a secret';

CREATE OR REPLACE VIEW api.contacts WITH (security_barrier) AS
SELECT *
  FROM public.contacts
 WHERE region IN (SELECT region FROM public.whole_regions_in_scope);
"""


def upgrade() -> None:
    op.execute(SCHEMA)
