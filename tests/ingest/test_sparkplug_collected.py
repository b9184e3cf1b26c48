"""Sparkplug B through the collector: stored like any reading, and known again after a restart."""

from __future__ import annotations

import random
import string
import sys

import pytest

from ingest import noise, validate
from ingest.acks import Delivery
from ingest.batches import Flush
from ingest.payload import Reason
from ingest.sparkplug.datatypes import Datatype
from ingest.sparkplug.sparkplug_b_pb2 import Metric, Payload
from tests import factories
from tests.ingest.conftest import NOW, Plant, tally

NOW_MS = int(NOW.timestamp()) * 1000
KEY = b"k" * 32
LONG = "".join(random.Random(1).choices(string.ascii_letters, k=12_000))  # cannot be compressed
ROOT = f"spBv1.0/{factories.unit_code()}"


def message(seq: int, *metrics: Metric) -> bytes:
    return Payload(timestamp=NOW_MS, seq=seq, metrics=metrics).SerializeToString()


def sent(after_ms: int, seq: int, *metrics: Metric) -> bytes:
    """Return a message sent so long after the others."""
    return Payload(timestamp=NOW_MS + after_ms, seq=seq, metrics=metrics).SerializeToString()


def value(alias: int, number: float, minutes: int = 0, *, old: bool = False) -> Metric:
    at_ms = NOW_MS + minutes * 60_000
    return Metric(alias=alias, timestamp=at_ms, double_value=number, is_historical=old)


def named(name: str) -> Metric:
    """Return a metric of a birth, with alias 1."""
    return Metric(
        name=name, alias=1, timestamp=NOW_MS, datatype=Datatype.DOUBLE, double_value=100.0
    )


BD_SEQ = Metric(name="bdSeq", timestamp=NOW_MS, datatype=Datatype.INT64, long_value=1)
BIRTH = message(0, BD_SEQ, named("E01"))


async def deliver(plant: Plant, kind: str, payload: bytes, gateway: str = "gw1") -> Flush:
    topic = f"{ROOT}/{kind}/{gateway}"
    return await plant.collector.store([Delivery(1, 0, topic, payload, NOW)])


async def signed(plant: Plant, kind: str, payload: bytes) -> Flush:
    """Deliver a message with the signature of the gateway."""
    topic = f"{ROOT}/{kind}/gw1"
    (signature,) = validate.signatures(topic, payload, [KEY])
    return await plant.collector.store([Delivery(1, 0, topic, payload, NOW, signature)])


def commands(plant: Plant, flush: Flush) -> list[str]:
    return [topic.decode() for topic, _ in plant.collector.answers(flush)]


async def test_births_and_data_become_readings(plant: Plant) -> None:
    assert tally(await deliver(plant, "NBIRTH", BIRTH)) == (1, 1, 0, 0, 0)
    flush = await deliver(
        plant, "NDATA", message(1, value(1, 99.5, -15, old=True), value(1, 101, 1))
    )
    assert tally(flush) == (2, 2, 0, 0, 0)
    assert commands(plant, flush) == []
    assert await plant.pool.fetchval("SELECT connection FROM gateways") == "online"


async def test_what_no_meter_can_show_is_rejected(plant: Plant) -> None:
    await deliver(plant, "NBIRTH", message(0, BD_SEQ, named("C01")))
    flush = await deliver(plant, "NDATA", message(1, value(1, sys.float_info.max, 1)))
    assert [each.reason for each in flush.pieces[0].rejections] == [Reason.VALUE_OUT_OF_RANGE]


async def test_a_collector_that_starts_anew_knows_the_aliases(plant: Plant) -> None:
    await deliver(plant, "NBIRTH", BIRTH)
    plant.collector = plant.new_collector()
    assert tally(await deliver(plant, "NDATA", sent(1, 1, value(1, 101, 1)))) == (1, 1, 0, 0, 0)


async def test_data_before_birth_is_kept_and_a_rebirth_asked_for_once(plant: Plant) -> None:
    flush = await deliver(plant, "NDATA", message(1, value(1, 101, 1)))
    assert [each.reason for each in flush.pieces[0].rejections] == [Reason.INVALID_FIELD]
    assert commands(plant, flush) == [f"{ROOT}/NCMD/gw1"]
    again = await deliver(plant, "NDATA", message(2, value(1, 102, 2)))
    assert commands(plant, again) == []


async def test_data_redelivered_after_a_birth_with_other_aliases_is_quarantined(
    plant: Plant,
) -> None:
    async with plant.pool.acquire() as connection:
        await factories.meter(connection, plant.unit_id, "E02")
    data = sent(1, 1, value(1, 777, -30))
    await deliver(plant, "NBIRTH", sent(0, 0, named("E02")))
    assert tally(await deliver(plant, "NDATA", data)) == (1, 1, 0, 0, 0)
    await deliver(plant, "NBIRTH", sent(2, 0, named("E01")))
    plant.collector = plant.new_collector()
    assert tally(await deliver(plant, "NDATA", data)) == (1, 0, 0, 0, 1)


