"""Owns what the checks of a night found, and which of them are still to be done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from db.pool import Connection

LOCK = 0x6E676874
"""Key of the advisory lock ("nght") of whoever is at a check."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a part of the verification found when it was looked at last."""

    part: str
    night: date
    checked_at: datetime
    findings: int
    first_fault: str | None


async def try_lock(connection: Connection) -> bool:
    """Return whether nobody else is at a check; nobody will be, until this transaction ends."""
    got: bool = await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK)
    return got


async def list_newest(connection: Connection, night: date) -> list[Checked]:
    """Return of each part what was found last, until `night`: none is done before it came."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (part)
               part, night, checked_at, findings, first_fault
          FROM nightly_checks
         WHERE night <= $1
         ORDER BY part, night DESC
        """,
        night,
    )
    return [Checked(**row) for row in rows]


async def note(connection: Connection, checked: Checked) -> None:
    await connection.execute(
        """
        INSERT INTO nightly_checks (part, night, checked_at, findings, first_fault)
        VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (part, night) DO NOTHING
        """,
        checked.part,
        checked.night,
        checked.checked_at,
        checked.findings,
        checked.first_fault,
    )
