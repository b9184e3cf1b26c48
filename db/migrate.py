"""Owns bringing a database to the newest schema, and telling whether it is there."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import db.logins
from db.pool import Connection

if TYPE_CHECKING:
    from alembic.config import Config


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate the database at `url` to a revision, the newest. Forward only; safe to repeat.

    The logins beside the owner's are then let in.
    """
    from alembic import command  # here: Alembic takes most of a second to import

    command.upgrade(_config(url), revision)
    db.logins.open_all(url)


@cache
def newest_revision() -> str:
    """Return the revision that this code expects."""
    from alembic.script import ScriptDirectory

    head = ScriptDirectory.from_config(_config("")).get_current_head()
    assert head is not None
    return head


async def fetch_revision(connection: Connection) -> str | None:
    """Return the revision the database is at, or None if it was never migrated."""
    present = await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL")
    if not present:
        return None
    revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return revision


def _config(url: str) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(resources.files("migrations")))
    config.attributes["url"] = url.replace("postgresql://", "postgresql+psycopg://", 1)
    return config
