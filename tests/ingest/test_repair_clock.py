"""A fault opens a clock of 3 working days; it closes when the fault is gone."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import asyncpg
import pytest

import db.changes
import db.repairs
from app import quality_commands
from app.resolve import Refusal
from db.changes import Author
from db.pool import Connection
from energy.periods import LOCAL
from ingest import assess
from ingest.acks import Delivery
from tests import factories
from tests.history import DAY, EVERY, NOW, SLOT, assess_all, put
from tests.ingest.conftest import NOW as COLLECTED_AT
from tests.ingest.conftest import Plant

INSTALLED_AT = DAY - timedelta(days=1)
AUTHOR = Author("zhao", "converter burnt", "report 2026-17")


async def standing(connection: Connection) -> dict[tuple[str, str], asyncpg.Record]:
    rows = await connection.fetch("SELECT * FROM repairs WHERE repaired_at IS NULL")
    return {(row["subject"], row["fault"]): row for row in rows}


def until(last: datetime, since: datetime = INSTALLED_AT) -> list[datetime]:
    """Return all slots from `since` to `last`."""
    return [since + SLOT * n for n in range(1, round((last - since) / SLOT) + 1)]


@pytest.fixture
async def unit_id(connection: Connection) -> int:
    return await factories.unit(connection)


@pytest.fixture
async def meter_id(connection: Connection, unit_id: int) -> int:
    await connection.execute("UPDATE units SET created_at = $1", INSTALLED_AT)
    return await factories.meter(connection, unit_id, installed_at=INSTALLED_AT)


async def test_a_meter_that_sends_has_no_fault(connection: Connection, meter_id: int) -> None:
    await put(connection, meter_id, until(NOW))
    await assess_all(connection)
    assert await standing(connection) == {}


async def test_silence_opens_a_clock_where_the_first_reading_is_missing(
    connection: Connection, meter_id: int
) -> None:
    last = NOW - timedelta(hours=3)
    await put(connection, meter_id, until(last))
    await assess_all(connection)
    fault = (await standing(connection))["E01", "silence"]
    assert fault["opened_at"] == last + SLOT
    assert fault["due_at"] == datetime(2026, 11, 27, tzinfo=LOCAL)  # Monday: Tue, Wed, Thu


async def test_a_meter_that_was_never_heard_owes_since_it_is_registered(
    connection: Connection, unit_id: int, meter_id: int
) -> None:
    registered_at = NOW - timedelta(hours=5)
    await connection.execute("UPDATE units SET created_at = $1", registered_at)
    await assess_all(connection)
    faults = await standing(connection)
    assert list(faults) == [("E01", "silence")]
    assert faults["E01", "silence"]["opened_at"] == registered_at + SLOT


async def test_a_clock_runs_on_while_the_silence_lasts_and_ends_with_it(
    connection: Connection, meter_id: int
) -> None:
    last = NOW - timedelta(hours=3)
    await put(connection, meter_id, until(last))
    await assess_all(connection)
    await assess_all(connection, NOW + EVERY)
    assert len(await standing(connection)) == 1
    back = NOW + timedelta(hours=2)
    await put(connection, meter_id, [back])
    await assess_all(connection, back + timedelta(minutes=1))
    assert await standing(connection) == {}
    assert await connection.fetchval("SELECT repaired_at FROM repairs") == back + timedelta(
        seconds=5
    )


@pytest.mark.parametrize(("missing", "is_gap"), [(9, False), (10, True)])
async def test_a_day_below_ninety_percent_opens_a_clock(
    connection: Connection, meter_id: int, missing: int, is_gap: bool
) -> None:
    times = [at for at in until(NOW) if not DAY < at <= DAY + SLOT * missing]
    await put(connection, meter_id, times)
    await assess_all(connection)
    assert (("E01", "gap") in await standing(connection)) is is_gap


@pytest.mark.tampers("sums: put in by hand")
async def test_late_readings_repair_a_gap(connection: Connection, meter_id: int) -> None:
    lost = [DAY + SLOT * n for n in range(1, 21)]
    await put(connection, meter_id, [at for at in until(NOW) if at not in lost])
    await assess_all(connection)
    assert ("E01", "gap") in await standing(connection)
    await put(connection, meter_id, lost, lag=timedelta(days=1))
    await connection.execute(
        "INSERT INTO meter_consumption VALUES ($1, 'day', $2, 5, 0, 96, false)", meter_id, DAY
    )
    later = NOW + EVERY
    await put(connection, meter_id, [later])
    await assess_all(connection, later)
    assert await standing(connection) == {}


@pytest.mark.parametrize(("last", "is_expired"), [(date(2026, 11, 23), False),
                                                  (date(2026, 11, 22), True)])  # fmt: skip
async def test_a_verification_that_ran_out_opens_a_clock(
    connection: Connection, meter_id: int, last: date, is_expired: bool
) -> None:
    await put(connection, meter_id, until(NOW))
    await connection.execute(
        "INSERT INTO verifications VALUES ($1, '2024-11-22', $2, 'body', 'c')", meter_id, last
    )
    await assess_all(connection)
    faults = await standing(connection)
    assert (("E01", "verification_expired") in faults) is is_expired
    if is_expired:
        opened_at = faults["E01", "verification_expired"]["opened_at"]
        assert opened_at == datetime(2026, 11, 23, tzinfo=LOCAL)


async def test_a_clock_eight_hours_behind_is_named_and_opens_a_clock(
    connection: Connection, unit_id: int, meter_id: int
) -> None:
    await factories.gateway(connection, unit_id)
    behind = timedelta(hours=8, seconds=2)
    await put(connection, meter_id, until(NOW - behind), lag=behind)
    await assess_all(connection)
    row = await connection.fetchrow("SELECT * FROM suspicions WHERE kind = 'clock_zone'")
    assert row is not None
    assert (row["subject"], row["sureness"]) == ("gw1", "likely")
    assert '"error":"zone_minus_8h"' in row["evidence"]
    assert ("gw1", "clock_offset") in await standing(connection)


async def quarantine(connection: Connection, number: int, received_at: datetime) -> None:
    """Reject a message whose only reading is 8 h ahead, as `ingest.validate` words it."""
    sha256 = number.to_bytes(32)
    await connection.execute(
        "INSERT INTO quarantine_messages (sha256, topic, payload, received_at) "
        "VALUES ($1, $2, '', $3)",
        sha256,
        f"nenghao/v1/450200/{factories.unit_code()}/gw1/readings",
        received_at,
    )
    detail = f"{timedelta(hours=7, minutes=59, seconds=58)} ahead of the platform; check the clock"
    await connection.execute(
        "INSERT INTO quarantine (sha256, reading_index, meter, reason, detail, reading_count, "
        "received_at) VALUES ($1, 0, 'E01', 'time_in_future', $2, 1, $3)",
        sha256,
        detail,
        received_at,
    )


async def test_a_clock_eight_hours_ahead_is_named_after_three_rejected_messages(
    connection: Connection, unit_id: int, meter_id: int
) -> None:
    gateway_id = await factories.gateway(connection, unit_id)
    for number in range(3):
        await connection.execute(
            "UPDATE gateways SET last_seen_at = $2 WHERE gateway_id = $1", gateway_id, NOW
        )
        assert await connection.fetchval("SELECT count(*) FROM suspicions") == 0
        at = NOW - SLOT * (3 - number)
        await quarantine(connection, number, at)
        await assess_all(connection, NOW + EVERY * number)
    row = await connection.fetchrow("SELECT * FROM suspicions")
    assert row is not None
    assert (row["kind"], row["subject"]) == ("clock_zone", "gw1")
    assert '"error":"zone_plus_8h"' in row["evidence"]


@pytest.mark.parametrize(("messages", "count"), [(2, 0), (3, 1)])
async def test_three_messages_from_the_future_as_they_are_collected_name_the_zone_error(
    plant: Plant, messages: int, count: int
) -> None:
    ahead = timedelta(hours=8, seconds=-2)
    for number in range(messages):
        received_at = COLLECTED_AT + SLOT * number
        late = {"meter": "E01", "time": (received_at + ahead).isoformat(), "value": 1.0}
        payload = json.dumps({"batch": f"b{number}", "readings": [late]}).encode()
        topic = f"nenghao/v1/450200/{factories.unit_code()}/gw1/readings"
        await plant.collector.store([Delivery(1, number, topic, payload, received_at)])
    async with plant.pool.acquire() as connection:
        await assess.assess_one(connection, COLLECTED_AT + timedelta(hours=1), EVERY)
        found = await connection.fetch("SELECT * FROM suspicions")
        assert len(found) == count
        for one in found:
            assert (one["kind"], one["subject"]) == ("clock_zone", "gw1")
            assert json.loads(one["evidence"])["offset_s"] == ahead.total_seconds()


async def test_a_clock_in_order_is_not_suspected(
    connection: Connection, unit_id: int, meter_id: int
) -> None:
    await factories.gateway(connection, unit_id)
    await put(connection, meter_id, until(NOW), lag=timedelta(seconds=30))
    await assess_all(connection)
    assert await connection.fetchval("SELECT count(*) FROM suspicions") == 0


async def test_a_deadline_comes_with_the_calendar_of_its_year(
    connection: Connection, unit_id: int, meter_id: int
) -> None:
    await put(connection, meter_id, until(NOW - timedelta(hours=3)))
    await assess_all(connection)
    await connection.execute("UPDATE repairs SET due_at = NULL, due_reason = 'calendar_unknown'")
    await assess_all(connection, NOW + EVERY)
    due_at = await connection.fetchval("SELECT due_at FROM repairs")
    assert due_at == datetime(2026, 11, 27, tzinfo=LOCAL)


async def test_a_filed_fault_is_in_the_ledger(connection: Connection, meter_id: int) -> None:
    await assess_all(connection)
    (fault,) = (await standing(connection)).values()
    await quality_commands.file(connection, fault["repair_id"], AUTHOR, NOW)
    entry = await db.repairs.fetch(connection, fault["repair_id"])
    assert entry is not None
    assert entry.state(NOW + timedelta(days=30)) == "filed"
    known = await db.changes.list_known(connection, "repairs", NOW)
    assert list(known.values()) == [{"repair_id": fault["repair_id"], "filed_at": NOW.isoformat()}]
    with pytest.raises(Refusal, match="filed already"):
        await quality_commands.file(connection, fault["repair_id"], AUTHOR, NOW)
