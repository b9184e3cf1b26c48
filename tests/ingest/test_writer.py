"""What stands between a flush and its commit: poison, fencing, numbers, signatures."""

from __future__ import annotations

import asyncio
import json
import math
import random
from pathlib import Path

import pytest
import structlog.testing

import db.intake
import db.sequences
from app import importing
from app.imports.kinds import Kind
from db.changes import Author
from db.intake import Totals
from db.metering import GatewayEntry
from ingest import requests, validate, writer
from ingest.acks import Delivery
from ingest.batches import Flush
from ingest.collect import Collector
from ingest.payload import Reason
from ingest.writer import FencedError
from tests import factories
from tests.ingest.conftest import NOW, Plant, reading, tally

TOPIC = f"nenghao/v1/450200/{factories.unit_code()}/gw1/readings"
KEY = b"k" * 32
NEW_KEY = "INSERT INTO gateway_keys (gateway_id, signing_key) VALUES (1, $1)"


def numbered(seq: int, *readings: dict[str, object], boot: str = "b", batch: str = "") -> bytes:
    said = {"batch": batch or f"{boot}-{seq}", "boot": boot, "seq": seq, "readings": readings}
    return json.dumps(said).encode()


async def deliver(plant: Plant, payload: bytes, signature: str | None = None) -> Flush:
    return await plant.collector.store([Delivery(1, 1, TOPIC, payload, NOW, signature)])


def reasons(flush: Flush) -> list[str]:
    return [each.reason for piece in flush.pieces for each in piece.rejections]


# -- rows the database will never take -------------------------------------------------------------


@pytest.fixture
async def poisoned(plant: Plant) -> Plant:
    await plant.pool.execute("ALTER TABLE readings ADD CHECK (raw_value <> 666)")
    return plant


async def test_a_row_the_database_refuses_is_set_aside_and_the_others_are_stored(
    poisoned: Plant,
) -> None:
    (piece,) = (await poisoned.send(*(reading(5 * n, 660 + n) for n in range(9)))).pieces
    assert [(each.index, each.meter, each.reason) for each in piece.rejections] == [
        (6, "E01", Reason.INVALID_FIELD)
    ]
    assert "raw_value" in piece.rejections[0].detail


async def test_poison_is_found_in_log2_tries(poisoned: Plant) -> None:
    readings = [reading(-n, 666 if n == 313 else 1, "C01") for n in range(1000)]
    with structlog.testing.capture_logs() as logs:
        await poisoned.pool.execute("CREATE SEQUENCE tries")
        await poisoned.pool.execute(
            """
            CREATE FUNCTION try() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM nextval('tries'); RETURN NULL; END $$
            """
        )
        await poisoned.pool.execute(
            "CREATE TRIGGER tried BEFORE INSERT ON readings EXECUTE FUNCTION try()"
        )
        flush = await poisoned.send(*readings)
    assert tally(flush) == (1000, 999, 0, 0, 1)
    assert [log["ordinal"] for log in logs if log["event"] == "row_refused"] == [313]
    # The first attempt, the whole once more, log2(1000) halves, the rest.
    assert await poisoned.pool.fetchval("SELECT last_value FROM tries") <= 3 + math.log2(1000) + 1


async def test_many_poisonous_messages_are_set_aside_whole(poisoned: Plant) -> None:
    payloads = [
        json.dumps(
            {"batch": f"b{n}", "readings": [reading(-n, 666, "C01"), reading(-n, 666)]}
        ).encode()
        for n in range(writer.POISON_ROWS_MAX)
    ]
    flush = await poisoned.send_raw(payloads)
    assert sum(piece.tally.rejected for piece in flush.pieces) == 2 * writer.POISON_ROWS_MAX
    assert sum(piece.tally.received for piece in flush.pieces) == 2 * writer.POISON_ROWS_MAX


# -- fencing ---------------------------------------------------------------------------------------


