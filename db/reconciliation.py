"""Owns comparing what settlement stored with what it stores when it is done anew.

All inside one transaction of the caller, who keeps what is new or rolls it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import LiteralString

from db.pool import Connection
from db.settlement import LOCK_SPACE, Stale
from energy.periods import Span

TOLERANCE = 1e-9
"""Sums of the same numbers in another order differ by less than this share of them."""

DIFFERENCES_MAX = 1_000
"""Differences named of one unit or of all areas; more say nothing new."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A sum that is stored otherwise than it should be; None: there is no row, or no quantity.

    `owner` is a meter (`unit/meter`), a unit and carrier, or an area.
    """

    owner: str
    step: str
    starts_at: datetime
    stored: float | None
    right: float | None


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a reconciliation is, and what it found until there.

    `failed` are units that could not be settled: nothing is known of their sums.
    """

    last_unit: int = 0
    units: int = 0
    differences: int = 0
    failed: int = 0


async def lock_unit(connection: Connection, unit_id: int) -> None:
    """Wait for the settler of a unit, and keep others waiting until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", LOCK_SPACE, unit_id)


async def count_units(connection: Connection) -> int:
    count: int = await connection.fetchval("SELECT count(*) FROM units")
    return count


async def list_unit_ids(connection: Connection, after: int = 0, limit: int = 1_000) -> list[int]:
    rows = await connection.fetch(
        "SELECT unit_id FROM units WHERE unit_id > $1 ORDER BY unit_id LIMIT $2", after, limit
    )
    return [row["unit_id"] for row in rows]


async def list_ranges(connection: Connection, unit_id: int, span: Span) -> list[Stale]:
    """Return, for each meter of a unit, where in `span` it has accountable readings or hours."""
    rows = await connection.fetch(
        """
        SELECT meter_id, least(first_at, first_hour) AS starts_at,
               greatest(last_at, last_hour) AS ends_at
          FROM meters
         CROSS JOIN LATERAL (
               SELECT date_trunc('hour', min(read_at)) AS first_at,
                      date_trunc('hour', max(read_at)) + INTERVAL '1 hour' AS last_at
                 FROM accountable_readings AS r
                WHERE r.meter_id = meters.meter_id
                  AND read_at >= $2
                  AND read_at < $3) AS told
         CROSS JOIN LATERAL (
               SELECT min(starts_at) AS first_hour, max(starts_at) + INTERVAL '1 hour' AS last_hour
                 FROM meter_consumption AS c
                WHERE c.meter_id = meters.meter_id
                  AND step = 'hour'
                  AND starts_at >= $2
                  AND starts_at < $3) AS settled
         WHERE unit_id = $1
           AND coalesce(first_at, first_hour) IS NOT NULL
         ORDER BY meter_id
        """,
        unit_id,
        span.starts_at,
        span.ends_at,
    )
    return [Stale(row["meter_id"], Span(row["starts_at"], row["ends_at"])) for row in rows]


async def delete_doubts(connection: Connection, unit_id: int, span: Span) -> None:
    """Forget the doubts of a unit that lie in `span`: its readings, settled anew, say them again.

    One that no reading says any more would stay otherwise.
    """
    await connection.execute(
        """
        DELETE FROM doubts
         WHERE meter_id = ANY (SELECT meter_id FROM meters WHERE unit_id = $1)
           AND first_at >= $2
           AND last_at < $3
        """,
        unit_id,
        span.starts_at,
        span.ends_at,
    )


async def list_owners(
    connection: Connection, unit_id: int, span: Span
) -> tuple[list[int], list[str]]:
    """Return the meters of a unit, and the carriers it has meters or, in `span`, sums of."""
    row = await connection.fetchrow(
        """
        SELECT array(SELECT meter_id
                       FROM meters
                      WHERE unit_id = $1
                      ORDER BY meter_id) AS meter_ids,
               array(SELECT carrier
                       FROM meters
                      WHERE unit_id = $1
                        AND role IN ('boundary', 'export')
                      UNION
                     SELECT carrier
                       FROM unit_consumption
                      WHERE unit_id = $1
                        AND starts_at >= $2
                        AND starts_at < $3
                      ORDER BY carrier) AS carriers
        """,
        unit_id,
        span.starts_at,
        span.ends_at,
    )
    assert row is not None
    return row["meter_ids"], row["carriers"]


STATE: LiteralString = """
        WITH stored_now AS (
            SELECT meter_id, NULL::text AS carrier, step, starts_at, quantity, estimated_quantity,
                   calorific_tce, equivalent_tce, held, readings_present, calorific_partial,
                   equivalent_partial
              FROM meter_consumption
             WHERE meter_id = ANY (SELECT meter_id FROM meters WHERE unit_id = $1)
               AND starts_at >= $2
               AND starts_at < $3
             UNION ALL
            SELECT NULL, carrier, step, starts_at, quantity, estimated_quantity, calorific_tce,
                   equivalent_tce, held, readings_present, calorific_partial, equivalent_partial
              FROM unit_consumption
             WHERE unit_id = $1
               AND starts_at >= $2
               AND starts_at < $3
             UNION ALL
            SELECT meter_id, NULL, 'doubt ' || reason, first_at,
                   extract(epoch FROM last_at - first_at), 0, NULL, NULL, held, readings, false,
                   false
              FROM doubts
             WHERE meter_id = ANY (SELECT meter_id FROM meters WHERE unit_id = $1)
               AND first_at >= $2
               AND first_at < $3
        )
