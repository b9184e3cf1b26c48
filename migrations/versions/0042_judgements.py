"""What rules found, period by period and now; hours settled anew; the term of the evaluator.

Safe before the new code starts: the old evaluator has no term, and judges on. Adds columns to
alerts without rewriting it; locks them and their events, cases and letters for a moment.
"""

from alembic import op

revision = "0042"
down_revision = "0043"

JUDGED = """
SET lock_timeout = '5s';

CREATE TABLE judgements (
    rule_id      integer NOT NULL REFERENCES rules,
    subject      text NOT NULL,
    starts_at    timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL CHECK (ends_at > starts_at),
    unit_id      integer REFERENCES units,
    region       text NOT NULL REFERENCES regions,
    state        text NOT NULL CHECK (state IN ('ok', 'warn', 'firing', 'unknown')),
    measured     double precision,
    threshold    double precision,
    rule_version integer NOT NULL,
    mark         bigint NOT NULL,
    judged_at    timestamptz NOT NULL,
    revised_at   timestamptz,
    alert_id     bigint REFERENCES alerts ON DELETE CASCADE,
    led_to       text,
    PRIMARY KEY (rule_id, subject, ends_at, starts_at),
    CHECK ((alert_id IS NULL) = (led_to IS NULL))
);
COMMENT ON TABLE judgements IS 'What a rule found of a subject in a period: once each';
COMMENT ON COLUMN judgements.mark IS
    'of the newest settlement of hours of its unit that was looked at; 0: none was waiting';
COMMENT ON COLUMN judgements.revised_at IS 'when another verdict or value took its place';
COMMENT ON COLUMN judgements.alert_id IS 'the alert that the period opened, changed or closed';
COMMENT ON COLUMN judgements.led_to IS 'the event it led to, as in alert_events.kind';
CREATE INDEX judgements_unit ON judgements (unit_id, ends_at);  -- which bear on hours of a unit?
CREATE INDEX judgements_age ON judgements (ends_at);  -- which are too old to be amended?

CREATE TABLE standings (
    rule_id         integer NOT NULL REFERENCES rules,
    subject         text NOT NULL,
    unit_id         integer REFERENCES units,
    region          text NOT NULL REFERENCES regions,
    state           text NOT NULL CHECK (state IN ('ok', 'warn', 'firing', 'unknown')),
    since_at        timestamptz NOT NULL,
    told_at         timestamptz,
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz NOT NULL,
    measured        double precision,
    threshold       double precision,
    uom             text NOT NULL,
    level           integer,
    coverage        double precision NOT NULL,
    estimated_share double precision NOT NULL,
    reason          text NOT NULL,
    rule_version    integer NOT NULL,
    judged_at       timestamptz NOT NULL,
    PRIMARY KEY (rule_id, subject)
);
COMMENT ON TABLE standings IS 'What a rule finds of a subject now, and since when';
COMMENT ON COLUMN standings.told_at IS 'when a notice said that it is unknown; once each time';
CREATE INDEX standings_unit ON standings (unit_id);  -- what is found of the units of a scope?
CREATE INDEX standings_unknown ON standings (rule_id, since_at) WHERE state = 'unknown';

CREATE SEQUENCE fresh_marks;
CREATE TABLE fresh_hours (
    unit_id   integer NOT NULL REFERENCES units,
    day_at    timestamptz NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at   timestamptz NOT NULL CHECK (ends_at > starts_at),
    mark      bigint NOT NULL DEFAULT nextval('fresh_marks'),
    PRIMARY KEY (unit_id, day_at)
);
COMMENT ON TABLE fresh_hours IS
    'Hours of a UTC day of a unit that were settled and that no rule has looked at since';
COMMENT ON COLUMN fresh_hours.mark IS 'a new one each time, so that none is looked past';
CREATE INDEX fresh_hours_mark ON fresh_hours (mark);  -- the oldest first

ALTER TABLE alerts
    ADD COLUMN about text NOT NULL DEFAULT 'over' CHECK (about IN ('over', 'warn', 'unknown')),
    ADD COLUMN opened_by timestamptz,
    ADD COLUMN is_late boolean NOT NULL DEFAULT false,
    ADD COLUMN amended_at timestamptz,
    ADD COLUMN retracted_at timestamptz;
COMMENT ON COLUMN alerts.about IS
    'over its threshold; near it (an early notice); or unknown for long (a notice)';
COMMENT ON COLUMN alerts.opened_by IS 'end of the period that opened it; NULL: from before';
COMMENT ON COLUMN alerts.is_late IS 'its data came when the period was long over';
COMMENT ON COLUMN alerts.amended_at IS 'when what had been told of it was told anew';
COMMENT ON COLUMN alerts.retracted_at IS 'when it turned out that there had been no reason for it';
CREATE INDEX alert_events_amended ON alert_events (happened_at)
 WHERE kind IN ('amended', 'retracted', 'late');  -- how many of late?
CREATE INDEX alerts_lives ON alerts (rule_id, subject, alert_id);  -- is a period within one?
"""

