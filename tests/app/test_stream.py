"""What happens is told to those who may see it, once, in the order of the commits."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

import db.keys
from app.uploads import Patience
from ingest import writer
from ingest.acks import Delivery
from ingest.collect import Collector
from settings import Settings
from tests import cast, factories
from tests.app.conftest import NOW, UNBOUNDED, Stage, staged
from tests.app.following import Event, followed, following
from tests.app.test_access import FOREIGNERS, HOLDERS, hand_out

HASTY = Patience(stream_s=0.02, check_s=0.1)
UNITS = (cast.QIANS_UNIT, cast.QIANS_OTHER_UNIT, cast.SUNS_UNIT)


@pytest.fixture
async def stage(database_url: str) -> AsyncIterator[Stage]:
    """A stage whose stream is read at once; every unit has the gateway gw1."""
    async with staged(database_url, patience=HASTY) as made:
        async with made.pool.acquire() as connection:
            for unit_id in await connection.fetch("SELECT unit_id FROM units"):
                await factories.gateway(connection, unit_id["unit_id"])
        yield made


@pytest.fixture
async def collector(stage: Stage) -> Collector:
    holder = await writer.begin(stage.pool, "one", lambda: NOW)
    return Collector(stage.pool, holder, oldest=timedelta(days=400), clock=lambda: NOW)


@pytest.fixture(scope="session")
async def keys(possessed_stage: Stage) -> dict[str, str]:
    return await hand_out(possessed_stage)


def batch(unit: str, number: int) -> Delivery:
    """Return batch `number` of a unit: one reading, that of its minute."""
    one = {"meter": "E01", "time": f"2026-11-23T07:{number:02}:00Z", "value": 100 + number}
    city = "450300" if unit == cast.SUNS_UNIT else "450200"
    payload = json.dumps({"batch": f"b{number}", "readings": [one]}).encode()
    return Delivery(1, number, f"nenghao/v1/{city}/{unit}/gw1/readings", payload, NOW)


def batches(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.data["unit"], event.data["batch"]) for event in events]


def ids(events: list[Event]) -> list[tuple[int, ...]]:
    return [tuple(map(int, (event.id or "").split("."))) for event in events]


async def test_a_stored_batch_is_told_to_those_who_see_its_unit_and_to_nobody_else(
    stage: Stage, collector: Collector
) -> None:
    people = stage.cast
    async with AsyncExitStack() as stack:
        zhao, qian, li, sun = [
            await stack.enter_async_context(followed(stage.app, key))
            for key in (people.zhao, people.qian, people.li, people.sun)
        ]
        await collector.store([batch(cast.QIANS_UNIT, 1), batch(cast.QIANS_OTHER_UNIT, 2)])
        both = [(cast.QIANS_UNIT, "b1"), (cast.QIANS_OTHER_UNIT, "b2")]
        assert batches(await zhao.events(2)) == batches(await qian.events(2)) == both
        (event,) = await li.events(1)
        assert event == Event(
            "readings",
            {"unit": cast.QIANS_UNIT, "region": "450202", "gateway": "gw1", "batch": "b1",
             "received_at": "2026-11-23T16:00:00+08:00", "stored": 1},
            event.id,
        )  # fmt: skip
        assert await sun.is_silent()
        assert await li.is_silent()


async def test_everybody_hears_of_what_they_answer_for_and_nobody_else(
    possessed_stage: Stage, keys: dict[str, str]
) -> None:
    """[RELIABILITY 41] From the beginning on, everybody at once; a region's warning is nobody's
    who sees a single unit.
    """
    app = possessed_stage.app
    async with AsyncExitStack() as stack:
        told = {
            name: await stack.enter_async_context(following(app, keys[name], after="0"))
            for name in HOLDERS | FOREIGNERS
        }
        for name in HOLDERS:
            assert {(await told[name].event()).name for _ in range(3)} == {
                "open", "readings", "alerts",
            }, name  # fmt: skip
        for name in FOREIGNERS:
            assert (await told[name].event()).name == "open", name
            assert told[name].parts.empty(), name


async def test_a_batch_of_which_nothing_is_new_is_no_event(
    stage: Stage, collector: Collector
) -> None:
    async with followed(stage.app, stage.cast.zhao) as zhao:
        await collector.store([batch(cast.QIANS_UNIT, 1)])
        assert batches(await zhao.events(1)) == [(cast.QIANS_UNIT, "b1")]
        await collector.store([batch(cast.QIANS_UNIT, 1), batch(cast.QIANS_UNIT, 2)])
        assert batches(await zhao.events(1)) == [(cast.QIANS_UNIT, "b2")]
        assert await zhao.is_silent()


async def test_who_comes_back_in_the_middle_of_a_flush_gets_the_rest_of_it(
    stage: Stage, collector: Collector
) -> None:
    async with followed(stage.app, stage.cast.qian) as qian:
        await collector.store([batch(cast.QIANS_UNIT, n) for n in range(3)])
        first, *_ = await qian.events(3)
    await collector.store([batch(cast.QIANS_UNIT, 3)])
    async with followed(stage.app, stage.cast.qian, after=first.id) as qian:
        rest = await qian.events(3)
        assert [event.data["batch"] for event in rest] == ["b1", "b2", "b3"]
        assert await qian.is_silent()


ALERT = """
INSERT INTO alerts (rule_id, region, unit_id, subject, level, state, period_starts_at,
                    period_ends_at, measured, threshold, uom, coverage, estimated_share, reason,
                    pending_at, updated_at)
