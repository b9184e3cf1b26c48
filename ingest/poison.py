"""Owns finding a row that the database will never take, by trying halves that are not kept."""

from __future__ import annotations

import asyncpg

import db.intake
import db.patience
from db.pool import Connection, Pool


async def find_row(pool: Pool, rows: list[bytes]) -> tuple[int, asyncpg.PostgresError] | None:
    """Return the first bad row and what the database says of it, in log2(rows) + 1 tries.

    None: it takes all rows, or each by itself; what it refuses is something else.
    """
    error = await _error_of(pool, rows) if rows else None
    if error is None:
        return None
    good, bad = 0, len(rows)  # rows[:good] are taken, rows[:bad] are not
    is_alone = bad == 1
    while bad - good > 1:
        middle = (good + bad) // 2
        found = await _error_of(pool, rows[good:middle])
        if found is None:
            good, is_alone = middle, False
        else:
            bad, error, is_alone = middle, found, middle - good == 1
    if not is_alone:
        error = await _error_of(pool, rows[good:bad])
    return None if error is None else (good, error)


async def _error_of(pool: Pool, rows: list[bytes]) -> asyncpg.PostgresError | None:
    """Return what the database says to `rows`, none of which is kept."""

    async def attempt(connection: Connection) -> asyncpg.PostgresError | None:
        await db.intake.create_staging(connection)
        transaction = connection.transaction()
        await transaction.start()
        try:
            numbered = ((ordinal, row, 0) for ordinal, row in enumerate(rows))
            await db.intake.copy_to_staging(connection, numbered)
            await db.intake.store_staged(connection)
        except asyncpg.PostgresError as error:
            if db.patience.is_of_the_data(error):
                return error
            raise
        finally:
            await transaction.rollback()
        return None

    return await db.patience.patiently(pool, attempt)
