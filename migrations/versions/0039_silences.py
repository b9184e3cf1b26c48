"""Silences with their ends, what keeps letters of an alert back, and when we ourselves were away.

Safe before the new code starts: adds tables and columns that are empty. Locks alerts for a moment.
"""

from alembic import op

revision = "0039"
down_revision = "0044"

SCHEMA = """
SET lock_timeout = '5s';

CREATE TABLE silences (
    silence_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    region     text NOT NULL REFERENCES regions,
    within     text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN region LIKE '%0000' THEN left(region, 2)
             WHEN region LIKE '%00' THEN left(region, 4)
             ELSE region
        END) STORED,
    rule_id    integer REFERENCES rules,
    unit_id    integer REFERENCES units,
    subject    text CHECK (subject <> ''),
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    is_grave   boolean NOT NULL,
    waits      boolean NOT NULL,
    stated_at  timestamptz NOT NULL,
    actor      text NOT NULL CHECK (actor <> ''),
    reason     text NOT NULL CHECK (reason <> ''),
    CHECK (ends_at > starts_at AND ends_at <= starts_at + interval '744 hours'),
    CHECK (is_grave OR NOT waits)
);
COMMENT ON TABLE silences IS
    'What keeps letters of alerts within a region back for a while. Never changed';
COMMENT ON COLUMN silences.region IS 'whose desk stated it: it acts there and nowhere else';
COMMENT ON COLUMN silences.within IS 'prefix of the codes where it acts';
COMMENT ON COLUMN silences.rule_id IS 'only alerts of this rule; NULL: of all rules';
COMMENT ON COLUMN silences.unit_id IS 'only alerts about this unit; NULL: about all';
COMMENT ON COLUMN silences.subject IS 'only alerts about this subject; NULL: about all';
COMMENT ON COLUMN silences.is_grave IS 'it could keep back that a region is at level 1';
COMMENT ON COLUMN silences.waits IS 'it acts only once a second person approved it';

CREATE TABLE silence_events (
    silence_id  integer NOT NULL REFERENCES silences,
    kind        text NOT NULL CHECK (kind IN ('approved', 'ended')),
    happened_at timestamptz NOT NULL,
    actor       text NOT NULL CHECK (actor <> ''),
    reason      text NOT NULL CHECK (reason <> ''),
    PRIMARY KEY (silence_id, kind)
);
COMMENT ON TABLE silence_events IS
    'That somebody approved a silence, or ended it before its time. Never changed';

CREATE TABLE downtimes (
    downtime_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    program     text NOT NULL,
    went_at     timestamptz NOT NULL,
    back_at     timestamptz CHECK (back_at >= went_at)
);
COMMENT ON TABLE downtimes IS
    'When a program of ours could hear nothing, as the evaluator of rules noticed';
CREATE UNIQUE INDEX downtimes_open ON downtimes (program) WHERE back_at IS NULL;
CREATE INDEX downtimes_back ON downtimes (back_at);  -- was one a short while ago?
CREATE TRIGGER downtimes_fenced BEFORE INSERT OR UPDATE OR DELETE ON downtimes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_fenced();

ALTER TABLE alerts
    ADD COLUMN owed text CHECK (owed <> ''),
    ADD COLUMN silenced_by integer REFERENCES silences,
    ADD COLUMN inhibited_by bigint REFERENCES alerts,
    ADD COLUMN told_regions text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN alerts.owed IS
    'why a letter would have been written that is kept back; NULL: none is';
COMMENT ON COLUMN alerts.silenced_by IS 'keeps its letters back; NULL: no silence does';
COMMENT ON COLUMN alerts.inhibited_by IS
    'the alert that tells of the same, and keeps its letters back; NULL: none does';
COMMENT ON COLUMN alerts.told_regions IS
    'regions whose contacts were written to besides its own and those above: of an outage';
CREATE INDEX alerts_owed ON alerts (rule_id, alert_id)  -- what is still to be told, and to whom?
 WHERE owed IS NOT NULL OR told_regions <> '{}';
CREATE INDEX alerts_kept ON alerts (alert_id)  -- whose marks may have to go?
 WHERE silenced_by IS NOT NULL OR inhibited_by IS NOT NULL;
"""

VISIBLE = """
CREATE FUNCTION visible_silences(region_prefix text, own_unit text) RETURNS SETOF silences
LANGUAGE sql STABLE AS $$
    SELECT silences.*
      FROM silences
     WHERE length(region_prefix) >= 2
       AND CASE
           WHEN unit_id IS NOT NULL
           THEN unit_id IN (SELECT unit_id FROM visible_units(region_prefix, own_unit))
           WHEN own_unit IS NULL
           THEN within LIKE region_prefix || '%' OR region_prefix LIKE within || '%'
           ELSE subject IS NULL
                AND EXISTS (SELECT
                              FROM visible_units(region_prefix, own_unit) AS own
                             WHERE own.region LIKE within || '%')
           END
$$;
COMMENT ON FUNCTION visible_silences IS
    'of a unit: who may see it; else those that act on something within the scope';

CREATE VIEW api.silences WITH (security_barrier) AS
SELECT *
  FROM public.silences
 WHERE public.has_scope()
   AND CASE
       WHEN unit_id IS NOT NULL THEN unit_id IN (SELECT unit_id FROM public.units_in_scope)
       WHEN split_part(current_setting('nenghao.scope', true), '/', 2) = ''
       THEN within LIKE split_part(current_setting('nenghao.scope', true), '/', 1) || '%'
            OR split_part(current_setting('nenghao.scope', true), '/', 1) LIKE within || '%'
       ELSE subject IS NULL
            AND EXISTS (SELECT
                          FROM public.units_in_scope AS own
                         WHERE own.region LIKE within || '%')
       END;

CREATE VIEW api.silence_events WITH (security_barrier) AS
SELECT *
  FROM public.silence_events
 WHERE silence_id IN (SELECT silence_id FROM api.silences);

CREATE OR REPLACE VIEW api.alerts WITH (security_barrier) AS
SELECT *
  FROM public.alerts
 WHERE unit_id IN (SELECT unit_id FROM public.units_in_scope)
    OR (unit_id IS NULL AND region IN (SELECT region FROM public.whole_regions_in_scope));

REVOKE UPDATE, DELETE ON silences, silence_events FROM nenghao_service;
REVOKE DELETE ON downtimes FROM nenghao_service;
"""


def upgrade() -> None:
    op.execute(SCHEMA + VISIBLE)
