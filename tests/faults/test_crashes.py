"""Whatever dies, and wherever: what was acknowledged is stored, once. [RELIABILITY 1, 2, 9]"""

from __future__ import annotations

import time

import pytest

from ingest.faults import Point
from tests.faults import proxy
from tests.faults.conftest import GATEWAYS, Works, kill, until

READINGS, KILLS = 20_000, 5
PER_S = 1_000
"""So slow that there is something to come at every kill, restarts of a busy machine included."""

POINTS = [each for each in Point if "callback" not in each]
CRASHES = [8, pytest.param(20, marks=pytest.mark.soak)]
"""Of each point: 64 with every commit, 160 at night."""

BATCHES = 50
"""Of each gateway before a crash: no process may run out of them before its last flush."""

COMMITS_LOST = 200
MESSAGES = 80
"""Of each gateway: more than its share of the commits, as each is a flush of its own."""


def test_killing_the_collector_loses_and_doubles_nothing(works: Works) -> None:
    """[1] 20,000 readings, 5 kills; at most 5 s from a restart to its first commit."""
    process = works.collect()
    until(lambda: works.connected() == 1)
    threads = works.publishing(READINGS // GATEWAYS, per_s=PER_S)
    restarts = []
    for _ in range(KILLS):
        time.sleep(works.random.uniform(0.1, 0.8))
        kill(process)
        before = works.received()
        process = works.collect()
        restarts.append(until(lambda before=before: works.received() > before))  # type: ignore[misc]
    for thread in threads:
        thread.join()
    until(lambda: works.stored() >= READINGS)
    works.ledger.check(works.database_url)
    assert max(restarts) <= 5


@pytest.mark.parametrize("crashes", CRASHES)
@pytest.mark.parametrize("points", [POINTS[:GATEWAYS], POINTS[GATEWAYS:]], ids="+".join)
def test_a_crash_at_any_point_loses_and_doubles_nothing(
    works: Works, points: list[Point], crashes: int
) -> None:
    """[2] Killed at the first, second, … flush of a process; then one that lives.

    Four collectors, a shard each, crash side by side, each at a point of its own.
    """
    shards = [f"{login.city}/{login.unit}" for login in works.logins]
    for shard in shards:
        works.collect(shard=shard)
    until(lambda: works.connected() == GATEWAYS)  # sessions keep what is published from now on
    works.stop()
    for times in range(1, crashes + 1):
        for thread in works.publishing(BATCHES, per_s=1e9, readings=3):
            thread.join()
        dying = [
            works.collect(shard=shard, fault=f"{point}:{times}", NENGHAO_RECEIVE_MAXIMUM="4")
            for shard, point in zip(shards, points, strict=True)
        ]
        assert [process.wait(timeout=30) for process in dying] == [-9] * len(points)
    for shard in shards:
        works.collect(shard=shard)
    until(lambda: works.stored() >= crashes * GATEWAYS * BATCHES * 3)
    works.ledger.check(works.database_url)


def test_a_commit_whose_answer_is_lost_is_made_once(works: Works) -> None:
    """[9] 200 answers to commits are lost; nothing is lost, nothing counted twice.

    Each loss costs a pause: four collectors, a shard each, take theirs at the same time.
    """
    total = GATEWAYS * MESSAGES
    with proxy.before(works.database_url) as (before, url):
        for login in works.logins:
            shard = f"{login.city}/{login.unit}"
            works.collect(shard=shard, NENGHAO_DATABASE_URL=url, NENGHAO_RECEIVE_MAXIMUM="1")
        until(lambda: works.connected() == GATEWAYS)
        before.commits_to_lose = COMMITS_LOST
        for thread in works.publishing(MESSAGES, per_s=1000):
            thread.join()
        until(lambda: works.stored() >= total, within_s=60)
    assert before.commits_to_lose == 0
    assert works.received() == total
    works.ledger.check(works.database_url)
