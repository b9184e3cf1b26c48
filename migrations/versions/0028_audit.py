"""The audit log: who did what, when, from where, with what result; chained behind the requests.

Safe before the new code starts: nobody writes to it yet. Locks nothing that exists for longer than
a view is replaced.
"""

from alembic import op

revision = "0028"
down_revision = "0027"

TABLES = """
SET lock_timeout = '5s';

CREATE TABLE audit (
    entry_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    noted_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    request_id text NOT NULL,
    identity   text NOT NULL,
    label      text NOT NULL,
    role       text,
    scope      text,
    source     text NOT NULL,
    method     text NOT NULL,
    route      text NOT NULL,
    parameters text NOT NULL,
    unit       text,
    result     text NOT NULL CHECK (result IN ('begun', 'done', 'refused', 'failed')),
    status     integer,
    code       text,
    row_count  bigint
);
CREATE INDEX audit_time ON audit (noted_at, entry_id);          -- a span of it, page by page
CREATE INDEX audit_identity ON audit (identity, noted_at);      -- what somebody did
CREATE INDEX audit_unit ON audit (unit, noted_at) WHERE unit IS NOT NULL;  -- who saw a unit
COMMENT ON TABLE audit IS
    'Append-only: every access and every change, by HTTP and by the command line, failed ones too';
COMMENT ON COLUMN audit.noted_at IS
    'by the clock of the database: who may only insert cannot backdate';
COMMENT ON COLUMN audit.identity IS
    'key and its number, subject @ issuer, gateway, login; empty: unknown';
COMMENT ON COLUMN audit.scope IS
    'what they may see, as in nenghao.scope; NULL: unknown, or all of it';
COMMENT ON COLUMN audit.method IS 'of HTTP, or command';
COMMENT ON COLUMN audit.route IS 'the template of the path, or the words of the command';
COMMENT ON COLUMN audit.parameters IS 'of path and query, or of the command: JSON, without secrets';
COMMENT ON COLUMN audit.status IS 'of HTTP; NULL: begun, or a command';
COMMENT ON COLUMN audit.code IS 'of the problem; of a command: what kind of error';
COMMENT ON COLUMN audit.row_count IS 'items answered; NULL: not known';

CREATE TABLE audit_waiting (
    entry_id bigint PRIMARY KEY
);
COMMENT ON TABLE audit_waiting IS 'entries of audit that have no link yet';

CREATE TABLE audit_links (
    number   bigint PRIMARY KEY CHECK (number > 0),
    entry_id bigint NOT NULL UNIQUE,
    sha256   bytea NOT NULL CHECK (length(sha256) = 32)
);
COMMENT ON TABLE audit_links IS 'Append-only: the chain over audit, made in order after the fact';
COMMENT ON COLUMN audit_links.number IS '1, 2, 3 … without a gap';
COMMENT ON COLUMN audit_links.sha256 IS 'of the link before and of the entry: db/audit.py';

CREATE TABLE audit_removals (
    day        date PRIMARY KEY,
    links      bigint NOT NULL CHECK (links > 0),
    sha256     bytea NOT NULL CHECK (length(sha256) = 32),
    removed_at timestamptz NOT NULL
);
COMMENT ON TABLE audit_removals IS
    'Append-only: the kept heads up to which old entries were removed; the chain begins after them';
"""

