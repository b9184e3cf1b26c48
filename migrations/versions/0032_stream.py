"""Positions in the event stream: the order in which commits were seen, given after them.

Safe before the new code starts: arrivals of the old code say of no message how much of it was
stored, and are passed over by the stream. Locks `arrivals` against writing while its index is
built: a second for a million flushes.
"""

from alembic import op

revision = "0032"
down_revision = "0030"

SCHEMA = """
SET lock_timeout = '5s';

CREATE SEQUENCE stream_positions;
COMMENT ON SEQUENCE stream_positions IS
    'positions of commits in /v1/stream; one process at a time gives them: db/stream.py';

ALTER TABLE arrivals
    ADD COLUMN batches text[],
    ADD COLUMN stored integer[],
    ADD COLUMN position bigint DEFAULT 0;
ALTER TABLE arrivals ALTER COLUMN position DROP DEFAULT;
COMMENT ON COLUMN arrivals.batches IS 'what each message calls itself; NULL: it has no name';
COMMENT ON COLUMN arrivals.stored IS 'new readings of each message';
COMMENT ON COLUMN arrivals.position IS
    'in the event stream; NULL: not seen yet, 0: it was there before the stream';
CREATE INDEX arrivals_position ON arrivals (position);  -- what is new, and what came after an id

ALTER TABLE alert_events ADD COLUMN position bigint DEFAULT 0;
ALTER TABLE alert_events ALTER COLUMN position DROP DEFAULT;
COMMENT ON COLUMN alert_events.position IS
    'in the event stream; NULL: not seen yet, 0: it was there before the stream';
CREATE INDEX alert_events_position ON alert_events (position);  -- likewise

CREATE OR REPLACE VIEW api.alert_events WITH (security_barrier) AS
SELECT *
  FROM public.alert_events
 WHERE alert_id IN (SELECT alert_id FROM api.alerts);

CREATE VIEW accepted_batches AS
SELECT position, ordinal, gateways.unit_id, gateways.gateway, message.batch, message.received_at,
       message.stored
  FROM arrivals
 CROSS JOIN LATERAL unnest(gateway_ids, received_at, batches, stored) WITH ORDINALITY
            AS message (gateway_id, received_at, batch, stored, ordinal)
  JOIN gateways USING (gateway_id)
 WHERE position > 0
   AND message.stored > 0;
COMMENT ON VIEW accepted_batches IS 'messages of which readings were stored, in their order';

CREATE VIEW api.accepted_batches WITH (security_barrier) AS
SELECT *
  FROM public.accepted_batches
 WHERE unit_id IN (SELECT unit_id FROM public.units_in_scope);
"""


def upgrade() -> None:
    op.execute(SCHEMA)
