"""Owns what rules on data quality are judged by: what the assessment stored, of those in question.

In question is who has the trouble that is asked for, and whose alert is open (`subjects`: as
alerts name them, unit and meter or gateway). The scope is that of the rule.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from db.pool import Connection
from db.scope import Scope
from energy.periods import Span
from energy.repairs import Fault


@dataclass(frozen=True, slots=True)
class FaultRow:
    """A fault of the repair clock. `gateways` may speak for its unit; `interval_s` of its meter.

    `checked_at`: when its unit was assessed last. `offset_s`: what a clock read more than ours.
    """

    unit_id: int
    unit: str
    unit_name: str
    region: str
    commissioned_on: date | None
    subject: str
    fault: Fault
    opened_at: datetime
    due_at: datetime | None
    filed_at: datetime | None
    repaired_at: datetime | None
    checked_at: datetime | None
    gateways: int
    interval_s: int | None
    offset_s: float | None


@dataclass(frozen=True, slots=True)
class GapRow:
    """Readings due and present of a meter in the `days` measured days of a span.

    It counts from the day on which it was installed.
    """

    unit_id: int
    unit: str
    unit_name: str
    region: str
    meter: str
    counts_from: datetime
    days: int
    due: int
    present: int


@dataclass(frozen=True, slots=True)
class FlatRow:
    """The newest span in which a meter stood still; `intervals` None: none was seen.

    `checked_day` is the newest day of its unit of which that is known.
    """

    unit_id: int
    unit: str
    unit_name: str
    region: str
    meter: str
    starts_at: datetime | None
    ends_at: datetime | None
    intervals: int | None
    checked_day: datetime | None


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """A meter and the last day of the longest of its verifications."""

    unit_id: int
    unit: str
    unit_name: str
    region: str
    meter: str
    valid_until: date


async def list_faults(
    connection: Connection,
    scope: Scope,
    *,
    faults: Collection[Fault],
    at: datetime,
    subjects: Collection[str],
) -> list[FaultRow]:
    """Return the newest fault of each kind and subject that stands then, or is asked for."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (unit_id, subject, fault)
               unit_id, unit, units.name AS unit_name, region, commissioned_on, subject, fault,
               opened_at, due_at, filed_at, repaired_at, checked_at,
               (SELECT count(*)
                  FROM gateways
                 WHERE gateways.unit_id = units.unit_id
                   AND (revoked_at IS NULL OR revoked_at > $4)) AS gateways,
               (SELECT interval_s
                  FROM dated_meters
                 WHERE dated_meters.unit_id = units.unit_id
                   AND meter = subject
                   AND opened_at >= interval_from
                   AND opened_at < interval_to) AS interval_s,
               CASE WHEN fault = 'clock_offset'
                    THEN (SELECT (evidence::jsonb ->> 'offset_s')::double precision
                            FROM suspicions
                           WHERE suspicions.unit_id = units.unit_id
                             AND suspicions.subject = repairs.subject
                             AND kind IN ('clock_offset', 'clock_zone')
                             AND starts_at <= $4
                           ORDER BY starts_at DESC, suspicion_id DESC
                           LIMIT 1)
               END AS offset_s
          FROM repairs
          JOIN visible_units_of($1, $2) AS units USING (unit_id)
          LEFT JOIN quality_checks USING (unit_id)
         WHERE fault = ANY ($3)
           AND opened_at <= $4
           AND (coalesce(repaired_at, 'infinity') > $4
                OR unit || '/' || subject = ANY ($5)
                OR unit || '/' || subject || '/' || fault = ANY ($5))
         ORDER BY unit_id, subject, fault, opened_at DESC
        """,
        scope.region_prefix,
        scope.units,
        list(faults),
        at,
        list(subjects),
    )
    return [FaultRow(**{**row, "fault": Fault(row["fault"])}) for row in rows]


async def list_gaps(
    connection: Connection, scope: Scope, *, span: Span, share: float, subjects: Sequence[str]
) -> list[GapRow]:
    """Return the meters that lack more than a share of their readings in `span`, or are asked for.

    Units of which nothing is missing are passed over by the sums of their days.
    """
    rows = await connection.fetch(
        """
        WITH watched AS MATERIALIZED (
            SELECT unit_id, unit, name, region
              FROM visible_units_of($1, $2)
             WHERE unit_id IN (SELECT unit_id
                                 FROM quality_unit_days
                                WHERE starts_at >= $3
                                  AND starts_at < $4
                                  AND present < due)
                OR unit IN (SELECT split_part(subject, '/', 1)
                              FROM unnest($6::text[]) AS asked (subject))
        )
        SELECT unit_id, unit, watched.name AS unit_name, region, meter,
               date_trunc('day', installed_at, 'Asia/Shanghai') AS counts_from,
               count(measured_at) AS days, coalesce(sum(due), 0)::bigint AS due,
               coalesce(sum(present), 0)::bigint AS present
          FROM watched
          JOIN meters USING (unit_id)
          LEFT JOIN quality_days ON quality_days.meter_id = meters.meter_id
                                AND starts_at >= $3
                                AND starts_at < $4
         WHERE installed_at < $4
         GROUP BY unit_id, unit, watched.name, region, meters.meter_id, meter, installed_at
        HAVING sum(due) - sum(present) > $5 * sum(due)
            OR unit || '/' || meter = ANY ($6)
         ORDER BY unit_id, meter
        """,
        scope.region_prefix,
        scope.units,
        span.starts_at,
        span.ends_at,
        share,
        subjects,
    )
    return [GapRow(**row) for row in rows]


async def list_flats(
    connection: Connection, scope: Scope, *, span: Span, subjects: Sequence[str]
) -> list[FlatRow]:
    """Return the meters that were seen to stand still in `span`, or are asked for."""
    rows = await connection.fetch(
        """
        WITH flat AS MATERIALIZED (
            SELECT DISTINCT ON (unit_id, subject) unit_id, subject AS meter, starts_at, ends_at,
                   (evidence::jsonb ->> 'intervals')::integer AS intervals
              FROM suspicions
             WHERE kind = 'flat_line'
               AND ends_at > $3
               AND starts_at < $4
             ORDER BY unit_id, subject, starts_at DESC, suspicion_id DESC
        )
        SELECT unit_id, unit, units.name AS unit_name, region, meter, starts_at, ends_at, intervals,
               (SELECT max(days.starts_at)
                  FROM quality_unit_days AS days
                 WHERE days.unit_id = units.unit_id
                   AND days.starts_at < $4
                   AND checked IS NOT NULL) AS checked_day
          FROM visible_units_of($1, $2) AS units
          JOIN meters USING (unit_id)
          LEFT JOIN flat USING (unit_id, meter)
         WHERE flat.starts_at IS NOT NULL
            OR unit || '/' || meter = ANY ($5)
         ORDER BY unit_id, meter
        """,
        scope.region_prefix,
        scope.units,
        span.starts_at,
        span.ends_at,
        subjects,
    )
    return [FlatRow(**row) for row in rows]


async def list_certificates(
    connection: Connection, scope: Scope, *, on: date, until: date, subjects: Sequence[str]
) -> list[CertificateRow]:
    """Return the meters whose verifications end by a day, as known on another, or are asked for.

    A meter that never had one is not among them: the index of accuracy tells of those.
    """
    rows = await connection.fetch(
        """
        SELECT unit_id, unit, units.name AS unit_name, region, meter,
               max(valid_until) AS valid_until
          FROM visible_units_of($1, $2) AS units
          JOIN meters USING (unit_id)
          JOIN verifications USING (meter_id)
         WHERE verified_on <= $3
         GROUP BY unit_id, unit, units.name, region, meter_id, meter
        HAVING max(valid_until) <= $4
            OR unit || '/' || meter = ANY ($5)
         ORDER BY unit_id, meter
        """,
        scope.region_prefix,
        scope.units,
        on,
        until,
        subjects,
    )
    return [CertificateRow(**row) for row in rows]


async def list_unit_ids(connection: Connection, scope: Scope) -> dict[str, int]:
    """Return the numbers of units here, by credit code."""
    rows = await connection.fetch(
        """
        SELECT unit, unit_id
          FROM visible_units_of($1, $2)
         ORDER BY unit_id
        """,
        scope.region_prefix,
        scope.units,
    )
    return {row["unit"]: row["unit_id"] for row in rows}
