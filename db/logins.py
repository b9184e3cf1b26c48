"""Owns the logins beside the owner's: their passwords, and that they can do no more. psycopg.

One only looks, for callers over HTTP; one is that of the programs, and changes no trace.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

VIEW = "nenghao_view"
SERVICE = "nenghao_service"

TRACES = ("changes", "links", "heads", "readings", "conflicts", "alert_events", "nightly_checks",
          "audit_removals", "rule_versions", "silences", "silence_events")  # fmt: skip
"""What only grows: no login of a service may change or remove a row. Of the audit log none may
change one; what is old enough goes, and triggers see to that."""


def derived(url: str, login: str = VIEW) -> str:
    """Return `url` for another login, the one that only looks, its password derived from `url`'s.

    Whoever knows that password may do so anyway; the way back is closed. Without one there is none:
    then the server must trust the login, or another URL be set.

    >>> derived("postgresql://u:p@h:1/a").replace(_password("p", VIEW), "…")
    'postgresql://nenghao_view:…@h:1/a'
    >>> derived("postgresql://u@h:1/a")
    'postgresql://nenghao_view@h:1/a'
    """
    parts = urlsplit(url)
    _, at, place = parts.netloc.rpartition("@")
    if parts.password is not None:
        login = f"{login}:{_password(parts.password, login)}"
    return urlunsplit(parts._replace(netloc=f"{login}{at or '@'}{place}"))


def at_home(view_url: str, url: str) -> str:
    """Return `view_url` on the server and database of `url`: the views may be those of a copy.

    >>> at_home("postgresql://v:w@copy:2/a", "postgresql://u:p@home:1/a")
    'postgresql://v:w@home:1/a'
    """
    login, home = urlsplit(view_url), urlsplit(url)
    netloc = f"{login.netloc.rpartition('@')[0]}@{home.netloc.rpartition('@')[2]}"
    return urlunsplit(home._replace(netloc=netloc))


def open_all(url: str) -> None:
    """Let the logins in with their derived passwords, where they are not yet.

    Where the migrating login may not, an administrator of the database does, with a password of
    their own; programs say so when they are not let in.
    """
    for login in (VIEW, SERVICE):
        _open(url, login)


def _open(url: str, login: str) -> None:
    password = urlsplit(derived(url, login)).password
    if password is None or lets_in(derived(url, login)):
        return
    with psycopg.connect(url, autocommit=True) as connection:
        there = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [login]).fetchone()
        if there is None:
            return  # migrated to an older revision
        # The server gets a verifier, so that no log of statements holds the password.
        verifier = connection.pgconn.encrypt_password(
            password.encode(), login.encode(), b"scram-sha-256"
        ).decode()
        statement = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
        try:
            connection.execute(statement.format(sql.Identifier(login), sql.Literal(verifier)))
        except psycopg.errors.InsufficientPrivilege:
            return


def lets_in(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=10).close()
    except psycopg.OperationalError:
        return False
    return True


def list_excesses(url: str) -> list[str]:
    """Return what the login at `url` has and must not: powers, and tables it may name."""
    with psycopg.connect(url, connect_timeout=10) as connection:
        rows = connection.execute(
            r"""
            SELECT 'it is a superuser' AS excess
              FROM pg_roles
             WHERE rolname = current_user AND rolsuper
             UNION ALL
            SELECT 'it may use ' || class.oid::regclass::text
              FROM pg_class AS class
              JOIN pg_namespace AS space ON space.oid = relnamespace
             WHERE nspname IN ('public', '_timescaledb_internal')
               AND relkind IN ('r', 'p', 'v', 'm', 'f')
               AND relname NOT LIKE 'pg\_stat%'
               AND NOT EXISTS (SELECT
                                 FROM pg_depend
                                WHERE objid = class.oid AND deptype = 'e')
               AND has_table_privilege(class.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
             ORDER BY excess
            """
        ).fetchall()
    return [str(excess) for (excess,) in rows]


def list_service_excesses(url: str) -> list[str]:
    """Return what the login at `url` could do to a trace, and must not."""
    with psycopg.connect(url, connect_timeout=10) as connection:
        rows = connection.execute(
            """
            SELECT 'it is a superuser' AS excess
              FROM pg_roles
             WHERE rolname = current_user AND rolsuper
             UNION ALL
            SELECT 'it may change or remove rows of ' || relname
              FROM pg_class
             WHERE relnamespace = 'public'::regnamespace
               AND relname = ANY (%s)
               AND has_table_privilege(oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER')
             ORDER BY excess
            """,
            [list(TRACES)],
        ).fetchall()
    return [str(excess) for (excess,) in rows]


def _password(password: str, login: str) -> str:
    return hmac.new(unquote(password).encode(), login.encode(), hashlib.sha256).hexdigest()
