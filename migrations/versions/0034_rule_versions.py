"""Rules as dated versions of a region; who acknowledged an alert, who said what of it, reminders.

Only after the old code is gone: the evaluator of before reads columns of rules that go. Locks
rules, alerts, alert_events and outbox for a moment. An alert that fires now counts as written about
now, so that nobody is reminded of all of them at once.
"""

from alembic import op

revision = "0034"
down_revision = "0032"

RULES = """
SET lock_timeout = '5s';

DROP VIEW api.rules;
ALTER TABLE rules ADD COLUMN region text REFERENCES regions;
UPDATE rules
   SET region = (SELECT region FROM regions WHERE tier = 'province' ORDER BY region LIMIT 1);
ALTER TABLE rules
    ALTER COLUMN region SET NOT NULL,
    ADD COLUMN within text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN region LIKE '%0000' THEN left(region, 2)
             WHEN region LIKE '%00' THEN left(region, 4)
             ELSE region
        END) STORED;
COMMENT ON COLUMN rules.region IS 'whose desk wrote it: it acts there and nowhere else';
COMMENT ON COLUMN rules.within IS 'prefix of the codes where it acts';

CREATE TABLE rule_versions (
    rule_id    integer NOT NULL REFERENCES rules,
    version    integer NOT NULL CHECK (version >= 1),
    name       text NOT NULL,
    parameters jsonb,
    holds_from timestamptz NOT NULL,
    stated_at  timestamptz NOT NULL,
    actor      text NOT NULL,
    reason     text NOT NULL,
    PRIMARY KEY (rule_id, version)
);
COMMENT ON TABLE rule_versions IS
    'What a rule says, from when on: the newest version whose time has come holds. Never changed';
COMMENT ON COLUMN rule_versions.parameters IS 'NULL: from then on the rule watches nobody';
COMMENT ON COLUMN rule_versions.actor IS 'empty: from before rules had versions';

INSERT INTO rule_versions (rule_id, version, name, parameters, holds_from, stated_at, actor, reason)
SELECT rule_id, 1, name, parameters, '2000-01-01 00:00+08', now(), '', 'stood before'
  FROM rules;
INSERT INTO rule_versions (rule_id, version, name, parameters, holds_from, stated_at, actor, reason)
SELECT rule_id, 2, name, NULL, now(), now(), '', 'was not enabled'
  FROM rules
 WHERE NOT enabled;
ALTER TABLE rules
    DROP COLUMN name,
    DROP COLUMN enabled,
    DROP COLUMN parameters;
"""

ALERTS = """
ALTER TABLE alerts
    ADD COLUMN rule_version integer NOT NULL DEFAULT 1,
    ADD COLUMN told_at timestamptz,
    ADD COLUMN acknowledged_at timestamptz,
    ADD COLUMN acknowledged_by text,
    ADD FOREIGN KEY (rule_id, rule_version) REFERENCES rule_versions,
    ADD CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL));
COMMENT ON COLUMN alerts.rule_version IS 'the one that led to its present state';
COMMENT ON COLUMN alerts.told_at IS 'when it was written about last';
COMMENT ON COLUMN alerts.acknowledged_at IS 'NULL: nobody did since it became as bad as it is';
UPDATE alerts SET told_at = now() WHERE state = 'firing';

ALTER TABLE alert_events
    ADD COLUMN actor text,
    ADD COLUMN rule_version integer;
COMMENT ON COLUMN alert_events.actor IS 'who said so; NULL: the platform found it';

ALTER TABLE outbox
    ADD COLUMN reminds boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT outbox_state_check,
    ADD CONSTRAINT outbox_state_check CHECK (state IN ('waiting', 'sent', 'failed', 'dropped'));
COMMENT ON COLUMN outbox.reminds IS 'dropped when somebody acknowledges the alert before it went';
"""

VISIBLE = """
CREATE FUNCTION visible_rules(region_prefix text, own_unit text) RETURNS SETOF rules
LANGUAGE sql STABLE AS $$
    SELECT rules.*
      FROM rules
     WHERE length(region_prefix) >= 2
       AND CASE WHEN own_unit IS NULL
                THEN within LIKE region_prefix || '%' OR region_prefix LIKE within || '%'
                ELSE EXISTS (SELECT
                               FROM visible_units(region_prefix, own_unit) AS own
                              WHERE own.region LIKE within || '%')
           END
$$;
COMMENT ON FUNCTION visible_rules IS 'those that act on something within the scope';

CREATE OR REPLACE VIEW api.alerts WITH (security_barrier) AS
SELECT *
  FROM public.alerts
 WHERE unit_id IN (SELECT unit_id FROM public.units_in_scope)
    OR (unit_id IS NULL AND region IN (SELECT region FROM public.whole_regions_in_scope));

CREATE OR REPLACE VIEW api.alert_events WITH (security_barrier) AS
SELECT *
  FROM public.alert_events
 WHERE alert_id IN (SELECT alert_id FROM api.alerts);

CREATE VIEW api.rules WITH (security_barrier) AS
SELECT *
  FROM public.rules
 WHERE public.has_scope()
   AND CASE WHEN split_part(current_setting('nenghao.scope', true), '/', 2) = ''
            THEN within LIKE split_part(current_setting('nenghao.scope', true), '/', 1) || '%'
                 OR split_part(current_setting('nenghao.scope', true), '/', 1) LIKE within || '%'
            ELSE EXISTS (SELECT
                           FROM public.units_in_scope AS own
                          WHERE own.region LIKE within || '%')
       END;

CREATE VIEW api.rule_versions WITH (security_barrier) AS
SELECT *
  FROM public.rule_versions
 WHERE rule_id IN (SELECT rule_id FROM api.rules);

CREATE VIEW api.contacts WITH (security_barrier) AS
SELECT *
  FROM public.contacts
 WHERE region IN (SELECT region FROM public.whole_regions_in_scope);
"""


def upgrade() -> None:
    op.execute(RULES + ALERTS + VISIBLE)
