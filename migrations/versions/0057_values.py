"""Readings that no meter can show count no longer.

Safe before the new code starts: what is settled from then on leaves them out. Takes the lock of a
view that settlement reads. What was settled with them is settled anew by the nightly
reconciliation, or at once by `nenghao verify --repair`.
"""

from alembic import op

revision = "0057"
down_revision = "0052"

SCHEMA = """
SET lock_timeout = '5s';

CREATE OR REPLACE VIEW accountable_readings AS
SELECT meter_id, read_at, coalesce(corrections.value, raw_value) AS raw_value
  FROM readings
  LEFT JOIN corrections USING (meter_id, read_at)
 WHERE CASE WHEN corrections.meter_id IS NULL THEN quality <> 'bad'
            ELSE corrections.value IS NOT NULL END
   AND abs(coalesce(corrections.value, raw_value)) < 9007199254740992;
COMMENT ON VIEW accountable_readings IS
    'What settlement accounts for, as corrected; what was set aside, its gateway calls bad, or no '
    'meter can show (energy.values.VALUE_MAX), stays as evidence';
"""


def upgrade() -> None:
    op.execute(SCHEMA)
