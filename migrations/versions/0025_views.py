"""What the HTTP interface may look at: a schema of views, and a login that has nothing else.

Every view has the name and the columns of what it shows, so that a search_path of api before
public lets the statements of db/ find it. It shows what `nenghao.scope` of the transaction says,
"4502" or "4502/" and a credit code, and nothing where it says nothing.

Safe before the new code starts. Locks nothing that exists. The migrating login needs CREATEROLE,
unless the role nenghao_view exists.
"""

from alembic import op

revision = "0025"
down_revision = "0024"

ROLE = """
SET lock_timeout = '5s';

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nenghao_view') THEN
        CREATE ROLE nenghao_view NOINHERIT;
    END IF;
END
$$;
CREATE SCHEMA api;
COMMENT ON SCHEMA api IS 'all that the HTTP interface may look at, cut to the scope of who asks';
GRANT USAGE ON SCHEMA api TO nenghao_view;
ALTER DEFAULT PRIVILEGES IN SCHEMA api GRANT SELECT ON TABLES TO nenghao_view;
"""

# What is in scope. No barriers: they are written into the views of api as if by hand.
IN_SCOPE = """
CREATE FUNCTION has_scope() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT length(split_part(current_setting('nenghao.scope', true), '/', 1)) >= 2
$$;

CREATE VIEW units_in_scope AS
SELECT unit_id, unit, region, city
  FROM units
 WHERE has_scope()
   AND region LIKE split_part(current_setting('nenghao.scope', true), '/', 1) || '%'
   AND (split_part(current_setting('nenghao.scope', true), '/', 2) = ''
        OR unit = split_part(current_setting('nenghao.scope', true), '/', 2));
COMMENT ON VIEW units_in_scope IS 'visible_units for the scope of the transaction: no scope, none';

CREATE VIEW meters_in_scope AS
SELECT meter_id
  FROM meters
  JOIN units_in_scope USING (unit_id);

CREATE VIEW whole_regions_in_scope AS
SELECT region
  FROM regions
 WHERE has_scope()
   AND region LIKE split_part(current_setting('nenghao.scope', true), '/', 1) || '%'
   AND split_part(current_setting('nenghao.scope', true), '/', 2) = '';
COMMENT ON VIEW whole_regions_in_scope IS 'those of which all may be seen: none for an enterprise';

CREATE VIEW regions_in_scope AS
SELECT region
  FROM whole_regions_in_scope
 UNION
SELECT place
  FROM units_in_scope
 CROSS JOIN LATERAL unnest(ARRAY[region, city, left(region, 2) || '0000']) AS place
 WHERE place LIKE split_part(current_setting('nenghao.scope', true), '/', 1) || '%';
COMMENT ON VIEW regions_in_scope IS
    'those whose figures may be seen, as visible_regions; for an enterprise those it lies in';
"""

# Joined by meter or unit, one after the other: behind a barrier no index of theirs serves a join,
# and a query for one meter reads all that are in scope (docs/decisions/0023-views-for-looking.md).
JOINED = """
CREATE VIEW api.units AS
SELECT *
  FROM public.units
 WHERE unit_id IN (SELECT unit_id FROM public.units_in_scope);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['meters', 'dated_meters', 'unit_consumption',
                                'quality_unit_days'] LOOP
        EXECUTE format('CREATE VIEW api.%1$I AS SELECT * FROM public.%1$I WHERE unit_id IN '
                       '(SELECT unit_id FROM public.units_in_scope)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['readings', 'conflicts', 'corrections', 'meter_consumption',
                                'quality_days', 'accountable_readings', 'course_readings',
                                'stale_ranges'] LOOP
        EXECUTE format('CREATE VIEW api.%1$I AS SELECT * FROM public.%1$I WHERE meter_id IN '
                       '(SELECT meter_id FROM public.meters_in_scope)', name);
    END LOOP;
END
$$;
"""

BEHIND_BARRIERS = """
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['regions', 'region_aliases', 'industries', 'carriers', 'limits',
                                'factor_ranges', 'products', 'equivalents', 'grids',
                                'grid_choices', 'carbon_factors', 'level_bands', 'scheme_choices',
                                'quality_schemes', 'rule_sets', 'rules', 'links'] LOOP
        EXECUTE format('CREATE VIEW api.%1$I WITH (security_barrier) AS '
                       'SELECT * FROM public.%1$I WHERE public.has_scope()', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['gateways', 'calorific_values', 'capacities', 'production',
                                'monthly_filings', 'repairs', 'suspicions', 'stocks', 'trades',
                                'projects', 'park_units', 'budget_units'] LOOP
        EXECUTE format('CREATE VIEW api.%1$I WITH (security_barrier) AS '
                       'SELECT * FROM public.%1$I WHERE unit_id IN '
                       '(SELECT unit_id FROM public.units_in_scope)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['factors', 'dated_factors'] LOOP
        EXECUTE format('CREATE VIEW api.%1$I WITH (security_barrier) AS '
                       'SELECT * FROM public.%1$I WHERE public.has_scope() AND (unit_id IS NULL '
                       'OR unit_id IN (SELECT unit_id FROM public.units_in_scope))', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['meter_epochs', 'doubts', 'verifications', 'value_limits'] LOOP
        EXECUTE format('CREATE VIEW api.%1$I WITH (security_barrier) AS '
                       'SELECT * FROM public.%1$I WHERE meter_id IN '
                       '(SELECT meter_id FROM public.meters_in_scope)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['region_figures', 'region_targets', 'non_fossil'] LOOP
        EXECUTE format('CREATE VIEW api.%1$I WITH (security_barrier) AS '
                       'SELECT * FROM public.%1$I WHERE region IN '
                       '(SELECT region FROM public.regions_in_scope)', name);
    END LOOP;
END
$$;
"""

