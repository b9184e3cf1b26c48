"""Owns what rules found of a subject in a period: once each, and revised when its data change.

Written by the evaluator alone, in its term (`db/evaluators.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record

from db.fresh import Fresh
from db.pool import Connection
from energy.periods import Span


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found of a subject in a period. `measured` in the uom of its rule's verdicts.

    `alert_id`, `led_to`: the alert that the period opened, changed or closed, and by which event.
    """

    subject: str
    period: Span
    unit_id: int | None
    region: str
    state: str
    measured: float | None
    threshold: float | None
    rule_version: int
    mark: int
    alert_id: int | None = None
    led_to: str | None = None


Key = tuple[str, Span]
"""Subject and period: what is judged once by a rule."""


async def list_affected(
    connection: Connection, rule_id: int, fresh: Sequence[Fresh], since: datetime, limit: int
) -> list[Judgement]:
    """Return judgements whose periods end after `since` and hold hours that were settled since.

    Those that led to something come first, then the newest.
    """
    rows = await connection.fetch(
        """
        SELECT DISTINCT subject, starts_at, ends_at, unit_id, region, state, measured, threshold,
               rule_version, mark, alert_id, led_to, alert_id IS NULL AS led_to_nothing
          FROM unnest($2::integer[], $3::timestamptz[], $4::timestamptz[], $5::bigint[])
               AS fresh (fresh_unit_id, from_at, to_at, fresh_mark)
         CROSS JOIN LATERAL (
               SELECT subject, starts_at, ends_at, unit_id, region, state, measured, threshold,
                      rule_version, mark, alert_id, led_to
                 FROM judgements
                WHERE rule_id = $1
                  AND unit_id = fresh_unit_id
                  AND ends_at > greatest(from_at, $6)
                  AND starts_at < to_at
                  AND mark < fresh_mark
               OFFSET 0) AS affected  -- by the index, mark by mark
         ORDER BY led_to_nothing, ends_at DESC, subject
         LIMIT $7
        """,
        rule_id,
        [each.unit_id for each in fresh],
        [each.span.starts_at for each in fresh],
        [each.span.ends_at for each in fresh],
        [each.mark for each in fresh],
        since,
        limit,
    )
    return [_judgement(row) for row in rows]


async def list_of(
    connection: Connection, rule_id: int, keys: Sequence[Key]
) -> dict[Key, Judgement]:
    """Return what was found of subjects in periods, where it was."""
    rows = await connection.fetch(
        """
        SELECT subject, starts_at, ends_at, unit_id, region, state, measured, threshold,
               rule_version, mark, alert_id, led_to
          FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[])
               AS asked (subject, starts_at, ends_at)
         CROSS JOIN LATERAL (
               SELECT unit_id, region, state, measured, threshold, rule_version, mark, alert_id,
                      led_to
                 FROM judgements
                WHERE rule_id = $1
                  AND judgements.subject = asked.subject
                  AND judgements.ends_at = asked.ends_at
                  AND judgements.starts_at = asked.starts_at
               OFFSET 0) AS found  -- by the index, one by one
         ORDER BY subject, ends_at
        """,
        rule_id,
        [subject for subject, _ in keys],
        [period.starts_at for _, period in keys],
        [period.ends_at for _, period in keys],
    )
    found = [_judgement(row) for row in rows]
    return {(each.subject, each.period): each for each in found}


async def list_of_regions(connection: Connection, rule_id: int, since: datetime) -> set[Key]:
    """Return which periods of regions a rule judged that ended after an instant."""
    rows = await connection.fetch(
        """
        SELECT subject, starts_at, ends_at
          FROM judgements
         WHERE rule_id = $1
           AND unit_id IS NULL
           AND ends_at > $2
         ORDER BY subject, ends_at
        """,
        rule_id,
        since,
    )
    return {(row["subject"], Span(row["starts_at"], row["ends_at"])) for row in rows}


