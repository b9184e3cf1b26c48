"""Owns what PostgreSQL says of its own durability."""

from __future__ import annotations

import psycopg

NAMES = ["fsync", "full_page_writes", "synchronous_commit"]


def fetch_settings(url: str) -> dict[str, str]:
    """Return the settings that decide whether a commit outlives a crash, as a session has them."""
    with psycopg.connect(url, connect_timeout=10) as connection:
        rows = connection.execute(
            """
            SELECT name, setting
              FROM pg_settings
             WHERE name = ANY (%s)
             ORDER BY name
            """,
            [NAMES],
        ).fetchall()
    return dict(rows)
