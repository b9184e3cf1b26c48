"""What a rule does not watch any more: its alert ends, says why, and keeps no letters back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts import unwatched
from alerts.judging import Progress
from alerts.keepers import Kept
from alerts.lifecycle import Reason
from db.alerts import About, AlertState, OpenAlert
from db.kept import NOTHING, Owed
from energy.periods import Span
from tests.alerts.conftest import HOUR, LAST_HOUR, NOW, Works, limit
from tests.alerts.test_budget_pace import budget, use
from tests.alerts.test_regions import figure, region  # noqa: F401
from tests.alerts.test_silences import silence
from tests.alerts.test_value_intensity import rule

DAY = timedelta(days=1)
PLACE = '{"keeps_back": [{"kind": "product_intensity", "same": "place"}]}'


async def reasons(works: Works) -> list[str]:
    rows = await works.pool.fetch(
        "SELECT reason FROM alert_events WHERE kind = 'unwatched' ORDER BY event_id"
    )
    return [row["reason"] for row in rows]


async def used_up(works: Works, parameters: str = '{"remind_h": 0}') -> None:
    """Let a budget of the unit for the year be used before it ends."""
    await rule(works, parameters, kind="budget_pace")
    await use(works)
    await budget(works, "unit", await works.pool.fetchval("SELECT unit FROM units"), 2200)
    await works.evaluate()
    assert await works.states() == ["firing"]


async def test_a_budget_whose_period_is_over_ends_once_no_data_of_it_come_late(
    works: Works,
) -> None:
    await used_up(works)
    await works.evaluate(now=NOW + 50 * DAY)
    assert await works.states() == ["firing"]
    await works.evaluate(now=NOW + 120 * DAY)
    assert await works.states() == ["resolved"]
    assert await reasons(works) == ["not watched any more: the period of its budget is over"]
    told = await works.letters()
    assert told[-1][0] == "liuzhou@desk.example"
    assert told[-1][1].startswith("【预警终止】水泥厂 2026-01-01 起的用能预算")
    assert await works.evaluate(now=NOW + 121 * DAY) == 0


async def test_a_withdrawn_budget_keeps_no_letters_of_others_back(works: Works) -> None:
    await used_up(works, PLACE)
    await works.made(140.0)
    await works.evaluate()
    assert (await works.events(), len(await works.letters())) == (["first", "first"], 1)
    await works.pool.execute("DELETE FROM energy_budgets")
    await works.made(140.0, starts_at=LAST_HOUR + HOUR)
    await works.evaluate(now=NOW + HOUR)
    assert (await works.events())[2:] == ["unwatched", "released"]
    assert await works.states() == ["resolved", "firing"]
    assert await reasons(works) == ["not watched any more: what it was held against was withdrawn"]


async def test_a_product_without_limit_ends_unless_only_part_of_all_was_judged(
    works: Works,
) -> None:
    progress = Progress()
    await limit(works.pool, "glass", baseline=10.0)
    await works.made(140.0)
    await works.evaluate(progress=progress)
    await works.pool.execute("DELETE FROM limits WHERE product = 'clinker'")
    await works.came_late(140.0, starts_at=LAST_HOUR)
    await works.evaluate(progress=progress, now=NOW + timedelta(minutes=1))
    assert await works.states() == ["firing"]  # of the round of the marked hour
    await works.evaluate(progress=progress, now=NOW + HOUR)
    assert (await works.events(), await works.states()) == (["first", "unwatched"], ["resolved"])


async def test_what_is_unknown_or_cannot_be_judged_does_not_end(works: Works) -> None:
    await works.made(140.0)
    await works.evaluate()
    await works.evaluate(now=NOW + 9 * DAY)  # silent since
    await works.pool.execute("ALTER TABLE limits RENAME COLUMN baseline TO gone")
    await works.evaluate(now=NOW + 10 * DAY)
    assert (await works.events(), await works.states()) == (["first"], ["firing"])


async def test_an_end_waits_for_the_letters_that_may_be_written(works: Works) -> None:
    await works.made(140.0)
    await works.evaluate()
    await works.pool.execute("DELETE FROM limits")
    progress = Progress(letters_max=0)
    await works.evaluate(progress=progress, now=NOW + HOUR)
    assert (await works.states(), progress.has_more) == (["firing"], True)
    progress.letters_max = 1
    await works.evaluate(progress=progress, now=NOW + HOUR)
    assert await works.states() == ["resolved"]


async def test_who_left_the_region_of_the_rule_is_of_the_rule_that_ended_for_it_as_its_desk_hears(
    works: Works,
) -> None:
    await works.pool.execute("UPDATE rules SET region = '450200' WHERE rule_id = 1")
    await works.made(140.0)
    await works.evaluate()
    await works.pool.execute("UPDATE units SET region = '450302'")
    await works.evaluate(now=NOW + HOUR)
    assert await works.events() == ["first", "rule_ended"]
    assert (await works.letters())[-1] == (
        "liuzhou@desk.example",
        "【预警终止】水泥厂：已划归桂林市秀峰区，预警终止",
    )
    body = await works.pool.fetchval("SELECT body FROM outbox ORDER BY letter_id DESC LIMIT 1")
    assert ("这不表示已恢复正常" in body, "/v1/alerts/" in body) == (True, False)


async def test_a_silence_keeps_the_end_back_and_it_is_told_later(works: Works) -> None:
    await works.made(140.0)
    await works.evaluate()
    await silence(works)
    await works.pool.execute("DELETE FROM limits")
    await works.evaluate(now=NOW + HOUR)
    assert (await works.states(), len(await works.letters())) == (["resolved"], 1)
    assert await works.pool.fetchval("SELECT owed FROM alerts") == "unwatched"
    await works.evaluate(now=NOW + 4 * HOUR)
    assert len(await works.letters()) == 2
    assert await works.evaluate(now=NOW + 5 * HOUR) == 0


async def test_the_year_of_a_region_ends_when_the_next_one_has_figures(region: Works) -> None:  # noqa: F811
    await figure(region, 12, 0.07)
    await region.pool.execute(
        "INSERT INTO region_targets VALUES ('450200', 2027, -0.02747, 'test')"
    )
    at = datetime(2027, 1, 25, tzinfo=UTC)
    await region.evaluate(now=at)
    await region.evaluate(now=at + 5 * DAY)
    assert await region.events() == ["first"]
    await region.pool.execute(
        "INSERT INTO region_figures VALUES ('450200', 2027, 2, 0.01, 0.06, 'test')"
    )
    for days in (30, 60, 400):
        await region.evaluate(now=at + days * DAY)
    assert (await region.events(), await region.states()) == (["first", "unwatched"], ["resolved"])
    assert await reasons(region) == [
        "not watched any more: its year is over, and the next one has figures"
    ]
    assert [address for address, _ in await region.letters()][2:] == [
        "450000@desk.example", "450200@desk.example",
    ]  # fmt: skip


FIRING = OpenAlert(
    7, "u/p", "450200", AlertState.FIRING, 1, Span(LAST_HOUR, LAST_HOUR + HOUR), NOW, told_at=NOW
)


@pytest.mark.parametrize(
    ("alert", "owed", "is_kept", "is_told", "owes"),
    [
        (FIRING, NOTHING, False, True, None),
        (FIRING, NOTHING, True, False, Reason.UNWATCHED),
        (FIRING, Owed("first"), False, False, None),
        (FIRING, Owed("escalated"), False, True, None),
        (OpenAlert(7, "u/p", "450200", AlertState.PENDING, 1, FIRING.period, NOW),
         NOTHING, False, False, None),
        (OpenAlert(7, "u/p", "450200", AlertState.FIRING, 3, FIRING.period, NOW, NOW,
                   about=About.WARN), NOTHING, False, False, None),
    ],
)  # fmt: skip
def test_who_was_told_of_a_beginning_is_told_of_the_end(
    alert: OpenAlert, owed: Owed, is_kept: bool, is_told: bool, owes: Reason | None
) -> None:
    kept = Kept(1, None) if is_kept else None
    ends = unwatched.becomes(alert, owed, kept, NOW)
    assert ends is not None
    assert (ends.is_told, ends.owed) == (is_told, owes)
