"""Whatever comes in: stored as it was meant, or kept and named. [RELIABILITY 13, 22–29, 32, 46]"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ingest import requests
from ingest.acks import Delivery
from ingest.payload import PAYLOAD_BYTES_MAX, Reason
from tests import factories
from tests.ingest.conftest import NOW, Plant, reading, tally

UNIT = factories.unit_code()
TOPIC = f"nenghao/v1/450200/{UNIT}/gw1/readings"
GOOD = {"meter": "C01", "time": "2026-11-23T07:00:00Z", "value": 1}

BAD = [  # 30 kinds of message of which no reading can be stored
    b"", b"\x00", b"\xff\xfe", b"{", b"[]", b"null", b"7", b'"text"', b"{}",
    b'{"batch":"b"}', b'{"readings":[]}', b'{"batch":1,"readings":[]}',
    b'{"batch":"b","readings":{}}', b'{"batch":"b","readings":[1]}',
    b'{"batch":"b","readings":[{}]}', b'{"batch":"","readings":[]}',
    b'{"batch":"b","seq":-1,"readings":[]}',
    b'{"batch":"b","seq":1.5,"readings":[]}', b'{"batch":"b","batch":"c","readings":[]}',
    b"x" * (PAYLOAD_BYTES_MAX + 1), b"[" * 100_000,
    *(
        json.dumps({"batch": "b", "readings": [GOOD | wrong]}).encode()
        for wrong in (
            {"meter": "E99"}, {"meter": None},
            {"time": "2026-11-23 07:00"}, {"time": "1970-01-01T00:00:00Z"},
            {"time": "2026-11-23T08:10:00Z"}, {"value": float("nan")}, {"value": None},
            {"quality": "fine"}, {"extra": 1},
        )
    ),
]  # fmt: skip


def slot(day: int, minute: int) -> dict[str, object]:
    """Return a reading of C01 at a minute of a day of November."""
    hour, minute = divmod(minute, 60)
    return GOOD | {"time": f"2026-11-{day:02}T{hour:02}:{minute:02}:00Z"}


async def quarantined(plant: Plant) -> dict[bytes, tuple[str, bytes]]:
    rows = await plant.pool.fetch("SELECT sha256, topic, payload FROM quarantine_messages")
    return {row["sha256"]: (row["topic"], row["payload"]) for row in rows}


@pytest.fixture(autouse=True)
async def conserved(plant: Plant) -> AsyncIterator[None]:
    """[32] At the end of every test: received = stored + duplicate + conflicting + rejected."""
    yield
    row = await plant.pool.fetchrow("SELECT * FROM ingest_totals")
    there = await plant.pool.fetchval("SELECT count(*) FROM readings")
    if row is not None:
        became = row["stored"] + row["duplicate"] + row["conflicting"] + row["rejected"]
        assert (row["received"], row["stored"]) == (became, there)


async def test_poison_neither_blocks_nor_vanishes(plant: Plant) -> None:
    """[13] 30 kinds of bad message among good ones: all good stored, each bad kept as it came."""
    assert len(BAD) == 30
    payloads = []
    for number, bad in enumerate(BAD):
        good = [slot(1 + number % 20, minute) for minute in range(100)]
        payloads += [json.dumps({"batch": f"g{number}", "readings": good}).encode(), bad]
    flush = await plant.send_raw(payloads)
    assert all(piece.tally.rejected == 0 for piece in flush.pieces[::2])
    assert all(piece.tally.rejected == 1 for piece in flush.pieces[1::2])
    kept = await quarantined(plant)
    assert set(kept.values()) == {(TOPIC, bad) for bad in BAD}
    assert all(
        sha256 == hashlib.sha256(topic.encode() + b"\n" + payload).digest()
        for sha256, (topic, payload) in kept.items()
    )
    named = await plant.pool.fetch("SELECT reason, received_at FROM quarantine")
    assert all(row["reason"] in set(Reason) and row["received_at"] == NOW for row in named)


async def test_a_message_that_names_another_units_meter_stays_out(plant: Plant) -> None:
    """[22] The topic says who speaks; a payload cannot say otherwise."""
    other = factories.unit_code(2)
    async with plant.pool.acquire() as connection:
        await factories.meter(connection, await factories.unit(connection, other), "X01")
    names = ("X01", f"{other}/X01", f"{other}.X01", "../X01")
    flush = await plant.send(*(reading(n, 1, name) for n, name in enumerate(names)))
    assert tally(flush) == (4, 0, 0, 0, 4)
    assert {each.reason for each in flush.pieces[0].rejections} == {Reason.UNKNOWN_METER}


async def test_captured_messages_sent_again_change_nothing(plant: Plant) -> None:
    """[23] The same day, in another order, from another gateway of the unit, after the window."""
    async with plant.pool.acquire() as connection:
        await factories.gateway(connection, plant.unit_id, "gw2")
    captured = [
        json.dumps({"batch": f"b{n}", "readings": [reading(n, 100 + n)]}).encode()
        for n in range(50)
    ]
    await plant.send_raw(captured)
    shuffled = random.Random(7).sample(captured, len(captured))
    await plant.send_raw(shuffled)
    await plant.send_raw(captured, TOPIC.replace("gw1", "gw2"))
    assert await plant.pool.fetchval("SELECT count(*) FROM readings") == 50
    assert await plant.pool.fetchval("SELECT repeated FROM ingest_totals") == 100
    late = NOW.replace(year=2028)
    flush = await plant.collector.store([Delivery(1, 1, TOPIC, captured[0], late)])
    assert [each.reason for each in flush.pieces[0].rejections] == [Reason.TIME_TOO_OLD]


async def test_the_first_value_stands_and_the_second_is_evidence(plant: Plant) -> None:
    """[24] Same meter and instant, another value, in another batch and within one."""
    await plant.send(reading(0, 100))
    flush = await plant.send(reading(0, 101), reading(0, 102), batch="b2")
    assert tally(flush) == (2, 0, 0, 2, 0)
    assert await plant.pool.fetchval("SELECT raw_value FROM readings") == 100
    kept = await plant.pool.fetch("SELECT raw_value, batch, sha256 FROM conflicts ORDER BY 1")
    sha256 = flush.pieces[0].sha256()
    assert [tuple(row) for row in kept] == [(101, "b2", sha256), (102, "b2", sha256)]


async def test_every_missing_number_is_listed_and_no_other(plant: Plant) -> None:
    """[25] 1 % dropped at random, one long run, one restart of the counter; then all comes."""
    chosen = random.Random(25)
    numbers = {("a", n) for n in range(1000)} | {("b", n) for n in range(300)}
    ends = {("a", 0), ("a", 999), ("b", 0), ("b", 299)}
    dropped = {each for each in numbers if chosen.random() < 0.01} - ends
    dropped |= {("a", n) for n in range(400, 450)}

    def message(boot: str, seq: int) -> bytes:
        said = {"batch": f"{boot}{seq}", "boot": boot, "seq": seq}
        return json.dumps(said | {"readings": [slot(10 if boot == "a" else 11, seq)]}).encode()

    await plant.send_raw([message(*each) for each in sorted(numbers - dropped)])
    assert await missing(plant) == dropped
    await plant.send_raw([message(*each) for each in sorted(dropped)])
    assert await missing(plant) == set()


async def missing(plant: Plant) -> set[tuple[str, int]]:
    async with plant.pool.acquire() as connection:
        due = await requests.list_due(connection, NOW)
    return {
        (gap.boot, seq)
        for each in due
        for gap in each.numbers
        for seq in range(gap.first, gap.last + 1)
    }


@pytest.mark.parametrize(
    "text",
    ["2026-11-23T08:10:00Z", "2026-11-24T08:00:00Z", "1970-01-01T00:00:00Z", "3970-01-01T00:00:00Z",
     "infinity", "-infinity", "4713-01-01 BC", "2026-11-23T07:00:00", "2026-11-23", "now",
     "2026-06-30T23:59:60Z", "2026-11-23T07:00:00[Asia/Shanghai]", "2026-11-23T25:00:00Z",
     "2026-13-01T00:00:00Z", "0000-00-00T00:00:00Z", "2014-12-31T23:59:59Z", "1763884800"],
)  # fmt: skip
async def test_a_bad_time_is_named_and_creates_no_chunk(plant: Plant, text: str) -> None:
    """[27]"""
    flush = await plant.send(GOOD | {"time": text})
    assert tally(flush) == (1, 0, 0, 0, 1)
    chunks = "SELECT count(*) FROM timescaledb_information.chunks"
    assert await plant.pool.fetchval(chunks) == 0


@pytest.mark.parametrize(
    ("text", "stored"),
    [("NaN", None), ("Infinity", None), ("-Infinity", None), ("1e400", None), ("-1e400", None),
     ("1" + "0" * 5000, None), ('"12"', None), ("true", None), ("null", None), ("[1]", None),
     ("0x10", None), ("1_000", None), ("+1", None), ("01", None), ('1,"value":2', None),
     ('1,"meter":"E01"', None), ("-0", 0.0), ("-0.0", 0.0), ("9007199254740991", 2.0**53 - 1),
     ("1180591620717411303424", None),
     ("0.1234567890123456789012345678901234567890", 0.12345678901234568), ("5e-324", 5e-324)],
)  # fmt: skip
async def test_a_number_is_stored_as_it_was_meant_or_not_at_all(
    plant: Plant, text: str, stored: float | None
) -> None:
    """[29]"""
    message = b'{"batch":"b","readings":[{"meter":"C01","time":"2026-11-23T07:00:00Z","value":%s}]}'
    await plant.send_raw([message % text.encode()])
    assert await plant.pool.fetchval("SELECT raw_value FROM readings") == stored
    assert len(await quarantined(plant)) == (stored is None)


async def test_bombs_cost_no_memory_and_stop_nothing(plant: Plant) -> None:
    """[46] Depth 100,000, 1,000 keys, a huge text, 100,000 elements, within the packet limit."""
    keys = json.dumps({"batch": "b", "readings": [{f"k{n}": n for n in range(1000)}]}).encode()
    bombs = [
        b'{"batch":"b","readings":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
        keys,
        json.dumps({"batch": "b" * 200_000, "readings": []}).encode(),
        b'{"batch":"b","readings":[' + b"1," * 100_000 + b"1]}",
        b'{"batch":"b","readings":[' + b"{}," * 80_000 + b"{}]}",
    ]
    before = _rss_mb()
    for _ in range(3):
        flush = await plant.send_raw(bombs)
        assert all(piece.tally.stored == 0 for piece in flush.pieces)
    assert _rss_mb() - before <= 50
    assert tally(await plant.send(reading(0, 1))) == (1, 1, 0, 0, 0)


def _rss_mb() -> float:
    (line,) = (
        each for each in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in each
    )
    return int(line.split()[1]) / 1024
