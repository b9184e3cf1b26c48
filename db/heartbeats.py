"""Owns the sign of life of each program."""

from __future__ import annotations

from datetime import datetime

from db.pool import Connection


async def beat(
    connection: Connection, program: str, instance: str, beat_at: datetime, detail: str
) -> None:
    await connection.execute(
        """
        INSERT INTO heartbeats (program, instance, beat_at, detail)
        VALUES ($1, $2, $3, $4)
            ON CONFLICT (program, instance)
            DO UPDATE SET beat_at = excluded.beat_at, detail = excluded.detail
        """,
        program,
        instance,
        beat_at,
        detail,
    )


async def delete(connection: Connection, program: str, instance: str) -> None:
    """Forget one that has become another."""
    await connection.execute(
        "DELETE FROM heartbeats WHERE program = $1 AND instance = $2", program, instance
    )