"""
"""All that settlement writes of the unit $1 from $2 to $3; a doubt's quantity is its length. [s]"""


INTO_BEFORE: LiteralString = """
        INSERT INTO stored_before
"""

NOW: LiteralString = """
        SELECT meter_id, carrier, step, starts_at, quantity, estimated_quantity, calorific_tce,
               equivalent_tce, held, readings_present, calorific_partial, equivalent_partial
          FROM stored_now
"""

DIFFERING: LiteralString = """
        SELECT unit || '/' || coalesce(meter, old.carrier, new.carrier) AS owner,
               coalesce(old.step, new.step) AS step,
               coalesce(old.starts_at, new.starts_at) AS starts_at,
               old.quantity AS stored, new.quantity AS right
          FROM stored_before AS old
          FULL JOIN stored_now AS new
            ON coalesce(old.meter_id, 0) = coalesce(new.meter_id, 0)
           AND coalesce(old.carrier, '') = coalesce(new.carrier, '')
           AND old.step = new.step
           AND old.starts_at = new.starts_at
          LEFT JOIN meters ON meters.meter_id = coalesce(old.meter_id, new.meter_id)
          JOIN units ON units.unit_id = $1
         WHERE old.step IS NULL
            OR new.step IS NULL
            OR (old.held, old.readings_present, old.calorific_partial, old.equivalent_partial)
               <> (new.held, new.readings_present, new.calorific_partial, new.equivalent_partial)
            OR differs(old.quantity, new.quantity, $4)
            OR differs(old.estimated_quantity, new.estimated_quantity, $4)
            OR differs(old.calorific_tce, new.calorific_tce, $4)
            OR differs(old.equivalent_tce, new.equivalent_tce, $4)
         ORDER BY owner, step, starts_at
         LIMIT $5
"""


async def keep_stored(connection: Connection, unit_id: int, span: Span) -> None:
    """Set aside what is stored of a unit in `span`, to be compared."""
    await connection.execute(
        """
        CREATE TEMPORARY TABLE IF NOT EXISTS stored_before (
            meter_id integer, carrier text, step text, starts_at timestamptz,
            quantity double precision, estimated_quantity double precision,
            calorific_tce double precision, equivalent_tce double precision, held boolean,
            readings_present integer, calorific_partial boolean, equivalent_partial boolean
        ) ON COMMIT DROP
        """
    )
    await connection.execute(
        INTO_BEFORE + STATE + NOW,
        unit_id,
        span.starts_at,
        span.ends_at,
    )


async def list_differences(connection: Connection, unit_id: int, span: Span) -> list[Difference]:
    """Return where what was kept differs from what is stored in `span` now."""
    rows = await connection.fetch(
        STATE + DIFFERING,
        unit_id,
        span.starts_at,
        span.ends_at,
        TOLERANCE,
        DIFFERENCES_MAX,
    )
    return [Difference(**row) for row in rows]


