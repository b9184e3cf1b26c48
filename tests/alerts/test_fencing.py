"""[57] One evaluator: two at once, one that is frozen and thawed, one that lost its lock."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

import db.alerts
import db.evaluators
from alerts import evaluator
from alerts.evaluator import FencedError
from db.pool import Connection
from tests.alerts.conftest import NOW, Works

ROOT = Path(__file__).parents[2]


async def test_what_an_evaluator_of_an_earlier_term_stores_is_refused(works: Works) -> None:
    """[57] Its lock went without its noticing; another has begun; nothing of it is stored."""
    await works.made(140.0)
    async with works.pool.acquire() as frozen, works.pool.acquire() as other:
        with pytest.raises(FencedError, match="another evaluator has begun since term 1"):
            await _lose_the_lock_and_store(frozen, other)
        with pytest.raises(FencedError):
            await _delete_marks_of_an_earlier_term(frozen)
        await frozen.execute("UPDATE alerts SET state = state")  # it is no evaluator any more


async def _lose_the_lock_and_store(frozen: Connection, other: Connection) -> None:
    async with evaluator.term(frozen) as epoch:
        assert epoch == 1
        await db.evaluators.unlock(frozen)
        async with evaluator.term(other) as later:
            assert later == 2
        await frozen.execute("UPDATE alerts SET state = state")


async def _delete_marks_of_an_earlier_term(connection: Connection) -> None:
    async with evaluator.term(connection) as epoch:
        assert epoch == 3
        await db.evaluators.enter_term(connection, 2)
        await connection.execute("DELETE FROM fresh_hours")


async def test_a_term_begins_after_what_an_earlier_one_has_under_way(works: Works) -> None:
    """[57] Whoever has passed the fence commits first: the next term waits for its row."""
    acquire = works.pool.acquire
    async with acquire() as first, acquire() as second, evaluator.term(first):
        async with first.transaction():
            await first.execute("UPDATE alerts SET state = state")
            waiting = asyncio.create_task(db.evaluators.begin_term(second))
            await asyncio.sleep(0.1)
            assert not waiting.done()
        assert await waiting == 2


async def test_callers_over_http_are_no_evaluators(works: Works) -> None:
    await works.pool.execute("UPDATE alerts SET state = state")
    async with works.pool.acquire() as connection:
        async with evaluator.term(connection):
            assert await connection.fetchval("SHOW nenghao.evaluator") == "1"
        assert await connection.fetchval("SHOW nenghao.evaluator") == ""


async def test_an_evaluator_whose_statement_runs_is_not_frozen(
    works: Works, database_url: str
) -> None:
    """[57] A long statement is work; only who has the answer and asks nothing more is ended."""
    working = await asyncpg.connect(database_url)
    async with works.pool.acquire() as other:
        assert await working.fetchval("SELECT pg_try_advisory_lock($1)", db.evaluators.LOCK_KEY)
        await other.execute("SELECT pg_advisory_lock(1)")
        running = asyncio.create_task(working.execute("SELECT pg_advisory_lock(1)"))
        await asyncio.sleep(0.3)
        assert not await db.evaluators.break_lock(other, 0.1)
        await other.execute("SELECT pg_advisory_unlock(1)")
        await running
        await asyncio.sleep(0.2)
        assert await db.evaluators.break_lock(other, 0.1)
    working.terminate()


@contextmanager
def evaluating(url: str, log: Path, silent_s: float) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.alerts.evaluating", url, NOW.isoformat(), str(silent_s)],
            cwd=ROOT,
            stdout=file,
            stderr=file,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


async def until(question: object, within_s: float = 60) -> None:
    assert callable(question)
    limit = time.monotonic() + within_s
    while not await question():
        assert time.monotonic() < limit, "it did not happen in time"
        await asyncio.sleep(0.05)


async def test_a_frozen_evaluator_is_followed_by_another_and_thawed_writes_nothing(
    works: Works, database_url: str, tmp_path: Path
) -> None:
    """[57] SIGSTOP in the middle of a judgement; the other takes over; each is judged once."""
    await works.made(140.0)
    asking = await asyncpg.connect(database_url)

    async def counts(query: str) -> int:
        found: int = await asking.fetchval(query)
        return found

    holding = await asyncpg.connect(database_url)
    barrier = holding.transaction()
    await barrier.start()
    await holding.execute("LOCK TABLE alerts IN SHARE MODE")  # nobody may open one now
    with evaluating(database_url, tmp_path / "first.log", 60) as first:
        await until(lambda: _waits(asking))
        os.kill(first.pid, signal.SIGSTOP)
        await barrier.rollback()
        with evaluating(database_url, tmp_path / "second.log", 1):
            await until(lambda: _is_there(asking, "SELECT count(*) FROM outbox"))
            first.send_signal(signal.SIGCONT)
            heard = f"SELECT count(*) FROM heartbeats WHERE instance = '{first.pid}'"
            await until(lambda: _is_there(asking, heard))
    assert "evaluator_lock_broken" in (tmp_path / "second.log").read_text()
    assert await works.states() == ["firing"]
    assert await counts("SELECT count(*) FROM outbox") == 1
    assert await counts("SELECT count(*) FROM alert_events") == 1
    await holding.close()
    await asking.close()


async def _waits(asking: asyncpg.Connection[asyncpg.Record]) -> bool:
    found: bool = await asking.fetchval(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'alerts'::regclass)"
    )
    return found


async def _is_there(asking: asyncpg.Connection[asyncpg.Record], query: str) -> bool:
    found: int = await asking.fetchval(query)
    return found > 0
