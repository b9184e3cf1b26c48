"""Owns what ingestion writes, all of it inside the collector's one transaction per flush."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from db import reading_rows
from db.pool import Connection

StaleRow = tuple[int, int, datetime, datetime]
"""unit_id, meter_id, starts_at, ends_at"""

QuarantineRow = tuple[bytes, int | None, str | None, str | None, str, str, int, datetime]
"""sha256, reading_index, batch, meter, reason, detail, reading_count, received_at"""

MessageRow = tuple[bytes, str, bytes, str | None, datetime, bytes | None]
"""sha256, topic, payload, signature, received_at, said_sha256"""

ConflictRow = tuple[int, datetime, float, str, datetime, str, str, bytes]
"""meter_id, read_at, raw_value, quality, received_at, topic, batch, sha256"""


@dataclass(frozen=True, slots=True)
class Totals:
    """How many readings were received since the beginning, and what became of them."""

    received: int = 0
    stored: int = 0
    duplicate: int = 0
    conflicting: int = 0
    rejected: int = 0
    repeated: int = 0
    """Batches of which every reading was here before."""


async def copy_readings(connection: Connection, bodies: Iterable[bytes]) -> None:
    """Store the rows in `bodies` (`db.reading_rows.Part`) straight into the hypertable.

    UniqueViolationError if one is there already.
    """
    await connection.copy_to_table(
        "readings",
        source=_in_turn(reading_rows.pieces(bodies)),
        format="binary",
        columns=["meter_id", "read_at", "raw_value", "quality", "received_at", "link_id"],
    )


async def _in_turn(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yield `pieces` as they are; a file object would be read in other ones, in another thread."""
    for piece in pieces:
        yield piece


async def create_staging(connection: Connection) -> None:
    await connection.execute(
        """
        CREATE TEMPORARY TABLE IF NOT EXISTS staging (
            ordinal     integer NOT NULL,
            meter_id    integer NOT NULL,
            read_at     timestamptz NOT NULL,
            raw_value   double precision NOT NULL,
            quality     text NOT NULL,
            received_at timestamptz NOT NULL,
            link_id     bigint NOT NULL
        ) ON COMMIT DELETE ROWS
        """
    )


async def copy_to_staging(connection: Connection, rows: Iterable[tuple[int, bytes, int]]) -> None:
    """Stage rows: (ordinal, row, link_id)."""
    pieces = reading_rows.pieces([reading_rows.numbered(rows)])
    await connection.copy_to_table("staging", source=_in_turn(pieces), format="binary")


async def store_staged(connection: Connection) -> set[int]:
    """Store the staged readings that are new; return their ordinals. The first value wins."""
    rows = await connection.fetch(
        """
        WITH first AS (
            SELECT DISTINCT ON (meter_id, read_at)
                   ordinal, meter_id, read_at, raw_value, quality, received_at, link_id
              FROM staging
             ORDER BY meter_id, read_at, ordinal
        ), stored AS (
            INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at, link_id)
            SELECT meter_id, read_at, raw_value, quality, received_at, link_id
              FROM first
             ORDER BY meter_id, read_at
                ON CONFLICT (meter_id, read_at) DO NOTHING
            RETURNING meter_id, read_at
        )
        SELECT first.ordinal
          FROM first
          JOIN stored USING (meter_id, read_at)
         ORDER BY first.ordinal
        """
    )
    return {row["ordinal"] for row in rows}


async def list_conflicting(
    connection: Connection, earliest: datetime, latest: datetime
) -> set[int]:
    """Return the ordinals of staged readings that contradict the stored one.

    They are of another value, or of the same where one of both is bad.

    The bounds let the planner leave out the chunks that cannot hold them.
    """
    rows = await connection.fetch(
        """
        SELECT ordinal
          FROM staging
          JOIN readings AS standing USING (meter_id, read_at)
         WHERE standing.read_at BETWEEN $1 AND $2
           AND (standing.raw_value <> staging.raw_value
                OR (standing.quality = 'bad') <> (staging.quality = 'bad'))
         ORDER BY ordinal
        """,
        earliest,
        latest,
    )
    return {row["ordinal"] for row in rows}


async def list_fates(
    connection: Connection, earliest: datetime, latest: datetime
) -> tuple[set[int], set[int]]:
    """Return the ordinals of staged readings that would be stored, and that would be conflicting.

    Nothing is stored. Of two that are staged, the first counts as what stands. By the rule of
    `list_conflicting`.
    """
    rows = await connection.fetch(
        """
        WITH standing AS (
            SELECT ordinal,
                   readings.raw_value IS NULL
                   AND ordinal = first_value(ordinal) OVER same AS is_new,
                   coalesce(readings.raw_value,
                            first_value(staging.raw_value) OVER same) AS raw_value,
                   coalesce(readings.quality, first_value(staging.quality) OVER same) AS quality
              FROM staging
              LEFT JOIN readings
                ON readings.meter_id = staging.meter_id
               AND readings.read_at = staging.read_at
               AND readings.read_at BETWEEN $1 AND $2
            WINDOW same AS (PARTITION BY staging.meter_id, staging.read_at ORDER BY ordinal)
        )
        SELECT ordinal, is_new,
               standing.raw_value <> staging.raw_value
               OR (standing.quality = 'bad') <> (staging.quality = 'bad') AS is_conflicting
          FROM staging
          JOIN standing USING (ordinal)
         ORDER BY ordinal
        """,
        earliest,
        latest,
    )
    return (
        {row["ordinal"] for row in rows if row["is_new"]},
        {row["ordinal"] for row in rows if row["is_conflicting"]},
    )


