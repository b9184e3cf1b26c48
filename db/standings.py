"""Owns what rules find of their subjects now: in which state each is, and since when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record

from db.pool import Connection
from db.scope import Scope
from energy.periods import Span


@dataclass(frozen=True, slots=True)
class Standing:
    """What a rule finds of a subject. None: not known. `measured`, `threshold` in `uom`."""

    subject: str
    unit_id: int | None
    region: str
    state: str
    period: Span
    measured: float | None
    threshold: float | None
    uom: str
    level: int | None
    coverage: float
    estimated_share: float
    reason: str
    rule_version: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A subject of which nothing can be said, and since when."""

    subject: str
    unit_id: int | None
    unit_name: str | None
    region: str
    since_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Unjudged:
    """That nobody judges since an instant, and a sentence why: all that was known is unknown."""

    since_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class StandingRow:
    """A standing as callers see it. `told_at`: when a notice said that it is unknown."""

    rule_id: int
    rule_version: int
    subject: str
    unit: str | None
    unit_name: str | None
    region: str
    state: str
    since_at: datetime
    told_at: datetime | None
    period: Span
    measured: float | None
    threshold: float | None
    uom: str
    level: int | None
    coverage: float
    estimated_share: float
    reason: str
    judged_at: datetime


async def upsert(
    connection: Connection, rule_id: int, standings: Sequence[Standing], at: datetime
) -> None:
    """Keep what is found where it is new; `since_at` stays while the state does."""
    await connection.execute(
        """
        INSERT INTO standings AS held (rule_id, subject, unit_id, region, state, since_at,
                                       starts_at, ends_at, measured, threshold, uom, level,
                                       coverage, estimated_share, reason, rule_version, judged_at)
        SELECT $1, subject, unit_id, region, state, $2, starts_at, ends_at, measured, threshold,
               uom, level, coverage, estimated_share, reason, rule_version, $2
          FROM unnest($3::text[], $4::integer[], $5::text[], $6::text[], $7::timestamptz[],
                      $8::timestamptz[], $9::double precision[], $10::double precision[],
                      $11::text[], $12::integer[], $13::double precision[],
                      $14::double precision[], $15::text[], $16::integer[])
               AS found (subject, unit_id, region, state, starts_at, ends_at, measured, threshold,
                         uom, level, coverage, estimated_share, reason, rule_version)
            ON CONFLICT (rule_id, subject)
            DO UPDATE SET unit_id = excluded.unit_id, region = excluded.region,
                          since_at = CASE WHEN held.state = excluded.state THEN held.since_at
                                          ELSE $2 END,
                          told_at = CASE WHEN held.state = excluded.state THEN held.told_at END,
                          state = excluded.state, starts_at = excluded.starts_at,
                          ends_at = excluded.ends_at, measured = excluded.measured,
                          threshold = excluded.threshold, uom = excluded.uom,
                          level = excluded.level, coverage = excluded.coverage,
                          estimated_share = excluded.estimated_share, reason = excluded.reason,
                          rule_version = excluded.rule_version, judged_at = $2
                    WHERE (held.state, held.ends_at, held.measured, held.threshold, held.level,
                           held.coverage, held.reason, held.region, held.rule_version)
                          IS DISTINCT FROM
                          (excluded.state, excluded.ends_at, excluded.measured,
                           excluded.threshold, excluded.level, excluded.coverage,
                           excluded.reason, excluded.region, excluded.rule_version)
        """,
        rule_id,
        at,
        *_columns(standings),
    )


async def list_watched(connection: Connection, rule_id: int, unit_ids: Sequence[int]) -> set[int]:
    """Return those of `unit_ids` of which a rule has found something."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT unit_id
          FROM standings
         WHERE rule_id = $1
           AND unit_id = ANY ($2::integer[])
         ORDER BY unit_id
        """,
        rule_id,
        unit_ids,
    )
    return {row["unit_id"] for row in rows}


async def list_known_units(connection: Connection, rule_id: int) -> list[int]:
    """Return the units of which a rule knows in which state they are."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT unit_id
          FROM standings
         WHERE rule_id = $1
           AND unit_id IS NOT NULL
           AND state <> 'unknown'
         ORDER BY unit_id
        """,
        rule_id,
    )
    return [row["unit_id"] for row in rows]


async def mark_silent(
    connection: Connection, rule_id: int, silent: Mapping[int, str], at: datetime
) -> None:
    """Note that nothing can be said of units any more, by unit with a sentence."""
    await connection.execute(
        """
        UPDATE standings
           SET state = 'unknown', since_at = $4, told_at = NULL, judged_at = $4,
               reason = silent.reason
          FROM unnest($2::integer[], $3::text[]) AS silent (unit_id, reason)
         WHERE rule_id = $1
           AND standings.unit_id = silent.unit_id
           AND state <> 'unknown'
        """,
        rule_id,
        list(silent),
        list(silent.values()),
        at,
    )


async def list_subjects(connection: Connection, rule_id: int) -> set[str]:
    """Return the subjects of which a rule finds something."""
    rows = await connection.fetch(
        "SELECT subject FROM standings WHERE rule_id = $1 ORDER BY subject", rule_id
    )
    return {row["subject"] for row in rows}


