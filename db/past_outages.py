"""Owns what is known of outages in the past: when each gateway was heard, which meters were silent.

A gateway was heard when a message of it came of which readings were stored (`arrivals`): what it
said besides is not kept. Which meters were silent the repair clock knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from db.pool import Connection
from db.scope import Scope
from energy.periods import Span

FLUSH_MAX = timedelta(minutes=10)
"""No message of a flush came so much later than its first one."""


@dataclass(frozen=True, slots=True)
class PastUnit:
    """A unit with where it is, and how many meters it has, by now."""

    unit_id: int
    unit: str
    name: str
    region: str
    city: str
    meters: int


@dataclass(frozen=True, slots=True)
class PastGateway:
    """A gateway that was ever heard."""

    gateway_id: int
    gateway: str
    unit_id: int
    last_seen_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Pause:
    """A gateway was not heard in between. `heard_at` None: it was not before, as far as was looked;
    `back_at` None: nor after it.
    """

    gateway_id: int
    heard_at: datetime | None
    back_at: datetime | None


@dataclass(frozen=True, slots=True)
class Mute:
    """A meter of a unit was silent, by the repair clock; `ends_at` None: it still is."""

    unit_id: int
    starts_at: datetime
    ends_at: datetime | None


async def list_units(connection: Connection, scope: Scope) -> list[PastUnit]:
    rows = await connection.fetch(
        """
        SELECT unit_id, unit, name, region, city, meters
          FROM visible_units($1, $2)
         CROSS JOIN LATERAL (
               SELECT count(*) AS meters
                 FROM meters
                WHERE meters.unit_id = visible_units.unit_id) AS counted
         ORDER BY unit
        """,
        scope.region_prefix,
        scope.unit,
    )
    return [PastUnit(**row) for row in rows]


async def list_gateways(connection: Connection, scope: Scope) -> list[PastGateway]:
    rows = await connection.fetch(
        """
        SELECT gateway_id, gateway, unit_id, last_seen_at, revoked_at
          FROM gateways
          JOIN visible_units($1, $2) USING (unit_id)
         WHERE last_seen_at IS NOT NULL
         ORDER BY unit_id, gateway
        """,
        scope.region_prefix,
        scope.unit,
    )
    return [PastGateway(**row) for row in rows]


async def list_pauses(
    connection: Connection, scope: Scope, span: Span, longer_than: timedelta
) -> list[Pause]:
    """Return, of each gateway that was heard in `span`, until when it was not at first, when it was
    not for longer than so long, and since when not at the end.
    """
    rows = await connection.fetch(
        """
        WITH heard AS MATERIALIZED (
            SELECT gateway_id, received_at,
                   lag(received_at) OVER (PARTITION BY gateway_id ORDER BY received_at) AS before_at
              FROM gateway_arrivals
              JOIN visible_units($1, $2) USING (unit_id)
             WHERE flushed_at >= $3::timestamptz - $6::interval
               AND flushed_at < $4
               AND received_at >= $3
               AND received_at < $4
        )
        SELECT gateway_id, before_at AS heard_at, received_at AS back_at
          FROM heard
         WHERE before_at IS NULL
            OR received_at - before_at > $5
         UNION ALL
        SELECT gateway_id, max(received_at), NULL
          FROM heard
         GROUP BY gateway_id
         ORDER BY gateway_id, back_at
        """,
        scope.region_prefix,
        scope.unit,
        span.starts_at,
        span.ends_at,
        longer_than,
        FLUSH_MAX,
    )
    return [Pause(**row) for row in rows]


async def list_mutes(connection: Connection, scope: Scope, span: Span) -> list[Mute]:
    """Return when meters were silent in `span`."""
    rows = await connection.fetch(
        """
        SELECT unit_id, opened_at AS starts_at, repaired_at AS ends_at
          FROM repairs
          JOIN visible_units($1, $2) USING (unit_id)
         WHERE fault = 'silence'
           AND opened_at < $4
           AND (repaired_at IS NULL OR repaired_at > $3)
         ORDER BY unit_id, opened_at
        """,
        scope.region_prefix,
        scope.unit,
        span.starts_at,
        span.ends_at,
    )
    return [Mute(**row) for row in rows]
