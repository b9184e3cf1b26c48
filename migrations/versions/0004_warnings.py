"""Limits, regional figures and targets, rules, alerts, contacts and the outbox; API keys.

Safe before the new code starts.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

SCHEMA = """
CREATE TABLE limits (
    limit_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product     text NOT NULL,
    uom         text NOT NULL,
    edition     text NOT NULL,
    limit_value double precision,
    baseline    double precision,
    benchmark   double precision,
    advanced    double precision,
    valid_from  date NOT NULL,
    source      text NOT NULL,
    UNIQUE (product, edition, valid_from)
);
COMMENT ON TABLE limits IS
    'Energy per unit of product; lower is better; negative values are legal (converter)';

CREATE TABLE region_targets (
    region        text NOT NULL REFERENCES regions,
    year          integer NOT NULL,
    required_rate double precision NOT NULL CHECK (required_rate > -1 AND required_rate < 1),
    source        text NOT NULL,
    PRIMARY KEY (region, year)
);
COMMENT ON COLUMN region_targets.required_rate IS
    'required change of energy per GDP in the year, e.g. -0.02747';

CREATE TABLE region_figures (
    region         text NOT NULL REFERENCES regions,
    year           integer NOT NULL,
    through_month  integer NOT NULL CHECK (through_month BETWEEN 1 AND 12),
    energy_growth  double precision CHECK (energy_growth > -1),
    gdp_growth     double precision CHECK (gdp_growth > -1),
    source         text NOT NULL,
    PRIMARY KEY (region, year, through_month)
);
COMMENT ON TABLE region_figures IS
    'Cumulative January..through_month against the same months of the year before, GDP at '
    'constant prices';

CREATE TABLE rules (
    rule_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('product_intensity', 'region_level')),
    name       text NOT NULL UNIQUE,
    enabled    boolean NOT NULL DEFAULT true,
    parameters jsonb NOT NULL
);

CREATE TABLE alerts (
    alert_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_id          integer NOT NULL REFERENCES rules,
    region           text NOT NULL REFERENCES regions,
    unit_id          integer REFERENCES units,
    subject          text NOT NULL,
    level            integer NOT NULL CHECK (level BETWEEN 1 AND 3),
    state            text NOT NULL CHECK (state IN ('pending', 'firing', 'resolved')),
    period_starts_at timestamptz NOT NULL,
    period_ends_at   timestamptz NOT NULL,
    measured         double precision NOT NULL,
    threshold        double precision NOT NULL,
    uom              text NOT NULL,
    coverage         double precision NOT NULL,
    estimated_share  double precision NOT NULL,
    reason           text NOT NULL,
    pending_at       timestamptz NOT NULL,
    fired_at         timestamptz,
    resolved_at      timestamptz,
    resolved_by      timestamptz,
    updated_at       timestamptz NOT NULL
);
COMMENT ON COLUMN alerts.resolved_by IS
    'end of the window that resolved it: an older window opens nothing again';
COMMENT ON COLUMN alerts.subject IS 'unit/product or region/period: what the rule watches';
COMMENT ON COLUMN alerts.level IS '1 is the worst';
CREATE UNIQUE INDEX alerts_open ON alerts (rule_id, subject) WHERE state <> 'resolved';
CREATE INDEX alerts_region ON alerts (region text_pattern_ops, alert_id DESC);

CREATE TABLE alert_events (
    event_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id    bigint NOT NULL REFERENCES alerts,
    happened_at timestamptz NOT NULL,
    kind        text NOT NULL,
    measured    double precision,
    reason      text NOT NULL
);
CREATE INDEX alert_events_alert ON alert_events (alert_id, event_id);

CREATE TABLE contacts (
    contact_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    region        text NOT NULL REFERENCES regions,
    name          text NOT NULL,
    email         text NOT NULL,
    language      text NOT NULL CHECK (language IN ('zh', 'en')),
    minimum_level integer NOT NULL CHECK (minimum_level BETWEEN 1 AND 3),
    UNIQUE (region, email)
);
COMMENT ON COLUMN contacts.minimum_level IS
    'the mildest level this contact is written to: 1 only level 1, 3 all levels';

CREATE TABLE outbox (
    letter_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id        bigint NOT NULL REFERENCES alerts,
    message_id      text NOT NULL UNIQUE,
    thread_id       text NOT NULL,
    recipient_name  text NOT NULL,
    recipient_email text NOT NULL,
    subject         text NOT NULL,
    body            text NOT NULL,
    state           text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts        integer NOT NULL DEFAULT 0,
    due_at          timestamptz NOT NULL,
    leased_until    timestamptz,
    sent_at         timestamptz,
    last_error      text,
    created_at      timestamptz NOT NULL
);
COMMENT ON TABLE outbox IS
    'Letters, written in the transaction of their alert; recipients are frozen here';
CREATE INDEX outbox_due ON outbox (due_at) WHERE state = 'waiting';

CREATE TABLE api_keys (
    key_id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256     bytea NOT NULL UNIQUE,
    label      text NOT NULL,
    region     text NOT NULL REFERENCES regions,
    unit       text REFERENCES units (unit),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz
);
"""


def upgrade() -> None:
    op.execute(SCHEMA)
