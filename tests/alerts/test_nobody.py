"""An alert that nobody could be told of is owed, shown as such, and told once somebody is there."""

from __future__ import annotations

from alerts.judging import Progress
from tests.alerts.conftest import HOUR, LAST_HOUR, NOW, Works, contact


async def test_what_nobody_was_told_of_is_owed_until_there_is_somebody(works: Works) -> None:
    await works.pool.execute("""UPDATE rule_versions SET parameters = '{"remind_h": 0}'""")
    await works.pool.execute("DELETE FROM contacts")
    await works.made(140.0)
    for hours in (0, 1, 2):
        await works.evaluate(now=NOW + hours * HOUR)
    row = await works.pool.fetchrow("SELECT told_at, owed, nobody_to_tell FROM alerts")
    assert row is not None
    assert tuple(row) == (None, "first", True)
    assert await works.events() == ["first"]
    await contact(works.pool, "450200", "liuzhou@desk.example")
    progress = Progress()
    await works.evaluate(now=NOW + 2 * HOUR, progress=progress)
    assert [subject.partition("】")[0] for _, subject in await works.letters()] == ["【预警"]
    assert await works.pool.fetchval("SELECT nobody_to_tell FROM alerts") is False


async def test_that_something_is_unknown_waits_for_somebody_too(works: Works) -> None:
    await works.pool.execute("""UPDATE rule_versions SET parameters = '{"unknown_h": 6}'""")
    await works.pool.execute("DELETE FROM contacts")
    await works.made(110.0)
    for hours in (0, 5, 11, 12, 13):
        await works.evaluate(now=NOW + hours * HOUR)
    assert await works.events() == ["unknown"]
    assert await works.pool.fetchval("SELECT nobody_to_tell FROM alerts")
    await contact(works.pool, "450202", "all@desk.example", level=3)
    for hours in (14, 15, 16):
        await works.evaluate(now=NOW + hours * HOUR)
    ((to, subject),) = await works.letters()
    assert (to, subject.partition("】")[0]) == ("all@desk.example", "【数据不足提示")
    assert await works.pool.fetchval("SELECT nobody_to_tell FROM alerts") is False


async def test_who_is_there_only_after_the_end_hears_of_neither(works: Works) -> None:
    await works.pool.execute("UPDATE contacts SET region = '450300'")
    await works.made(140.0)
    await works.evaluate()
    await works.made(100.0, starts_at=LAST_HOUR + HOUR)
    await works.evaluate(now=NOW + HOUR)
    await contact(works.pool, "450200", "new@desk.example")
    await works.evaluate(now=NOW + 2 * HOUR)
    assert await works.letters() == []
    assert await works.events() == ["first", "resolved"]
    assert await works.pool.fetchval("SELECT nobody_to_tell FROM alerts") is False
