"""Where a silence acts: less than it is stated for, where its rule or its subject is about less.
And proposals of what a rule is to say, or that it ends.

Safe before the new code starts: adds a column that may be empty, and allows more. Locks silences
and proposals for a moment. A silence of before on a subject is shown to those whose scope holds all
that it is stated for.
"""

from alembic import op

revision = "0048"
down_revision = "0047"

SCHEMA = """
SET lock_timeout = '5s';

ALTER TABLE silences ADD COLUMN acts_in text CHECK (starts_with(acts_in, within));
COMMENT ON COLUMN silences.acts_in IS
    'prefix of the codes that its rule or its subject is about; NULL: all of within';
COMMENT ON COLUMN silences.unit_id IS
    'only alerts about this unit, named or that of the subject; NULL: about all';

ALTER TABLE proposals
    DROP CONSTRAINT proposals_deed_check,
    ADD CONSTRAINT proposals_deed_check
        CHECK (deed IN ('import', 'withdrawal', 'correction', 'change', 'end'));
"""

VISIBLE = """
CREATE OR REPLACE FUNCTION visible_silences(region_prefix text, own_unit text)
RETURNS SETOF silences
LANGUAGE sql STABLE AS $$
    SELECT silences.*
      FROM silences
     WHERE length(region_prefix) >= 2
       AND CASE
           WHEN unit_id IS NOT NULL
           THEN unit_id IN (SELECT unit_id FROM visible_units(region_prefix, own_unit))
           WHEN subject IS NOT NULL
           THEN own_unit IS NULL AND coalesce(acts_in, within) LIKE region_prefix || '%'
           WHEN own_unit IS NULL
           THEN coalesce(acts_in, within) LIKE region_prefix || '%'
                OR region_prefix LIKE coalesce(acts_in, within) || '%'
           ELSE EXISTS (SELECT
                          FROM visible_units(region_prefix, own_unit) AS own
                         WHERE own.region LIKE coalesce(acts_in, within) || '%')
           END
$$;
COMMENT ON FUNCTION visible_silences IS
    'of a unit: who may see it; of another subject: whose scope holds it; else those that act on '
    'something within the scope';

CREATE OR REPLACE VIEW api.silences WITH (security_barrier) AS
SELECT *
  FROM public.silences
 WHERE public.has_scope()
   AND CASE
       WHEN unit_id IS NOT NULL THEN unit_id IN (SELECT unit_id FROM public.units_in_scope)
       WHEN subject IS NOT NULL
       THEN split_part(current_setting('nenghao.scope', true), '/', 2) = ''
            AND coalesce(acts_in, within)
                LIKE split_part(current_setting('nenghao.scope', true), '/', 1) || '%'
       WHEN split_part(current_setting('nenghao.scope', true), '/', 2) = ''
       THEN coalesce(acts_in, within)
            LIKE split_part(current_setting('nenghao.scope', true), '/', 1) || '%'
            OR split_part(current_setting('nenghao.scope', true), '/', 1)
               LIKE coalesce(acts_in, within) || '%'
       ELSE EXISTS (SELECT
                      FROM public.units_in_scope AS own
                     WHERE own.region LIKE coalesce(acts_in, within) || '%')
       END;
"""


def upgrade() -> None:
    op.execute(SCHEMA + VISIBLE)
