"""Areas added up from what tests put into units."""

from __future__ import annotations

from db.pool import Pool
from ingest import settle


async def add_up(pool: Pool) -> None:
    """Add up the areas of all units that used anything, as settlement does."""
    async with pool.acquire() as connection:
        await connection.execute(
            """
            INSERT INTO stale_areas (region, division, carrier, starts_at, ends_at)
            SELECT region, division, carrier, starts_at, starts_at + INTERVAL '1 hour'
              FROM unit_consumption
              JOIN units USING (unit_id)
            """
        )
        while await settle.settle_region(connection):
            pass
