"""Owns the login that only looks: who it is, its password, and that it has no more. psycopg."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

VIEW = "nenghao_view"


def derived(url: str) -> str:
    """Return `url` for the login that only looks, its password derived from the one in `url`.

    Whoever knows that password may look anyway; the way back is closed. Without one there is none:
    then the server must trust the login, or another URL be set.

    >>> derived("postgresql://u:p@h:1/a").replace(_password("p"), "…")
    'postgresql://nenghao_view:…@h:1/a'
    >>> derived("postgresql://u@h:1/a")
    'postgresql://nenghao_view@h:1/a'
    """
    parts = urlsplit(url)
    _, at, place = parts.netloc.rpartition("@")
    login = VIEW if parts.password is None else f"{VIEW}:{_password(parts.password)}"
    return urlunsplit(parts._replace(netloc=f"{login}{at or '@'}{place}"))


def at_home(view_url: str, url: str) -> str:
    """Return `view_url` on the server and database of `url`: the views may be those of a copy.

    >>> at_home("postgresql://v:w@copy:2/a", "postgresql://u:p@home:1/a")
    'postgresql://v:w@home:1/a'
    """
    login, home = urlsplit(view_url), urlsplit(url)
    netloc = f"{login.netloc.rpartition('@')[0]}@{home.netloc.rpartition('@')[2]}"
    return urlunsplit(home._replace(netloc=netloc))


def open_view(url: str) -> None:
    """Let the login that only looks in with its derived password, where it is not yet.

    Where the migrating login may not, an administrator of the database does, with a password of
    their own; `serve` says so when it is not let in.
    """
    password = urlsplit(derived(url)).password
    if password is None or lets_in(derived(url)):
        return
    with psycopg.connect(url, autocommit=True) as connection:
        there = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [VIEW]).fetchone()
        if there is None:
            return  # migrated to an older revision
        # The server gets a verifier, so that no log of statements holds the password.
        verifier = connection.pgconn.encrypt_password(
            password.encode(), VIEW.encode(), b"scram-sha-256"
        ).decode()
        statement = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
        try:
            connection.execute(statement.format(sql.Identifier(VIEW), sql.Literal(verifier)))
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


def _password(password: str) -> str:
    return hmac.new(unquote(password).encode(), VIEW.encode(), hashlib.sha256).hexdigest()