async def test_who_was_overtaken_stores_nothing_more(plant: Plant) -> None:
    frozen: Collector = plant.new_collector()
    await plant.send(reading(0, 1))
    await writer.begin(plant.pool, "test", lambda: NOW)
    late = Delivery(1, 1, TOPIC, numbered(1, reading(15, 2)), NOW)
    with pytest.raises(FencedError):
        await frozen.store([late])
    assert await plant.pool.fetchval("SELECT count(*) FROM readings") == 1


# -- numbered batches ------------------------------------------------------------------------------


async def gaps(plant: Plant) -> list[tuple[str, int, int]]:
    async with plant.pool.acquire() as connection:
        due = await requests.list_due(connection, NOW)
    return [(gap.boot, gap.first, gap.last) for each in due for gap in each.numbers]


async def test_missing_numbers_are_listed_until_they_come(plant: Plant) -> None:
    for seq in (1, 2, 5, 9):
        await deliver(plant, numbered(seq, reading(seq, seq)))
    await deliver(plant, numbered(7, reading(20, 20), boot="c"))
    assert await gaps(plant) == [("b", 3, 4), ("b", 6, 8)]
    await deliver(plant, numbered(3, reading(3, 3)))
    assert await gaps(plant) == [("b", 4, 4), ("b", 6, 8)]


@pytest.mark.parametrize(
    ("boot", "minutes"), [("b", 1), ("new", 1), ("b", 0)], ids=["known", "new", "with_duplicates"]
)
async def test_a_number_that_another_process_is_storing_is_not_taken_twice(
    plant: Plant, boot: str, minutes: int
) -> None:
    await deliver(plant, numbered(1, reading(0, 1)))
    async with plant.pool.acquire() as other:
        async with other.transaction():
            await db.sequences.add(other, [(1, boot, 2)], NOW)
            messages = [numbered(2, reading(15, 2), boot=boot), numbered(3, reading(minutes, 1))]
            storing = asyncio.create_task(plant.send_raw(messages))
            while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
        flush = await storing
    assert [tally(flush, n)[4] for n in (0, 1)] == [1, 0]
    assert reasons(flush) == [Reason.REPLAYED]


async def test_a_resend_is_a_duplicate_and_counted_as_repeated(plant: Plant) -> None:
    message = numbered(1, reading(0, 1), reading(15, 2))
    await deliver(plant, message)
    flush = await deliver(plant, message)
    assert tally(flush) == (2, 0, 2, 0, 0)
    async with plant.pool.acquire() as connection:
        assert await db.intake.fetch_totals(connection) == Totals(4, 2, 2, 0, 0, repeated=1)


async def test_a_number_used_for_other_readings_is_a_replay(plant: Plant) -> None:
    await deliver(plant, numbered(1, reading(0, 1)))
    for _ in range(2):  # sent again it is no truer
        flush = await deliver(plant, numbered(1, reading(15, 2), reading(30, 3)))
        assert (reasons(flush), tally(flush)) == ([Reason.REPLAYED], (2, 0, 0, 0, 2))
    assert await plant.pool.fetchval("SELECT count(*) FROM readings") == 1


async def test_two_messages_under_one_number_in_one_flush_are_told_apart(plant: Plant) -> None:
    first = numbered(1, reading(0, 1))
    flush = await plant.send_raw([first, numbered(1, reading(15, 2)), first])
    assert [piece.tally.rejected for piece in flush.pieces] == [0, 1, 0]


async def test_an_empty_message_under_a_used_number_stops_nobody(plant: Plant) -> None:
    flush = await plant.send_raw([numbered(1, reading(0, 1)), numbered(1)])
    assert [tally(flush, n) for n in (0, 1)] == [(1, 1, 0, 0, 0), (0, 0, 0, 0, 0)]
    flush = await plant.send_raw([numbered(2), numbered(2, reading(15, 2))])
    assert [tally(flush, n) for n in (0, 1)] == [(0, 0, 0, 0, 0), (1, 0, 0, 0, 1)]


async def test_what_a_numbered_message_says_is_read_once(plant: Plant) -> None:
    (piece,) = (await deliver(plant, numbered(1, reading(0, 1, "E99")))).pieces
    assert piece.said_sha256() is piece.said_sha256()


