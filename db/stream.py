"""Owns the order of the event stream: positions given to what has been committed, in turn.

Numbers that writers take are given before their commit: whoever reads by them misses what commits
late. A position is given afterwards, by one process at a time, to what it sees: what has a position
was there when the next one was given.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection
from db.scope import Scope

LOCK_KEY = 0x7374726D  # "strm": advisory lock of who gives positions


@dataclass(frozen=True, slots=True)
class Place:
    """What was passed on: all up to `position`, and of that the first `ordinal`; None: all of it.

    >>> str(Place(7)), str(Place(7, 2))
    ('7', '7.2')
    """

    position: int
    ordinal: int | None = None

    def __str__(self) -> str:
        return str(self.position) if self.ordinal is None else f"{self.position}.{self.ordinal}"


@dataclass(frozen=True, slots=True)
class AcceptedBatch:
    """A message of which readings were stored; `stored` counts those that are new."""

    position: int
    ordinal: int
    unit: str
    region: str
    gateway: str
    batch: str | None
    received_at: datetime
    stored: int


@dataclass(frozen=True, slots=True)
class AlertChange:
    """Something that happened to an alert; `level` and `state` are those it has now."""

    position: int
    ordinal: int
    event_id: int
    alert_id: int
    rule_kind: str | None
    rule: str | None
    region: str
    unit: str | None
    subject: str
    change: str
    happened_at: datetime
    measured: float | None
    uom: str
    reason: str
    level: int
    state: str


async def try_lock(connection: Connection) -> bool:
    """Become who gives positions until this transaction ends; False: another does."""
    locked: bool = await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK_KEY)
    return locked


async def place_arrivals(connection: Connection, limit: int) -> int:
    """Give positions to flushes that were committed; return how many were given."""
    answer = await connection.execute(
        """
        WITH new AS MATERIALIZED (
            SELECT first_link_id
              FROM arrivals
             WHERE position IS NULL
             ORDER BY first_link_id
             LIMIT $1
        )
        UPDATE arrivals
           SET position = placed.position
          FROM (SELECT first_link_id, nextval('stream_positions') AS position FROM new) AS placed
         WHERE arrivals.first_link_id = placed.first_link_id
        """,
        limit,
    )
    return int(answer.rpartition(" ")[2])


async def place_alert_events(connection: Connection, limit: int) -> int:
    """Give positions to what happened to alerts; return how many were given."""
    answer = await connection.execute(
        """
        WITH new AS MATERIALIZED (
            SELECT event_id
              FROM alert_events
             WHERE position IS NULL
             ORDER BY event_id
             LIMIT $1
        )
        UPDATE alert_events
           SET position = placed.position
          FROM (SELECT event_id, nextval('stream_positions') AS position FROM new) AS placed
         WHERE alert_events.event_id = placed.event_id
        """,
        limit,
    )
    return int(answer.rpartition(" ")[2])


async def fetch_newest(connection: Connection) -> int:
    """Return the newest position; 0: there is none."""
    newest: int = await connection.fetchval(
        """
        SELECT greatest((SELECT max(position) FROM arrivals),
                        (SELECT max(position) FROM alert_events), 0)
        """
    )
    return newest


async def list_batches(
    connection: Connection,
    scope: Scope,
    *,
    after: Place,
    upto: int,
    region_prefix: str,
    unit: str | None,
    limit: int,
) -> list[AcceptedBatch]:
    """Return visible batches after a place, up to and with a position, in order."""
    rows = await connection.fetch(
        """
        SELECT position, ordinal, units.unit, units.region, gateway, batch, received_at, stored
          FROM accepted_batches
          JOIN visible_units($1, $2) AS units USING (unit_id)
         WHERE position >= $3
           AND position <= $4
           AND (position > $3 OR ordinal > $5)
           AND units.region LIKE $6 || '%'
           AND ($7::text IS NULL OR units.unit = $7)
         ORDER BY position, ordinal
         LIMIT $8
        """,
        scope.region_prefix,
        scope.unit,
        *_bounds(after, upto),
        region_prefix,
        unit,
        limit,
    )
    return [AcceptedBatch(**row) for row in rows]


async def list_alert_changes(
    connection: Connection,
    scope: Scope,
    *,
    after: Place,
    upto: int,
    region_prefix: str,
    unit: str | None,
) -> list[AlertChange]:
    """Return what happened to visible alerts after a place, up to and with a position, in order."""
    rows = await connection.fetch(
        """
        SELECT position, 1 AS ordinal, event_id, alert_id, rules.kind AS rule_kind,
               said.name AS rule, alerts.region, units.unit, subject, events.kind AS change,
               happened_at, events.measured, uom, events.reason, level, state
          FROM alert_events AS events
          JOIN visible_alerts($1, $2) AS alerts USING (alert_id)
          LEFT JOIN rules ON rules.rule_id = alerts.rule_id
          LEFT JOIN rule_versions AS said
            ON said.rule_id = alerts.rule_id
           AND said.version = coalesce(events.rule_version, alerts.rule_version)
          LEFT JOIN units ON units.unit_id = alerts.unit_id
         WHERE position >= $3
           AND position <= $4
           AND (position > $3 OR 1 > $5)
           AND alerts.region LIKE $6 || '%'
           AND ($7::text IS NULL OR units.unit = $7)
         ORDER BY position
        """,
        scope.region_prefix,
        scope.unit,
        *_bounds(after, upto),
        region_prefix,
        unit,
    )
    return [AlertChange(**row) for row in rows]


def _bounds(after: Place, upto: int) -> tuple[int, int, int]:
    """Return the first and last position to look at, and after which ordinal of the first."""
    if after.ordinal is None:
        return after.position + 1, upto, 0
    return after.position, upto, after.ordinal
