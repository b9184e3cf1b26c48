"""What the owner of the database could do to readings and their links."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from db import reading_rows
from db.pool import Connection
from db.reading_rows import MIDDLE, VALUE_BYTES
from energy import instants
from energy.ledger import Head
from ingest import linking
from tests.app.books import FLUSHES, READINGS
from tests.ingest.conftest import NOW

Tampering = Callable[[Connection, random.Random], Awaitable[tuple[str, int]]]
"""Tampers as the owner of the database could; returns chain and number of the first broken link."""


async def _some_link(connection: Connection, chance: random.Random) -> tuple[str, int, int]:
    rows = await connection.fetch("SELECT chain, number, link_id FROM links ORDER BY link_id")
    row = chance.choice(rows)
    return f"readings/{row['chain']}", row["number"], row["link_id"]


async def update_reading(connection: Connection, chance: random.Random) -> tuple[str, int]:
    chain, number, link_id = await _some_link(connection, chance)
    column = chance.choice(
        ["raw_value = raw_value + 1e-9", "quality = 'bad'", "raw_value = -raw_value",
         "received_at = received_at + interval '1 microsecond'",
         "read_at = read_at + interval '1 second'"]
    )  # fmt: skip
    await connection.execute(
        f"""
        UPDATE readings SET {column}
         WHERE (meter_id, read_at) = (SELECT meter_id, read_at FROM readings
                                       WHERE link_id = $1 ORDER BY read_at LIMIT 1)
        """,
        link_id,
    )
    return chain, number


async def delete_readings(connection: Connection, chance: random.Random) -> tuple[str, int]:
    chain, number, link_id = await _some_link(connection, chance)
    await connection.execute(
        """
        DELETE FROM readings
         WHERE (meter_id, read_at) IN (SELECT meter_id, read_at FROM readings
                                        WHERE link_id = $1 ORDER BY read_at LIMIT $2)
        """,
        link_id,
        chance.randint(1, READINGS),
    )
    return chain, number


async def insert_reading(connection: Connection, chance: random.Random) -> tuple[str, int]:
    """Into the week of the link, or into another one."""
    chain, number, link_id = await _some_link(connection, chance)
    await connection.execute(
        """
        INSERT INTO readings
        SELECT meter_id, read_at + $2, raw_value, quality, received_at, link_id
          FROM readings
         WHERE link_id = $1
         LIMIT 1
        """,
        link_id,
        timedelta(seconds=7) - chance.choice([0, 30]) * timedelta(days=1),
    )
    return chain, number


async def insert_without_link(connection: Connection, chance: random.Random) -> tuple[str, int]:
    await connection.execute(
        "INSERT INTO readings SELECT 1, $1, 5, 'good', $2", NOW - timedelta(seconds=11), NOW
    )
    return "readings", 0


async def swap_readings(connection: Connection, chance: random.Random) -> tuple[str, int]:
    """Give two links each other's readings."""
    one, number, first = await _some_link(connection, chance)
    rows = await connection.fetch(
        "SELECT number, link_id FROM links WHERE chain = $1 AND number <> $2 ORDER BY number",
        one.removeprefix("readings/"),
        number,
    )
    other = chance.choice(rows)
    await connection.execute(
        """
        UPDATE readings SET link_id = CASE link_id WHEN $1 THEN $2::bigint ELSE $1::bigint END
         WHERE link_id IN ($1, $2)
        """,
        first,
        other["link_id"],
    )
    return one, min(number, other["number"])


async def replace_day(connection: Connection, chance: random.Random) -> tuple[str, int]:
    """Replace a day of readings by others that look as good."""
    day = NOW - timedelta(days=chance.randint(0, 1))
    row = await connection.fetchrow(
        """
        WITH gone AS (
            DELETE FROM readings
             WHERE read_at > $1 AND read_at <= $2
         RETURNING meter_id, read_at, raw_value, quality, received_at, link_id
        ), again AS (
            SELECT chain, number FROM gone JOIN links USING (link_id)
        )
        SELECT chain, min(number) AS number FROM again GROUP BY chain ORDER BY chain LIMIT 1
        """,
        day - timedelta(days=1),
        day,
    )
    assert row is not None
    await connection.execute(
        """
        INSERT INTO readings
        SELECT $1, $2::timestamptz - n * interval '15 min', 90, 'good', $2,
               (SELECT max(link_id) FROM links)
          FROM generate_series(1, 96) AS n
        ON CONFLICT DO NOTHING
        """,
        1,
        day,
    )
    return f"readings/{row['chain']}", row["number"]


async def update_link(connection: Connection, chance: random.Random) -> tuple[str, int]:
    chain, number, link_id = await _some_link(connection, chance)
    column = chance.choice(
        ["readings = readings + 1", "stored_at = stored_at + interval '1 second'",
         "content = sha256(content)", "sha256 = sha256(sha256)"]
    )  # fmt: skip
    await connection.execute(f"UPDATE links SET {column} WHERE link_id = $1", link_id)
    return chain, number


async def delete_link(connection: Connection, chance: random.Random) -> tuple[str, int]:
    chain, number, link_id = await _some_link(connection, chance)
    await connection.execute("DELETE FROM links WHERE link_id = $1", link_id)
    return chain, number