TRIGGERS = """
CREATE TRIGGER audit_append_only BEFORE UPDATE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_links_append_only BEFORE UPDATE OR TRUNCATE ON audit_links
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_removals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_removals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_early_removal() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.day > (now() AT TIME ZONE 'Asia/Shanghai')::date - 183
       OR NOT EXISTS (SELECT FROM heads
                       WHERE chain = 'audit' AND day = NEW.day
                         AND links = NEW.links AND sha256 = NEW.sha256) THEN
        RAISE EXCEPTION 'audit is kept for six months at least, and removed behind a kept head'
              USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER audit_removals_late BEFORE INSERT ON audit_removals
    FOR EACH ROW EXECUTE FUNCTION refuse_early_removal();

CREATE FUNCTION refuse_unless_removed() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE
    entry audit;
    is_behind boolean := EXISTS (SELECT FROM audit_links AS link
                                  WHERE link.entry_id = OLD.entry_id
                                    AND number <= (SELECT max(links) FROM audit_removals));
BEGIN
    SELECT * INTO entry FROM audit WHERE audit.entry_id = OLD.entry_id;
    IF NOT is_behind OR entry.noted_at > now() - interval '183 days'
       OR (TG_TABLE_NAME = 'audit_links' AND entry.entry_id IS NOT NULL) THEN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
END
$$;
COMMENT ON FUNCTION refuse_unless_removed IS
    'entries go, then their links, once a head behind them is in audit_removals';
CREATE TRIGGER audit_kept BEFORE DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_unless_removed();
CREATE TRIGGER audit_links_kept BEFORE DELETE ON audit_links
    FOR EACH ROW EXECUTE FUNCTION refuse_unless_removed();
"""

NOTING = """
CREATE FUNCTION note_entries(entries jsonb) RETURNS void LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    WITH noted AS (
        INSERT INTO audit (request_id, identity, label, role, scope, source, method, route,
                           parameters, unit, result, status, code, row_count)
        SELECT request_id, identity, label, role, scope, source, method, route, parameters, unit,
               result, status, code, row_count
          FROM jsonb_to_recordset(entries)
               AS entry (request_id text, identity text, label text, role text, scope text,
                         source text, method text, route text, parameters text, unit text,
                         result text, status integer, code text, row_count bigint)
     RETURNING entry_id
    )
    INSERT INTO audit_waiting SELECT entry_id FROM noted
$$;
COMMENT ON FUNCTION note_entries IS 'the one way into audit: for a login that can name no table';
REVOKE EXECUTE ON FUNCTION note_entries FROM PUBLIC;
GRANT EXECUTE ON FUNCTION note_entries TO nenghao_view;
"""

LOOKING = """
CREATE FUNCTION visible_audit(region_prefix text, own_unit text) RETURNS SETOF audit
LANGUAGE sql STABLE AS $$
    SELECT audit.*
      FROM audit
     WHERE length(region_prefix) >= 2
       AND own_unit IS NULL
       AND CASE WHEN scope IS NULL THEN length(region_prefix) = 2
                ELSE scope LIKE region_prefix || '%'
           END
$$;
COMMENT ON FUNCTION visible_audit IS
    'what those within did; who is unknown or a login of the platform, is for a province alone';

CREATE VIEW api.audit WITH (security_barrier) AS
SELECT *
  FROM public.audit
 WHERE public.has_scope()
   AND current_setting('nenghao.audits', true) = 'yes'
   AND split_part(current_setting('nenghao.scope', true), '/', 2) = ''
   AND CASE WHEN scope IS NULL
            THEN length(split_part(current_setting('nenghao.scope', true), '/', 1)) = 2
            ELSE scope LIKE split_part(current_setting('nenghao.scope', true), '/', 1) || '%'
       END;

CREATE OR REPLACE VIEW chain_heads AS
SELECT 'changes' AS chain, change_id AS links, sha256
  FROM public.changes
 WHERE change_id = (SELECT max(change_id) FROM public.changes)
 UNION ALL
SELECT 'readings/' || collector, links, head
  FROM ingest_totals
 WHERE links > 0
 UNION ALL
SELECT 'audit', number, sha256
  FROM audit_links
 WHERE number = (SELECT max(number) FROM audit_links);

COMMENT ON COLUMN heads.chain IS 'changes, audit, or readings/ and the name of the collector';
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(TRIGGERS)
    op.execute(NOTING)
    op.execute(LOOKING)
