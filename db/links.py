"""Owns the chain over readings: a link for each flush and week, and what the readings come to now.

A chain belongs to the name of a collector. Its links are made where the readings are stored and
written in the same transaction; verification reads them back and the readings beside them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from db.pool import Connection
from db.reading_rows import Part
from energy import instants, ledger
from energy.ledger import Head, Link
from energy.periods import Span


@dataclass(frozen=True, slots=True)
class ReadingLink:
    """A link as it is stored; `content` is the hash of its readings' COPY rows. [32 bytes]"""

    number: int
    link_id: int
    stored_at: datetime
    week_at: datetime
    readings: int
    content: bytes
    sha256: bytes

    @property
    def head(self) -> Head:
        return Head(self.number, self.sha256)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A link whose readings are not those it vouches for. `number` None: there is no such link.

    `kept` is how many readings it vouches for, `found` how many there are.
    """

    chain: str | None
    number: int | None
    link_id: int
    kept: int
    found: int


@dataclass(frozen=True, slots=True)
class Backdated:
    """A link that says it is older than the one before it, or than a head that does not know it."""

    chain: str
    number: int
    stored_at: datetime
    latest: datetime
    past_head: bool


@dataclass(frozen=True, slots=True)
class Unlinked:
    """Readings of a week without a link; `since_begun` of them came when the ledger had begun.

    `content` is the hash of all of them. [32 bytes]
    """

    readings: int
    since_begun: int
    content: bytes


def vouched(
    chain: str,
    number: int,
    link_id: int,
    stored_at: datetime,
    week_at: datetime,
    readings: int,
    content: bytes,
) -> str:
    """Return what a link vouches for."""
    times = (at.astimezone(UTC).isoformat(timespec="microseconds") for at in (stored_at, week_at))
    return ledger.canonical([chain, number, link_id, *times, readings, content.hex()])


def follow(chain: str, head: Head, stored_at: datetime, part: Part, body: bytes) -> ReadingLink:
    """Return the link of a part and its COPY rows `body`, next after `head`."""
    number, content, readings = head.number + 1, hashlib.sha256(body).digest(), len(part.rows)
    week_at = instants.moment(instants.week_start(part.week))
    said = vouched(chain, number, part.link_id, stored_at, week_at, readings, content)
    digest = ledger.digest(head.digest, said)
    return ReadingLink(number, part.link_id, stored_at, week_at, readings, content, digest)


async def list_chains(connection: Connection) -> list[tuple[str, Head]]:
    """Return every chain and its head as its collector left it; those with links, too."""
    rows = await connection.fetch(
        """
        SELECT chain, coalesce(ingest_totals.links, 0) AS links, head
          FROM (SELECT collector AS chain
                  FROM ingest_totals
                 WHERE links > 0
                UNION
                SELECT DISTINCT chain
                  FROM links) AS named
          LEFT JOIN ingest_totals ON collector = chain
         ORDER BY chain
        """
    )
    return [(row["chain"], Head(row["links"], row["head"] or ledger.GENESIS)) for row in rows]


async def list_links(
    connection: Connection, chain: str, *, after: int, limit: int = 10_000
) -> list[Link]:
    """Return links of a chain in order, each with the text it vouches for as it stands."""
    rows = await connection.fetch(
        """
        SELECT number, link_id, stored_at, week_at, readings, content, sha256
          FROM links
         WHERE chain = $1
           AND number > $2
         ORDER BY number
         LIMIT $3
        """,
        chain,
        after,
        limit,
    )
    return [
        Link(
            row["number"],
            vouched(
                chain,
                row["number"],
                row["link_id"],
                row["stored_at"],
                row["week_at"],
                row["readings"],
                row["content"],
            ),
            row["sha256"],
        )
        for row in rows
    ]


async def list_backdated(
    connection: Connection, kept: Sequence[tuple[str, int, datetime]], limit: int
) -> list[Backdated]:
    """Return links whose time is before that of an earlier link of their chain, or of a head.

    `kept` are heads: how many links a chain had, and when at the latest. Only the link after a
    head is held against it: those after that one are held against each other.
    """
    rows = await connection.fetch(
        """
        SELECT chain, number, stored_at, latest, false AS past_head
          FROM (SELECT chain, number, stored_at,
                       max(stored_at) OVER (PARTITION BY chain ORDER BY number
                                            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                       AS latest
                  FROM links) AS followed
         WHERE stored_at < latest
         UNION ALL
        SELECT chain, number, stored_at, noted_at, true
          FROM unnest($1::text[], $2::bigint[], $3::timestamptz[]) AS kept (chain, head, noted_at)
          JOIN links USING (chain)
         WHERE number = head + 1
           AND stored_at < noted_at
         ORDER BY chain, number
         LIMIT $4
        """,
        [chain for chain, _, _ in kept],
        [head for _, head, _ in kept],
        [noted_at for _, _, noted_at in kept],
        limit,
    )
    return [Backdated(**row) for row in rows]


async def list_weeks(connection: Connection) -> list[Span]:
    """Return the weeks in which links say that there are readings, or chunks could hold some."""
    rows = await connection.fetch(
        """
        WITH aligned AS (
            SELECT range_start - (extract(epoch FROM range_start)::bigint % 604800)
                                 * interval '1 second' AS first_at, range_end
              FROM timescaledb_information.chunks
             WHERE hypertable_name = 'readings'
        )
        SELECT week_at
          FROM links
        UNION
        SELECT generate_series(first_at, range_end - interval '1 microsecond', '7 days')
          FROM aligned
         ORDER BY 1
        """
    )
    return [Span(row["week_at"], row["week_at"] + instants.WEEK_LONG) for row in rows]


async def list_mismatches(connection: Connection, week: Span, limit: int) -> list[Mismatch]:
    """Return links of a week whose readings are not, byte for byte, those they vouch for.

    The row is written as COPY writes it: a field's length, then its bytes, six times. Readings are
    gone through once, sorted by link; what does not fit into memory is sorted on disk.
    """
    rows = await connection.fetch(
        r"""
        WITH found AS (
            SELECT link_id, count(*) AS readings,
                   sha256(string_agg('\x000600000004'::bytea || int4send(meter_id)
                                     || '\x00000008'::bytea  || timestamptz_send(read_at)
                                     || '\x00000008'::bytea  || float8send(raw_value)
                                     || int4send(octet_length(quality)) || textsend(quality)
                                     || '\x00000008'::bytea  || timestamptz_send(received_at)
                                     || '\x00000008'::bytea  || int8send(link_id),
                                     ''::bytea ORDER BY meter_id, read_at)) AS content
              FROM readings
             WHERE read_at >= $1
               AND read_at < $2
               AND link_id IS NOT NULL
             GROUP BY link_id
        ), kept AS (
            SELECT chain, number, link_id, readings, content
              FROM links
             WHERE week_at = $1
        )
        SELECT coalesce(kept.chain, of_another_week.chain) AS chain,
               coalesce(kept.number, of_another_week.number) AS number, link_id,
               coalesce(kept.readings, 0) AS kept, coalesce(found.readings, 0) AS found
          FROM found
          FULL JOIN kept USING (link_id)
          LEFT JOIN links AS of_another_week USING (link_id)
         WHERE kept.content IS DISTINCT FROM found.content
         ORDER BY number NULLS LAST, chain, link_id
         LIMIT $3
        """,
        week.starts_at,
        week.ends_at,
        limit,
    )
    return [Mismatch(**row) for row in rows]


async def fetch_unlinked(connection: Connection, week: Span) -> Unlinked | None:
    """Return what there is of readings without a link in a week; None: there are none.

    They are hashed meter by meter, and these hashes together: there may be more of them than one
    value can hold.
    """
    row = await connection.fetchrow(
        r"""
        WITH by_meter AS (
            SELECT meter_id, count(*) AS readings,
                   count(*) FILTER (WHERE received_at >= (SELECT min(stored_at) FROM links))
                   AS since_begun,
                   sha256(string_agg(int4send(meter_id) || timestamptz_send(read_at)
                                     || float8send(raw_value) || timestamptz_send(received_at)
                                     || int4send(octet_length(quality)) || textsend(quality),
                                     ''::bytea ORDER BY read_at)) AS content
              FROM readings
             WHERE read_at >= $1
               AND read_at < $2
               AND link_id IS NULL
             GROUP BY meter_id
        )
        SELECT sum(readings)::bigint AS readings, sum(since_begun)::bigint AS since_begun,
               sha256(string_agg(content, ''::bytea ORDER BY meter_id)) AS content
          FROM by_meter
        HAVING count(*) > 0
        """,
        week.starts_at,
        week.ends_at,
    )
    return None if row is None else Unlinked(**row)
