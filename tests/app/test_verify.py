"""Whoever touches what is stored, a verification names the first link that does not hold."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

import db.heads
from app import correcting, verification, verify
from app.resolve import Refusal
from app.verification import Report
from db import changes, corrections, reading_rows
from db.changes import Author, Fact
from db.corrections import CorrectionRow
from db.heads import CHANGES, KeptHead
from db.pool import Connection, Pool
from db.reading_rows import MIDDLE, VALUE_BYTES
from energy import instants
from energy.ledger import Head
from ingest import heads, linking, writer
from ingest.collect import Collector
from tests import factories
from tests.ingest.conftest import NOW, Plant, reading

FLUSHES, READINGS = 12, 8
TAMPERINGS = 50
SEED = 20261123
WEEK_MINUTES = 7 * 24 * 60
ZHAO = Author("zhao", "filed anew", "桂发改〔2026〕1号")


def quiet(check: str, done: int, total: int) -> None:
    """Show no progress."""


async def verified(connection: Connection, witnessed: list[KeptHead] | None = None) -> Report:
    return await verification.verify(connection, witnessed or [], quiet)


@pytest.fixture
async def books(pool: Pool) -> Plant:
    """Two collectors have stored three weeks of readings, people have stated facts."""
    async with pool.acquire() as connection:
        unit_id = await factories.unit(connection)
        await factories.gateway(connection, unit_id)
        register_id = await factories.meter(connection, unit_id, rollover=1_000_000.0)
        interval_id = await factories.meter(
            connection, unit_id, "C01", carrier="raw_coal", kind="interval", uom="kg"
        )
        for number in range(6):
            fact = Fact("targets", f"450200/{2026 + number}", {"required_rate": -0.01})
            await changes.record(connection, ZHAO, [fact], NOW)
    holder = await writer.begin(pool, "one", lambda: NOW)
    one = Collector(pool, holder, oldest=timedelta(days=400), clock=lambda: NOW)
    plant = Plant(pool, unit_id, register_id, interval_id, holder, one)
    for number in range(FLUSHES):
        await plant.send(
            *(reading(-number * WEEK_MINUTES // 4 - 15 * n, 1, "C01") for n in range(READINGS)),
            batch=f"c{number}",
        )
    plant.holder = await writer.begin(pool, "two", lambda: NOW)
    plant.collector = plant.new_collector()
    for number in range(FLUSHES):
        await plant.send(
            *(
                reading(15 * (n - FLUSHES * READINGS), 100.0 + n)
                for n in range(number * READINGS, (number + 1) * READINGS)
            ),
            batch=f"e{number}",
        )
    return plant


# -- what is untouched holds -----------------------------------------------------------------------


async def test_what_nobody_touched_holds(books: Plant) -> None:
    async with books.pool.acquire() as connection:
        report = await verified(connection)
    assert report.findings == []
    assert report.links == {"changes": 6, "readings/one": FLUSHES, "readings/two": FLUSHES}
    assert report.notes == []


async def test_a_flush_over_several_weeks_has_a_link_for_each(books: Plant) -> None:
    await books.send(*(reading(-n * WEEK_MINUTES - 1, 5, "C01") for n in range(5)), batch="late")
    weeks = await books.pool.fetchval("SELECT count(DISTINCT week_at) FROM links WHERE number > 12")
    async with books.pool.acquire() as connection:
        report = await verified(connection)
    assert (weeks, report.links["readings/two"], report.findings) == (5, FLUSHES + 5, [])


async def test_duplicates_and_conflicts_are_vouched_for_by_the_link_that_stored_them(
    books: Plant,
) -> None:
    again = [reading(-15 * n, 1, "C01") for n in range(3)]  # stored by the other collector
    await books.send(*again, reading(-5, 7, "C01"), reading(-15, 2, "C01"), batch="again")
    await books.send(*again, batch="again and again")  # nothing is new: no link
    async with books.pool.acquire() as connection:
        report = await verified(connection)
    assert (report.findings, report.links["readings/two"]) == ([], FLUSHES + 1)


async def test_readings_that_nothing_vouches_for_are_found_however_old_they_say_they_are(
    books: Plant,
) -> None:
    await books.pool.execute(
        "INSERT INTO readings VALUES ($1, $2, 1, 'good', $3)",
        books.register_id,
        NOW - timedelta(seconds=11),
        NOW - timedelta(days=300),
    )
    async with books.pool.acquire() as connection:
        report = await verified(connection)
    assert [(each.chain, each.number) for each in report.findings] == [("readings", None)]


async def test_readings_from_before_the_ledger_are_vouched_for_once_they_are_sealed(
    books: Plant,
) -> None:
    insert = "INSERT INTO readings VALUES ($1, $2, 1, 'good', $2)"
    old = NOW - timedelta(days=300)
    await books.pool.execute(insert, books.register_id, old)
    async with books.pool.acquire() as connection, connection.transaction():
        seals = await verification.list_seals(connection, quiet)
        await changes.record(connection, ZHAO, seals, NOW)
        assert (await verified(connection)).findings == []
        for touch in (
            "UPDATE readings SET raw_value = 2 WHERE link_id IS NULL",
            "DELETE FROM readings WHERE link_id IS NULL",
            f"INSERT INTO readings SELECT 1, '{old - timedelta(days=9)}', 1, 'good', '{old}'",
        ):
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(touch)
            (found,) = (await verified(connection)).findings
            await transaction.rollback()
            assert "are not those sealed" in found.fault


async def test_a_chain_goes_on_where_the_last_holder_left_it(books: Plant) -> None:
    books.holder = await writer.begin(books.pool, "two", lambda: NOW)
    books.collector = books.new_collector()
    await books.send(reading(-1, 3, "C01"), batch="next")
    async with books.pool.acquire() as connection:
        report = await verified(connection)
    assert (report.findings, report.links["readings/two"]) == ([], FLUSHES + 1)


async def test_a_chain_that_somebody_else_has_gone_on_with_is_not_forked(books: Plant) -> None:
    await books.pool.execute("UPDATE ingest_totals SET links = links + 1 WHERE collector = 'two'")
    with pytest.raises(writer.FencedError):
        await books.send(reading(-1, 3, "C01"), batch="next")
    assert await books.pool.fetchval("SELECT count(*) FROM readings") == 2 * FLUSHES * READINGS


# -- fifty tamperings ------------------------------------------------------------------------------

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


async def update_change(connection: Connection, chance: random.Random) -> tuple[str, int]:
    number = chance.randint(1, 6)
    column = chance.choice(["actor = 'sun'", "content = NULL", "evidence = 'none'"])
    await connection.execute(f"UPDATE changes SET {column} WHERE change_id = $1", number)
    return CHANGES, number


async def delete_change(connection: Connection, chance: random.Random) -> tuple[str, int]:
    """The last one, too: then it is a tail that was cut."""
    number = chance.randint(1, 6)
    await connection.execute("DELETE FROM changes WHERE change_id = $1", number)
    return CHANGES, number


async def insert_change(connection: Connection, chance: random.Random) -> tuple[str, int]:
    await connection.execute(
        """
        INSERT INTO changes
        SELECT 7, changed_at, actor, reason, evidence, noun, subject, content, sha256
          FROM changes
         WHERE change_id = $1
        """,
        chance.randint(1, 6),
    )
    return CHANGES, 7


async def reorder_changes(connection: Connection, chance: random.Random) -> tuple[str, int]:
    number = chance.randint(1, 5)
    for old, new in ((number, 1_000), (number + 1, number), (1_000, number + 1)):
        await connection.execute("UPDATE changes SET change_id = $2 WHERE change_id = $1", old, new)
    return CHANGES, number


TAMPERINGS_OF_ALL_KINDS: list[Tampering] = [
    update_reading, delete_readings, insert_reading, insert_without_link, swap_readings,
    replace_day, update_link, delete_link, reorder_links, cut_tail, forge_chain, update_change,
    delete_change, insert_change, reorder_changes,
]  # fmt: skip


async def test_fifty_of_fifty_tamperings_are_found_and_the_first_broken_link_is_named(
    books: Plant,
) -> None:
    chance = random.Random(SEED)
    kinds = TAMPERINGS_OF_ALL_KINDS + chance.choices(
        TAMPERINGS_OF_ALL_KINDS, k=TAMPERINGS - len(TAMPERINGS_OF_ALL_KINDS)
    )
    missed = []
    async with books.pool.acquire() as connection:
        await heads.note_once(connection, NOW + timedelta(days=1))
        witnessed = await db.heads.list_kept(connection)
        for table in ("links", "changes", "heads"):
            await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_append_only")
        for number, tamper in enumerate(kinds):
            transaction = connection.transaction()
            await transaction.start()
            chain, link = await tamper(connection, chance)
            first = (await verified(connection, witnessed)).first(chain)
            await transaction.rollback()
            if first is None or (first.number or 0) != link:
                missed.append((number, tamper.__name__, chain, link, first))
        assert (await verified(connection, witnessed)).findings == []
    assert missed == []


# -- heads -----------------------------------------------------------------------------------------


async def test_heads_are_kept_once_a_day_and_only_of_chains_that_grew(books: Plant) -> None:
    async with books.pool.acquire() as connection:
        assert await heads.note_once(connection, NOW) == 3
        assert await heads.note_once(connection, NOW + timedelta(hours=1)) == 0
        await books.send(reading(-1, 3, "C01"), batch="next")
        assert await heads.note_once(connection, NOW + timedelta(days=1)) == 1
        kept = await db.heads.list_kept(connection)
    assert [(each.day.isoformat(), each.chain) for each in kept] == [
        ("2026-11-22", "changes"),
        ("2026-11-22", "readings/one"),
        ("2026-11-22", "readings/two"),
        ("2026-11-23", "readings/two"),
    ]


async def test_a_witness_keeps_heads_in_a_file_and_finds_a_tail_that_was_cut(
    books: Plant, tmp_path: Path
) -> None:
    path = tmp_path / "heads.json"
    async with books.pool.acquire() as connection:
        path.write_text(verify.written(await verify.present(connection, NOW)), encoding="utf-8")
        witnessed = verify.read(path)
        assert (await verified(connection, witnessed)).findings == []
        await connection.execute("ALTER TABLE links DISABLE TRIGGER links_append_only")
        await cut_tail(connection, random.Random(SEED))
        assert (await verified(connection)).findings == []  # nothing in here tells
        report = await verified(connection, witnessed)
    (found,) = report.findings
    console = Console(record=True, width=200)
    verify.render(report, console)
    assert "its tail was cut off" in found.fault
    assert f"{found.chain}: broken at link {found.number}: " in console.export_text()


@pytest.mark.parametrize("text", ["", "{}", '[{"day": "2026-11-23"}]', '[{"chain": 1}]'])
def test_a_file_without_heads_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "heads.json"
    path.write_text(text)
    with pytest.raises(Refusal, match="holds no heads"):
        verify.read(path)


# -- corrections -----------------------------------------------------------------------------------


async def test_a_correction_that_nobody_stated_is_found(books: Plant) -> None:
    time = NOW - timedelta(hours=1)
    row = CorrectionRow(factories.unit_code(), "C01", time, 9.0)
    async with books.pool.acquire() as connection:
        targets = await corrections.list_targets(connection, [row])
        await correcting.state(connection, ZHAO, [(row, targets[row.subject])], NOW)
        assert (await verified(connection)).findings == []
        await connection.execute("UPDATE corrections SET value = 1")
        (changed,) = (await verified(connection)).findings
        await connection.execute("DELETE FROM corrections")
        (gone,) = (await verified(connection)).findings
    assert "is applied as 1.0; the ledger says 9.0" in changed.fault
    assert "is not applied" in gone.fault


def test_json_of_heads_is_a_list_of_lines() -> None:
    assert json.loads(verify.written([])) == []