async def upsert(
    connection: Connection,
    rule_id: int,
    judgements: Sequence[Judgement],
    at: datetime,
    *,
    is_told: bool = False,
) -> None:
    """Keep what was found; what is the same as before is not written again.

    What was told of a period stands until something else `is_told` of it: small changes would add
    up to a large one that nobody heard of.
    """
    await connection.execute(
        """
        INSERT INTO judgements AS held (rule_id, subject, starts_at, ends_at, unit_id, region,
                                        state, measured, threshold, rule_version, mark, judged_at)
        SELECT $1, found.*, $2
          FROM unnest($4::text[], $5::timestamptz[], $6::timestamptz[], $7::integer[], $8::text[],
                      $9::text[], $10::double precision[], $11::double precision[],
                      $12::integer[], $13::bigint[]) AS found
            ON CONFLICT (rule_id, subject, ends_at, starts_at)
            DO UPDATE SET (state, measured, threshold, rule_version, region, revised_at)
                          = (SELECT new.*
                               FROM (VALUES (excluded.state, excluded.measured,
                                             excluded.threshold, excluded.rule_version,
                                             excluded.region, $2::timestamptz)) AS new
                              WHERE $3 OR held.alert_id IS NULL
                              UNION ALL
                             SELECT held.state, held.measured, held.threshold, held.rule_version,
                                    held.region, held.revised_at
                              LIMIT 1),
                          mark = greatest(held.mark, excluded.mark)
                    WHERE excluded.mark > held.mark
                       OR (($3 OR held.alert_id IS NULL)
                           AND (held.state, held.measured, held.threshold, held.rule_version)
                               IS DISTINCT FROM (excluded.state, excluded.measured,
                                                 excluded.threshold, excluded.rule_version))
        """,
        rule_id,
        at,
        is_told,
        [each.subject for each in judgements],
        [each.period.starts_at for each in judgements],
        [each.period.ends_at for each in judgements],
        [each.unit_id for each in judgements],
        [each.region for each in judgements],
        [each.state for each in judgements],
        [each.measured for each in judgements],
        [each.threshold for each in judgements],
        [each.rule_version for each in judgements],
        [each.mark for each in judgements],
    )


async def list_over(
    connection: Connection, rule_id: int, subject: str, first: datetime, last: datetime
) -> list[datetime]:
    """Return the ends of the windows in which a subject was over, from the first to the last, since
    one in which it is known that it was not.
    """
    rows = await connection.fetch(
        """
        WITH known AS (
            SELECT ends_at, state
              FROM judgements
             WHERE rule_id = $1
               AND subject = $2
               AND ends_at BETWEEN $3 AND $4
               AND state <> 'unknown'
        )
        SELECT DISTINCT ends_at
          FROM known
         WHERE ends_at > ALL (SELECT ends_at FROM known WHERE state <> 'firing')
         ORDER BY ends_at
        """,
        rule_id,
        subject,
        first,
        last,
    )
    return [row["ends_at"] for row in rows]


async def link(
    connection: Connection,
    rule_id: int,
    keys: Sequence[Key],
    alert_id: int,
    led_to: str,
) -> None:
    """Note which alert periods opened, changed or closed, and by which event; the last one counts.

    They must have been kept.
    """
    await connection.execute(
        """
        UPDATE judgements
           SET alert_id = $5, led_to = $6
          FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[])
               AS asked (subject, starts_at, ends_at)
         WHERE rule_id = $1
           AND judgements.subject = asked.subject
           AND judgements.starts_at = asked.starts_at
           AND judgements.ends_at = asked.ends_at
        """,
        rule_id,
        [subject for subject, _ in keys],
        [period.starts_at for _, period in keys],
        [period.ends_at for _, period in keys],
        alert_id,
        led_to,
    )


async def delete_old(
    connection: Connection,
    before: datetime,
    limit: int,
    *,
    restated_before: datetime,
    not_restated: Sequence[int] = (),
) -> int:
    """Remove judgements of periods that are too old to be amended; return how many there were.

    Figures of regions come weeks after their month, and are stated anew: what was found of them is
    kept longer, unless it is by one of the rules `not_restated`, as those on budgets are.
    """
    deleted: int = await connection.fetchval(
        """
        WITH old AS (
            SELECT rule_id, subject, ends_at, starts_at
              FROM judgements
             WHERE ends_at < $1
               AND (unit_id IS NOT NULL OR ends_at <= $3 OR rule_id = ANY ($4::integer[]))
             ORDER BY ends_at
             LIMIT $2
        ), gone AS (
            DELETE FROM judgements
             USING old
             WHERE judgements.rule_id = old.rule_id
               AND judgements.subject = old.subject
               AND judgements.ends_at = old.ends_at
               AND judgements.starts_at = old.starts_at
            RETURNING 1
        )
        SELECT count(*)
          FROM gone
        """,
        before,
        limit,
        restated_before,
        not_restated,
    )
    return deleted


def _judgement(row: Record) -> Judgement:
    return Judgement(
        subject=row["subject"],
        period=Span(row["starts_at"], row["ends_at"]),
        unit_id=row["unit_id"],
        region=row["region"],
        state=row["state"],
        measured=row["measured"],
        threshold=row["threshold"],
        rule_version=row["rule_version"],
        mark=row["mark"],
        alert_id=row["alert_id"],
        led_to=row["led_to"],
    )
