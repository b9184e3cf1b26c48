"""Owns the repair clock: standing faults of a unit, when they are due, filed, repaired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection
from db.scope import Scope
from energy.periods import Span
from energy.repairs import Day, Fault, Found, State, Subject, state
from energy.workdays import Deadline, NoDeadline


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest reading of a meter, if it has any."""

    meter_id: int
    read_at: datetime | None
    received_at: datetime | None


@dataclass(frozen=True, slots=True)
class Heard:
    gateway: str
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class RepairEntry:
    """A fault and its clock."""

    repair_id: int
    unit: str
    subject: str
    fault: str
    opened_at: datetime
    due_at: datetime | None
    due_reason: str | None
    filed_at: datetime | None
    repaired_at: datetime | None

    def state(self, now: datetime) -> State:
        reason = None if self.due_reason is None else NoDeadline(self.due_reason)
        return state(Deadline(self.due_at, reason), self.filed_at, self.repaired_at, now)


async def list_latest(connection: Connection, unit_id: int) -> list[Latest]:
    rows = await connection.fetch(
        """
        SELECT meter_id, newest.read_at, newest.received_at
          FROM meters
          LEFT JOIN LATERAL (
                SELECT read_at, received_at
                  FROM readings
                 WHERE readings.meter_id = meters.meter_id
                 ORDER BY read_at DESC
                 LIMIT 1
               ) AS newest ON true
         WHERE unit_id = $1
         ORDER BY meter_id
        """,
        unit_id,
    )
    return [Latest(**row) for row in rows]


async def list_gateways(connection: Connection, unit_id: int) -> list[Heard]:
    rows = await connection.fetch(
        """
        SELECT gateway, last_seen_at
          FROM gateways
         WHERE unit_id = $1
           AND revoked_at IS NULL
         ORDER BY gateway
        """,
        unit_id,
    )
    return [Heard(**row) for row in rows]


async def list_days(connection: Connection, unit_id: int, span: Span) -> dict[int, list[Day]]:
    """Return the measured days of each meter of a unit in `span`, in order, by meter id."""
    found: dict[int, list[Day]] = {}
    for row in await connection.fetch(
        """
        SELECT meter_id, starts_at, starts_at + interval '1 day' AS ends_at, due, present
          FROM quality_days
          JOIN meters USING (meter_id)
         WHERE unit_id = $1
           AND starts_at >= $2
           AND starts_at < $3
         ORDER BY meter_id, starts_at
        """,
        unit_id,
        span.starts_at,
        span.ends_at,
    ):
        day = Day(row["starts_at"], row["ends_at"], row["due"], row["present"])
        found.setdefault(row["meter_id"], []).append(day)
    return found


async def list_standing(connection: Connection, unit_id: int) -> list[Subject]:
    rows = await connection.fetch(
        """
        SELECT subject, fault
          FROM repairs
         WHERE unit_id = $1
           AND repaired_at IS NULL
         ORDER BY subject, fault
        """,
        unit_id,
    )
    return [Subject(row["subject"], Fault(row["fault"])) for row in rows]


async def list_silences(
    connection: Connection, unit_id: int, since: datetime, now: datetime
) -> dict[str, list[Span]]:
    """Return the silences of each meter of a unit that reach beyond `since`, by meter code."""
    found: dict[str, list[Span]] = {}
    for row in await connection.fetch(
        """
        SELECT subject, opened_at, coalesce(repaired_at, $3) AS ended_at
          FROM repairs
         WHERE unit_id = $1
           AND fault = 'silence'
           AND coalesce(repaired_at, $3) > greatest($2, opened_at)
         ORDER BY subject, opened_at
        """,
        unit_id,
        since,
        now,
    ):
        span = Span(row["opened_at"], row["ended_at"])
        found.setdefault(row["subject"], []).append(span)
    return found


