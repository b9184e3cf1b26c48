"""Data quality: schemes, verifications, value limits, monthly filings, daily counts, repair clock,
suspicions.

Safe before the new code starts. Locks `meters` and `units` for an instant (foreign keys), and
`quarantine` against writing while its index is built.
"""

from alembic import op

revision = "0013"
down_revision = "0012"

SCHEMA = """
SET lock_timeout = '5s';

CREATE TABLE quality_schemes (
    valid_from           date PRIMARY KEY,
    completeness         double precision NOT NULL CHECK (completeness >= 0),
    accuracy             double precision NOT NULL CHECK (accuracy >= 0),
    timeliness           double precision NOT NULL CHECK (timeliness >= 0),
    verifiability        double precision NOT NULL CHECK (verifiability >= 0),
    validity             double precision NOT NULL CHECK (validity >= 0),
    normativity          double precision NOT NULL CHECK (normativity >= 0),
    completeness_pass    double precision NOT NULL CHECK (completeness_pass BETWEEN 0 AND 1),
    agreement_max        double precision NOT NULL CHECK (agreement_max BETWEEN 0 AND 1),
    lateness_allowance_s integer NOT NULL CHECK (lateness_allowance_s >= 0),
    monthly_deadline_day integer NOT NULL CHECK (monthly_deadline_day BETWEEN 1 AND 28),
    official             boolean NOT NULL,
    source               text NOT NULL
);
COMMENT ON TABLE quality_schemes IS
    'How data quality is scored from a day on: weights of the six indices (relative), bars, limits';
INSERT INTO quality_schemes
VALUES ('2000-01-01', 1, 1, 1, 1, 1, 1, 0.9, 0.05, 300, 10, false,
        '[D] weights, allowance and deadline: this platform; 90 %, 5 %: 上传数据质量要求 2019');

CREATE TABLE verifications (
    meter_id    integer NOT NULL REFERENCES meters,
    verified_on date NOT NULL,
    valid_until date NOT NULL CHECK (valid_until >= verified_on),
    body        text NOT NULL,
    certificate text NOT NULL,
    PRIMARY KEY (meter_id, verified_on)
);
COMMENT ON TABLE verifications IS 'Verification or calibration of meters (检定/校准)';

CREATE TABLE value_limits (
    meter_id  integer PRIMARY KEY REFERENCES meters,
    value_min double precision,
    value_max double precision,
    source    text NOT NULL,
    CHECK (value_min IS NOT NULL OR value_max IS NOT NULL),
    CHECK (value_min <= value_max)
);
COMMENT ON TABLE value_limits IS
    'dataValueMin, dataValueMax of an item, as values are sent: what lies outside is flagged, kept';

CREATE TABLE monthly_filings (
    unit_id   integer NOT NULL REFERENCES units,
    carrier   text NOT NULL REFERENCES carriers,
    month     date NOT NULL CHECK (extract(day FROM month) = 1),
    quantity  double precision NOT NULL CHECK (quantity >= 0 AND quantity < 'Infinity'),
    uom       text NOT NULL,
    in_reference_uom double precision NOT NULL,
    starts_on date NOT NULL,
    ends_on   date NOT NULL CHECK (ends_on > starts_on),
    source    text NOT NULL,
    PRIMARY KEY (unit_id, carrier, month)
);
COMMENT ON TABLE monthly_filings IS 'Monthly figures as filed, against which daily ones are held';
COMMENT ON COLUMN monthly_filings.ends_on IS 'the first day that is not in the period any more';
CREATE INDEX monthly_filings_month ON monthly_filings (month);  -- a province by month

CREATE TABLE quality_days (
    meter_id         integer NOT NULL,
    starts_at        timestamptz NOT NULL,
    due              integer NOT NULL,
    present          integer NOT NULL,
    arrived          integer NOT NULL,
    on_time          integer NOT NULL,
    traceable        integer NOT NULL,
    valid            integer NOT NULL,
    verification     text NOT NULL CHECK (verification IN ('in_force', 'expired', 'unknown')),
    normative        boolean NOT NULL,
    opening_offset_s double precision,
    curve            bytea,
    measured_at      timestamptz NOT NULL,
    PRIMARY KEY (meter_id, starts_at),
    CHECK (present <= due),
    CHECK (greatest(on_time, traceable, valid) <= arrived)
);
COMMENT ON TABLE quality_days IS 'What the readings of a meter and local day were like';
COMMENT ON COLUMN quality_days.opening_offset_s IS
    'how far the reading nearest to 00:00 Asia/Shanghai lies from it';
COMMENT ON COLUMN quality_days.curve IS 'print of the course of the day: energy/suspicion.py';
SELECT create_hypertable('quality_days', by_range('starts_at', INTERVAL '90 days'),
                         create_default_indexes => false);
CREATE INDEX quality_days_curve ON quality_days (curve, starts_at)
 WHERE curve IS NOT NULL;  -- who else has this curve

CREATE TABLE quality_unit_days (
    unit_id            integer NOT NULL REFERENCES units,
    starts_at          timestamptz NOT NULL,
    meter_days         integer NOT NULL,
    due                bigint NOT NULL,
    present            bigint NOT NULL,
    arrived            bigint NOT NULL,
    on_time            bigint NOT NULL,
    traceable          bigint NOT NULL,
    valid              bigint NOT NULL,
    verified           integer NOT NULL,
    verification_known integer NOT NULL,
    normative          integer NOT NULL,
    opened             integer NOT NULL,
    on_boundary        integer NOT NULL,
    settled            text NOT NULL,
    checked            text,
    measured_at        timestamptz NOT NULL,
    PRIMARY KEY (unit_id, starts_at)
);
COMMENT ON TABLE quality_unit_days IS 'Sums of quality_days over the meters of a unit';
COMMENT ON COLUMN quality_unit_days.settled IS
    'what settlement said of the day when it was measured: if it says otherwise, it is stale';
COMMENT ON COLUMN quality_unit_days.checked IS
    'the same when the suspicion checks ran; NULL: not yet';
CREATE INDEX quality_unit_days_day ON quality_unit_days (starts_at);  -- a province by month

CREATE TABLE quality_checks (
    unit_id    integer PRIMARY KEY REFERENCES units,
    checked_at timestamptz NOT NULL,
    full_on    date NOT NULL
);
COMMENT ON TABLE quality_checks IS 'When each unit was last assessed, and in full (nightly)';

CREATE TABLE repairs (
    repair_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id     integer NOT NULL REFERENCES units,
    subject     text NOT NULL,
    fault       text NOT NULL
                CHECK (fault IN ('silence', 'gap', 'verification_expired', 'clock_offset')),
    opened_at   timestamptz NOT NULL,
    due_at      timestamptz,
    due_reason  text,
    filed_at    timestamptz,
    repaired_at timestamptz,
    UNIQUE (unit_id, subject, fault, opened_at),
    CHECK (due_at IS NOT NULL OR due_reason IS NOT NULL)
);
COMMENT ON TABLE repairs IS 'Faults and their clock of 3 working days';
COMMENT ON COLUMN repairs.subject IS 'code of the meter or the gateway';
COMMENT ON COLUMN repairs.filed_at IS 'reported, data keyed by hand; by whom: changes';
CREATE UNIQUE INDEX repairs_standing ON repairs (unit_id, subject, fault)
 WHERE repaired_at IS NULL;  -- one clock per fault

CREATE TABLE suspicions (
    suspicion_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text NOT NULL,
    unit_id       integer NOT NULL REFERENCES units,
    subject       text NOT NULL,
    starts_at     timestamptz NOT NULL,
    ends_at       timestamptz NOT NULL CHECK (ends_at > starts_at),
    sureness      text NOT NULL CHECK (sureness IN ('possible', 'likely')),
    evidence      text NOT NULL,
    other_unit_id integer REFERENCES units,
    found_at      timestamptz NOT NULL,
    seen_at       timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (kind, unit_id, subject, starts_at, other_unit_id)
);
COMMENT ON TABLE suspicions IS 'What calls for a look; never a verdict, nothing waits for it';
COMMENT ON COLUMN suspicions.evidence IS 'the numbers, canonical JSON';
CREATE INDEX suspicions_unit ON suspicions (unit_id, starts_at);  -- of a unit
CREATE INDEX suspicions_newest ON suspicions (starts_at DESC, suspicion_id);  -- of a region

CREATE INDEX quarantine_future ON quarantine (received_at)
 WHERE reason = 'time_in_future';  -- messages of clocks that are ahead
"""


def upgrade() -> None:
    op.execute(SCHEMA)
