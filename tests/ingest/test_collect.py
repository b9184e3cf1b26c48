"""Every reading is stored or named; the first value wins; nothing is counted twice."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

import db.corrections
import db.intake
import db.pool
import db.settlement
from app import correcting
from db.changes import Author
from db.corrections import CorrectionRow
from db.intake import Totals
from energy.values import VALUE_MAX
from ingest import batches, writer
from ingest.acks import Delivery
from ingest.collect import Collector
from ingest.payload import Reason
from tests import factories
from tests.faults import proxy
from tests.ingest.conftest import NOW, Plant, reading, tally


async def totals(plant: Plant) -> Totals:
    async with plant.pool.acquire() as connection:
        return await db.intake.fetch_totals(connection)


async def test_a_batch_is_stored_and_its_hours_are_stale(plant: Plant) -> None:
    flush = await plant.send(reading(0, 100), reading(15, 101))
    assert tally(flush) == (2, 2, 0, 0, 0)
    async with plant.pool.acquire() as connection:
        assert await db.settlement.count_stale(connection) == 1


async def test_the_same_batch_again_is_all_duplicate(plant: Plant) -> None:
    await plant.send(reading(0, 100), reading(15, 101))
    flush = await plant.send(reading(0, 100), reading(15, 101))
    assert tally(flush) == (2, 0, 2, 0, 0)
    assert await totals(plant) == Totals(4, 2, 2, 0, 0, repeated=1)


async def test_a_second_value_is_evidence_and_the_first_stands(plant: Plant) -> None:
    await plant.send(reading(0, 100))
    flush = await plant.send(reading(0, 99.5), reading(15, 101))
    assert tally(flush) == (2, 1, 0, 1, 0)
    kept = await plant.pool.fetchval("SELECT raw_value FROM conflicts")
    stands = await plant.pool.fetchval("SELECT raw_value FROM readings ORDER BY read_at LIMIT 1")
    assert (kept, stands) == (99.5, 100)


async def test_duplicates_and_conflicts_inside_one_flush_are_told_apart(plant: Plant) -> None:
    flush = await plant.send(reading(0, 100), reading(0, 100), reading(0, 101))
    assert tally(flush) == (3, 1, 1, 1, 0)


@pytest.mark.parametrize("is_one_flush", [True, False])
async def test_a_value_contradicts_itself_if_one_of_both_is_bad(
    plant: Plant, is_one_flush: bool
) -> None:
    """The first stands, the other is kept as evidence, so that a correction can decide."""
    pairs = [("bad", "good"), ("substituted", "bad"), ("bad", "bad"), ("uncertain", "good")]
    said = [
        json.dumps({"batch": "b", "readings": [
            reading(15 * n, 5, "C01") | {"quality": quality} for n, quality in enumerate(qualities)
        ]}).encode()
        for qualities in zip(*pairs, strict=True)
    ]  # fmt: skip
    if not is_one_flush:
        await plant.send_raw([said.pop(0)])
    topic = f"nenghao/v1/450200/{factories.unit_code()}/gw1/readings"
    rehearsed = await plant.collector.assemble([Delivery(1, 1, topic, each, NOW) for each in said])
    await writer.rehearse(plant.pool, rehearsed)
    flush = await plant.send_raw(said)
    assert tally(flush, -1) == tally(rehearsed, -1) == (4, 0, 2, 2, 0)
    kept = await plant.pool.fetch("SELECT first_quality, quality FROM conflicts ORDER BY read_at")
    assert [tuple(row) for row in kept] == pairs[:2]


async def test_each_bad_reading_is_named_and_the_rest_is_stored(plant: Plant) -> None:
    flush = await plant.send(
        reading(0, 100),
        reading(0, 1, meter="E99"),
        reading(60 + 6, 100),
        reading(-60 * 24 * 401, 100),
        reading(15, -1),
        reading(15, 1_000_000),
        reading(30, 102),
    )
    assert tally(flush) == (7, 2, 0, 0, 5)
    assert [(fault.index, fault.reason) for fault in flush.pieces[0].rejections] == [
        (1, Reason.UNKNOWN_METER),
        (2, Reason.TIME_IN_FUTURE),
        (3, Reason.TIME_TOO_OLD),
        (4, Reason.VALUE_OUT_OF_RANGE),
        (5, Reason.VALUE_OUT_OF_RANGE),
    ]


async def test_what_no_meter_can_show_is_rejected_whatever_its_kind(plant: Plant) -> None:
    await plant.pool.execute("UPDATE meter_epochs SET rollover = NULL")
    most = math.nextafter(VALUE_MAX, 0)
    told = [sys.float_info.max, -3.4e38, VALUE_MAX, -VALUE_MAX, most, -most]
    intervals = [reading(minute, value, "C01") for minute, value in enumerate(told)]
    flush = await plant.send(*intervals, reading(0, 1e300), reading(5, 7))
    assert tally(flush) == (8, 3, 0, 0, 5)
    assert {each.reason for each in flush.pieces[0].rejections} == {Reason.VALUE_OUT_OF_RANGE}
    assert [each.index for each in flush.pieces[0].rejections] == [0, 1, 2, 3, 6]


@pytest.mark.parametrize("value", [None, 1005.0])
async def test_a_value_that_a_person_corrected_bars_no_later_one(
    plant: Plant, value: float | None
) -> None:
    """Neither from a collector that runs on, nor what was rejected meanwhile."""
    clock = Clock()
    plant.collector = Collector(
        plant.pool, plant.holder, oldest=timedelta(days=400), clock=clock.read
    )
    await plant.send(reading(0, 1000), reading(15, 50_000))
    assert tally(await plant.send(reading(30, 1010), batch="b2")) == (1, 0, 0, 0, 1)
    wrong = CorrectionRow(factories.unit_code(), "E01", NOW - timedelta(minutes=45), value)
    async with plant.pool.acquire() as connection, connection.transaction():
        targets = await db.corrections.list_targets(connection, [wrong])
        author = Author("zhao", "a finger slipped", "")
        await correcting.state(connection, author, [(wrong, targets[wrong.subject])], NOW)
    clock.now += timedelta(minutes=1)
    assert tally(await plant.send(reading(30, 1010), batch="b2")) == (1, 1, 0, 0, 0)
    assert tally(await plant.send(reading(45, 1005), batch="b3")) == (1, 0, 0, 0, 1)


@dataclass
class Clock:
    now: datetime = NOW

    def read(self) -> datetime:
        return self.now


async def test_a_register_that_falls_is_named_and_kept_in_quarantine(plant: Plant) -> None:
    await plant.send(reading(0, 1000))
    flush = await plant.send(reading(15, 900), reading(30, 1001), batch="b2")
    assert tally(flush) == (2, 1, 0, 0, 1)
    row = await plant.pool.fetchrow(
        "SELECT reason, detail, batch, payload "
        "FROM quarantine JOIN quarantine_messages USING (sha256)"
    )
    assert row is not None
    assert (row["reason"], row["batch"]) == ("value_out_of_range", "b2")
    assert "fell from 1000.0 to 900.0" in row["detail"]
    assert b"900" in row["payload"]


async def test_a_fall_is_named_beside_an_unknown_meter_too(plant: Plant) -> None:
    """What the registry does not explain is read again, and the message judged once more."""
    flush = await plant.send(
        reading(0, 100), reading(5, 50), reading(10, 110), reading(15, 1, "E99")
    )
    assert [(each.index, each.reason) for each in flush.pieces[0].rejections] == [
        (1, Reason.VALUE_OUT_OF_RANGE),
        (3, Reason.UNKNOWN_METER),
    ]


async def test_a_new_collector_knows_where_the_registers_stood(plant: Plant) -> None:
    await plant.send(reading(0, 1000))
    plant.collector = plant.new_collector()
    assert tally(await plant.send(reading(15, 900))) == (1, 0, 0, 0, 1)


async def test_a_register_may_wrap(plant: Plant) -> None:
    flush = await plant.send(reading(0, 999_990), reading(15, 12))
    assert tally(flush) == (2, 2, 0, 0, 0)


async def test_a_register_wraps_near_its_top_or_with_a_rated_power(plant: Plant) -> None:
    """Far from it a zero of a meter without voltage looks the same."""
    flush = await plant.send(reading(0, 940_000), reading(15, 0), reading(30, 940_010))
    assert [each.index for each in flush.pieces[0].rejections] == [1]
    await plant.pool.execute("UPDATE meter_epochs SET rate_max = 1000000")
    plant.collector = plant.new_collector()
    assert tally(await plant.send(reading(60, 20_000))) == (1, 1, 0, 0, 0)


async def test_a_register_read_at_another_interval_wraps_where_it_did(plant: Plant) -> None:
    await plant.send(reading(0, 999_990))
    await plant.pool.execute(
        "INSERT INTO meter_epochs (meter_id, starts_at, reason, interval_s)"
        " SELECT meter_id, read_at - interval '1 hour', 'interval', 300 FROM readings"
    )
    plant.collector = plant.new_collector()
    flush = await plant.send(reading(5, 12), reading(10, 1_000_000))
    assert [each.index for each in flush.pieces[0].rejections] == [1]


@pytest.mark.parametrize("too_early", ["0 min", "10 min"])
async def test_a_new_register_is_let_in_though_the_old_one_was_read_as_it_ended(
    plant: Plant, too_early: str
) -> None:
    """Or after what was written down as its end."""
    await plant.send(reading(0, 5000))
    await plant.pool.execute(
        "INSERT INTO meter_epochs (meter_id, starts_at, reason, multiplier, first_value,"
        " previous_last_value) SELECT meter_id, read_at - $1::text::interval, 'replaced', 1, 0,"
        " 5000 FROM readings",
        too_early,
    )
    plant.collector = plant.new_collector()
    assert tally(await plant.send(reading(15, 3))) == (1, 1, 0, 0, 0)


async def test_late_readings_are_not_judged_as_falls(plant: Plant) -> None:
    await plant.send(reading(30, 102))
    assert tally(await plant.send(reading(0, 100))) == (1, 1, 0, 0, 0)


async def test_a_foreign_address_rejects_the_whole_message(plant: Plant) -> None:
    unit = (await plant.send()).pieces[0].address.unit
    for topic, reason in [
        (f"nenghao/v1/450300/{unit}/gw1/readings", Reason.WRONG_CITY),
        (f"nenghao/v1/450200/{unit}/gw2/readings", Reason.NOT_THIS_GATEWAY),
        ("nenghao/v1/450200/91450200MA9999999X/gw1/readings", Reason.UNKNOWN_UNIT),
    ]:
        flush = await plant.send(reading(0, 1), reading(15, 2), topic=topic)
        assert tally(flush) == (2, 0, 0, 0, 2)
        assert [(f.index, f.reason) for f in flush.pieces[0].rejections] == [(None, reason)]


async def test_a_message_nobody_can_read_is_kept_once_however_often_it_comes(plant: Plant) -> None:
    flush = await plant.send_raw([b"\xff{", b"\xff{"])
    assert tally(flush) == tally(flush, 1) == (1, 0, 0, 0, 1)
    row = await plant.pool.fetchrow(
        "SELECT payload, deliveries FROM quarantine JOIN quarantine_messages USING (sha256)"
    )
    assert row is not None
    assert (row["payload"], row["deliveries"]) == (b"\xff{", 2)


async def test_a_meter_registered_a_moment_ago_is_known(plant: Plant) -> None:
    assert tally(await plant.send(reading(0, 1, meter="N01"))) == (1, 0, 0, 0, 1)
    await plant.pool.execute("UPDATE meters SET meter = 'N01' WHERE meter = 'C01'")
    assert tally(await plant.send(reading(0, 1, meter="N01"))) == (1, 1, 0, 0, 0)


async def test_a_status_marks_the_gateway(plant: Plant) -> None:
    where = (await plant.send()).pieces[0].delivery.topic.replace("readings", "status")
    await plant.send_raw(
        [b'{"state":"online","at":"2026-11-23T07:00:00Z","firmware":"1.2"}'], where
    )
    row = await plant.pool.fetchrow("SELECT connection, firmware, last_seen_at FROM gateways")
    assert row is not None
    assert tuple(row) == ("online", "1.2", NOW)


async def test_a_flush_survives_a_database_that_goes_away(plant: Plant, database_url: str) -> None:
    killer = asyncio.create_task(_kill_connections(plant, 5))
    for number in range(40):
        flush = await plant.send(reading(0, 100), reading(1 + number, 101 + number))
        assert tally(flush)[0] == 2
    await killer
    counted = await totals(plant)
    assert (counted.received, counted.stored) == (80, 41)
    assert await plant.pool.fetchval("SELECT count(*) FROM readings") == 41


async def _kill_connections(plant: Plant, times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0.05)
        await plant.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_a_receipt_says_what_became_of_the_batch(plant: Plant) -> None:
    flush = await plant.send(reading(0, 100), reading(0, 100), reading(0, 1, meter="E99"))
    receipt = batches.encode_receipt(flush.pieces[0], NOW)
    assert receipt == (
        b'{"batch":"b1","committed_at":"2026-11-23T08:00:00Z","received":3,"stored":1,'
        b'"duplicate":1,"conflicting":0,"rejected":[{"index":2,"meter":"E99",'
        b'"reason":"unknown_meter","detail":"unit 91450200MA0000001'
        + flush.pieces[0].address.unit[-1:].encode()
        + b' has no meter E99; register it"}],"rejected_total":1}'
    )


async def test_a_commit_whose_answer_is_lost_counts_once(plant: Plant, database_url: str) -> None:
    with proxy.before(database_url) as (before, url):
        async with await db.pool.create_pool(url, timeout_s=5) as pool:
            plant.collector = Collector(
                pool, plant.holder, oldest=timedelta(days=400), clock=lambda: NOW
            )
            for number in range(6):
                before.commits_to_lose = number % 2
                flush = await plant.send(reading(number, 100 + number), batch=f"b{number}")
                assert tally(flush) == (1, 1, 0, 0, 0)
                assert before.commits_to_lose == 0
    assert await totals(plant) == Totals(received=6, stored=6)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"batch":"a\\u0000b","readings":[{"meter":"E\\u000099","time":"2026-11-23T07:00:00Z","value":1}]}',
        b'{"batch":"\\ud800","readings":[{"meter":"\\udfff","time":"2026-11-23T07:00:00Z","value":1}]}',
        b'{"batch":"b","readings":[{"meter":"E01","time":"0001-01-01T00:00:00+14:00","value":1}]}',
        b'{"batch":"b","readings":[{"meter":"E01","time":"9999-12-31T23:59:59-12:00","value":1}]}',
        b'{"batch":"b","readings":[{"meter":"E01","time":"x\\u0000","value":1e999}]}',
        b'{"batch":"b","readings":[{"\\u0000":1},{"meter":{}},7,null]}',
        b'{"batch":"b","boot":"\\u0000","seq":9223372036854775807,"readings":[{}]}',
    ],
)
async def test_nothing_a_gateway_can_say_stops_the_collector(plant: Plant, payload: bytes) -> None:
    flush = await plant.send_raw([payload])
    received, stored, *_, rejected = tally(flush)
    assert received == rejected > 0
    assert stored == 0
    assert batches.encode_receipt(flush.pieces[0], NOW)
    assert tally(await plant.send(reading(0, 100)))[1] == 1


@pytest.mark.parametrize(
    "said",
    [b"", b"\xff", b"{}", b'{"state":"online","at":"2026-11-23T07:00:00"}',
     b'{"state":"\\u0000","at":"0001-01-01T00:00:00+14:00","firmware":"\\u0000"}',
     b'{"state":"online","firmware":"' + b"x" * 1000 + b'"}'],
)  # fmt: skip
async def test_no_status_stops_the_collector(plant: Plant, said: bytes) -> None:
    where = (await plant.send()).pieces[0].delivery.topic.replace("readings", "status")
    await plant.send_raw([said], where)
    assert await plant.pool.fetchval("SELECT connection FROM gateways") in ("online", "offline")


async def test_units_that_nobody_registered_leave_nothing_behind(plant: Plant) -> None:
    assembler = plant.collector._assembler
    for number in range(10):
        topic = f"nenghao/v1/450200/{factories.unit_code(500 + number)}/gw1/readings"
        assert not await assembler.is_signed(Delivery(0, 0, topic, b"", NOW, "00" * 32))
    assert (assembler._units, assembler._loaded_at) == ({}, {})
