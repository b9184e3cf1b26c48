"""When gateways were heard, message by message: what a backtest of outages looks at.

Safe before the new code starts: it adds views that nobody asks for yet.
"""

from alembic import op

revision = "0047"
down_revision = "0046"

SCHEMA = """
SET lock_timeout = '5s';

CREATE VIEW gateway_arrivals AS
SELECT gateways.unit_id, gateway_id, message.received_at, arrivals.received_at[1] AS flushed_at
  FROM arrivals
 CROSS JOIN LATERAL unnest(gateway_ids, received_at) AS message (gateway_id, received_at)
  JOIN gateways USING (gateway_id);
COMMENT ON VIEW gateway_arrivals IS
    'messages of which readings were stored, of whom and when; flushed_at: first of its flush';

CREATE VIEW api.gateway_arrivals WITH (security_barrier) AS
SELECT *
  FROM public.gateway_arrivals
 WHERE unit_id IN (SELECT unit_id FROM public.units_in_scope);

GRANT SELECT ON gateway_arrivals TO nenghao_service;
GRANT SELECT ON api.gateway_arrivals TO nenghao_view;
"""


def upgrade() -> None:
    op.execute(SCHEMA)
