"""Nobody reads OK of what nobody can judge: it is unknown, says what to do, and comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

import db.pool
from alerts import judging
from alerts.judging import Progress
from tests import factories
from tests.alerts.conftest import HOUR, LAST_HOUR, NOW, Works
from tests.alerts.test_standings import QUARTER, reads

pytestmark = pytest.mark.tampers("hours beside their readings")


async def told(works: Works) -> list[tuple[str, str]]:
    rows = await works.pool.fetch("SELECT state, reason FROM standings ORDER BY subject")
    return [(row["state"], row["reason"]) for row in rows]


async def other_works(works: Works) -> None:
    """Let another unit make clinker at 140 kgce/t, which is over."""
    async with works.pool.acquire() as connection:
        unit_id = await factories.unit(connection, factories.unit_code(2))
        other = Works(
            works.pool,
            unit_id,
            await factories.meter(connection, unit_id),
            await factories.meter(
                connection, unit_id, "P01", uom="t", role="output", product="clinker"
            ),
        )
    await other.made(140.0)
    await reads(other, NOW - QUARTER)


async def test_subjects_of_a_rule_that_cannot_be_judged_are_unknown_until_it_can(
    works: Works,
) -> None:
    """[56] A table that is not there stands for a fault of ours; all of its subjects come back."""
    progress = Progress()
    await works.made(110.0)
    await reads(works, NOW - QUARTER)
    await other_works(works)
    await works.evaluate(progress=progress)
    assert [state for state, _ in await told(works)] == ["ok", "firing"]
    await works.came_late(110.0, starts_at=LAST_HOUR)
    await works.pool.execute("ALTER TABLE limits RENAME TO limits_away")
    for minutes in (1, 2):
        await works.evaluate(now=NOW + minutes * HOUR / 60, progress=progress)
        assert [state for state, _ in await told(works)] == ["unknown", "unknown"]
    assert "rule_not_judged with rule_id 1 in the log" in (await told(works))[0][1]
    since = await works.pool.fetchval("SELECT DISTINCT since_at FROM standings")
    assert since == NOW + HOUR / 60
    assert await works.states() == ["firing"]  # unknown resolves nothing
    await works.pool.execute("ALTER TABLE limits_away RENAME TO limits")
    await works.evaluate(now=NOW + 3 * HOUR / 60, progress=progress)
    assert [state for state, _ in await told(works)] == ["ok", "firing"]


async def test_subjects_of_a_rule_that_cannot_be_read_are_unknown_until_it_can(
    works: Works,
) -> None:
    progress = Progress()
    await works.made(110.0)
    await reads(works, NOW - QUARTER)
    await works.evaluate(progress=progress)
    parameters = "UPDATE rule_versions SET parameters = $1 WHERE rule_id = 1"
    await works.pool.execute(parameters, '{"of_a_newer_program": 1}')
    await works.evaluate(progress=progress)
    ((state, reason),) = await told(works)
    assert state == "unknown"
    assert "states rule 1 anew" in reason
    await works.pool.execute(parameters, "{}")
    await works.evaluate(progress=progress)
    assert [state for state, _ in await told(works)] == ["ok"]


async def test_what_was_found_stands_though_its_letter_cannot_be_written(works: Works) -> None:
    """The state is known: it does not come and go with each attempt."""
    await works.pool.execute("ALTER TABLE outbox ADD CHECK (subject = '')")
    await works.made(140.0)
    await reads(works, NOW - QUARTER)
    progress = Progress()
    for minutes in (0, 1):
        await works.evaluate(now=NOW + minutes * HOUR / 60, progress=progress)
        assert [state for state, _ in await told(works)] == ["firing"]
    assert await works.pool.fetchval("SELECT since_at FROM standings") == NOW


async def test_a_rule_that_takes_too_long_each_time_keeps_no_other_waiting(
    works: Works, database_url: str
) -> None:
    """The first time it may be the database; a lock stands for what takes longer than it may."""
    async with works.pool.acquire() as connection:
        rule_id = await factories.rule(connection, kind="not_connected", region="450202")
    standing = f"SELECT state || ': ' || reason FROM standings WHERE rule_id = {rule_id}"
    await works.pool.execute("UPDATE units SET commissioned_on = '2026-01-01'")
    progress = Progress()
    await works.evaluate(progress=progress)
    await works.pool.execute("UPDATE standings SET state = 'ok'")
    async with (
        await db.pool.create_pool(database_url, timeout_s=0.5) as hasty,
        works.pool.acquire() as held,
    ):
        slow = replace(works, pool=hasty)
        async with held.transaction():
            await held.execute("LOCK quality_checks IN ACCESS EXCLUSIVE MODE")
            for _ in range(judging.SLOW_MAX):
                with pytest.raises(TimeoutError):
                    await slow.evaluate(now=NOW + HOUR, progress=progress)
            await slow.evaluate(now=NOW + HOUR, progress=progress)
        told_of = await works.pool.fetchval(standing)
        assert (told_of[:7], "longer than the database may" in told_of) == ("unknown", True)
        await slow.evaluate(now=NOW + HOUR + judging.SLOW_REST, progress=progress)
    assert "not assessed lately" in await works.pool.fetchval(standing)
