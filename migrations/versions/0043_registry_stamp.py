"""A mark of what the registry holds, by which a reader knows that what it remembers still holds.

Safe before the new code starts: the old code does not look at it. Adds triggers: a moment on each
of the tables of the registry, for which it waits.
"""

from alembic import op

revision = "0043"
down_revision = "0037"

# Of random, so that no two states share one: not after a restore, nor on a copy that took over and
# lacks the last commits. One row: who changes the registry does so one after the other anyway.
STAMP = """
SET lock_timeout = '5s';

CREATE TABLE registry_stamp (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    stamp    uuid NOT NULL DEFAULT gen_random_uuid()
);
COMMENT ON TABLE registry_stamp IS
    'another with every change of what is registered, by the transaction that changes it';
INSERT INTO registry_stamp DEFAULT VALUES;

CREATE FUNCTION stamp_registry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.registry_stamp SET stamp = gen_random_uuid();
    RETURN NULL;
END
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['regions', 'region_aliases', 'industries', 'carriers', 'units',
                                'meters', 'meter_epochs', 'factors', 'calorific_values'] LOOP
        EXECUTE format('CREATE TRIGGER stamped AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %I '
                       'EXECUTE FUNCTION stamp_registry()', name);
    END LOOP;
END
$$;

CREATE VIEW api.registry_stamp WITH (security_barrier) AS
SELECT *
  FROM public.registry_stamp
 WHERE public.has_scope();

CREATE FUNCTION enter_scope(scope text) RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('nenghao.scope', scope, true);
    RETURN (SELECT stamp FROM registry_stamp);
END
$$;
COMMENT ON FUNCTION enter_scope IS
    'the views of schema api show what is in scope until the transaction ends; the mark it sees';
"""


def upgrade() -> None:
    op.execute(STAMP)
