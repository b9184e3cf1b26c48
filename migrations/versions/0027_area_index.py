"""The months of a county among those of its province: an index that knows the region too.

Safe before the new code starts. Settlement of areas waits while the index is built.
"""

from alembic import op

revision = "0027"
down_revision = "0026"

SCHEMA = """
SET lock_timeout = '5s';

DROP INDEX area_consumption_step;
CREATE INDEX area_consumption_step
    ON area_consumption (step, starts_at, region);  -- a province by month, and a county of it
"""


def upgrade() -> None:
    op.execute(SCHEMA)