async def reorder_links(connection: Connection, chance: random.Random) -> tuple[str, int]:
    chain, number, _ = await _some_link(connection, chance)
    number = min(number, FLUSHES - 1)
    for old, new in ((number, 1_000), (number + 1, number), (1_000, number + 1)):
        await connection.execute(
            "UPDATE links SET number = $3 WHERE chain = $1 AND number = $2",
            chain.removeprefix("readings/"),
            old,
            new,
        )
    return chain, number


async def cut_tail(connection: Connection, chance: random.Random) -> tuple[str, int]:
    """Cut off links with their readings, and set the totals as if they had never been."""
    chain, number, _ = await _some_link(connection, chance)
    name = chain.removeprefix("readings/")
    await connection.execute(
        """
        DELETE FROM readings
         WHERE link_id IN (SELECT link_id FROM links WHERE chain = $1 AND number >= $2)
        """,
        name,
        number,
    )
    await connection.execute("DELETE FROM links WHERE chain = $1 AND number >= $2", name, number)
    await connection.execute(
        """
        UPDATE ingest_totals
           SET links = $2 - 1,
               head = coalesce((SELECT sha256 FROM links WHERE chain = $1 AND number = $2 - 1),
                               decode(repeat('00', 32), 'hex'))
         WHERE collector = $1
        """,
        name,
        number,
    )
    return chain, number


async def forge_chain(connection: Connection, chance: random.Random) -> tuple[str, int]:
    """Change a reading and make its chain anew from there, totals and kept heads included."""
    chain, _, link_id = await _some_link(connection, chance)
    name = chain.removeprefix("readings/")
    await connection.execute("UPDATE readings SET raw_value = 5 WHERE link_id = $1", link_id)
    rows = await connection.fetch(
        "SELECT number, link_id, stored_at, week_at FROM links WHERE chain = $1 ORDER BY number",
        name,
    )
    head = None
    for row in rows:
        readings = await _rows(connection, row["link_id"])
        forger = linking.Linker(name, head or Head(), iter([row["link_id"]]), row["stored_at"])
        list(forger.bodies(linking.by_week(readings)))
        (link,) = forger.links
        head = link.head
        await connection.execute(
            "UPDATE links SET content = $3, sha256 = $4 WHERE chain = $1 AND number = $2",
            name, link.number, link.content, link.sha256,
        )  # fmt: skip
    assert head is not None
    await connection.execute(
        "UPDATE ingest_totals SET head = $2 WHERE collector = $1", name, head.digest
    )
    await connection.execute("DELETE FROM heads WHERE chain = $1", chain)
    return chain, 1


async def _rows(connection: Connection, link_id: int) -> list[bytes]:
    rows = await connection.fetch(
        "SELECT meter_id, read_at, raw_value, quality, received_at FROM readings "
        "WHERE link_id = $1",
        link_id,
    )
    return [
        MIDDLE.pack(
            reading_rows.head(row["meter_id"]), instants.of(row["read_at"]), VALUE_BYTES,
            row["raw_value"],
        ) + reading_rows.tail(row["quality"], instants.of(row["received_at"]))
        for row in rows
    ]  # fmt: skip


async def backdate_link(connection: Connection, chance: random.Random) -> tuple[str, int]:
    """Store a reading and append a link that follows well, as if it had been there long ago.

    Before the link before it, or before a head that was kept; or there is one of later between.
    """
    chain = chance.choice(["one", "two"])
    links: int = await connection.fetchval(
        "SELECT links FROM ingest_totals WHERE collector = $1", chain
    )
    if chance.random() < 0.5:
        await _append_link(connection, chain, 1, NOW + timedelta(days=3))
        await _append_link(connection, chain, 2, NOW + timedelta(days=2))
        return f"readings/{chain}", links + 2
    await _append_link(connection, chain, 1, NOW - chance.choice([0, 300]) * timedelta(days=1))
    return f"readings/{chain}", links + 1


async def _append_link(
    connection: Connection, chain: str, number: int, stored_at: datetime
) -> None:
    row = await connection.fetchrow(
        "SELECT links, head FROM ingest_totals WHERE collector = $1", chain
    )
    assert row is not None
    read_at = NOW - timedelta(days=1, seconds=number)
    forger = linking.Linker(
        chain, Head(row["links"], row["head"]), iter([9_000_000 + number]), stored_at
    )
    added = MIDDLE.pack(
        reading_rows.head(1), instants.of(read_at), VALUE_BYTES, 5.0
    ) + reading_rows.tail("good", instants.of(read_at))
    list(forger.bodies(linking.by_week([added])))
    (link,) = forger.links
    await connection.execute(
        "INSERT INTO readings VALUES (1, $1, 5.0, 'good', $1, $2)", read_at, link.link_id
    )
    await connection.execute(
        "INSERT INTO links VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        chain, link.number, link.link_id, link.stored_at, link.week_at, link.readings,
        link.content, link.sha256,
    )  # fmt: skip
    await connection.execute(
        "UPDATE ingest_totals SET links = $2, head = $3 WHERE collector = $1",
        chain, link.number, link.sha256,
    )  # fmt: skip


OF_READINGS: list[Tampering] = [
    update_reading, delete_readings, insert_reading, insert_without_link, swap_readings,
    replace_day, update_link, delete_link, reorder_links, cut_tail, forge_chain, backdate_link,
]  # fmt: skip