SELECT rule_id, $2, (SELECT unit_id FROM units WHERE unit = $3), $4, 1, 'firing',
       '2026-11-01Z', '2026-11-02Z', 2, 1, 'kgce/t', 1, 0, 'above', now(), now()
  FROM rules
 WHERE kind = $1
 LIMIT 1
RETURNING alert_id
"""
EVENT = """
INSERT INTO alert_events (alert_id, happened_at, kind, measured, reason)
VALUES ($1, '2026-11-23 08:00Z', $2, 2, 'above')
"""


async def alert(stage: Stage, kind: str, region: str, unit: str | None) -> int:
    alert_id: int = await stage.pool.fetchval(ALERT, kind, region, unit, f"{region}/{unit}")
    await stage.pool.execute(EVENT, alert_id, "first")
    return alert_id


async def test_the_level_of_a_region_is_a_warning_for_who_answers_for_all_of_it(
    stage: Stage,
) -> None:
    people = stage.cast
    async with (
        followed(stage.app, people.qian, kinds="warnings,readings") as qian,
        followed(stage.app, people.li) as li,
        followed(stage.app, people.sun) as sun,
    ):
        alert_id = await alert(stage, "region_level", "450200", None)
        (event,) = await qian.events(1)
        assert (event.name, event.data["alert_id"]) == ("warnings", alert_id)
        assert (event.data["change"], event.data["region"]) == ("first", "450200")
        assert await li.is_silent()
        assert await sun.is_silent()


async def test_what_is_asked_for_is_told_and_nothing_else(
    stage: Stage, collector: Collector
) -> None:
    zhao = stage.cast.zhao
    asked = [{"kinds": "alerts"}, {"region": "450300"}, {"unit": cast.QIANS_OTHER_UNIT}]
    async with AsyncExitStack() as stack:
        alerts, guilin, other = [
            await stack.enter_async_context(followed(stage.app, zhao, **each)) for each in asked
        ]
        await collector.store([batch(unit, 1) for unit in UNITS])
        await alert(stage, "product_intensity", "450202", cast.QIANS_UNIT)
        assert (await alerts.event()).name == "alerts"
        assert batches(await guilin.events(1)) == [(cast.SUNS_UNIT, "b1")]
        assert batches(await other.events(1)) == [(cast.QIANS_OTHER_UNIT, "b1")]
        assert [await each.is_silent() for each in (alerts, guilin, other)] == [True] * 3


async def test_what_commits_late_comes_late_and_is_not_lost(stage: Stage) -> None:
    """Its number was given before that of what committed first."""
    async with followed(stage.app, stage.cast.qian) as qian:
        alert_id = await alert(stage, "product_intensity", "450202", cast.QIANS_UNIT)
        assert (await qian.event()).data["change"] == "first"
        async with stage.pool.acquire() as slow, slow.transaction():
            await slow.execute(EVENT, alert_id, "slow")
            await stage.pool.execute(EVENT, alert_id, "fast")
            fast = await qian.event()
            assert fast.data["change"] == "fast"
        slow_event = await qian.event()
    assert slow_event.data["change"] == "slow"
    assert ids([fast]) < ids([slow_event])
    async with followed(stage.app, stage.cast.qian, after=fast.id) as qian:
        assert (await qian.event()).data["change"] == "slow"


async def test_whoever_comes_and_goes_hears_everything_once_and_in_order(
    stage: Stage, collector: Collector
) -> None:
    """Four write at once, for as long as they like; who listens is cut off again and again."""
    chance = random.Random(5)
    alert_ids: list[int] = []

    async def happen(writer_number: int) -> None:
        for number in range(12):
            async with stage.pool.acquire() as connection, connection.transaction():
                await connection.execute(
                    EVENT, chance.choice(alert_ids), f"{writer_number}/{number}"
                )
                await asyncio.sleep(chance.random() / 50)

    async def collect() -> None:
        for number in range(12):
            await collector.store([batch(cast.QIANS_UNIT, number)])

    async with followed(stage.app, stage.cast.qian) as qian:
        alert_ids += [await alert(stage, "product_intensity", "450202", unit) for unit in UNITS[:2]]
        await qian.events(2)  # that they were opened: what has no place yet is told later
        writing = asyncio.gather(*map(happen, range(3)), collect())
        heard = [await qian.event()]
    while len(heard) < 48:
        async with followed(stage.app, stage.cast.qian, after=heard[-1].id) as qian:
            heard += await qian.events(min(chance.randint(1, 9), 48 - len(heard)))
    await writing
    async with followed(stage.app, stage.cast.qian, after=heard[-1].id) as qian:
        assert await qian.is_silent()
    told = [event.data.get("batch") or event.data["change"] for event in heard]
    assert sorted(told) == sorted(
        [f"{n}/{m}" for n in range(3) for m in range(12)] + [f"b{n}" for n in range(12)]
    )
    assert ids(heard) == sorted(ids(heard))


@pytest.mark.parametrize(("newest", "after"), [(200_000, "1"), (1, "99")])
async def test_an_id_that_is_too_old_or_of_another_database_is_answered_with_a_reset(
    stage: Stage, newest: int, after: str
) -> None:
    async with followed(stage.app, stage.cast.qian) as qian:
        alert_id = await alert(stage, "product_intensity", "450202", cast.QIANS_UNIT)
        await qian.event()  # that it was opened: what has no place yet would be told later
        await stage.pool.execute("SELECT setval('stream_positions', $1)", newest)
        await stage.pool.execute(EVENT, alert_id, "next")
        last = await qian.event()
    async with following(stage.app, stage.cast.qian, after=after) as qian:
        reset = await qian.event()
        assert (reset.name, "Fetch anew" in reset.data["detail"]) == ("reset", True)
        assert ids([reset])[0][0] == ids([last])[0][0]
        await stage.pool.execute(EVENT, alert_id, "after")
        assert (await qian.event()).data["change"] == "after"


async def test_an_id_that_is_none_is_refused(stage: Stage) -> None:
    for after in ("", "x", "-1", "1.", "1.2.3", "1" * 30, "١"):
        async with following(stage.app, stage.cast.qian, after=after) as qian:
            await asyncio.wait_for(qian.ended.wait(), 5)
        assert (qian.status, json.loads(qian.body)["code"]) == (422, "invalid_parameter")


async def test_a_foreign_unit_cannot_be_followed(stage: Stage) -> None:
    for key, unit, status in (
        (stage.cast.sun, cast.QIANS_UNIT, 404),
        (stage.cast.li, cast.QIANS_OTHER_UNIT, 404),
        (None, cast.QIANS_UNIT, 401),
    ):
        async with following(stage.app, key, unit=unit) as nobody:
            await asyncio.wait_for(nobody.ended.wait(), 5)
        assert nobody.status == status


async def test_the_stream_of_a_revoked_key_ends_and_says_why(
    stage: Stage, collector: Collector
) -> None:
    async with followed(stage.app, stage.cast.li) as li, followed(stage.app, stage.cast.qian):
        async with stage.pool.acquire() as connection:
            key_id = await connection.fetchval("SELECT key_id FROM api_keys WHERE label = 'li'")
            await db.keys.revoke(connection, key_id)
        end = await li.event()
        assert (end.name, end.data["code"]) == ("end", "revoked_key")
        await asyncio.wait_for(li.ended.wait(), 5)
        await collector.store([batch(cast.QIANS_UNIT, 1)])
        assert await li.is_silent()


async def test_streams_are_counted_by_holder_and_in_all(database_url: str) -> None:
    few = Settings(streams_max=3, streams_per_holder=2, refusals_per_minute=UNBOUNDED)
    async with staged(database_url, patience=HASTY, settings=few) as stage:
        qian, sun = stage.cast.qian, stage.cast.sun
        async with followed(stage.app, qian):
            async with followed(stage.app, qian):
                assert await refusal(stage, qian) == (429, "too_many_streams")
                async with followed(stage.app, sun):
                    assert await refusal(stage, stage.cast.li) == (503, "busy")
            async with followed(stage.app, qian):
                pass


async def refusal(stage: Stage, key: str) -> tuple[int, str]:
    async with following(stage.app, key) as refused:
        await asyncio.wait_for(refused.ended.wait(), 5)
    return refused.status, json.loads(refused.body)["code"]


async def test_who_reads_slowly_holds_one_page_and_nobody_else(
    stage: Stage, collector: Collector
) -> None:
    async with (
        followed(stage.app, stage.cast.qian) as slow,
        followed(stage.app, stage.cast.zhao) as quick,
    ):
        slow.blocked = asyncio.Event()
        for number in range(20):
            await collector.store([batch(cast.QIANS_UNIT, number)])
            await quick.event()
        assert slow.parts.empty()
        slow.blocked.set()
        told = await slow.events(20)
    assert [event.data["batch"] for event in told] == [f"b{n}" for n in range(20)]


async def test_one_can_go_on_with_another_process(
    stage: Stage, collector: Collector, database_url: str
) -> None:
    async with followed(stage.app, stage.cast.qian) as qian:
        await collector.store([batch(cast.QIANS_UNIT, 1)])
        first = await qian.event()
    async with staged(database_url, patience=HASTY, people=stage.cast) as other:
        await collector.store([batch(cast.QIANS_UNIT, 2)])
        async with followed(other.app, stage.cast.qian, after=first.id) as qian:
            assert batches(await qian.events(1)) == [(cast.QIANS_UNIT, "b2")]
