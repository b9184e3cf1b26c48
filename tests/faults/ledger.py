"""What was sent, what was receipted and what is stored, compared as sets and not as counts."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg

import db.pool
from app import verification
from app.findings import Finding

Key = tuple[str, str, datetime]
"""unit, meter, instant"""


@dataclass
class Ledger:
    """The readings that gateways sent, and what must hold of them at the end of a test."""

    sent: dict[Key, float] = field(default_factory=dict)

    def note(self, unit: str, meter: str, read_at: datetime, value: float) -> None:
        self.sent[unit, meter, read_at.astimezone(UTC)] = value

    def check(self, url: str, *, promised: set[Key] | None = None) -> None:
        """Fail unless all that was promised, by default all that was sent, is stored as sent.

        The primary key makes a second row impossible; the totals show a batch counted twice.
        """
        with psycopg.connect(url, options="-c timezone=UTC") as connection:
            stored = {
                (unit, meter, read_at): value
                for unit, meter, read_at, value in connection.execute(
                    "SELECT unit, meter, read_at, raw_value FROM readings "
                    "JOIN meters USING (meter_id) JOIN units USING (unit_id)"
                )
            }
            conserved(connection, stored=len(stored))
        lost = (set(self.sent) if promised is None else promised) - set(stored)
        assert not lost, f"{len(lost)} readings lost, the first {min(lost)}"
        foreign = set(stored) - set(self.sent)
        assert not foreign, f"{len(foreign)} readings that nobody sent, such as {min(foreign)}"
        wrong = [key for key, value in stored.items() if self.sent[key] != value]
        assert not wrong, f"{len(wrong)} readings with another value, such as {wrong[0]}"
        with ThreadPoolExecutor(1) as aside:  # a loop of its own: the test may run in one
            found = aside.submit(asyncio.run, findings(url)).result()
        assert found == [], "every reading is vouched for by a chain that holds"


async def findings(url: str) -> list[Finding]:
    """Return what `nenghao verify` finds."""
    async with (
        await db.pool.create_pool(url) as pool,
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        report = await verification.verify(connection, [], lambda check, done, total: None)
    assert report.notes == []
    return report.findings


def conserved(connection: psycopg.Connection[Any], *, stored: int) -> None:
    """Fail unless received = stored + duplicate + conflicting + rejected, and stored is what is."""
    row = connection.execute(
        "SELECT sum(received), sum(stored) + sum(duplicate) + sum(conflicting) + sum(rejected), "
        "sum(stored) FROM ingest_totals"
    ).fetchone()
    assert row is not None
    received, became, counted = row
    assert received == became, "received = stored + duplicate + conflicting + rejected"
    assert counted == stored
