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

CRASHES = 8
COMMITS_LOST = 40


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


@pytest.mark.parametrize("point", [each for each in Point if "callback" not in each])
def test_a_crash_at_any_point_loses_and_doubles_nothing(works: Works, point: Point) -> None:
    """[2] Killed at the first, second and third flush of a process; then one that lives."""
    first = works.collect()
    until(lambda: works.connected() == 1)  # its session keeps what is published from now on
    kill(first)
    for times in range(1, CRASHES + 1):
        for thread in works.publishing(10, per_s=1000, readings=3):
            thread.join()
        dying = works.collect(fault=f"{point}:{times}", NENGHAO_RECEIVE_MAXIMUM="4")
        assert dying.wait(timeout=20) == -9
    works.collect()
    total = CRASHES * GATEWAYS * 10 * 3
    until(lambda: works.stored() >= total)
    works.ledger.check(works.database_url)


def test_a_commit_whose_answer_is_lost_is_made_once(works: Works) -> None:
    """[9] The answers to many commits are lost; nothing is lost, nothing counted twice."""
    with proxy.before(works.database_url) as (before, url):
        works.collect(NENGHAO_DATABASE_URL=url, NENGHAO_RECEIVE_MAXIMUM="8")
        until(lambda: works.connected() == 1)
        before.commits_to_lose = COMMITS_LOST
        threads = works.publishing(100, per_s=400)
        for thread in threads:
            thread.join()
        until(lambda: works.stored() >= 100 * GATEWAYS, within_s=60)
        lost = COMMITS_LOST - before.commits_to_lose
    print(f"{lost} answers lost")
    assert lost > COMMITS_LOST // 2
    assert works.received() == 100 * GATEWAYS
    works.ledger.check(works.database_url)
