"""Owns reading back what settlement holds for review, or passed over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class DoubtEntry:
    """A doubt with the meter's own code. See `energy.registers.Doubt`."""

    unit: str
    meter: str
    first_at: datetime
    last_at: datetime
    reason: str
    readings: int
    held: bool


async def list_doubts(connection: Connection, *, unit: str | None, limit: int) -> list[DoubtEntry]:
    """Return doubts, held ones first, the newest first. An administrator's query: no scope."""
    rows = await connection.fetch(
        """
        SELECT unit, meter, first_at, last_at, reason, readings, held
          FROM doubts
          JOIN meters USING (meter_id)
          JOIN units USING (unit_id)
         WHERE $1::text IS NULL OR unit = $1
         ORDER BY held DESC, last_at DESC, unit, meter
         LIMIT $2
        """,
        unit,
        limit,
    )
    return [DoubtEntry(**row) for row in rows]
