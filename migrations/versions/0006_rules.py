"""The two rules every platform begins with, who may see an alert, order of letters in a thread.

Safe before the new code starts. Locks outbox for writing while its index is built.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

SCHEMA = """
INSERT INTO rules (kind, name, parameters)
VALUES ('product_intensity', '产品单耗超限',
        '{"window_h": 1, "for_h": 0, "clear_ratio": 0.98, "basis": "calorific",
          "against": "limit"}'),
       ('region_level', '地区能耗强度预警等级', '{"letters_from_level": 1}');

CREATE FUNCTION visible_alerts(region_prefix text, own_unit text) RETURNS SETOF alerts
LANGUAGE sql STABLE AS $$
    SELECT alerts.*
      FROM alerts
     WHERE length(region_prefix) >= 2
       AND (unit_id IN (SELECT unit_id FROM visible_units(region_prefix, own_unit))
            OR (unit_id IS NULL AND own_unit IS NULL AND region LIKE region_prefix || '%'))
$$;
COMMENT ON FUNCTION visible_alerts IS
    'an alert of a unit: who may see the unit; of a region: who answers for the whole region';

CREATE INDEX outbox_alert ON outbox (alert_id, letter_id);  -- is an earlier letter still waiting?
"""


def upgrade() -> None:
    op.execute(SCHEMA)
