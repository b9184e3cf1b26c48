"""Figures of regions are stated weeks after their month, and again: what was told is amended."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from alerts.judging import Progress
from tests.alerts.conftest import HOUR, NOW, Works
from tests.alerts.test_regions import figure, region  # noqa: F401
from tests.alerts.test_silences import shown, silence, subjects


async def measured(works: Works) -> list[float]:
    rows = await works.pool.fetch("SELECT measured FROM alerts ORDER BY alert_id")
    return [round(row["measured"], 4) for row in rows]


@pytest.mark.parametrize("month", [9, 10])
async def test_a_corrected_figure_is_amended_without_any_new_hour(
    region: Works,  # noqa: F811
    month: int,
) -> None:
    progress = Progress()
    await figure(region, month, 0.07)
    await region.evaluate(progress=progress)
    await figure(region, month, 0.12)
    await region.evaluate(progress=progress, now=NOW + 2 * HOUR)
    assert await region.events() == ["first", "amended"]
    assert await measured(region) == [round(1.12 / 1.06 - 1, 4)]
    told = [subject for _, subject in await region.letters()][2:]
    assert told == [f"【预警更正】柳州市2026年1—{month}月能耗强度预警等级：一级"] * 2
    assert await region.evaluate(progress=progress, now=NOW + 4 * HOUR) == 0


async def test_an_older_month_is_amended_and_the_newest_goes_on(region: Works) -> None:  # noqa: F811
    for month, energy in ((8, 0.07), (9, 0.05)):
        await figure(region, month, energy)
        await region.evaluate()
    assert await region.events() == ["first", "resolved"]
    await figure(region, 8, 0.12)
    await region.evaluate(now=NOW + 30 * 24 * HOUR)
    assert (await region.events())[2] == "amended"
    assert await measured(region) == [round(1.12 / 1.06 - 1, 4)]
    await figure(region, 8, 0.05)
    await region.evaluate(now=datetime(2027, 6, 1, tzinfo=UTC))
    assert "retracted" in (await region.events())[3:]


async def test_a_restated_month_that_nobody_was_told_of_opens_nothing(region: Works) -> None:  # noqa: F811
    """The newest month holds it, and is in order."""
    for month in (8, 9):
        await figure(region, month, 0.05)
        await region.evaluate()
    await figure(region, 8, 0.12)
    await region.evaluate(now=NOW + HOUR)
    assert await region.events() == []


async def test_what_was_told_of_several_months_is_amended_once(region: Works) -> None:  # noqa: F811
    """The opening month is in order by now, and a later one is not: there was a reason. When none
    of them rose, as is stated in the end, nothing is asked of the region any more.
    """
    for month in (8, 9, 10):
        await figure(region, month, 0.07)
        await region.evaluate()
    for month, energy in ((8, 0.05), (9, 0.08)):
        await figure(region, month, energy)
    await region.evaluate(now=NOW + HOUR)
    assert await region.events() == ["first", "amended"]
    assert await measured(region) == [round(1.07 / 1.06 - 1, 4)]
    for month in (9, 10):
        await figure(region, month, 0.05)
    await region.evaluate(now=NOW + 2 * HOUR)
    assert (await region.events())[2:] == ["retracted", "task_withdrawn"]


async def test_the_year_that_is_over_is_amended_too(region: Works) -> None:  # noqa: F811
    await figure(region, 12, 0.07)
    await region.evaluate(now=datetime(2027, 1, 25, tzinfo=UTC))
    await region.pool.execute(
        "INSERT INTO region_figures VALUES ('450200', 2027, 2, 0.01, 0.06, 'test')"
    )
    await region.evaluate(now=datetime(2027, 3, 25, tzinfo=UTC))
    assert await region.events() == ["first", "unwatched"]
    await figure(region, 12, 0.04)
    await region.evaluate(now=datetime(2027, 11, 25, tzinfo=UTC))
    assert (await region.events())[:3] == ["first", "unwatched", "retracted"]


async def test_an_hour_whose_facts_were_stated_anew_is_amended_without_a_mark(
    works: Works,
) -> None:
    progress = Progress()
    await works.made(140.0)
    await works.evaluate(progress=progress)
    await works.made(150.0)
    await works.evaluate(progress=progress, now=NOW + HOUR)
    assert await works.events() == ["first", "amended"]


async def test_a_correction_of_a_region_in_a_silence_is_told_as_it_ends(
    region: Works,  # noqa: F811
) -> None:
    """A region has no hours that settlement marks: it is judged again as the silence ends."""
    progress = Progress()
    await figure(region, 9, 0.07)
    await region.evaluate(progress=progress)
    rule_id = await region.pool.fetchval("SELECT rule_id FROM alerts")
    await silence(region, rule_id=rule_id, until=NOW + 2.5 * HOUR)
    await figure(region, 9, 0.12)
    await region.evaluate(progress=progress, now=NOW + 2 * HOUR)
    assert await shown(region) == ("firing", 1, "amended")
    for minutes in (151, 152):
        await region.evaluate(progress=progress, now=NOW + minutes * HOUR / 60)
    assert await subjects(region) == ["【预警"] * 2 + ["【预警更正"] * 2
    assert await shown(region) == ("firing", None, None)
