"""Areas say what their estimates are parts of, and answer for themselves.

Safe before the new code starts. Locks area_consumption for an instant. All areas are marked to be
added up again: until settlement has done it their estimated share is unknown, and so said.
"""

from alembic import op

revision = "0026"
down_revision = "0025"

SCHEMA = """
SET lock_timeout = '5s';

ALTER TABLE area_consumption
    ADD COLUMN absolute_quantity double precision,
    ADD COLUMN calorific_absolute double precision,
    ADD COLUMN equivalent_absolute double precision,
    ADD COLUMN calorific_estimated double precision,
    ADD COLUMN equivalent_estimated double precision;
COMMENT ON COLUMN area_consumption.absolute_quantity IS
    'of its units without signs, so that one that exports more than it takes cancels nothing';
COMMENT ON COLUMN area_consumption.calorific_absolute IS
    'likewise the coal equivalent; calorific_estimated is the estimated part of it';

CREATE FUNCTION visible_areas(region_prefix text, own_unit text) RETURNS SETOF area_consumption
LANGUAGE sql STABLE AS $$
    SELECT area_consumption.*
      FROM area_consumption
     WHERE length(region_prefix) >= 2
       AND own_unit IS NULL
       AND region LIKE region_prefix || '%'
$$;
COMMENT ON FUNCTION visible_areas IS
    'areas within a region prefix, and none for those who see a single unit';

CREATE VIEW api.area_consumption WITH (security_barrier) AS
SELECT *
  FROM public.area_consumption
 WHERE region IN (SELECT region FROM public.whole_regions_in_scope);

INSERT INTO stale_areas (region, division, carrier, starts_at, ends_at)
SELECT region, division, carrier, min(starts_at), max(starts_at) + INTERVAL '1 hour'
  FROM area_consumption
 WHERE step = 'hour'
 GROUP BY region, division, carrier, date_trunc('month', starts_at, 'Asia/Shanghai')
 ORDER BY region, division, carrier, min(starts_at);
"""


def upgrade() -> None:
    op.execute(SCHEMA)