async def list_area_differences(connection: Connection, span: Span) -> list[Difference]:
    """Return where an area is not the sum of its units; what waits to be added up is left out."""
    rows = await connection.fetch(
        """
        WITH sums AS (
            SELECT region, division, carrier, step, starts_at, sum(quantity) AS quantity,
                   sum(abs(estimated_quantity)) AS estimated_quantity,
                   sum(readings_present) AS readings_present, bool_or(held) AS held,
                   sum(calorific_tce) AS calorific_tce, sum(equivalent_tce) AS equivalent_tce,
                   bool_or(is_left_out(quantity, calorific_tce, calorific_partial))
                   AND sum(calorific_tce) IS NOT NULL AS calorific_partial,
                   bool_or(is_left_out(quantity, equivalent_tce, equivalent_partial))
                   AND sum(equivalent_tce) IS NOT NULL AS equivalent_partial,
                   sum(abs(quantity)) AS absolute_quantity,
                   sum(abs(calorific_tce)) AS calorific_absolute,
                   sum(abs(equivalent_tce)) AS equivalent_absolute,
                   sum(abs(calorific_tce * estimated_quantity / nullif(quantity, 0)))
                   AS calorific_estimated,
                   sum(abs(equivalent_tce * estimated_quantity / nullif(quantity, 0)))
                   AS equivalent_estimated
              FROM unit_consumption
              JOIN units USING (unit_id)
             WHERE starts_at >= $3
               AND starts_at < $4
             GROUP BY region, division, carrier, step, starts_at
        ), areas AS (
            SELECT region, division, carrier, step, starts_at, quantity, estimated_quantity,
                   readings_present, held, calorific_tce, equivalent_tce, calorific_partial,
                   equivalent_partial, absolute_quantity, calorific_absolute,
                   equivalent_absolute, calorific_estimated, equivalent_estimated
              FROM area_consumption
             WHERE starts_at >= $3
               AND starts_at < $4
        )
        SELECT concat_ws('/', region, division, carrier) AS owner, step, starts_at,
               stored.quantity AS stored, sums.quantity AS right
          FROM areas AS stored
          FULL JOIN sums USING (region, division, carrier, step, starts_at)
         WHERE ((stored.held, stored.readings_present, stored.calorific_partial,
                 stored.equivalent_partial)
                IS DISTINCT FROM (sums.held, sums.readings_present, sums.calorific_partial,
                                  sums.equivalent_partial)
                OR differs(stored.quantity, sums.quantity, $1)
                OR differs(stored.estimated_quantity, sums.estimated_quantity, $1)
                OR differs(stored.calorific_tce, sums.calorific_tce, $1)
                OR differs(stored.equivalent_tce, sums.equivalent_tce, $1)
                OR differs(stored.absolute_quantity, sums.absolute_quantity, $1)
                OR differs(stored.calorific_absolute, sums.calorific_absolute, $1)
                OR differs(stored.equivalent_absolute, sums.equivalent_absolute, $1)
                OR differs(stored.calorific_estimated, sums.calorific_estimated, $1)
                OR differs(stored.equivalent_estimated, sums.equivalent_estimated, $1))
           AND NOT EXISTS (
               SELECT
                 FROM stale_areas AS stale
                WHERE stale.region = coalesce(stored.region, sums.region)
                  AND stale.division = coalesce(stored.division, sums.division)
                  AND stale.carrier = coalesce(stored.carrier, sums.carrier)
                  AND stale.ends_at > coalesce(stored.starts_at, sums.starts_at)
                  AND date_trunc(step, stale.starts_at, 'Asia/Shanghai')
                      <= coalesce(stored.starts_at, sums.starts_at))
         ORDER BY owner, step, starts_at
         LIMIT $2
        """,
        TOLERANCE,
        DIFFERENCES_MAX,
        span.starts_at,
        span.ends_at,
    )
    return [Difference(**row) for row in rows]


async def fetch_first_month(connection: Connection) -> datetime | None:
    """Return when the oldest month of any meter begins; None: nothing was settled yet."""
    first: datetime | None = await connection.fetchval(
        "SELECT min(starts_at) FROM meter_consumption WHERE step = 'month'"
    )
    return first


async def mark_areas_stale(connection: Connection, differences: Sequence[Difference]) -> None:
    """Have areas added up again where they differ."""
    await connection.execute(
        """
        INSERT INTO stale_areas (region, division, carrier, starts_at, ends_at)
        SELECT split_part(owner, '/', 1), split_part(owner, '/', 2), split_part(owner, '/', 3),
               min(starts_at), max(starts_at) + INTERVAL '1 hour'
          FROM unnest($1::text[], $2::timestamptz[]) AS differing (owner, starts_at)
         GROUP BY owner
        """,
        [each.owner for each in differences],
        [each.starts_at for each in differences],
    )


async def claim(
    connection: Connection, night: date, now: datetime, until: datetime
) -> Tally | None:
    """Take up the reconciliation of a night where it is; None: somebody else is at it."""
    row = await connection.fetchrow(
        """
        INSERT INTO reconciliation_nights AS known (night, claimed_until)
        VALUES ($1, $3)
            ON CONFLICT (night) DO UPDATE SET claimed_until = $3 WHERE known.claimed_until < $2
        RETURNING last_unit, units, differences, failed
        """,
        night,
        now,
        until,
    )
    return None if row is None else Tally(**row)


async def renew(connection: Connection, night: date, tally: Tally, until: datetime) -> bool:
    """Keep how far a reconciliation is; False: somebody else is further."""
    answer = await connection.execute(
        """
        UPDATE reconciliation_nights
           SET last_unit = $2, units = $3, differences = $4, failed = $5, claimed_until = $6
         WHERE night = $1
           AND last_unit < $2
        """,
        night,
        tally.last_unit,
        tally.units,
        tally.differences,
        tally.failed,
        until,
    )
    return answer == "UPDATE 1"


async def note(connection: Connection, reconciled_at: datetime, tally: Tally) -> None:
    """Keep what a reconciliation found."""
    await connection.execute(
        """
        INSERT INTO reconciliations (reconciled_at, units, differences, failed)
        VALUES ($1, $2, $3, $4)
        """,
        reconciled_at,
        tally.units,
        tally.differences,
        tally.failed,
    )


async def fetch_first(connection: Connection) -> datetime:
    """Return when the database was made: migration 0009 noted it."""
    first: datetime = await connection.fetchval("SELECT min(reconciled_at) FROM reconciliations")
    return first


async def fetch_newest(connection: Connection) -> datetime:
    """Return when the newest reconciliation was done, or the database made."""
    newest: datetime = await connection.fetchval("SELECT max(reconciled_at) FROM reconciliations")
    return newest
