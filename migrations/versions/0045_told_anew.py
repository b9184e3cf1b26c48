"""What is told anew once nothing keeps letters of an alert back; tasks that are withdrawn.

Safe before the new code starts: adds columns that are empty. Locks alerts and tasks for a moment.
"""

from alembic import op

revision = "0045"
down_revision = "0048"

SCHEMA = """
SET lock_timeout = '5s';

ALTER TABLE alerts
    ADD COLUMN owed_anew text[] NOT NULL DEFAULT '{}' CHECK (owed_anew <@ '{amended,unknown}');
COMMENT ON COLUMN alerts.owed_anew IS
    'events whose letter is kept back, and is written anew by what is found when nothing does';
CREATE INDEX alerts_owed_anew ON alerts (alert_id) WHERE owed_anew <> '{}';

ALTER TABLE tasks
    ADD COLUMN withdrawn_at timestamptz,
    ADD CHECK (done_at IS NULL OR withdrawn_at IS NULL);
COMMENT ON COLUMN tasks.withdrawn_at IS
    'since when it is asked of nobody: the alert that opened it had no reason';
"""

VISIBLE = """
CREATE OR REPLACE VIEW api.alerts WITH (security_barrier) AS
SELECT *
  FROM public.alerts
 WHERE unit_id IN (SELECT unit_id FROM public.units_in_scope)
    OR (unit_id IS NULL AND region IN (SELECT region FROM public.whole_regions_in_scope));

CREATE OR REPLACE VIEW api.tasks WITH (security_barrier) AS
SELECT *
  FROM public.tasks
 WHERE alert_id IN (SELECT alert_id FROM api.alerts);
"""


def upgrade() -> None:
    op.execute(SCHEMA + VISIBLE)
