"""Owns suspicions: what the checks look at, and what they found, stored once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from db.pool import Connection
from db.scope import Scope
from energy.periods import Span
from energy.suspicion import Sureness, Suspicion


@dataclass(frozen=True, slots=True)
class SuspicionRow:
    """What was seen of `subject` (meter, gateway, carrier, fact) in [starts_at, ends_at).

    `evidence` is canonical JSON.
    """

    kind: Suspicion
    unit_id: int
    subject: str
    starts_at: datetime
    ends_at: datetime
    sureness: Sureness
    evidence: str
    other_unit_id: int | None = None


@dataclass(frozen=True, slots=True)
class SuspicionEntry:
    """A suspicion as a caller may see it; `other_unit` None: there is none, or not for them."""

    suspicion_id: int
    kind: str
    unit: str
    subject: str
    starts_at: datetime
    ends_at: datetime
    sureness: str
    evidence: str
    concerns_other: bool
    other_unit: str | None
    found_at: datetime


@dataclass(frozen=True, slots=True)
class Used:
    """What a meter used in a bucket, in the reference unit of its carrier."""

    meter_id: int
    starts_at: datetime
    quantity: float | None


@dataclass(frozen=True, slots=True)
class Arrived:
    """The newest reading of a meter in one message, when it was complete by the meter's clock."""

    received_at: datetime
    meter: str
    newest_at: datetime


@dataclass(frozen=True, slots=True)
class Ahead:
    """A message of a gateway with readings from the future: they were rejected."""

    gateway: str
    received_at: datetime
    newest_at: datetime


@dataclass(frozen=True, slots=True)
class Twin:
    """A meter elsewhere that drew the same curve on the same day."""

    starts_at: datetime
    meter: str
    unit_id: int
    other_unit_id: int
    other_meter: str


@dataclass(frozen=True, slots=True)
class Stated:
    """A fact about a unit that was stated after others, or late: judge it by its content."""

    change_id: int
    changed_at: datetime
    actor: str
    noun: str
    subject: str
    content: str | None
    is_first: bool


async def list_used(
    connection: Connection, meter_ids: Sequence[int], span: Span, *, step: str
) -> list[Used]:
    """Return the buckets of meters in `span`; held ones and those with much estimate as unknown."""
    rows = await connection.fetch(
        """
        SELECT meter_id, starts_at,
               CASE WHEN NOT held AND abs(estimated_quantity) <= 0.1 * abs(quantity)
                    THEN quantity END AS quantity
          FROM meter_consumption
         WHERE meter_id = ANY ($1)
           AND step = $4
           AND starts_at >= $2
           AND starts_at < $3
         ORDER BY meter_id, starts_at
        """,
        meter_ids,
        span.starts_at,
        span.ends_at,
        step,
    )
    return [Used(**row) for row in rows]


async def list_arrived(
    connection: Connection, unit_id: int, since: datetime, *, behind: timedelta
) -> list[Arrived]:
    """Return the messages of a unit received since an instant, in order, meter by meter.

    Readings more than `behind` older than that are not looked at: back-fill says nothing of a
    clock.
    """
    rows = await connection.fetch(
        """
        SELECT received_at, meter,
               max(read_at + interval '1 second'
                   * CASE kind WHEN 'interval' THEN interval_s ELSE 0 END) AS newest_at
          FROM readings
          JOIN dated_meters USING (meter_id)
         WHERE unit_id = $1
           AND read_at >= interval_from
           AND read_at < interval_to
           AND read_at >= $2::timestamptz - $3::interval
           AND received_at >= $2
         GROUP BY received_at, meter
         ORDER BY received_at, meter
        """,
        unit_id,
        since,
        behind,
    )
    return [Arrived(**row) for row in rows]


async def list_ahead(connection: Connection, unit: str, since: datetime) -> list[Ahead]:
    """Return the messages since an instant with readings rejected for lying in the future."""
    rows = await connection.fetch(
        """
        SELECT split_part(topic, '/', 5) AS gateway, messages.received_at,
               messages.received_at
                   + max(replace(split_part(detail, ' ahead', 1), ',', '')::interval
                         + interval '1 second'
                           * CASE kind WHEN 'interval' THEN interval_s ELSE 0 END) AS newest_at
          FROM quarantine
          JOIN quarantine_messages AS messages USING (sha256)
          LEFT JOIN units ON unit = $1
          LEFT JOIN dated_meters AS meters
            ON meters.unit_id = units.unit_id
           AND meters.meter = quarantine.meter
           AND interval_to = 'infinity'
         WHERE reason = 'time_in_future'
           AND quarantine.received_at >= $2
           AND split_part(topic, '/', 4) = $1
           AND topic LIKE 'nenghao/v1/%'
           AND detail LIKE '% ahead%'
         GROUP BY gateway, messages.received_at
         ORDER BY gateway, messages.received_at
        """,
        unit,
        since,
    )
    return [Ahead(**row) for row in rows]


