"""What each region is told of an incident; overdue remedies; alerts without anybody to tell.

Safe before the new code starts: adds a table, a view and columns. Locks alerts, alert_cases and
outbox for a moment. What fires past its remedy date is written about by the first evaluation.
"""

from alembic import op

revision = "0049"
down_revision = "0045"

SCHEMA = """
SET lock_timeout = '5s';

CREATE TABLE alert_parts (
    event_id         bigint NOT NULL REFERENCES alert_events,
    region           text NOT NULL,
    alert_id         bigint NOT NULL REFERENCES alerts,
    measured         double precision NOT NULL,
    threshold        double precision NOT NULL,
    reason           text NOT NULL,
    period_starts_at timestamptz NOT NULL,
    period_ends_at   timestamptz NOT NULL,
    PRIMARY KEY (event_id, region)
);
COMMENT ON TABLE alert_parts IS
    'What lies in one region of an incident that takes in others: as it was told there';
CREATE INDEX alert_parts_of ON alert_parts (alert_id, region, event_id);  -- what was told here?
CREATE TRIGGER alert_parts_fenced BEFORE INSERT OR UPDATE OR DELETE ON alert_parts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_fenced();

ALTER TABLE outbox ADD COLUMN part text;
COMMENT ON COLUMN outbox.part IS
    'the region of which alone it tells, as alert_parts says; NULL: it tells all';

ALTER TABLE alerts ADD COLUMN nobody_to_tell boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN alerts.nobody_to_tell IS
    'a letter is owed, and there is no contact that it would go to';

ALTER TABLE alert_cases
    ADD COLUMN remedy_raise_at timestamptz,
    ADD COLUMN remedy_raised_to text REFERENCES regions;
COMMENT ON COLUMN alert_cases.remedy_raise_at IS
    'when it is written about that it is not remedied; NULL: never, or not any more';
COMMENT ON COLUMN alert_cases.remedy_raised_to IS 'the region that was written to of that last';
UPDATE alert_cases SET remedy_raise_at = remedy_by;
CREATE INDEX alert_cases_remedy ON alert_cases (remedy_raise_at);  -- what is not remedied by now?
"""

VISIBLE = """
CREATE VIEW told_parts AS
SELECT told.region AS place, told.event_id, told.measured, told.threshold, told.reason,
       told.period_starts_at, told.period_ends_at, alert_events.happened_at,
       alert_events.kind AS event, alert_events.rule_version AS event_version,
       alerts.alert_id, alerts.rule_id, alerts.rule_version, alerts.region, alerts.subject,
       alerts.level, alerts.state, alerts.uom, alerts.coverage, alerts.estimated_share,
       alerts.pending_at, alerts.fired_at, alerts.resolved_at, alerts.acknowledged_at,
       alerts.updated_at, alerts.about
  FROM alert_parts AS told
  JOIN alerts USING (alert_id)
  JOIN alert_events USING (event_id);
COMMENT ON VIEW told_parts IS 'an incident as a region was told of it that does not see it all';

CREATE VIEW api.told_parts WITH (security_barrier) AS
SELECT *
  FROM public.told_parts
 WHERE place IN (SELECT region FROM public.whole_regions_in_scope);

CREATE OR REPLACE VIEW api.alerts WITH (security_barrier) AS
SELECT *
  FROM public.alerts
 WHERE unit_id IN (SELECT unit_id FROM public.units_in_scope)
    OR (unit_id IS NULL AND region IN (SELECT region FROM public.whole_regions_in_scope));

CREATE OR REPLACE VIEW api.alert_cases WITH (security_barrier) AS
SELECT *
  FROM public.alert_cases
 WHERE alert_id IN (SELECT alert_id FROM api.alerts);

REVOKE UPDATE, DELETE ON alert_parts FROM nenghao_service;
REVOKE INSERT, UPDATE, DELETE ON told_parts FROM nenghao_service;
"""


def upgrade() -> None:
    op.execute(SCHEMA + VISIBLE)
