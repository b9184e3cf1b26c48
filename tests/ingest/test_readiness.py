"""[14] Whether collectors are ready is known to whoever asks the database."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

import db.metrics
from db.metrics import Heartbeat
from db.pool import Pool
from deploy.services import Services
from ingest import beats, broker_url, readiness, shards, writer
from ingest.client import Link
from ingest.names import NameFault
from ingest.readiness import CollectorState, Readiness
from ingest.writer import FencedError
from tests.ingest.conftest import NOW, collecting, utc_now


def beat(name: str, detail: str, age_s: float = 0, program: str = "collect") -> Heartbeat:
    return Heartbeat(program, name, NOW - timedelta(seconds=age_s), detail)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (beat("c", "ready", 15), Readiness.READY),
        (beat("c", "ready", 16), Readiness.SILENT),
        (beat("c", "no_broker"), Readiness.NO_BROKER),
        (beat("c", "connected"), Readiness.SILENT),
        (beat("c", "ended", 80_000), Readiness.ENDED),
    ],
)
def test_only_who_says_so_and_lately_is_ready(said: Heartbeat, meant: Readiness) -> None:
    (state,) = readiness.states([said], NOW)
    assert state.readiness is meant
    assert readiness.is_collected([state]) is (meant is Readiness.READY)


def test_other_programs_and_names_that_were_given_up_do_not_count() -> None:
    beats = [beat("c", "ready"), beat("d", "ready", 90_000), beat("s", "", program="settle")]
    assert [each.collector for each in readiness.states(beats, NOW)] == ["c"]


def test_a_standby_alone_collects_nothing_and_beside_a_holder_is_no_reason_to_worry() -> None:
    holder = CollectorState("c", Readiness.READY, NOW)
    standby = CollectorState("c@host", Readiness.STANDBY, NOW)
    assert not readiness.is_collected([standby])
    assert readiness.is_collected([holder, standby])
    assert not readiness.is_collected([])


def test_who_was_told_to_stop_is_no_reason_to_worry_as_long_as_another_collects() -> None:
    ready = CollectorState("c", Readiness.READY, NOW)
    ended = CollectorState("d", Readiness.ENDED, NOW)
    assert readiness.is_collected([ready, ended])
    assert not readiness.is_collected([ended])


async def until(
    pool: Pool, *expected: tuple[str, Readiness], clock: Callable[[], datetime] = utc_now
) -> None:
    found: list[tuple[str, Readiness]] = []
    async with asyncio.timeout(15):
        while found != list(expected):
            await asyncio.sleep(0.1)
            async with pool.acquire() as connection:
                said = await db.metrics.list_heartbeats(connection)
            found = [(s.collector, s.readiness) for s in readiness.states(said, clock())]


async def test_a_shard_of_a_city_that_is_none_is_refused(pool: Pool) -> None:
    await shards.require_cities(pool, shards.parse("c", "450200"))
    await shards.require_cities(pool, shards.whole("c"))
    with pytest.raises(NameFault, match="999999, which is no city"):
        await shards.require_cities(pool, shards.parse("c", "450200+999999"))


async def test_a_collector_and_its_standby_say_what_they_are(
    pool: Pool, services: Services
) -> None:
    name = f"ready-{uuid4().hex[:8]}"
    host = socket.gethostname()

    async with collecting(pool, services, name), collecting(pool, services, name):
        await until(pool, (name, Readiness.READY), (f"{name}@{host}", Readiness.STANDBY))
    async with collecting(pool, services, name):
        await until(pool, (name, Readiness.READY))
    await until(pool, (name, Readiness.ENDED))


async def test_who_lost_its_shard_does_not_speak_for_it(pool: Pool) -> None:
    """[14] What a frozen collector says when it wakes would hide that another one collects."""
    former = await writer.begin(pool, "c", lambda: NOW)
    holder = await writer.begin(pool, "c", lambda: NOW)
    assert holder.epoch == former.epoch + 1
    link = Link(
        broker_url.parse("mqtt://127.0.0.1:1"),
        "c",
        [],
        receive_maximum=5,
        clock=lambda: NOW,
        session_expected=False,
    )
    beating = asyncio.create_task(beats.beat(pool, holder, link))
    await until(pool, ("c", Readiness.NO_BROKER), clock=lambda: NOW)
    await beats.say_ended(pool, former)
    with pytest.raises(FencedError):
        await beats.beat(pool, former, link)
    await until(pool, ("c", Readiness.NO_BROKER), clock=lambda: NOW)
    await beats.say_ended(pool, holder)
    await until(pool, ("c", Readiness.ENDED), clock=lambda: NOW)
    beating.cancel()
