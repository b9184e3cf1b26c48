"""Owns corrections: what holds now in place of a reading, and what was known of it on a day.

The reading itself is never changed. Who stated a correction, why, and what held before stands in
the ledger of changes, under the subject unit/meter/instant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from asyncpg import Record

import db.changes
from db.changes import Change, Content, Fact
from db.pool import Connection
from db.scope import Scope

NOUN = "corrections"


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """What is to hold in place of the reading of a meter at a time.

    `value` is in the meter's unit of measure, before its multiplier; None: the reading is set
    aside.
    """

    unit: str
    meter: str
    time: datetime
    value: float | None

    @property
    def subject(self) -> str:
        return subject(self.unit, self.meter, self.time)

    def fact(self) -> Fact:
        content: Content = {
            "unit": self.unit,
            "meter": self.meter,
            "time": self.time.astimezone(UTC).isoformat(),
            "value": self.value,
        }
        return Fact(NOUN, self.subject, content)

    def withdrawal(self) -> Fact:
        return Fact(NOUN, self.subject, None)


@dataclass(frozen=True, slots=True)
class Target:
    """The reading that a correction is about."""

    unit_id: int
    meter_id: int
    read_at: datetime
    raw_value: float


def subject(unit: str, meter: str, time: datetime) -> str:
    """Return the key of a correction in the ledger of changes."""
    return f"{unit}/{meter}/{time.astimezone(UTC).isoformat()}"


async def list_visible_targets(
    connection: Connection, scope: Scope, rows: Sequence[CorrectionRow]
) -> dict[str, Target]:
    """Return the readings that `rows` are about, as `list_targets`, as far as they may be seen."""
    found = await connection.fetch(
        """
        SELECT wanted.unit, wanted.meter, unit_id, meter_id, read_at, raw_value
          FROM unnest($3::text[], $4::text[], $5::timestamptz[]) AS wanted (unit, meter, time)
          JOIN visible_units($1, $2) AS units ON units.unit = wanted.unit
          JOIN meters USING (unit_id)
          JOIN readings USING (meter_id)
         WHERE meters.meter = wanted.meter
           AND read_at = wanted.time
         ORDER BY meter_id, read_at
        """,
        scope.region_prefix,
        scope.unit,
        [row.unit for row in rows],
        [row.meter for row in rows],
        [row.time for row in rows],
    )
    return _by_subject(found)


async def list_targets(connection: Connection, rows: Sequence[CorrectionRow]) -> dict[str, Target]:
    """Return the readings that `rows` are about, by subject; those without one are left out."""
    found = await connection.fetch(
        """
        SELECT wanted.unit, wanted.meter, unit_id, meter_id, read_at, raw_value
          FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS wanted (unit, meter, time)
          JOIN units ON units.unit = wanted.unit
          JOIN meters USING (unit_id)
          JOIN readings USING (meter_id)
         WHERE meters.meter = wanted.meter
           AND read_at = wanted.time
         ORDER BY meter_id, read_at
        """,
        [row.unit for row in rows],
        [row.meter for row in rows],
        [row.time for row in rows],
    )
    return _by_subject(found)


def _by_subject(found: Iterable[Record]) -> dict[str, Target]:
    return {
        subject(row["unit"], row["meter"], row["read_at"]): Target(
            row["unit_id"], row["meter_id"], row["read_at"], row["raw_value"]
        )
        for row in found
    }


async def list_standing(
    connection: Connection, units: Collection[str] | None = None
) -> list[CorrectionRow]:
    """Return the corrections that hold now, all or those of `units`."""
    rows = await connection.fetch(
        """
        SELECT unit, meter, read_at AS time, value
          FROM corrections
          JOIN meters USING (meter_id)
          JOIN units USING (unit_id)
         WHERE $1::text[] IS NULL
            OR unit = ANY ($1)
         ORDER BY unit, meter, read_at
        """,
        None if units is None else list(units),
    )
    return [CorrectionRow(**row) for row in rows]


async def upsert(
    connection: Connection, corrections: Sequence[tuple[Target, float | None]]
) -> None:
    """Let corrections hold, and mark the hours of their readings stale."""
    await connection.execute(
        """
        WITH stated AS (
            SELECT unit_id, meter_id, read_at, value
              FROM unnest($1::integer[], $2::integer[], $3::timestamptz[],
                          $4::double precision[]) AS stated (unit_id, meter_id, read_at, value)
        ), marked AS (
            INSERT INTO stale_ranges (unit_id, meter_id, starts_at, ends_at)
            SELECT unit_id, meter_id, date_trunc('hour', read_at, 'UTC'),
                   date_trunc('hour', read_at, 'UTC') + interval '1 hour'
              FROM stated
        )
        INSERT INTO corrections (meter_id, read_at, value)
        SELECT meter_id, read_at, value
          FROM stated
            ON CONFLICT (meter_id, read_at)
            DO UPDATE SET value = excluded.value
        """,
        [target.unit_id for target, _ in corrections],
        [target.meter_id for target, _ in corrections],
        [target.read_at for target, _ in corrections],
        [value for _, value in corrections],
    )


async def delete(connection: Connection, target: Target) -> bool:
    """Let the reading itself hold again, and mark its hour stale; False: it holds already."""
    deleted: bool = await connection.fetchval(
        """
        WITH withdrawn AS (
            DELETE FROM corrections
             WHERE meter_id = $2
               AND read_at = $3
            RETURNING date_trunc('hour', read_at, 'UTC') AS hour
        ), marked AS (
            INSERT INTO stale_ranges (unit_id, meter_id, starts_at, ends_at)
            SELECT $1, $2, hour, hour + interval '1 hour'
              FROM withdrawn
        )
        SELECT EXISTS (SELECT 1 FROM withdrawn)
        """,
        target.unit_id,
        target.meter_id,
        target.read_at,
    )
    return deleted


async def list_stated(
    connection: Connection,
    unit: str,
    meter: str,
    times: Sequence[datetime],
    *,
    at: datetime | None = None,
) -> dict[datetime, Change]:
    """Return the corrections of readings of a meter that hold, or that held `at` an instant."""
    by_subject = {subject(unit, meter, time): time for time in times}
    newest = await db.changes.list_newest(connection, NOUN, list(by_subject), at)
    return {by_subject[each.fact.subject]: each for each in newest if each.fact.content is not None}


async def list_applied(connection: Connection) -> dict[str, float | None]:
    """Return the value of every correction that holds now, by subject."""
    return {row.subject: row.value for row in await list_standing(connection)}


async def list_known(connection: Connection) -> dict[str, float | None]:
    """Return the value of every correction that holds by the ledger of changes, by subject."""
    known = await db.changes.list_known(connection, NOUN, db.changes.EVER)
    return {name: cast("float | None", content["value"]) for name, content in known.items()}
