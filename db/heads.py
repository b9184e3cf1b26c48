"""Owns the daily heads of all chains: by them a tail that was cut off is found."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from db.pool import Connection
from energy.ledger import Head
from energy.periods import LOCAL

NEWEST_WITHIN = timedelta(days=3)
"""How far back the newest day is looked for of which heads were kept."""

CHANGES = "changes"
AUDIT = "audit"
READINGS = "readings/"
"""What the name of a collector follows in the name of its chain."""


@dataclass(frozen=True, slots=True)
class KeptHead:
    """Where a chain stood at `noted_at`, some time after `day` (of Asia/Shanghai) had ended."""

    day: date
    chain: str
    head: Head
    noted_at: datetime


async def note(connection: Connection, day: date, now: datetime) -> int:
    """Keep the heads of the chains that have grown, once a day; return how many were kept.

    What begins to grow later waits for the next day: its head would be of hours after `day`.
    """
    answer = await connection.execute(
        """
        INSERT INTO heads (day, chain, links, sha256, noted_at)
        SELECT $1, chain, links, sha256, $2
          FROM chain_heads AS newest
         WHERE links > (SELECT coalesce(max(kept.links), 0)
                          FROM heads AS kept
                         WHERE kept.chain = newest.chain)
           AND NOT EXISTS (SELECT
                             FROM heads
                            WHERE day = $1)
            ON CONFLICT (day, chain) DO NOTHING
        """,
        day,
        now,
    )
    return int(answer.rpartition(" ")[2])


async def list_present(connection: Connection) -> list[tuple[str, Head]]:
    """Return where every chain stands, as whoever appends to it left it."""
    rows = await connection.fetch(
        """
        SELECT chain, links, sha256
          FROM chain_heads
         ORDER BY chain
        """
    )
    return [(row["chain"], Head(row["links"], row["sha256"])) for row in rows]


async def list_kept(connection: Connection, since: date | None = None) -> list[KeptHead]:
    """Return the heads that were kept, oldest first; with `since`, those from that day on."""
    rows = await connection.fetch(
        """
        SELECT day, chain, links, sha256, noted_at
          FROM heads
         WHERE $1::date IS NULL
            OR day >= $1
         ORDER BY day, chain
        """,
        since,
    )
    return [
        KeptHead(row["day"], row["chain"], Head(row["links"], row["sha256"]), row["noted_at"])
        for row in rows
    ]


async def list_newest(connection: Connection, now: datetime) -> list[KeptHead]:
    """Return the heads that were kept of the newest day, not long ago: those of letters."""
    kept = await list_kept(connection, now.astimezone(LOCAL).date() - NEWEST_WITHIN)
    return [each for each in kept if each.day == kept[-1].day]


def written(heads: Sequence[KeptHead]) -> str:
    """Return heads as JSON, a line each: what a witness elsewhere keeps."""
    lines = [
        json.dumps(
            {
                "day": each.day.isoformat(),
                "chain": each.chain,
                "links": each.head.number,
                "sha256": each.head.digest.hex(),
                "noted_at": each.noted_at.astimezone(LOCAL).isoformat(),
            },
            ensure_ascii=False,
        )
        for each in heads
    ]
    return "[" + ",\n ".join(lines) + "]"


async def fetch_digests(
    connection: Connection, chain: str, numbers: Collection[int]
) -> dict[int, bytes]:
    """Return the hashes of links of a chain, by number; those that are not there are left out."""
    rows = await connection.fetch(
        """
        SELECT change_id AS number, sha256
          FROM changes
         WHERE $1 = 'changes'
           AND change_id = ANY ($2)
         UNION ALL
        SELECT number, sha256
          FROM links
         WHERE starts_with($1, 'readings/')
           AND chain = substr($1, 10)
           AND number = ANY ($2)
         UNION ALL
        SELECT number, sha256
          FROM audit_links
         WHERE $1 = 'audit'
           AND number = ANY ($2)
         UNION ALL
        SELECT links, sha256
          FROM audit_removals
         WHERE $1 = 'audit'
           AND links = ANY ($2)
         ORDER BY number
        """,
        chain,
        list(numbers),
    )
    return {row["number"]: row["sha256"] for row in rows}
