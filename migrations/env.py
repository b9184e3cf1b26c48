"""Alembic environment: one psycopg connection, time-outs set before anything is locked."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool, text

LOCK_TIMEOUT_MS = 5_000
STATEMENT_TIMEOUT_MS = 600_000
ADVISORY_LOCK_KEY = 0x6E656E67  # "neng": two `nenghao migrate` at once take turns


def run() -> None:
    url = context.config.attributes["url"]
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text(f"SET lock_timeout = {LOCK_TIMEOUT_MS}"))
        connection.execute(text(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}"))
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK_KEY})
        connection.commit()
        context.configure(connection=connection, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


run()
