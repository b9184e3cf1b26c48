"""What the database refuses though it takes each row: nothing stops others, nothing is lost."""

from __future__ import annotations

import json

import asyncpg
import pytest
import structlog.testing

import db.intake
import db.quarantine
from ingest.acks import Delivery
from ingest.batches import Flush
from ingest.payload import Reason
from ingest.sparkplug.sparkplug_b_pb2 import Payload
from tests import factories
from tests.ingest.conftest import NOW, Plant, reading, tally

ROOT = f"nenghao/v1/450200/{factories.unit_code()}/gw1"
BIRTH_TOPIC = f"spBv1.0/{factories.unit_code()}/NBIRTH/gw1"


def batch(number: int, *readings: dict[str, object], **more: object) -> Delivery:
    said = {"batch": f"b{number}", "readings": readings, **more}
    return Delivery(1, number, f"{ROOT}/readings", json.dumps(said).encode(), NOW)


def details(flush: Flush) -> list[list[str]]:
    return [[each.detail for each in piece.rejections] for piece in flush.pieces]


async def kept(plant: Plant) -> list[tuple[str, str]]:
    """Return (topic, reason) of what is in quarantine."""
    async with plant.pool.acquire() as connection:
        entries = await db.quarantine.list_entries(connection, limit=100)
    return [(entry.topic, entry.reason) for entry in entries]


async def conserved(plant: Plant) -> bool:
    async with plant.pool.acquire() as connection:
        totals = await db.intake.fetch_totals(connection)
    stored = await plant.pool.fetchval("SELECT count(*) FROM readings")
    return (totals.stored, totals.received) == (stored, stored + totals.rejected)


async def test_a_message_refused_for_more_than_its_rows_is_set_aside_alone(plant: Plant) -> None:
    await plant.pool.execute("ALTER TABLE sequences ADD CHECK (boot <> 'bad')")
    others = [batch(n, reading(n, n)) for n in range(20)]
    bad = batch(99, reading(0, 1, "C01"), reading(30, 30), boot="bad", seq=1)
    with structlog.testing.capture_logs() as logs:
        flush = await plant.collector.store([*others[:13], bad, *others[13:]])
    assert [tally(flush, n) for n in range(21)] == [
        (2, 0, 0, 0, 2) if n == 13 else (1, 1, 0, 0, 0) for n in range(21)
    ]
    assert "sequences" in details(flush)[13][0]
    assert await kept(plant) == [(f"{ROOT}/readings", Reason.INVALID_FIELD)]
    assert await conserved(plant)
    assert [log["event"] for log in logs] == ["message_refused"]


async def test_messages_refused_only_together_are_stored_apart(plant: Plant) -> None:
    await plant.pool.execute(
        """
        CREATE FUNCTION one() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN
            IF (SELECT count(*) FROM readings WHERE xmin = pg_current_xact_id()::xid) > 1 THEN
                RAISE EXCEPTION 'too many at once' USING ERRCODE = 'program_limit_exceeded';
            END IF;
            RETURN NULL;
        END $$
        """
    )
    await plant.pool.execute("CREATE TRIGGER one AFTER INSERT ON readings EXECUTE FUNCTION one()")
    flush = await plant.collector.store([batch(n, reading(n, n)) for n in range(4)])
    assert [tally(flush, n) for n in range(4)] == [(1, 1, 0, 0, 0)] * 4
    assert await conserved(plant)


async def test_a_status_that_is_refused_stops_no_batch(plant: Plant) -> None:
    await plant.pool.execute("ALTER TABLE gateways ADD CHECK (firmware <> 'cursed')")
    status = Delivery(
        1, 1, f"{ROOT}/status", b'{"state": "online", "firmware": "cursed"}', NOW, None
    )
    flush = await plant.collector.store([batch(0, reading(0, 1)), status, batch(2, reading(1, 2))])
    assert [tally(flush, n) for n in (0, 1)] == [(1, 1, 0, 0, 0), (1, 1, 0, 0, 0)]
    assert await kept(plant) == [(f"{ROOT}/status", Reason.INVALID_FIELD)]
    assert len(plant.collector.answers(flush)) == 2


async def test_a_birth_that_is_refused_ends_what_aliases_meant(plant: Plant) -> None:
    older = Payload(timestamp=1, seq=0).SerializeToString()
    await plant.collector.store([Delivery(1, 1, BIRTH_TOPIC, older, NOW)])
    await plant.pool.execute("ALTER TABLE births ADD CHECK (length(birth) < 5) NOT VALID")
    newer = Payload(timestamp=2_000_000_000, seq=0).SerializeToString()
    await plant.collector.store([Delivery(1, 2, BIRTH_TOPIC, newer, NOW)])
    assert await plant.pool.fetchval("SELECT count(*) FROM births") == 0
    assert await kept(plant) == [(BIRTH_TOPIC, Reason.INVALID_FIELD)]


async def test_text_that_postgres_cannot_store_is_kept_in_quarantine(plant: Plant) -> None:
    delivery = Delivery(1, 1, f"{ROOT}\x00/readings", b"{}", NOW, "a\x00")
    flush = await plant.collector.store([delivery, batch(1, reading(0, 1))])
    assert [tally(flush, n) for n in (0, 1)] == [(1, 0, 0, 0, 1), (1, 1, 0, 0, 0)]
    assert [topic for topic, _ in await kept(plant)] == [f"{ROOT}\ufffd/readings"]


async def test_a_database_that_keeps_no_rejection_either_is_no_fault_of_the_message(
    plant: Plant,
) -> None:
    await plant.pool.execute("ALTER TABLE quarantine ADD CHECK (reading_count > 1)")
    with structlog.testing.capture_logs() as logs, pytest.raises(asyncpg.CheckViolationError):
        await plant.send(reading(0, 1, "E99"))
    assert logs[-1]["event"] == "quarantine_refused"
    assert await plant.pool.fetchval("SELECT sum(received) FROM ingest_totals") == 0


@pytest.mark.parametrize(
    "broken", ["ingest_totals ADD CHECK (stored < 1)", "stale_ranges ADD CHECK (meter_id < 0)"]
)
async def test_what_our_own_books_refuse_is_not_held_against_a_message(
    plant: Plant, broken: str
) -> None:
    await plant.pool.execute(f"ALTER TABLE {broken}")
    with pytest.raises(asyncpg.CheckViolationError, match=broken.split()[0]):
        await plant.send(reading(0, 1))
    assert await kept(plant) == []


async def test_a_database_that_fails_in_itself_is_no_fault_of_a_message(plant: Plant) -> None:
    await plant.pool.execute(
        """
        CREATE FUNCTION damaged() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'index is damaged' USING ERRCODE = 'XX002'; END $$;
        CREATE TRIGGER damaged BEFORE INSERT ON sequences FOR EACH ROW EXECUTE FUNCTION damaged();
        """
    )
    with pytest.raises(asyncpg.PostgresError, match="index is damaged"):
        await plant.collector.store([batch(1, reading(0, 1), boot="a", seq=1)])
    assert await kept(plant) == []