async def mark_unjudged(connection: Connection, rule_id: int, reason: str, at: datetime) -> None:
    """Note that nothing can be said of any subject of a rule any more, with a sentence why."""
    await connection.execute(
        """
        UPDATE standings
           SET state = 'unknown', since_at = $3, told_at = NULL, judged_at = $3, reason = $2
         WHERE rule_id = $1
           AND state <> 'unknown'
        """,
        rule_id,
        reason,
        at,
    )


async def delete_others(
    connection: Connection,
    rule_id: int,
    subjects: Sequence[str],
    unit_ids: Sequence[int] | None = None,
) -> None:
    """Forget what the rule found of others than `subjects`, which are all that it watches.

    With `unit_ids` all that it watches of these.
    """
    await connection.execute(
        """
        DELETE FROM standings
         WHERE rule_id = $1
           AND subject <> ALL ($2::text[])
           AND ($3::integer[] IS NULL OR unit_id = ANY ($3))
        """,
        rule_id,
        subjects,
        unit_ids,
    )


async def delete_of_ended_rules(connection: Connection, holding: Sequence[int]) -> None:
    """Forget what rules found that hold no more; `holding` are those that do."""
    await connection.execute("DELETE FROM standings WHERE rule_id <> ALL ($1::integer[])", holding)


async def list_unknown(
    connection: Connection, rule_id: int, before: datetime, limit: int
) -> list[Unknown]:
    """Return what has been unknown since before an instant and was not told of; longest first."""
    rows = await connection.fetch(
        """
        SELECT subject, unit_id, units.name AS unit_name, standings.region, since_at, reason
          FROM standings
          LEFT JOIN units USING (unit_id)
         WHERE rule_id = $1
           AND state = 'unknown'
           AND since_at <= $2
           AND told_at IS NULL
         ORDER BY since_at, subject
         LIMIT $3
        """,
        rule_id,
        before,
        limit,
    )
    return [Unknown(**row) for row in rows]


async def mark_told(connection: Connection, rule_id: int, subject: str, at: datetime) -> bool:
    """Note that a notice says that a subject is unknown; False: it is not any more, or was told."""
    told: int | None = await connection.fetchval(
        """
        UPDATE standings
           SET told_at = $3
         WHERE rule_id = $1
           AND subject = $2
           AND state = 'unknown'
           AND told_at IS NULL
        RETURNING rule_id
        """,
        rule_id,
        subject,
        at,
    )
    return told is not None


async def list_visible(
    connection: Connection,
    scope: Scope,
    *,
    rule_id: int | None,
    region_prefix: str,
    unit: str | None,
    state: str | None,
    after: tuple[int, str],
    limit: int,
    unjudged: Unjudged | None = None,
) -> list[StandingRow]:
    """Return what rules find now, in order of rule and subject, after a pair of the two.

    `unjudged`: nothing is found now; its figures are those of before.
    """
    rows = await connection.fetch(
        """
        SELECT rule_id, rule_version, subject, units.unit, units.name AS unit_name,
               standings.region, shown.state, shown.since_at, told_at, starts_at, ends_at, measured,
               threshold, uom, level, coverage, estimated_share, shown.reason, judged_at
          FROM visible_standings($1, $2) AS standings
          LEFT JOIN units USING (unit_id)
         CROSS JOIN LATERAL (
               SELECT standings.state, standings.since_at, standings.reason
                WHERE $10::text IS NULL OR standings.state = 'unknown'
                UNION ALL
               SELECT 'unknown', greatest(standings.since_at, $11), $10
                WHERE $10 IS NOT NULL AND standings.state <> 'unknown') AS shown
         WHERE ($3::integer IS NULL OR rule_id = $3)
           AND standings.region LIKE $4 || '%'
           AND ($5::text IS NULL OR units.unit = $5)
           AND ($6::text IS NULL OR shown.state = $6)
           AND (rule_id, subject) > ($7, $8)
         ORDER BY rule_id, subject
         LIMIT $9
        """,
        scope.region_prefix,
        scope.unit,
        rule_id,
        region_prefix,
        unit,
        state,
        *after,
        limit,
        None if unjudged is None else unjudged.reason,
        None if unjudged is None else unjudged.since_at,
    )
    return [_standing(row) for row in rows]


async def count_visible(
    connection: Connection, scope: Scope, *, rule_id: int | None, region_prefix: str
) -> dict[str, int]:
    """Return how many subjects are in each state; none is not told."""
    rows = await connection.fetch(
        """
        SELECT state, count(*) AS subjects
          FROM visible_standings($1, $2)
         WHERE ($3::integer IS NULL OR rule_id = $3)
           AND region LIKE $4 || '%'
         GROUP BY state
         ORDER BY state
        """,
        scope.region_prefix,
        scope.unit,
        rule_id,
        region_prefix,
    )
    return {row["state"]: row["subjects"] for row in rows}


def _columns(standings: Sequence[Standing]) -> list[list[object]]:
    """Return the values of each column of `upsert`, from subject to rule_version."""
    rows = [
        (
            each.subject,
            each.unit_id,
            each.region,
            each.state,
            each.period.starts_at,
            each.period.ends_at,
            each.measured,
            each.threshold,
            each.uom,
            each.level,
            each.coverage,
            each.estimated_share,
            each.reason,
            each.rule_version,
        )
        for each in standings
    ]
    return [[row[column] for row in rows] for column in range(14)]


def _standing(row: Record) -> StandingRow:
    values = dict(row)
    values["period"] = Span(values.pop("starts_at"), values.pop("ends_at"))
    return StandingRow(**values)
