"""Owns which unit is assessed next, which of its days are to be measured anew, and what it has."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from db.metering import intervals_of
from db.pool import Connection
from energy.intervals import Intervals
from energy.periods import Span
from energy.registers import Kind
from energy.suspicion import Sample
from energy.verification import Certificate

LOCK_SPACE = 0x7175  # "qu": first key of the advisory lock on a unit that is assessed
UNITS_LOOKED_AT = 64


@dataclass(frozen=True, slots=True)
class Claimed:
    """A unit to assess; `full`: for the first time on this local day."""

    unit_id: int
    unit: str
    full: bool


@dataclass(frozen=True, slots=True)
class MeterFacts:
    """A meter as the assessment sees it; `registered_at`: when its unit was.

    `multiplier` of its newest epoch, if it is not in the values already.
    """

    meter_id: int
    meter: str
    kind: Kind
    uom: str
    reference_uom: str | None
    carrier: str | None
    role: str
    intervals: Intervals
    installed_at: datetime
    registered_at: datetime
    data_code: str | None
    multiplier: float


@dataclass(frozen=True, slots=True)
class StaleDay:
    """A local day of a unit to measure; `settled` is what settlement says of it now."""

    starts_at: datetime
    settled: str
    checked: str | None


async def claim_unit(
    connection: Connection,
    now: datetime,
    pause: timedelta,
    today: date,
    without: Collection[int] = (),
) -> Claimed | None:
    """Lock the unit that waits longest to be assessed until the transaction ends; None: rest.

    Units that another assessor holds, and those of `without`, are passed over.
    """
    row = await connection.fetchrow(
        """
        SELECT unit_id, unit, is_full
          FROM (SELECT unit_id, unit, full_on IS DISTINCT FROM $5 AS is_full
                  FROM units
                  LEFT JOIN quality_checks USING (unit_id)
                 WHERE (checked_at IS NULL
                        OR checked_at <= $3::timestamptz - $4::interval)
                   AND unit_id <> ALL ($6::integer[])
                 ORDER BY checked_at NULLS FIRST, unit_id
                 LIMIT $2) AS waiting
         WHERE pg_try_advisory_xact_lock($1, unit_id)
         LIMIT 1
        """,
        LOCK_SPACE,
        UNITS_LOOKED_AT,
        now,
        pause,
        today,
        list(without),
    )
    return None if row is None else Claimed(row["unit_id"], row["unit"], row["is_full"])


async def note_checked(connection: Connection, unit_id: int, now: datetime, today: date) -> None:
    await connection.execute(
        """
        INSERT INTO quality_checks (unit_id, checked_at, full_on)
        VALUES ($1, $2, $3)
            ON CONFLICT (unit_id)
            DO UPDATE SET checked_at = excluded.checked_at, full_on = excluded.full_on
        """,
        unit_id,
        now,
        today,
    )


async def list_meters(connection: Connection, unit_id: int) -> list[MeterFacts]:
    rows = await connection.fetch(
        """
        SELECT meter_id, meter, kind, uom, reference_uom, carrier, role, installed_at,
               array(SELECT (nullif(interval_from, '-infinity'), dated.interval_s)
                       FROM dated_meters AS dated
                      WHERE dated.meter_id = meters.meter_id
                      ORDER BY interval_from) AS intervals,
               created_at AS registered_at, data_code,
               coalesce((SELECT CASE side WHEN 'primary' THEN 1 ELSE multiplier END
                           FROM meter_epochs
                          WHERE meter_epochs.meter_id = meters.meter_id
                            AND reason <> 'interval'
                          ORDER BY starts_at DESC
                          LIMIT 1), 1) AS multiplier
          FROM meters
          JOIN units USING (unit_id)
          LEFT JOIN carriers USING (carrier)
         WHERE unit_id = $1
         ORDER BY meter_id
        """,
        unit_id,
    )
    return [
        MeterFacts(**{**row, "kind": Kind(row["kind"]), "intervals": intervals_of(row)})
        for row in rows
    ]


async def list_stale(
    connection: Connection,
    claimed: Claimed,
    span: Span,
    *,
    grace: timedelta,
    full_from: datetime,
    today: datetime,
    limit: int,
) -> list[StaleDay]:
    """Return the local days of `span` to measure, the newest first.

    Those never measured, those measured before they were over and `grace` had passed, those of
    which settlement says something else now (late readings, held steps), those from before a
    statement about the unit's meters or the scheme; and, in full, those since `full_from` that
    were not measured since `today` began.
    """
    rows = await connection.fetch(
        """
        WITH settled AS (
            SELECT starts_at,
                   concat_ws('/', sum(readings_present), count(*), count(*) FILTER (WHERE held))
                       AS settled
              FROM meter_consumption
              JOIN meters USING (meter_id)
             WHERE unit_id = $1
               AND step = 'day'
               AND starts_at >= $3
               AND starts_at < $4
             GROUP BY starts_at
        ), stated AS (
            SELECT max(changed_at) AS changed_at
              FROM changes
             WHERE (noun IN ('verifications', 'value_limits', 'meters', 'epochs')
                    AND starts_with(subject, $2 || '/'))
                OR noun = 'quality_schemes'
        )
        SELECT days.starts_at, coalesce(settled.settled, '') AS settled, checked
          FROM generate_series($3::timestamptz, $4::timestamptz - interval '1 second',
                               interval '1 day') AS days (starts_at)
         CROSS JOIN stated
          LEFT JOIN settled USING (starts_at)
          LEFT JOIN quality_unit_days AS known ON known.unit_id = $1
                                              AND known.starts_at = days.starts_at
         WHERE known.measured_at IS NULL
            OR known.settled <> coalesce(settled.settled, '')
            OR known.measured_at < days.starts_at + interval '1 day' + $5::interval
            OR known.measured_at < changed_at
            OR ($6 AND days.starts_at >= $7 AND known.measured_at < $8)
         ORDER BY days.starts_at DESC
         LIMIT $9
        """,
        claimed.unit_id,
        claimed.unit,
        span.starts_at,
        span.ends_at,
        grace,
        claimed.full,
        full_from,
        today,
        limit,
    )
    return [StaleDay(**row) for row in rows]


async def list_certificates(connection: Connection, unit_id: int) -> dict[int, list[Certificate]]:
    """Return the verifications of each meter of a unit, by meter id."""
    found: dict[int, list[Certificate]] = {}
    for row in await connection.fetch(
        """
        SELECT meter_id, verified_on, valid_until
          FROM verifications
          JOIN meters USING (meter_id)
         WHERE unit_id = $1
         ORDER BY meter_id, verified_on
        """,
        unit_id,
    ):
        certificate = Certificate(row["verified_on"], row["valid_until"])
        found.setdefault(row["meter_id"], []).append(certificate)
    return found


async def list_samples(connection: Connection, meter_id: int, span: Span) -> list[Sample]:
    """Return the readings of a meter in `span`, both ends included, without bad ones."""
    rows = await connection.fetch(
        """
        SELECT read_at, raw_value
          FROM readings
         WHERE meter_id = $1
           AND read_at >= $2
           AND read_at <= $3
           AND quality <> 'bad'
         ORDER BY read_at
        """,
        meter_id,
        span.starts_at,
        span.ends_at,
    )
    return [Sample(row["read_at"], row["raw_value"]) for row in rows]