async def test_a_resend_with_another_sent_at_is_a_duplicate_in_one_flush_too(plant: Plant) -> None:
    said = {"batch": "b", "boot": "b", "seq": 1, "readings": [reading(0, 1)]}
    texts = [json.dumps(said | {"sent_at": f"2026-11-23T08:00:{s}Z"}).encode() for s in (10, 40)]
    flush = await plant.send_raw(texts)
    assert [tally(flush, n) for n in (0, 1)] == [(1, 1, 0, 0, 0), (1, 0, 1, 0, 0)]


async def test_what_was_turned_away_is_not_where_a_register_stands(plant: Plant) -> None:
    await deliver(plant, numbered(1, reading(0, 100)))
    assert reasons(await deliver(plant, numbered(1, reading(15, 9000)))) == [Reason.REPLAYED]
    assert tally(await deliver(plant, numbered(2, reading(30, 102)))) == (1, 1, 0, 0, 0)


async def test_a_resend_after_the_registry_was_mended_is_no_replay(plant: Plant) -> None:
    message = numbered(1, reading(0, 1), reading(0, 5, "E02"))
    assert reasons(await deliver(plant, message)) == [Reason.UNKNOWN_METER]
    async with plant.pool.acquire() as connection:
        await factories.meter(connection, plant.unit_id, "E02")
    assert tally(await deliver(plant, message)) == (2, 1, 1, 0, 0)


def restamped(message: bytes, second: int) -> bytes:
    """Return a batch as a gateway writes it anew: with the time of this sending."""
    told = {"sent_at": f"2026-11-23T08:00:{second}Z", **json.loads(message)}
    return json.dumps(told, separators=(",", ":")).encode()


async def test_a_resend_of_a_rejected_batch_may_say_anew_when_it_was_sent(plant: Plant) -> None:
    message = numbered(1, reading(0, 1), reading(0, 5, "E02"))
    assert tally(await deliver(plant, restamped(message, 10))) == (2, 1, 0, 0, 1)
    assert tally(await deliver(plant, restamped(message, 20))) == (2, 0, 1, 0, 1)
    async with plant.pool.acquire() as connection:
        await factories.meter(connection, plant.unit_id, "E02")
    assert tally(await deliver(plant, restamped(message, 40))) == (2, 1, 1, 0, 0)


@pytest.mark.parametrize(
    ("said", "other"),
    [
        (numbered(1, reading(0, 5, "E02")), numbered(1, reading(0, 6, "E02"))),
        (numbered(1, reading(0, 5, "E02")), numbered(1, reading(5, 5, "E02"))),
        (numbered(1, reading(0, 5, "E02")), numbered(1, reading(0, 5, "E02"), batch="x")),
        (
            numbered(1, reading(0, 5, "E02"), reading(0, 5, "E03")),
            numbered(1, reading(0, 5, "E02")),
        ),
    ],
    ids=["value", "time", "batch", "fewer"],
)
async def test_another_message_under_the_number_of_a_rejected_one_is_a_replay(
    plant: Plant, said: bytes, other: bytes
) -> None:
    await deliver(plant, restamped(said, 10))
    async with plant.pool.acquire() as connection:
        await factories.meter(connection, plant.unit_id, "E02")
    assert reasons(await deliver(plant, restamped(other, 20))) == [Reason.REPLAYED]
    assert await plant.pool.fetchval("SELECT count(*) FROM readings") == 0


# -- signatures ------------------------------------------------------------------------------------


def signed(payload: bytes, key: bytes = KEY, topic: str = TOPIC) -> str:
    return validate.signatures(topic, payload, [key])[0]


@pytest.fixture
async def signing(plant: Plant) -> Plant:
    await plant.pool.execute(
        "INSERT INTO gateway_keys (gateway_id, signing_key) VALUES (1, $1)", KEY
    )
    await plant.pool.execute("UPDATE units SET signature_required = true")
    return plant


async def test_a_signed_batch_is_stored(signing: Plant) -> None:
    message = numbered(1, reading(0, 1))
    assert tally(await deliver(signing, message, signed(message))) == (1, 1, 0, 0, 0)


