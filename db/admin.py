"""Owns whole databases: making one, making it anew, copying a template. psycopg, autocommit."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql


def with_database(url: str, database: str) -> str:
    """Return `url` pointing at another database of the same server.

    >>> with_database("postgresql://u:p@h:1/a", "b")
    'postgresql://u:p@h:1/b'
    """
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def database_of(url: str) -> str:
    """Return the name of the database that `url` points at."""
    return urlsplit(url).path.removeprefix("/")


def recreate(url: str, database: str, *, template: str | None = None) -> str:
    """Drop `database` on the server of `url` if it is there, make it anew, return its URL."""
    drop(url, database)
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database))
    if template is not None:
        statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
    return with_database(url, database)


def drop(url: str, database: str) -> None:
    """Drop `database` on the server of `url` if it is there, whoever is connected to it."""
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.format(sql.Identifier(database)))