OTHERS = """
CREATE VIEW api.alerts WITH (security_barrier) AS
SELECT *
  FROM public.alerts
 WHERE unit_id IN (SELECT unit_id FROM public.units_in_scope)
    OR (unit_id IS NULL AND region IN (SELECT region FROM public.whole_regions_in_scope));

CREATE VIEW api.alert_events WITH (security_barrier) AS
SELECT *
  FROM public.alert_events
 WHERE alert_id IN (SELECT alert_id FROM api.alerts);

CREATE VIEW api.parks WITH (security_barrier) AS
SELECT *
  FROM public.parks
 WHERE park IN (SELECT park FROM api.park_units);

CREATE VIEW api.energy_budgets WITH (security_barrier) AS
SELECT *
  FROM public.energy_budgets
 WHERE CASE owner_kind
       WHEN 'city' THEN owner IN (SELECT region FROM public.whole_regions_in_scope)
       WHEN 'unit' THEN owner IN (SELECT unit FROM public.units_in_scope)
       ELSE owner IN (SELECT park FROM api.park_units)
            AND owner NOT IN (SELECT park
                                FROM public.park_units
                               WHERE unit_id NOT IN (SELECT unit_id FROM public.units_in_scope))
       END;

CREATE VIEW api.certificates WITH (security_barrier) AS
SELECT *
  FROM public.certificates
 WHERE unit_id IN (SELECT unit_id FROM public.units_in_scope)
    OR region IN (SELECT region FROM public.whole_regions_in_scope)
    OR retired_for_region IN (SELECT region FROM public.whole_regions_in_scope);

CREATE VIEW api.quarantine_messages WITH (security_barrier) AS
SELECT *
  FROM public.quarantine_messages
 WHERE split_part(topic, '/', 2) IN (SELECT unit FROM public.units_in_scope)
    OR split_part(topic, '/', 4) IN (SELECT unit FROM public.units_in_scope);

CREATE VIEW api.quarantine WITH (security_barrier) AS
SELECT *
  FROM public.quarantine
 WHERE sha256 IN (SELECT sha256 FROM api.quarantine_messages);

CREATE VIEW api.changes WITH (security_barrier) AS
SELECT *
  FROM public.changes
 WHERE public.has_scope()
   AND CASE
       WHEN noun IN ('limits', 'levels', 'schemes', 'carbon_factors', 'grids', 'quality_schemes')
       THEN true
       WHEN noun IN ('figures', 'targets', 'non_fossil')
       THEN split_part(subject, '/', 1) IN (SELECT region FROM public.regions_in_scope)
       WHEN noun IN ('units', 'meters', 'epochs', 'calorific_values', 'production', 'capacities',
                     'verifications', 'value_limits', 'monthly_filings', 'corrections', 'stocks',
                     'trades', 'repairs')
       THEN split_part(subject, '/', 1) IN (SELECT unit FROM public.units_in_scope)
       WHEN noun = 'factors'
       THEN split_part(subject, '/', 3) = 'everyone'
            OR split_part(subject, '/', 3) IN (SELECT unit FROM public.units_in_scope)
       ELSE false
       END;

CREATE VIEW chain_heads AS
SELECT 'changes' AS chain, change_id AS links, sha256
  FROM public.changes
 WHERE change_id = (SELECT max(change_id) FROM public.changes)
 UNION ALL
SELECT 'readings/' || collector, links, head
  FROM ingest_totals
 WHERE links > 0;
COMMENT ON VIEW chain_heads IS 'where every chain stands, as whoever appends to it left it';

CREATE VIEW api.chain_heads WITH (security_barrier) AS
SELECT *
  FROM public.chain_heads
 WHERE public.has_scope();

CREATE FUNCTION key_of(wanted bytea) RETURNS SETOF api_keys
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT *
      FROM api_keys
     WHERE sha256 = wanted
$$;
COMMENT ON FUNCTION key_of IS 'one key, for who holds it: a login that cannot list keys';
REVOKE EXECUTE ON FUNCTION key_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION key_of TO nenghao_view;
"""


def upgrade() -> None:
    op.execute(ROLE)
    op.execute(IN_SCOPE)
    op.execute(JOINED)
    op.execute(BEHIND_BARRIERS)
    op.execute(OTHERS)