async def insert_conflicts(connection: Connection, rows: Sequence[ConflictRow]) -> None:
    """Keep what contradicts stored readings beside them, with what is known of both.

    Which message brought the first one the arrivals of its flush tell, by unit and time, if there
    is one such message: it is not guessed.
    """
    await connection.executemany(
        """
        INSERT INTO conflicts (meter_id, read_at, raw_value, quality, received_at, topic, batch,
                               sha256, first_value, first_quality, first_received_at,
                               first_gateway_id, first_sha256)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, readings.raw_value, readings.quality,
               readings.received_at, first.gateway_id, first.sha256
          FROM readings
          JOIN meters USING (meter_id)
          LEFT JOIN LATERAL (
               SELECT (array_agg(gateway_id))[1] AS gateway_id,
                      (array_agg(message.sha256))[1] AS sha256
                 FROM (SELECT gateway_ids, received_at, sha256
                         FROM arrivals
                        WHERE first_link_id <= readings.link_id
                        ORDER BY first_link_id DESC
                        LIMIT 1) AS flush,
                      unnest(flush.gateway_ids, flush.received_at, flush.sha256)
                          AS message (gateway_id, received_at, sha256)
                 JOIN gateways USING (gateway_id)
                WHERE message.received_at = readings.received_at
                  AND gateways.unit_id = meters.unit_id
               HAVING count(*) = 1) AS first ON true
         WHERE readings.meter_id = $1
           AND readings.read_at = $2
            ON CONFLICT DO NOTHING
        """,
        rows,
    )


async def copy_stale(connection: Connection, rows: Sequence[StaleRow]) -> None:
    await connection.copy_records_to_table(
        "stale_ranges",
        records=rows,
        columns=["unit_id", "meter_id", "starts_at", "ends_at"],
    )


async def insert_quarantined_messages(connection: Connection, rows: Sequence[MessageRow]) -> None:
    """Keep each message once."""
    await connection.executemany(
        """
        INSERT INTO quarantine_messages (sha256, topic, payload, signature, received_at,
                                         said_sha256)
        VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (sha256)
            DO UPDATE SET said_sha256 = excluded.said_sha256  -- if not, it is locked all the same
                    WHERE quarantine_messages.said_sha256 IS NULL
                      AND excluded.said_sha256 IS NOT NULL
        """,
        rows,
    )


async def upsert_quarantine(connection: Connection, rows: Sequence[QuarantineRow]) -> None:
    """Keep each rejection; one that came before, by its message, index and reason, is counted."""
    await connection.execute(
        """
        INSERT INTO quarantine (sha256, reading_index, batch, meter, reason, detail,
                                reading_count, deliveries, received_at)
        SELECT sha256, reading_index, min(batch), min(meter), reason, min(detail),
               max(reading_count), count(*), min(received_at)
          FROM unnest($1::bytea[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[],
                      $7::integer[], $8::timestamptz[]) WITH ORDINALITY
               AS told (sha256, reading_index, batch, meter, reason, detail, reading_count,
                        received_at, place)
         GROUP BY sha256, reading_index, reason
         ORDER BY min(place)
            ON CONFLICT (sha256, reading_index, reason)
            DO UPDATE SET deliveries = quarantine.deliveries + excluded.deliveries
        """,
        *(list(column) for column in zip(*rows, strict=True)),
    )


async def fetch_totals(connection: Connection) -> Totals:
    row = await connection.fetchrow(
        """
        SELECT coalesce(sum(received), 0)::bigint    AS received,
               coalesce(sum(stored), 0)::bigint      AS stored,
               coalesce(sum(duplicate), 0)::bigint   AS duplicate,
               coalesce(sum(conflicting), 0)::bigint AS conflicting,
               coalesce(sum(rejected), 0)::bigint    AS rejected,
               coalesce(sum(repeated), 0)::bigint    AS repeated
          FROM ingest_totals
        """
    )
    assert row is not None
    return Totals(**row)


async def mark_gateways_seen(
    connection: Connection, gateway_ids: Sequence[int], seen_at: datetime
) -> None:
    await connection.execute(
        """
        UPDATE gateways
           SET last_seen_at = $2
         WHERE gateway_id = ANY ($1)
        """,
        gateway_ids,
        seen_at,
    )


async def update_gateway_status(
    connection: Connection,
    gateway_id: int,
    *,
    state: str,
    reported_at: datetime,
    firmware: str | None,
) -> None:
    """Keep what a gateway, or its last will, said of its connection."""
    await connection.execute(
        """
        UPDATE gateways
           SET connection = $2, connection_at = $3, firmware = coalesce($4, firmware)
         WHERE gateway_id = $1
        """,
        gateway_id,
        state,
        reported_at,
        firmware,
    )
