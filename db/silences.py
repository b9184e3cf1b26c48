"""Owns silences as they are stored: what keeps letters of alerts back, from when to when.

A silence is never changed: that it was approved, or ended before its time, is a row of its own.
`db/silence.py` is about meters that say nothing, which is something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection
from db.scope import Scope

NOUN = "silences"
"""Noun of silences in the ledger of changes, under their number."""

EVENTS_NOUN = "silence_events"
"""Noun of what became of them, under number and kind."""

APPROVED = "approved"
ENDED = "ended"


@dataclass(frozen=True, slots=True)
class HoldingSilence:
    """A silence that holds, as the evaluator needs it. None: whatever it is."""

    silence_id: int
    within: str
    rule_id: int | None = None
    unit_id: int | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class NewSilence:
    """A silence as somebody states it. `is_grave`: it could keep level 1 of a region back; `waits`:
    it acts only once a second person approved it. `acts_in`: prefix of the codes that its rule or
    its subject is about; None: all of its region.
    """

    region: str
    rule_id: int | None
    unit_id: int | None
    subject: str | None
    starts_at: datetime
    ends_at: datetime
    is_grave: bool
    waits: bool
    stated_at: datetime
    actor: str
    reason: str
    acts_in: str | None = None


@dataclass(frozen=True, slots=True)
class SilenceRow:
    """A silence as callers see it. `ended_at`: somebody ended it, before its time."""

    silence_id: int
    region: str
    region_name: str
    within: str
    rule_id: int | None
    unit: str | None
    subject: str | None
    starts_at: datetime
    ends_at: datetime
    is_grave: bool
    waits: bool
    stated_at: datetime
    actor: str
    reason: str
    approved_at: datetime | None
    approved_by: str | None
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None


@dataclass(frozen=True, slots=True)
class StoredSilence:
    """A silence as the ledger of changes vouches for it."""

    silence_id: int
    region: str
    rule_id: int | None
    unit: str | None
    subject: str | None
    starts_at: datetime
    ends_at: datetime
    waits: bool


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """What became of a silence, as the ledger vouches for it."""

    silence_id: int
    kind: str
    happened_at: datetime


async def list_holding(connection: Connection, at: datetime) -> list[HoldingSilence]:
    """Return the silences that hold at an instant."""
    rows = await connection.fetch(
        """
        SELECT silence_id, within, rule_id, unit_id, subject
          FROM silences
         WHERE starts_at <= $1
           AND ends_at > $1
           AND NOT EXISTS (SELECT
                             FROM silence_events
                            WHERE silence_events.silence_id = silences.silence_id
                              AND kind = 'ended'
                              AND happened_at <= $1)
           AND (NOT waits
                OR EXISTS (SELECT
                             FROM silence_events
                            WHERE silence_events.silence_id = silences.silence_id
                              AND kind = 'approved'
                              AND happened_at <= $1))
         ORDER BY silence_id
        """,
        at,
    )
    return [HoldingSilence(**row) for row in rows]


async def list_visible(
    connection: Connection,
    scope: Scope,
    *,
    region_prefix: str,
    is_over: bool | None,
    now: datetime,
    limit: int,
    before_silence_id: int | None,
    silence_id: int | None = None,
) -> list[SilenceRow]:
    """Return silences that act within the scope, the newest first. `is_over`: at `now`."""
    rows = await connection.fetch(
        """
        SELECT silences.silence_id, silences.region, regions.name AS region_name, within, rule_id,
               units.unit, subject, starts_at, ends_at, is_grave, waits, stated_at, silences.actor,
               silences.reason, approved.happened_at AS approved_at, approved.actor AS approved_by,
               ended.happened_at AS ended_at, ended.actor AS ended_by, ended.reason AS end_reason
          FROM visible_silences($1, $2) AS silences
          JOIN regions ON regions.region = silences.region
          LEFT JOIN units USING (unit_id)
          LEFT JOIN silence_events AS approved
            ON approved.silence_id = silences.silence_id AND approved.kind = 'approved'
          LEFT JOIN silence_events AS ended
            ON ended.silence_id = silences.silence_id AND ended.kind = 'ended'
         WHERE silences.region LIKE $3 || '%'
           AND ($4::boolean IS NULL
                OR (ends_at <= $5 OR ended.happened_at IS NOT NULL) = $4)
           AND ($6::integer IS NULL OR silences.silence_id < $6)
           AND ($7::integer IS NULL OR silences.silence_id = $7)
         ORDER BY silences.silence_id DESC
         LIMIT $8
        """,
        scope.region_prefix,
        scope.unit,
        region_prefix,
        is_over,
        now,
        before_silence_id,
        silence_id,
        limit,
    )
    return [SilenceRow(**row) for row in rows]


async def count_standing(connection: Connection, region: str, now: datetime) -> int:
    """Return how many silences of a region are not over."""
    count: int = await connection.fetchval(
        """
        SELECT count(*)
          FROM silences
         WHERE region = $1
           AND ends_at > $2
           AND NOT EXISTS (SELECT
                             FROM silence_events
                            WHERE silence_events.silence_id = silences.silence_id
                              AND kind = 'ended')
        """,
        region,
        now,
    )
    return count


async def insert(connection: Connection, new: NewSilence) -> int:
    """State a silence; return its silence_id."""
    silence_id: int = await connection.fetchval(
        """
        INSERT INTO silences (region, rule_id, unit_id, subject, starts_at, ends_at, is_grave,
                              waits, stated_at, actor, reason, acts_in)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        RETURNING silence_id
        """,
        new.region,
        new.rule_id,
        new.unit_id,
        new.subject,
        new.starts_at,
        new.ends_at,
        new.is_grave,
        new.waits,
        new.stated_at,
        new.actor,
        new.reason,
        new.acts_in,
    )
    return silence_id


async def insert_event(
    connection: Connection, silence_id: int, kind: str, at: datetime, actor: str, reason: str
) -> bool:
    """Note what became of a silence; False: somebody was faster."""
    noted: int | None = await connection.fetchval(
        """
        INSERT INTO silence_events (silence_id, kind, happened_at, actor, reason)
        VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (silence_id, kind) DO NOTHING
        RETURNING silence_id
        """,
        silence_id,
        kind,
        at,
        actor,
        reason,
    )
    return noted is not None


async def list_stored(connection: Connection) -> Sequence[StoredSilence]:
    """Return every silence."""
    rows = await connection.fetch(
        """
        SELECT silence_id, silences.region, rule_id, unit, subject, starts_at, ends_at, waits
          FROM silences
          LEFT JOIN units USING (unit_id)
         ORDER BY silence_id
        """
    )
    return [StoredSilence(**row) for row in rows]


async def list_stored_events(connection: Connection) -> Sequence[StoredEvent]:
    """Return all that became of silences."""
    rows = await connection.fetch(
        "SELECT silence_id, kind, happened_at FROM silence_events ORDER BY silence_id, kind"
    )
    return [StoredEvent(**row) for row in rows]
