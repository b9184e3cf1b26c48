"""What people do about an alert: whose it is, contests, due dates, closing; tasks of level 1.

Safe before the new code starts. Locks alerts and alert_events for a moment. What fires now gets no
due date and opens no task: it was not asked for by a date when it was written about.
"""

from alembic import op

revision = "0038"
down_revision = "0041"

CASES = """
SET lock_timeout = '5s';

CREATE TABLE alert_cases (
    alert_id             bigint PRIMARY KEY REFERENCES alerts,
    assigned_to          text,
    assignee             text,
    contest              text CHECK (contest IN ('open', 'upheld', 'rejected')),
    contests             integer NOT NULL DEFAULT 0,
    closed_at            timestamptz,
    dated_level          integer CHECK (dated_level BETWEEN 1 AND 3),
    dated_at             timestamptz,
    clock_from           timestamptz,
    acknowledge_workdays integer CHECK (acknowledge_workdays > 0),
    remedy_workdays      integer CHECK (remedy_workdays > 0),
    acknowledge_by       timestamptz,
    remedy_by            timestamptz,
    undated              text CHECK (undated IN ('calendar_unknown')),
    stopped_at           timestamptz,
    raise_at             timestamptz,
    raised_to            text REFERENCES regions,
    CHECK ((assigned_to IS NULL) = (assignee IS NULL)),
    CHECK (stopped_at IS NULL OR contest = 'open')
);
COMMENT ON TABLE alert_cases IS
    'What people do about an alert, as it stands; what was done is in alert_events';
COMMENT ON COLUMN alert_cases.assigned_to IS 'as it is shown';
COMMENT ON COLUMN alert_cases.assignee IS 'the address of a contact, or the label of a key';
COMMENT ON COLUMN alert_cases.contests IS 'how often it was contested';
COMMENT ON COLUMN alert_cases.dated_level IS
    'the level that its due dates are for; another one, or NULL: they are to be given anew';
COMMENT ON COLUMN alert_cases.clock_from IS 'from when on the working days of this step count';
COMMENT ON COLUMN alert_cases.acknowledge_by IS 'the first instant that is too late';
COMMENT ON COLUMN alert_cases.undated IS 'why a due date that the rule asks for is not known';
COMMENT ON COLUMN alert_cases.stopped_at IS 'since when its clock stands still';
COMMENT ON COLUMN alert_cases.raise_at IS
    'when the next region up is written to, unless somebody acknowledges it; NULL: none is';
CREATE INDEX alert_cases_raise ON alert_cases (raise_at);  -- who is to be written to now?
CREATE INDEX alert_cases_stopped ON alert_cases (stopped_at) WHERE stopped_at IS NOT NULL;
CREATE INDEX alert_cases_undated ON alert_cases (alert_id) WHERE undated IS NOT NULL;

INSERT INTO alert_cases (alert_id, dated_level)
SELECT alert_id, level FROM alerts WHERE state = 'firing';

CREATE TABLE tasks (
    task_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id  bigint NOT NULL REFERENCES alerts,
    kind      text NOT NULL CHECK (kind IN ('level_1_cities')),
    opened_at timestamptz NOT NULL,
    cities    text[] NOT NULL,
    untold    text[] NOT NULL,
    due_at    timestamptz,
    undated   text CHECK (undated IN ('calendar_unknown')),
    remind_at timestamptz,
    raise_at  timestamptz,
    raised_to text REFERENCES regions,
    done_at   timestamptz,
    done_by   text,
    done_text text,
    evidence  text,
    UNIQUE (alert_id, kind),
    CHECK ((due_at IS NULL) = (undated IS NOT NULL)),
    CHECK ((done_at IS NULL) = (done_by IS NULL)),
    CHECK ((done_at IS NULL) = (done_text IS NULL)),
    CHECK ((done_at IS NULL) = (evidence IS NULL))
);
COMMENT ON TABLE tasks IS 'What a warning level asks of a region, until when, and what was done';
COMMENT ON COLUMN tasks.cities IS 'regions whose intensity rose when it was opened';
COMMENT ON COLUMN tasks.untold IS 'cities of which that was not known then';
COMMENT ON COLUMN tasks.due_at IS 'the first instant that is too late; NULL: not known yet';
COMMENT ON COLUMN tasks.remind_at IS 'when its region is reminded; NULL: it is not any more';
COMMENT ON COLUMN tasks.raise_at IS 'when the next region up is written to; NULL: none is';
CREATE INDEX tasks_open ON tasks (task_id) WHERE done_at IS NULL;  -- what is still to be done?

ALTER TABLE alert_events
    ADD COLUMN evidence text,
    ADD COLUMN assignee text;
COMMENT ON COLUMN alert_events.evidence IS 'what proves it: a document number, a hash';
COMMENT ON COLUMN alert_events.assignee IS 'whose it became';
"""

VISIBLE = """
CREATE OR REPLACE VIEW api.alert_events WITH (security_barrier) AS
SELECT *
  FROM public.alert_events
 WHERE alert_id IN (SELECT alert_id FROM api.alerts);

CREATE VIEW api.alert_cases WITH (security_barrier) AS
SELECT *
  FROM public.alert_cases
 WHERE alert_id IN (SELECT alert_id FROM api.alerts);

CREATE VIEW api.tasks WITH (security_barrier) AS
SELECT *
  FROM public.tasks
 WHERE alert_id IN (SELECT alert_id FROM api.alerts);

REVOKE DELETE ON alert_cases, tasks FROM nenghao_service;
"""


def upgrade() -> None:
    op.execute(CASES + VISIBLE)
