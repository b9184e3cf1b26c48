"""A unit moves while its alert is open: the desk it leaves hears so, the new one is warned."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.alerts.conftest import HOUR, LAST_HOUR, NOW, Works, contact

LIUZHOU, GUILIN, PROVINCE = ("liuzhou@desk.example", "guilin@desk.example", "gx@desk.example")


@pytest.fixture
async def moved(works: Works) -> Works:
    """The works, over their limit in Liuzhou, then of a county of Guilin."""
    await contact(works.pool, "450300", GUILIN)
    await works.made(140.0)
    await works.evaluate()
    await works.pool.execute("UPDATE units SET region = '450302'")
    return works


async def told(works: Works) -> list[tuple[str, str]]:
    return [(to, subject.partition("】")[0][1:]) for to, subject in await works.letters()]


async def test_the_new_desk_is_warned_and_the_old_one_hears_who_takes_over(moved: Works) -> None:
    await moved.made(151.5, starts_at=LAST_HOUR + HOUR)
    await moved.evaluate(now=NOW + HOUR)
    await moved.made(151.5, starts_at=LAST_HOUR + 26 * HOUR)
    await moved.evaluate(now=NOW + 26 * HOUR)
    await moved.made(100.0, starts_at=LAST_HOUR + 27 * HOUR)
    await moved.evaluate(now=NOW + 27 * HOUR)
    assert await told(moved) == [
        (LIUZHOU, "预警"), (LIUZHOU, "预警移交"),
        (GUILIN, "预警"), (GUILIN, "预警提醒"), (GUILIN, "预警解除"),
    ]  # fmt: skip
    handed, warned = (
        row["body"]
        for row in await moved.pool.fetch(
            "SELECT body FROM outbox ORDER BY letter_id OFFSET 1 LIMIT 2"
        )
    )
    assert "水泥厂现由桂林市秀峰区管辖" in handed
    assert "151.5" not in handed
    assert "/v1/alerts/" not in handed
    assert ("151.5" in warned, "柳州" in warned) == (True, False)


async def test_the_history_of_either_alert_names_the_other(moved: Works) -> None:
    await moved.made(140.0, starts_at=LAST_HOUR + HOUR)
    await moved.evaluate(now=NOW + HOUR)
    rows = await moved.pool.fetch(
        "SELECT alert_id, region, state, acknowledged_at FROM alerts ORDER BY alert_id"
    )
    assert [tuple(row) for row in rows] == [
        (1, "450202", "resolved", None), (2, "450302", "firing", None)
    ]  # fmt: skip
    events = await moved.pool.fetch(
        "SELECT alert_id, reason FROM alert_events WHERE kind = 'handed_over' ORDER BY alert_id"
    )
    assert [tuple(row) for row in events] == [
        (1, "the unit is now looked after by 桂林市秀峰区 (450302): alert 2"),
        (2, "taken over with the unit from 柳州市城中区: alert 1"),
    ]


async def test_what_cannot_be_told_at_the_moment_is_told_where_the_unit_is_later(
    moved: Works,
) -> None:
    for hours in (5, 30):
        await moved.evaluate(now=NOW + hours * HOUR)  # nothing is known of these hours
    assert await told(moved) == [(LIUZHOU, "预警"), (LIUZHOU, "预警移交")]
    await moved.made(140.0, starts_at=LAST_HOUR + 31 * HOUR)
    await moved.evaluate(now=NOW + 31 * HOUR)
    assert (await told(moved))[2:] == [(GUILIN, "预警")]


async def test_it_is_raised_where_the_unit_is(moved: Works) -> None:
    await moved.pool.execute(
        """UPDATE rule_versions SET parameters = '{"remind_h": 0, "due_workdays":
           {"acknowledge": 2}}' WHERE rule_id = 1"""
    )
    await contact(moved.pool, "450000", PROVINCE)
    for days in (1, 5, 9):
        await moved.made(140.0, starts_at=LAST_HOUR + timedelta(days=days))
        await moved.evaluate(now=NOW + timedelta(days=days))
    raised = [to for to, what in await told(moved) if what == "逾期上报"]
    assert raised == [GUILIN, PROVINCE]


async def test_an_alert_that_nobody_was_told_of_goes_with_the_unit(works: Works) -> None:
    await works.pool.execute("""UPDATE rule_versions SET parameters = '{"for_h": 2}'""")
    await contact(works.pool, "450300", GUILIN)
    await works.made(140.0)
    await works.evaluate()
    await works.pool.execute("UPDATE units SET region = '450302'")
    for hours in (1, 2):
        await works.made(140.0, starts_at=LAST_HOUR + hours * HOUR)
        await works.evaluate(now=NOW + hours * HOUR)
    assert await told(works) == [(GUILIN, "预警")]
    assert await works.states() == ["firing"]
