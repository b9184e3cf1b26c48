"""Energy that changed under a final intensity.

Safe before the new code starts: adds a table and a view that nobody asks yet. What changed before
it is not known any more, and does not show.
"""

from alembic import op

revision = "0053"
down_revision = "0049"

SCHEMA = """
SET lock_timeout = '5s';

CREATE TABLE energy_restatements (
    unit_id     integer NOT NULL REFERENCES units,
    step        text NOT NULL CHECK (step IN ('day', 'month', 'year')),
    starts_at   timestamptz NOT NULL,
    product     text NOT NULL,
    figure      text NOT NULL
                CHECK (figure IN ('quantity', 'output_value_cny', 'value_added_cny')),
    energy      text NOT NULL CHECK (energy IN ('total', 'electricity')),
    restated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (unit_id, step, starts_at, product, figure, energy)
);
COMMENT ON TABLE energy_restatements IS
    'Energy of a bucket was settled otherwise after what was stated of a product made it final';
COMMENT ON COLUMN energy_restatements.figure IS 'what was stated of all of the bucket';
COMMENT ON COLUMN energy_restatements.energy IS
    'total: in standard coal, calorific; electricity: kWh';
COMMENT ON COLUMN energy_restatements.restated_at IS 'for the first time';

CREATE VIEW api.energy_restatements WITH (security_barrier) AS
SELECT *
  FROM public.energy_restatements
 WHERE unit_id IN (SELECT unit_id FROM public.units_in_scope);

REVOKE UPDATE, DELETE ON energy_restatements FROM nenghao_service;
"""


def upgrade() -> None:
    op.execute(SCHEMA)