# A statement of an evaluator whose term is over stores nothing, whichever statement it is.
FENCED = """
CREATE TABLE evaluators (
    name     text PRIMARY KEY,
    epoch    bigint NOT NULL CHECK (epoch > 0),
    began_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);
COMMENT ON TABLE evaluators IS 'The latest term of who judges: who has an earlier one is fenced';

COMMENT ON COLUMN evaluators.ended_at IS 'when all rules had been judged last';

CREATE FUNCTION refuse_fenced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    term text := nullif(current_setting('nenghao.evaluator', true), '');
BEGIN
    IF term IS NOT NULL THEN
        PERFORM FROM public.evaluators WHERE epoch = term::bigint FOR SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'another evaluator has begun since term %', term
                USING ERRCODE = 'NH001';
        END IF;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_fenced IS
    'a later term begins before the transaction of an earlier one, or after its commit';
DO $$
DECLARE
    fenced text;
BEGIN
    FOREACH fenced IN ARRAY ARRAY['alerts', 'alert_events', 'alert_cases', 'tasks', 'outbox',
                                  'judgements', 'standings']
    LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE INSERT OR UPDATE OR DELETE ON %I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_fenced()',
                       fenced || '_fenced', fenced);
    END LOOP;
END
$$;
CREATE TRIGGER fresh_hours_fenced BEFORE DELETE ON fresh_hours
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_fenced();
"""

VISIBLE = """
CREATE OR REPLACE VIEW api.alerts WITH (security_barrier) AS
SELECT *
  FROM public.alerts
 WHERE unit_id IN (SELECT unit_id FROM public.units_in_scope)
    OR (unit_id IS NULL AND region IN (SELECT region FROM public.whole_regions_in_scope));

CREATE FUNCTION visible_standings(region_prefix text, own_unit text) RETURNS SETOF standings
LANGUAGE sql STABLE AS $$
    SELECT standings.*
      FROM standings
     WHERE length(region_prefix) >= 2
       AND (unit_id IN (SELECT unit_id FROM visible_units(region_prefix, own_unit))
            OR (unit_id IS NULL AND own_unit IS NULL AND region LIKE region_prefix || '%'))
$$;
COMMENT ON FUNCTION visible_standings IS 'as visible_alerts: of units in scope, of whole regions';

CREATE VIEW api.judgements WITH (security_barrier) AS
SELECT *
  FROM public.judgements
 WHERE unit_id IN (SELECT unit_id FROM public.units_in_scope)
    OR (unit_id IS NULL AND region IN (SELECT region FROM public.whole_regions_in_scope));

CREATE VIEW api.standings WITH (security_barrier) AS
SELECT *
  FROM public.standings
 WHERE unit_id IN (SELECT unit_id FROM public.units_in_scope)
    OR (unit_id IS NULL AND region IN (SELECT region FROM public.whole_regions_in_scope));
"""


def upgrade() -> None:
    op.execute(JUDGED)
    op.execute(FENCED)
    op.execute(VISIBLE)