async def test_a_unit_imported_as_signing_has_unsigned_batches_rejected(
    plant: Plant, tmp_path: Path
) -> None:
    columns = "unit,name,region,industry,signature_required"
    file = tmp_path / "units.csv"
    for batch, required, expected in (
        ("b1", "yes", [Reason.BAD_SIGNATURE]),
        ("b2", "", [Reason.BAD_SIGNATURE]),
        ("b3", "no", []),
    ):
        row = f"{factories.unit_code()},测试厂,450202,C3120,{required}"
        file.write_text(f"{columns}\n{row}\n", encoding="utf-8")
        async with plant.pool.acquire() as connection, connection.transaction():
            plan = await importing.plan(connection, Kind.UNITS, file, lambda _done, _total: None)
            await importing.apply(connection, plan, Author("zhao", "signing"), NOW)
        plant.collector = plant.new_collector()  # as after half a minute: it reads the registry
        flush = await plant.send(reading(0, 1), batch=batch)
        assert reasons(flush) == expected


async def test_no_flipped_byte_passes(signing: Plant) -> None:
    message = numbered(1, reading(0, 1))
    signature = signed(message)
    flipped = [
        bytes((*message[:n], message[n] ^ 1, *message[n + 1 :])) for n in range(len(message))
    ]
    deliveries = [Delivery(1, n, TOPIC, text, NOW, signature) for n, text in enumerate(flipped)]
    flush = await signing.collector.store(deliveries)
    assert set(reasons(flush)) == {Reason.BAD_SIGNATURE}
    assert await signing.pool.fetchval("SELECT count(*) FROM readings") == 0


def test_no_flipped_byte_of_many_messages_passes() -> None:
    """[26] Each byte of 200 messages, by the function that judges every delivery."""
    dice, gateway = random.Random(26), GatewayEntry(1, (KEY,))
    for number in range(200):
        message = numbered(number, reading(number, dice.uniform(0, 1e6)), boot=f"b{number}")
        signature = signed(message)

        def passes(text: bytes, signature: str = signature) -> bool:
            return not validate.signature_fault(signature, TOPIC, text, gateway, is_required=True)

        assert passes(message)
        for at in range(len(message)):
            flipped = bytearray(message)
            flipped[at] ^= dice.randrange(1, 256)
            assert not passes(bytes(flipped)), f"byte {at} of {message!r}"


@pytest.mark.parametrize("signature", [None, "", "é", "00" * 32, signed(b"x", key=b"z" * 32)])
async def test_a_missing_or_foreign_signature_is_refused(
    signing: Plant, signature: str | None
) -> None:
    flush = await deliver(signing, numbered(1, reading(0, 1)), signature)
    assert reasons(flush) == [Reason.BAD_SIGNATURE]


async def test_a_signature_of_another_topic_is_refused(signing: Plant) -> None:
    message = numbered(1, reading(0, 1))
    other = signed(message, topic=TOPIC.replace("gw1", "gw2"))
    assert reasons(await deliver(signing, message, other)) == [Reason.BAD_SIGNATURE]


async def test_a_new_key_and_the_old_one_overlap(signing: Plant) -> None:
    """[26] 200 messages while the key changes, by a collector that runs on: none is lost."""
    newer, numbers = b"n" * 32, iter(range(200))

    async def send(times: int, *keys: bytes) -> None:
        for _ in range(times):
            for key in keys:
                number = next(numbers)
                message = numbered(number, reading(number - 200, number))
                assert reasons(await deliver(signing, message, signed(message, key))) == []

    await send(50, KEY)
    await signing.pool.execute("UPDATE gateway_keys SET valid_until = now() + interval '1 hour'")
    await signing.pool.execute(NEW_KEY, newer)
    await send(50, newer, KEY)
    await signing.pool.execute("UPDATE gateway_keys SET valid_until = now() WHERE key_id = 1")
    await send(50, newer)
    assert await signing.pool.fetchval("SELECT count(*) FROM readings") == 200
    signing.collector = signing.new_collector()
    message = numbered(200, reading(0, 0))
    assert reasons(await deliver(signing, message, signed(message, KEY))) == [Reason.BAD_SIGNATURE]
