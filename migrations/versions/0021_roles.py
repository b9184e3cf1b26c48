"""What the holder of an API key is, and when a key was last used.

Safe before the new code starts: every key keeps what it may; only `keys create` of the old code is
refused until it is replaced. Locks api_keys for a moment.
"""

from alembic import op

revision = "0021"
down_revision = "0020"

SCHEMA = """
SET lock_timeout = '5s';

ALTER TABLE api_keys
    ADD COLUMN role text
        CHECK (role IN ('province', 'city', 'county', 'enterprise', 'auditor', 'administrator')),
    ADD COLUMN last_used_at timestamptz;
COMMENT ON COLUMN api_keys.role IS 'what its holder is: app/roles.py says what that may';
COMMENT ON COLUMN api_keys.may_state IS 'false: it only looks, whatever else its role may';
COMMENT ON COLUMN api_keys.last_used_at IS 'to within ten minutes; NULL: not since this column';

UPDATE api_keys
   SET role = CASE WHEN unit IS NOT NULL THEN 'enterprise'
                   ELSE (SELECT tier FROM regions WHERE regions.region = api_keys.region)
              END;
ALTER TABLE api_keys
    ALTER COLUMN role SET NOT NULL,
    ADD CHECK ((role = 'enterprise') = (unit IS NOT NULL));
"""


def upgrade() -> None:
    op.execute(SCHEMA)
