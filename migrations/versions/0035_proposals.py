"""Changes that wait for a second person, who approved what, and a login of the programs' own.

Not safe before the new code starts: the old code can state nothing once the ledger has a column
more (it says so; nothing is lost). Adds a column and constraints that hold for every row: a moment
on `changes`. The migrating login needs CREATEROLE, unless the role nenghao_service exists.
"""

from alembic import op

revision = "0035"
down_revision = "0034"

PROPOSALS = """
SET lock_timeout = '5s';

CREATE FUNCTION is_same_person(one text, other text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT lower(regexp_replace(btrim(one), '\\s+', ' ', 'g'))
           = lower(regexp_replace(btrim(other), '\\s+', ' ', 'g'))
$$;
COMMENT ON FUNCTION is_same_person IS 'as app/approval.py: case and spaces make no second person';

CREATE TABLE proposals (
    proposal_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deed            text NOT NULL CHECK (deed IN ('import', 'withdrawal', 'correction')),
    kind            text NOT NULL,
    region          text REFERENCES regions,
    unit            text,
    name            text NOT NULL,
    payload         bytea NOT NULL,
    sha256          bytea NOT NULL CHECK (sha256 = sha256(payload)),
    effect          text NOT NULL,
    effect_sha256   bytea NOT NULL CHECK (length(effect_sha256) = 32),
    proposer        text NOT NULL CHECK (proposer <> ''),
    reason          text NOT NULL CHECK (reason <> ''),
    evidence        text NOT NULL,
    proposed_at     timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL CHECK (expires_at > proposed_at),
    state           text NOT NULL DEFAULT 'open'
                    CHECK (state IN ('open', 'approved', 'rejected')),
    decider         text CHECK (decider <> ''),
    decided_at      timestamptz,
    decision_reason text,
    CHECK ((state = 'open') = (decider IS NULL)),
    CHECK ((state = 'open') = (decided_at IS NULL)),
    CHECK ((state = 'open') = (decision_reason IS NULL)),
    CHECK (state <> 'approved' OR NOT is_same_person(decider, proposer)),
    CHECK (state <> 'approved' OR decided_at < expires_at)
);
COMMENT ON TABLE proposals IS
    'Changes that hold once a second person approved them: app/approval.py says which';
COMMENT ON COLUMN proposals.kind IS 'what kind of fact, as in nenghao import';
COMMENT ON COLUMN proposals.region IS
    'the smallest one with all that is touched; NULL: what holds for everyone';
COMMENT ON COLUMN proposals.unit IS 'the one unit that is touched; NULL: several, or none';
COMMENT ON COLUMN proposals.payload IS 'as it was submitted: the file, the JSON, the key';
COMMENT ON COLUMN proposals.effect IS 'what it changes as it was proposed, JSON, shortened';
COMMENT ON COLUMN proposals.effect_sha256 IS 'of all that it changes: who approves, approves that';
CREATE INDEX proposals_open ON proposals (proposal_id) WHERE state = 'open';  -- what waits?

CREATE FUNCTION visible_proposals(region_prefix text, own_unit text) RETURNS SETOF proposals
LANGUAGE sql STABLE AS $$
    SELECT proposals.*
      FROM proposals
     WHERE length(region_prefix) >= 2
       AND CASE
           WHEN unit IS NOT NULL
           THEN EXISTS (SELECT FROM visible_units(region_prefix, own_unit) AS seen
                         WHERE seen.unit = proposals.unit)
           WHEN own_unit IS NOT NULL THEN false
           WHEN region IS NOT NULL THEN region LIKE region_prefix || '%'
           ELSE length(region_prefix) = 2
           END
$$;
COMMENT ON FUNCTION visible_proposals IS
    'of a unit: who may see it; of a region: who answers for all of it; of everyone: a province';

CREATE VIEW api.proposals WITH (security_barrier) AS
SELECT *
  FROM public.proposals
 WHERE CASE
       WHEN unit IS NOT NULL THEN unit IN (SELECT unit FROM public.units_in_scope)
       WHEN region IS NOT NULL THEN region IN (SELECT region FROM public.whole_regions_in_scope)
       ELSE EXISTS (SELECT FROM public.whole_regions_in_scope WHERE region LIKE '__0000')
       END;

ALTER TABLE changes
    ADD COLUMN approver text
        CHECK (approver IS NULL OR NOT is_same_person(approver, actor));
COMMENT ON COLUMN changes.approver IS
    'the second person; empty: nobody approved what calls for one; NULL: it calls for none';
"""

# The column is put at the end of what the view shows, whatever that is by now.
SHOWN = r"""
DO $$
BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW api.changes WITH (security_barrier) AS '
            || regexp_replace(pg_get_viewdef('api.changes'::regclass), '\n\s+FROM ',
                              E',\n    approver\n   FROM ');
END
$$;
"""

# What the programs run as. It keeps no trace from being seen: what only grows, grows.
SERVICE = """
DO $$
DECLARE
    relation record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nenghao_service') THEN
        CREATE ROLE nenghao_service NOINHERIT;
    END IF;
    FOR relation IN SELECT relname, relkind
                      FROM pg_class
                     WHERE relnamespace = 'public'::regnamespace
                       AND relkind IN ('r', 'p', 'v', 'S')
                       AND NOT EXISTS (SELECT
                                         FROM pg_depend
                                        WHERE objid = pg_class.oid AND deptype = 'e')
    LOOP
        IF relation.relkind = 'S' THEN
            EXECUTE format('GRANT USAGE ON SEQUENCE %I TO nenghao_service', relation.relname);
        ELSIF relation.relkind = 'v' OR relation.relname = 'alembic_version' THEN
            EXECUTE format('GRANT SELECT ON %I TO nenghao_service', relation.relname);
        ELSIF relation.relname IN ('changes', 'links', 'heads', 'readings', 'conflicts',
                                   'alert_events', 'nightly_checks', 'audit_removals',
                                   'rule_versions') THEN
            EXECUTE format('GRANT SELECT, INSERT ON %I TO nenghao_service', relation.relname);
        ELSIF relation.relname IN ('audit', 'audit_waiting') THEN  -- note_entries is the way in
            EXECUTE format('GRANT SELECT, DELETE ON %I TO nenghao_service', relation.relname);
        ELSIF relation.relname IN ('arrivals', 'audit_links') THEN  -- they go by age
            EXECUTE format('GRANT SELECT, INSERT, DELETE ON %I TO nenghao_service',
                           relation.relname);
        ELSIF relation.relname = 'proposals' THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO nenghao_service',
                           relation.relname);
        ELSE
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO nenghao_service',
                           relation.relname);
        END IF;
    END LOOP;
END
$$;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO nenghao_service;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO nenghao_service;
GRANT EXECUTE ON FUNCTION key_of, note_entries TO nenghao_service;
GRANT UPDATE (position) ON arrivals, alert_events TO nenghao_service;
"""


def upgrade() -> None:
    op.execute(PROPOSALS)
    op.execute(SHOWN)
    op.execute(SERVICE)
