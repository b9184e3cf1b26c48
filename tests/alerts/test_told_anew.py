"""What keeps letters back keeps amended, late and unknown ones back, and no retraction."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests import factories
from tests.alerts.conftest import HOUR, LAST_HOUR, NOW, Works, contact
from tests.alerts.test_silences import shown, silence, subjects
from tests.alerts.test_standings import reads

AGO = LAST_HOUR - 30 * HOUR
"""An hour that is long over."""

MINUTE = timedelta(minutes=1)
LATER = NOW + 3 * HOUR
"""When a silence is over."""


async def reasons(works: Works, kind: str) -> list[str]:
    rows = await works.pool.fetch(
        "SELECT reason FROM alert_events WHERE kind = $1 ORDER BY event_id", kind
    )
    return [row["reason"] for row in rows]


@pytest.fixture
async def told(works: Works) -> Works:
    """The works, of which a letter told long ago that it was over; then a silence began."""
    await works.made(140.0, starts_at=AGO)
    await works.evaluate(now=AGO + HOUR)
    return works


async def test_what_was_told_is_amended_once_when_the_silence_is_over(told: Works) -> None:
    silence_id = await silence(told)
    for intensity in (160.0, 165.0):
        await told.came_late(intensity, starts_at=AGO)
        await told.evaluate()
    assert await shown(told) == ("firing", silence_id, "amended")
    assert await told.pool.fetchval("SELECT measured FROM alerts") == 165.0
    (reason,) = await reasons(told, "amended")
    assert reason.endswith(f"; no letter: silence {silence_id} keeps it back")
    for minutes in range(4):
        await told.evaluate(now=LATER + minutes * MINUTE)
    assert await subjects(told) == ["【预警", "【预警更正"]
    body = await told.pool.fetchval("SELECT body FROM outbox ORDER BY letter_id DESC LIMIT 1")
    assert "更正前（2026-11-22 10:00 通知）：140 kgce/t" in body
    assert "165 kgce/t" in body
    assert await shown(told) == ("firing", None, None)


async def test_what_is_again_as_it_was_told_is_not_amended(told: Works) -> None:
    await silence(told)
    for intensity in (160.0, 140.0):
        await told.came_late(intensity, starts_at=AGO)
        await told.evaluate()
    for minutes in range(3):
        await told.evaluate(now=LATER + minutes * MINUTE)
    assert await subjects(told) == ["【预警"]


async def test_an_alert_that_is_over_is_amended_after_the_silence_too(told: Works) -> None:
    await told.made(110.0, starts_at=LAST_HOUR - 2 * HOUR)
    await told.evaluate(now=NOW - 2 * HOUR)
    silence_id = await silence(told)
    await told.came_late(160.0, starts_at=AGO)
    await told.evaluate()
    assert await shown(told) == ("resolved", silence_id, "amended")
    for minutes in range(3):
        await told.evaluate(now=LATER + minutes * MINUTE)
    assert await subjects(told) == ["【预警", "【预警解除", "【预警更正"]
    assert await shown(told) == ("resolved", None, None)
    body = await told.pool.fetchval("SELECT body FROM outbox ORDER BY letter_id DESC LIMIT 1")
    assert "预警此前已经结束，本次只更正当时的数值。" in body
    assert "请您\n无需处理" in body


async def test_what_another_alert_tells_of_is_amended_when_that_one_is_over(told: Works) -> None:
    """The alert of a city's rule, which one of the province takes in from now on."""
    await told.pool.execute("UPDATE rules SET region = '450200' WHERE rule_id = 1")
    async with told.pool.acquire() as connection:
        province = await factories.rule(connection, name="province")
    await told.made(140.0)
    await told.evaluate()
    await told.came_late(160.0, starts_at=AGO)
    await told.evaluate()
    (reason,) = await reasons(told, "amended")
    assert f"; no letter: rule {province} tells of it" in reason
    before = len(await told.letters())
    await told.pool.execute(
        "UPDATE rule_versions SET parameters = NULL WHERE rule_id = $1", province
    )
    for minutes in range(3):
        await told.evaluate(now=NOW + minutes * MINUTE)
    assert (await subjects(told))[before:] == ["【预警提醒", "【预警更正"]


@pytest.mark.parametrize("is_newest", [False, True])
async def test_a_warning_without_reason_is_withdrawn_at_once_from_those_who_were_told(
    works: Works, is_newest: bool
) -> None:
    starts_at = LAST_HOUR if is_newest else AGO
    await works.made(140.0, starts_at=starts_at)
    await works.evaluate(now=starts_at + HOUR)
    await silence(works)
    await contact(works.pool, "450202", "new@desk.example")
    await works.came_late(110.0, starts_at=starts_at)
    await works.evaluate()
    await works.made(110.0, starts_at=LAST_HOUR + 3 * HOUR)
    await works.evaluate(now=LATER)
    letters = [(address, subject[:6]) for address, subject in await works.letters()]
    assert letters == [
        ("liuzhou@desk.example", "【预警】水泥"),
        ("liuzhou@desk.example", "【预警撤回】"),
    ]
    assert await shown(works) == ("resolved", None, None)


@pytest.mark.parametrize("by", ["retracted", "noted"])
async def test_a_warning_that_nobody_was_told_of_is_withdrawn_from_nobody(
    works: Works, by: str
) -> None:
    """As the newest hour that is known, and as one of before."""
    await silence(works, until=NOW + HOUR)
    await works.made(140.0, starts_at=LAST_HOUR - HOUR)
    await works.evaluate(now=NOW - HOUR / 2)
    assert await shown(works) != ("firing", None, None)
    if by == "noted":
        await works.made(110.0)
    await works.came_late(110.0, starts_at=LAST_HOUR - HOUR)
    await works.evaluate()
    assert await works.events() == ["first", by]
    await works.made(110.0, starts_at=LAST_HOUR + HOUR)
    await works.evaluate(now=NOW + HOUR)
    assert (await works.states(), await works.letters()) == (["resolved"], [])


