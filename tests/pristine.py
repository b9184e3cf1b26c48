"""Puts a used copy of the template back as it was: emptying what a test filled is cheap.

Making a copy and dropping it costs 0.1 s of CPU and waits for the disk; this costs a tenth. What
cannot be put back for sure (somebody is still connected, the schema was changed, it grew large) is
said so, and the copy is dropped instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from psycopg import Connection, sql

BYTES_MAX = 64 * 1024 * 1024

TOUCHED = """
SELECT relname
  FROM pg_class
 WHERE relnamespace = 'public'::regnamespace
   AND relkind = 'r'
   AND pg_relation_size(oid) > 0
   AND NOT EXISTS (SELECT FROM timescaledb_information.hypertables
                    WHERE hypertable_schema = 'public' AND hypertable_name = relname)
 ORDER BY relname
"""

SEQUENCES = """
SELECT schemaname || '.' || quote_ident(sequencename) AS name, start_value, last_value
  FROM pg_sequences
 WHERE schemaname = 'public'
"""

CHUNKED = """
SELECT DISTINCT hypertable.table_name
  FROM _timescaledb_catalog.chunk
  JOIN _timescaledb_catalog.hypertable ON hypertable.id = hypertable_id
"""

IS_AT_REST = """
SELECT pg_database_size(current_database()) <= %s
       AND NOT EXISTS (SELECT FROM pg_stat_activity
                        WHERE datname = current_database()
                          AND backend_type = 'client backend'
                          AND pid <> pg_backend_pid())
"""

SCHEMA = """
WITH own AS (
    SELECT oid, nspacl FROM pg_namespace WHERE nspname IN ('public', 'api')
), relations AS (
    SELECT pg_class.oid, relkind, relacl, reloptions, relrowsecurity
      FROM pg_class JOIN own ON own.oid = relnamespace
), things (what, stamp) AS (
    SELECT 'schemas', sum(hashtext(own::text)) FROM own
     UNION ALL SELECT 'relations', sum(hashtext(relations::text)) FROM relations
     UNION ALL SELECT 'columns', sum(pg_attribute.xmin::text::bigint)
      FROM pg_attribute JOIN relations ON relations.oid = attrelid
     UNION ALL SELECT 'triggers', sum(pg_trigger.xmin::text::bigint)
      FROM pg_trigger JOIN relations ON relations.oid = tgrelid
     UNION ALL SELECT 'rules', sum(pg_rewrite.xmin::text::bigint)
      FROM pg_rewrite JOIN relations ON relations.oid = ev_class
     UNION ALL SELECT 'indexes', sum(pg_index.xmin::text::bigint)
      FROM pg_index JOIN relations ON relations.oid = indrelid
     UNION ALL SELECT 'constraints', sum(pg_constraint.xmin::text::bigint)
      FROM pg_constraint JOIN own ON own.oid = connamespace
     UNION ALL SELECT 'functions', sum(pg_proc.xmin::text::bigint)
      FROM pg_proc JOIN own ON own.oid = pronamespace
     UNION ALL SELECT 'settings', sum(hashtext(concat_ws(' ', setrole, setconfig)))
      FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase
     WHERE datname = current_database()
     UNION ALL SELECT 'database', hashtext(concat_ws(' ', datacl, datconnlimit))
      FROM pg_database WHERE datname = current_database()
)
SELECT string_agg(what || ' ' || stamp, ', ' ORDER BY what) FROM things
"""
"""Whoever changes the schema writes a row anew, and its xmin is a later one."""


@dataclass(frozen=True, slots=True)
class Pristine:
    """What the template holds: its schema, its rows and sums over them, its sequences."""

    schema: str
    sums: dict[str, str]
    rows: dict[str, list[bytes]]
    sequences: dict[str, int | None]

    @classmethod
    def of(cls, url: str) -> Pristine:
        """Read the template."""
        with psycopg.connect(url) as connection:
            sums = _sums(connection, _filled(connection))
            return cls(
                schema=_schema(connection),
                sums=sums,
                rows={table: _rows(connection, table) for table in sums},
                sequences={row[0]: row[2] for row in connection.execute(SEQUENCES)},
            )

    def put_back(self, url: str) -> bool:
        """Let a copy be as the template is; False: it cannot be done for sure."""
        with psycopg.connect(url) as connection:
            if not _value(connection, IS_AT_REST, BYTES_MAX):
                return False
            connection.execute("SET session_replication_role = replica")
            for (hypertable,) in connection.execute(CHUNKED).fetchall():
                connection.execute("SELECT drop_chunks(%s, older_than => 'infinity')", [hypertable])
            if _schema(connection) != self.schema:
                return False
            for table in set(_filled(connection)) - set(self.sums):
                _empty(connection, table)
            for table, now in _sums(connection, self.sums).items():
                if now != self.sums[table]:
                    self._refill(connection, table)
            for name, start, last in connection.execute(SEQUENCES).fetchall():
                if last != (stood := self.sequences[name]):
                    values = [name, start if stood is None else stood, stood is not None]
                    connection.execute("SELECT setval(%s, %s, %s)", values)
        return True

    def _refill(self, connection: Connection, table: str) -> None:
        _empty(connection, table)
        statement = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))
        with connection.cursor().copy(statement) as copy:
            for row in self.rows[table]:
                copy.write(row)


def _empty(connection: Connection, table: str) -> None:
    connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))


def _filled(connection: Connection) -> list[str]:
    """Return the tables that hold a row."""
    touched = [row[0] for row in connection.execute(TOUCHED)]
    ask = sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})")
    each = [ask.format(table, sql.Identifier(table)) for table in touched]
    return [row[0] for row in connection.execute(sql.SQL(" UNION ALL ").join(each))]


def _sums(connection: Connection, tables: Iterable[str]) -> dict[str, str]:
    """Return a sum over all rows of each table."""
    ask = sql.SQL("SELECT {}, md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} AS t")
    each = [ask.format(table, sql.Identifier(table)) for table in tables]
    return dict(connection.execute(sql.SQL(" UNION ALL ").join(each)).fetchall())


def _rows(connection: Connection, table: str) -> list[bytes]:
    statement = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))
    with connection.cursor().copy(statement) as copy:
        return [bytes(row) for row in copy]


def _schema(connection: Connection) -> str:
    return str(_value(connection, SCHEMA))


def _value(connection: Connection, statement: str, *values: object) -> object:
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return row[0]
