"""Owns who collects under a name: one holder at a time, its epoch, its totals.

A lock says who may; the epoch makes sure. A holder that was frozen and lost its lock finds, in the
very transaction that would store, that its epoch is no longer the latest (a fencing token).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.intake import Totals
from db.links import ReadingLink
from db.pool import Connection
from energy.ledger import Head

Arrival = tuple[int | None, datetime, bytes, str | None, int]
"""gateway_id (None: of a file), received_at, sha256, batch, stored"""

LINK_IDS = 2**32
"""Links that one who stores may make: the lower half of a link_id."""


@dataclass(frozen=True, slots=True)
class Term:
    """What who begins to store is given: an epoch, where the chain stands, a span of link ids.

    `linked_at` is the time of the newest link of the chain; None: it has none.
    """

    epoch: int
    head: Head
    linked_at: datetime | None
    first_link_id: int


async def try_lock(connection: Connection, collector: str) -> bool:
    """Take the lock of `collector` for as long as `connection` lives; False: another has it."""
    is_taken: bool = await connection.fetchval(
        "SELECT pg_try_advisory_lock(hashtextextended('nenghao collector ' || $1, 0))", collector
    )
    return is_taken


async def break_lock(connection: Connection, collector: str, silent_s: float) -> bool:
    """End the session that holds the lock if it has asked nothing for `silent_s`."""
    broken: bool = await connection.fetchval(
        """
        WITH key AS (
            SELECT hashtextextended('nenghao collector ' || $1, 0) AS whole
        )
        SELECT coalesce(bool_or(pg_terminate_backend(pid)), false)
          FROM key, pg_locks
          JOIN pg_stat_activity USING (pid)
         WHERE locktype = 'advisory'
           AND query_start < clock_timestamp() - make_interval(secs => $2)
           AND granted
           AND objsubid = 1
           AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND classid::bigint << 32 | objid::bigint = whole
        """,
        collector,
        silent_s,
    )
    return broken


async def begin_epoch(connection: Connection, collector: str) -> Term:
    """Begin to collect under this name. What earlier holders send is refused from now on."""
    row = await connection.fetchrow(
        """
        INSERT INTO ingest_totals AS t (collector, epoch)
        VALUES ($1, 1)
            ON CONFLICT (collector)
            DO UPDATE SET epoch = t.epoch + 1
        RETURNING epoch, t.links, head, nextval('link_terms') AS term,
                  (SELECT stored_at
                     FROM links
                    WHERE chain = collector
                      AND number = t.links) AS linked_at
        """,
        collector,
    )
    assert row is not None
    head = Head(row["links"], row["head"])
    return Term(row["epoch"], head, row["linked_at"], row["term"] * LINK_IDS)


async def add_totals(
    connection: Connection,
    collector: str,
    epoch: int,
    more: Totals,
    flush: UUID,
    head: Head,
    links: Sequence[ReadingLink],
    arrivals: Sequence[Arrival],
) -> bool:
    """Count a flush, leave its name, and append its `links` to the chain that ends with `head`;
    under the first of them are kept the `arrivals`, the messages it stored readings of.

    False: a later holder has begun, nothing may be stored.
    """
    held: int = await connection.fetchval(
        """
        WITH held AS (
            UPDATE ingest_totals
               SET received    = received + $3,
                   stored      = stored + $4,
                   duplicate   = duplicate + $5,
                   conflicting = conflicting + $6,
                   rejected    = rejected + $7,
                   repeated    = repeated + $8,
                   last_flush  = $9,
                   links       = links + cardinality($11::bigint[]),
                   head        = coalesce(($17::bytea[])[cardinality($17::bytea[])], head)
             WHERE collector = $1
               AND epoch = $2
               AND links = $10
            RETURNING collector
        ), linked AS (
            INSERT INTO links (chain, number, link_id, stored_at, week_at, readings, content,
                               sha256)
            SELECT collector, added.*
              FROM held
             CROSS JOIN unnest($11::bigint[], $12::bigint[], $13::timestamptz[],
                               $14::timestamptz[], $15::integer[], $16::bytea[], $17::bytea[])
                        AS added
        ), arrived AS (
            INSERT INTO arrivals (first_link_id, gateway_ids, received_at, sha256, batches,
                                  stored)
            SELECT ($12::bigint[])[1], $18::integer[], $19::timestamptz[], $20::bytea[],
                   $21::text[], $22::integer[]
              FROM held
             WHERE cardinality($12::bigint[]) > 0
        )
        SELECT count(*)
          FROM held
        """,
        collector,
        epoch,
        more.received,
        more.stored,
        more.duplicate,
        more.conflicting,
        more.rejected,
        more.repeated,
        flush,
        head.number,
        [link.number for link in links],
        [link.link_id for link in links],
        [link.stored_at for link in links],
        [link.week_at for link in links],
        [link.readings for link in links],
        [link.content for link in links],
        [link.sha256 for link in links],
        *([each[column] for each in arrivals] for column in range(5)),
    )
    return held == 1


async def fetch_last_flush(connection: Connection, collector: str) -> UUID | None:
    """Return the name of the last flush committed: it tells what became of an unanswered one."""
    last_flush: UUID | None = await connection.fetchval(
        "SELECT last_flush FROM ingest_totals WHERE collector = $1", collector
    )
    return last_flush


async def beat(
    connection: Connection,
    collector: str,
    epoch: int,
    beat_at: datetime,
    detail: str,
    *,
    program: str,
) -> bool:
    """Give a sign of life under this name; False: a later holder has begun, it is his now.

    Its row of totals is locked meanwhile: he begins before, or after.
    """
    said: str | None = await connection.fetchval(
        """
        WITH held AS (
            SELECT collector
              FROM ingest_totals
             WHERE collector = $1
               AND epoch = $2
               FOR SHARE
        )
        INSERT INTO heartbeats (program, instance, beat_at, detail)
        SELECT $5, collector, $3, $4
          FROM held
            ON CONFLICT (program, instance)
            DO UPDATE SET beat_at = excluded.beat_at, detail = excluded.detail
        RETURNING instance
        """,
        collector,
        epoch,
        beat_at,
        detail,
        program,
    )
    return said is not None