async def over_unknown(works: Works) -> None:
    """An hour is over its threshold that nobody could know of; a silence holds."""
    for starts_at in (AGO - HOUR, LAST_HOUR):
        await works.made(110.0, starts_at=starts_at)
        await works.evaluate(now=starts_at + HOUR)
    await silence(works)
    await works.came_late(140.0, starts_at=AGO)


async def test_what_came_late_and_is_over_by_then_is_told_to_nobody(works: Works) -> None:
    await over_unknown(works)
    assert await works.evaluate() == 1
    await works.came_late(150.0, starts_at=AGO + 2 * HOUR)
    await works.evaluate()
    assert await works.events() == ["late", "resolved", "noted"]
    assert "no letter: silence" in (await reasons(works, "late"))[0]
    for hours in (3, 4):
        await works.made(110.0, starts_at=LAST_HOUR + hours * HOUR)
        await works.evaluate(now=NOW + hours * HOUR)
    assert await works.letters() == []
    await works.came_late(150.0, starts_at=AGO + 4 * HOUR)  # nobody was told of one yet
    await works.evaluate(now=NOW + 4 * HOUR)
    assert await subjects(works) == ["【补发预警"]


async def test_what_came_late_and_is_still_over_is_told_when_the_silence_is_over(
    works: Works,
) -> None:
    await over_unknown(works)
    await works.settled(works.energy_id, LAST_HOUR, 0, tce=None)  # the newest hour is not known
    await works.evaluate()
    assert (await shown(works))[::2] == ("firing", "first")
    await works.made(150.0, starts_at=LAST_HOUR + 3 * HOUR)
    for minutes in range(2):
        await works.evaluate(now=LATER + minutes * MINUTE)
    assert await subjects(works) == ["【预警"]


@pytest.mark.parametrize("is_open", [False, True])
async def test_what_is_unknown_for_long_is_told_when_the_silence_is_over(
    works: Works, is_open: bool
) -> None:
    await works.pool.execute(
        """UPDATE rule_versions SET parameters = '{"unknown_h": 6}' WHERE rule_id = 1"""
    )
    await contact(works.pool, "450202", "all@desk.example", level=3)
    await works.made(140.0 if is_open else 110.0)
    await works.evaluate()
    before = len(await works.letters())
    silence_id = await silence(works, until=NOW + 9 * HOUR)
    for hours in (6, 7, 8):
        await works.evaluate(now=NOW + hours * HOUR)
    assert await shown(works) == ("firing", silence_id, "unknown")
    (reason,) = await reasons(works, "unknown")
    assert reason.endswith(f"; no letter: silence {silence_id} keeps it back")
    assert len(await works.letters()) == before
    for minutes in (0, 6, 12, 18):
        await works.evaluate(now=NOW + 9 * HOUR + minutes * MINUTE)
    assert (await subjects(works))[before:] == ["【数据不足提示"] * (1 + is_open)
    assert await works.pool.fetchval("SELECT count(*) FROM alerts") == 1
    assert await shown(works) == ("firing", None, None)


@pytest.mark.tampers("hours beside their readings")
async def test_what_is_unknown_anew_as_the_silence_ends_is_told_once(works: Works) -> None:
    """It was so within the silence before, and known in between."""
    await works.pool.execute(
        """UPDATE rule_versions SET parameters = '{"unknown_h": 2}' WHERE rule_id = 1"""
    )
    await works.made(140.0)
    await silence(works, until=NOW + 6 * HOUR + MINUTE)
    await works.evaluate()
    for hours in (1, 3):
        await works.evaluate(now=NOW + hours * HOUR)
    await works.made(140.0, starts_at=LAST_HOUR + 3 * HOUR)
    await reads(works, NOW + 3 * HOUR)
    for hours in (3, 4, 6):
        await works.evaluate(now=NOW + hours * HOUR + MINUTE)
    for minutes in (10, 20):
        await works.evaluate(now=NOW + 6 * HOUR + minutes * MINUTE)
    assert await works.events() == ["first", "unknown", "released", "unknown"]
    assert await subjects(works) == ["【预警", "【数据不足提示"]


async def test_what_is_known_again_within_a_silence_was_told_to_nobody(works: Works) -> None:
    await works.pool.execute(
        """UPDATE rule_versions SET parameters = '{"unknown_h": 2}' WHERE rule_id = 1"""
    )
    await works.made(110.0)
    await works.evaluate()
    await silence(works)
    await works.evaluate(now=NOW + 2 * HOUR)
    for hours in (2.5, 4, 5):
        await works.made(110.0, starts_at=LAST_HOUR + int(hours) * HOUR)
        await works.evaluate(now=NOW + hours * HOUR)
    assert await works.events() == ["unknown", "passed"]
    assert await works.letters() == []


async def test_an_early_notice_is_told_after_a_silence_while_it_holds_and_has_no_end(
    works: Works,
) -> None:
    await works.pool.execute(
        """UPDATE rule_versions SET parameters = '{"warn_ratio": 0.95, "early_notice": true}'
            WHERE rule_id = 1"""
    )
    await contact(works.pool, "450202", "all@desk.example", level=3)
    await silence(works, until=NOW + 3 * HOUR)
    for hours, value in enumerate((114.0, 100.0, 114.0, 114.0, 100.0)):
        await works.made(value, starts_at=LAST_HOUR + hours * HOUR)
        await works.evaluate(now=NOW + hours * HOUR)
    assert await works.events() == ["early", "passed", "early", "early", "passed"]
    assert await subjects(works) == ["【提前提示"]