async def open_all(
    connection: Connection, unit_id: int, opened: Sequence[tuple[Found, Deadline]]
) -> None:
    """Start the clocks of new faults; one that came back keeps its clock."""
    await connection.executemany(
        """
        INSERT INTO repairs (unit_id, subject, fault, opened_at, due_at, due_reason)
        VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (unit_id, subject, fault, opened_at)
            DO UPDATE SET repaired_at = NULL
        """,
        [
            (unit_id, found.subject.name, found.subject.fault, found.opened_at, due.due_at,
             due.reason)
            for found, due in opened
        ],
    )  # fmt: skip


async def close_all(
    connection: Connection, unit_id: int, repaired: Sequence[tuple[Subject, datetime]]
) -> None:
    await connection.executemany(
        """
        UPDATE repairs
           SET repaired_at = greatest($4, opened_at)
         WHERE unit_id = $1
           AND subject = $2
           AND fault = $3
           AND repaired_at IS NULL
        """,
        [(unit_id, subject.name, subject.fault, at) for subject, at in repaired],
    )


async def list_without_deadline(connection: Connection, unit_id: int) -> list[tuple[int, datetime]]:
    """Return the standing faults of a unit whose year was not known when they were opened."""
    rows = await connection.fetch(
        """
        SELECT repair_id, opened_at
          FROM repairs
         WHERE unit_id = $1
           AND due_at IS NULL
           AND repaired_at IS NULL
         ORDER BY repair_id
        """,
        unit_id,
    )
    return [(row["repair_id"], row["opened_at"]) for row in rows]


async def set_deadline(connection: Connection, repair_id: int, due_at: datetime) -> None:
    await connection.execute(
        "UPDATE repairs SET due_at = $2, due_reason = NULL WHERE repair_id = $1",
        repair_id,
        due_at,
    )


async def fetch(connection: Connection, repair_id: int) -> RepairEntry | None:
    row = await connection.fetchrow(
        """
        SELECT repair_id, unit, subject, fault, opened_at, due_at, due_reason, filed_at,
               repaired_at
          FROM repairs
          JOIN units USING (unit_id)
         WHERE repair_id = $1
        """,
        repair_id,
    )
    return None if row is None else RepairEntry(**row)


async def file(connection: Connection, repair_id: int, filed_at: datetime) -> bool:
    """Note that a fault was reported and its data keyed by hand; False: it was already."""
    done = await connection.fetchval(
        """
        UPDATE repairs
           SET filed_at = $2
         WHERE repair_id = $1
           AND filed_at IS NULL
        RETURNING repair_id
        """,
        repair_id,
        filed_at,
    )
    return done is not None


async def list_entries(
    connection: Connection,
    scope: Scope,
    *,
    span: Span | None = None,
    region_prefix: str = "",
    unit: str | None = None,
    is_standing: bool | None = None,
    limit: int,
) -> list[RepairEntry]:
    """Return faults, the one due first first; with `span`, those that stood in it."""
    rows = await connection.fetch(
        """
        SELECT repair_id, unit, subject, fault, opened_at, due_at, due_reason, filed_at,
               repaired_at
          FROM repairs
          JOIN visible_units($1, $2) USING (unit_id)
         WHERE region LIKE $3 || '%'
           AND ($4::text IS NULL OR unit = $4)
           AND ($5::timestamptz IS NULL OR coalesce(repaired_at, 'infinity') >= $5)
           AND ($6::timestamptz IS NULL OR opened_at < $6)
           AND ($7::boolean IS NULL OR (repaired_at IS NULL) = $7)
         ORDER BY repaired_at IS NOT NULL, due_at NULLS LAST, repair_id
         LIMIT $8
        """,
        scope.region_prefix,
        scope.unit,
        region_prefix,
        unit,
        None if span is None else span.starts_at,
        None if span is None else span.ends_at,
        is_standing,
        limit,
    )
    return [RepairEntry(**row) for row in rows]