async def test_a_gap_in_the_sequence_loses_no_reading_and_asks_for_a_rebirth(plant: Plant) -> None:
    await deliver(plant, "NBIRTH", BIRTH)
    flush = await deliver(plant, "NDATA", sent(1, 7, value(1, 101, 1)))
    assert tally(flush) == (1, 1, 0, 0, 0)
    assert commands(plant, flush) == [f"{ROOT}/NCMD/gw1"]


async def test_a_death_ends_what_aliases_mean(plant: Plant) -> None:
    await deliver(plant, "NBIRTH", BIRTH)
    death = Metric(name="bdSeq", timestamp=NOW_MS, datatype=Datatype.INT64, long_value=1)
    await deliver(plant, "NDEATH", Payload(metrics=[death]).SerializeToString())
    assert await plant.pool.fetchval("SELECT count(*) FROM births") == 0
    assert await plant.pool.fetchval("SELECT connection FROM gateways") == "offline"


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        (f"{ROOT}/DDATA/gw1/", Reason.INVALID_FIELD),
        (f"{ROOT}/DBIRTH/gw1/", Reason.INVALID_FIELD),
        (f"{ROOT}/DBIRTH/gw1/{LONG}", Reason.INVALID_FIELD),
        (f"{ROOT}/NDATA/", Reason.NOT_THIS_GATEWAY),
        ("spBv1.0//NDATA/gw1", Reason.UNKNOWN_UNIT),
        ("spBv1.0//DDATA//", Reason.UNKNOWN_UNIT),
        (f"nenghao/v1//{factories.unit_code()}/gw1/readings", Reason.WRONG_CITY),
        ("nenghao/v1/450200//gw1/readings", Reason.UNKNOWN_UNIT),
        (f"nenghao/v1/450200/{factories.unit_code()}//readings", Reason.NOT_THIS_GATEWAY),
    ],
)
async def test_no_level_of_a_topic_stops_the_collector(
    plant: Plant, topic: str, reason: Reason
) -> None:
    """`+` in our filters, and in those of a gateway's login, matches empty and long levels."""
    await deliver(plant, "NBIRTH", BIRTH)
    flush = await plant.send_raw([BIRTH], topic)
    assert [each.reason for each in flush.pieces[0].rejections] == [reason]
    assert noise.sender(topic)
    assert tally(await deliver(plant, "NDATA", message(1, value(1, 101, 1)))) == (1, 1, 0, 0, 0)


@pytest.fixture
async def signing(plant: Plant) -> Plant:
    await plant.pool.execute(
        "INSERT INTO gateway_keys (gateway_id, signing_key) VALUES (1, $1)", KEY
    )
    await plant.pool.execute("UPDATE units SET signature_required = true")
    return plant


async def test_an_unsigned_birth_does_not_change_what_aliases_mean(signing: Plant) -> None:
    await signed(signing, "NBIRTH", BIRTH)
    kept = await signing.pool.fetchval("SELECT birth FROM births")
    flush = await deliver(signing, "NBIRTH", message(0, named("E02")))
    assert [each.reason for each in flush.pieces[0].rejections] == [Reason.BAD_SIGNATURE]
    assert await signing.pool.fetchval("SELECT birth FROM births") == kept
    assert tally(await signed(signing, "NDATA", message(1, value(1, 101, 1)))) == (1, 1, 0, 0, 0)


@pytest.mark.parametrize("kind", ["NDEATH", "NDATA"])
async def test_an_unsigned_message_changes_no_state_and_asks_for_no_rebirth(
    signing: Plant, kind: str
) -> None:
    await signed(signing, "NBIRTH", BIRTH)
    flush = await deliver(signing, kind, message(9))
    assert commands(signing, flush) == []
    assert await signing.pool.fetchval("SELECT connection FROM gateways") == "online"
    assert tally(await signed(signing, "NDATA", message(1, value(1, 101, 1)))) == (1, 1, 0, 0, 0)


async def test_an_unsigned_birth_puts_nobody_online(signing: Plant) -> None:
    await deliver(signing, "NBIRTH", BIRTH)
    assert await signing.pool.fetchval("SELECT count(*) FROM births") == 0
    assert await signing.pool.fetchval("SELECT connection FROM gateways") != "online"


async def test_a_stranger_is_quarantined(plant: Plant) -> None:
    flush = await deliver(plant, "NBIRTH", BIRTH, gateway="gw9")
    assert [each.reason for each in flush.pieces[0].rejections] == [Reason.NOT_THIS_GATEWAY]
    assert await plant.pool.fetchval("SELECT count(*) FROM births") == 0
    assert await plant.pool.fetchval("SELECT count(*) FROM quarantine_messages") == 1