async def list_twins(
    connection: Connection, unit_id: int, starts: Sequence[datetime]
) -> list[Twin]:
    """Return the meters of other units with the same curve as one of the unit on the same day."""
    rows = await connection.fetch(
        """
        SELECT ours.starts_at, meters.meter, meters.unit_id, others.unit_id AS other_unit_id,
               others.meter AS other_meter
          FROM quality_days AS ours
          JOIN meters USING (meter_id)
          JOIN quality_days AS theirs
            ON theirs.curve = ours.curve
           AND theirs.starts_at = ours.starts_at
          JOIN meters AS others ON others.meter_id = theirs.meter_id
         WHERE meters.unit_id = $1
           AND ours.starts_at = ANY ($2)
           AND ours.curve IS NOT NULL
           AND others.unit_id <> $1
         ORDER BY ours.starts_at, meters.meter, others.unit_id, others.meter
        """,
        unit_id,
        starts,
    )
    return [Twin(**row) for row in rows]


async def list_stated(
    connection: Connection, unit: str, nouns: Sequence[str], since: datetime
) -> list[Stated]:
    """Return what was stated of a unit since an instant, in order."""
    rows = await connection.fetch(
        """
        SELECT change_id, changed_at, actor, noun, subject, content,
               NOT EXISTS (SELECT FROM changes AS earlier
                            WHERE earlier.noun = changes.noun
                              AND earlier.subject = changes.subject
                              AND earlier.change_id < changes.change_id) AS is_first
          FROM changes
         WHERE noun = ANY ($2)
           AND starts_with(subject, $1 || '/')
           AND changed_at >= $3
         ORDER BY change_id
        """,
        unit,
        nouns,
        since,
    )
    return [Stated(**row) for row in rows]


async def fetch_touching(
    connection: Connection, unit_id: int, kind: Suspicion, subject: str, at: datetime
) -> datetime | None:
    """Return the start of a suspicion that reaches to `at`: it goes on, it is not a new one."""
    found: datetime | None = await connection.fetchval(
        """
        SELECT min(starts_at)
          FROM suspicions
         WHERE unit_id = $1
           AND kind = $2
           AND subject = $3
           AND starts_at <= $4
           AND ends_at >= $4
        """,
        unit_id,
        kind,
        subject,
        at,
    )
    return found


async def store(connection: Connection, rows: Sequence[SuspicionRow], now: datetime) -> None:
    """Store what was found. Seen again, it is brought up to date, not stored twice."""
    await connection.executemany(
        """
        INSERT INTO suspicions (kind, unit_id, subject, starts_at, ends_at, sureness, evidence,
                                other_unit_id, found_at, seen_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
            ON CONFLICT (kind, unit_id, subject, starts_at, other_unit_id)
            DO UPDATE SET ends_at = greatest(suspicions.ends_at, excluded.ends_at),
                          sureness = excluded.sureness, evidence = excluded.evidence,
                          seen_at = excluded.seen_at
        """,
        [
            (row.kind, row.unit_id, row.subject, row.starts_at, row.ends_at, row.sureness,
             row.evidence, row.other_unit_id, now)
            for row in rows
        ],
    )  # fmt: skip


async def list_entries(
    connection: Connection,
    scope: Scope,
    *,
    span: Span,
    region_prefix: str = "",
    unit: str | None = None,
    kind: str | None = None,
    limit: int,
) -> list[SuspicionEntry]:
    """Return the suspicions that touch `span`, the newest first."""
    rows = await connection.fetch(
        """
        SELECT suspicion_id, kind, seen.unit, subject, starts_at, ends_at, sureness, evidence,
               other_unit_id IS NOT NULL AS concerns_other, others.unit AS other_unit, found_at
          FROM suspicions
          JOIN visible_units($1, $2) AS seen USING (unit_id)
          LEFT JOIN visible_units($1, $2) AS others ON others.unit_id = other_unit_id
         WHERE starts_at < $4
           AND ends_at > $3
           AND seen.region LIKE $5 || '%'
           AND ($6::text IS NULL OR seen.unit = $6)
           AND ($7::text IS NULL OR kind = $7)
         ORDER BY starts_at DESC, suspicion_id
         LIMIT $8
        """,
        scope.region_prefix,
        scope.unit,
        span.starts_at,
        span.ends_at,
        region_prefix,
        unit,
        kind,
        limit,
    )
    return [SuspicionEntry(**row) for row in rows]
