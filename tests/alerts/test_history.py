"""What the chart of a letter is drawn from: the windows before, judged as in a backtest."""

from __future__ import annotations

import pytest

import db.regions
import db.rules
from alerts import chart, history, rules
from alerts.kinds.kind import HOURS_SHOWN, Kind, Surroundings
from alerts.kinds.registry import KINDS
from alerts.series import Series
from tests.alerts.conftest import FLOOR, HOUR, LAST_HOUR, NOW, PUBLIC_URL, Works
from tests.alerts.test_regions import figure, region

__all__ = ["region"]


async def looked_back(works: Works, kind: Kind) -> Series:
    """Return the series behind the one subject of a kind."""
    async with works.pool.acquire() as connection:
        names = {row.region: row.name for row in await db.regions.list_regions(connection)}
        around = Surroundings(NOW, FLOOR, PUBLIC_URL, names)
        parsed = map(rules.parse, await db.rules.list_holding(connection, NOW))
        rule = next(each for each in parsed if each.kind is kind)
        (judged,) = await KINDS[kind].judge(connection, rule, around, set())
        found = await history.fetch(connection, rule, judged, around)
    assert found is not None
    return found


async def test_hours_before_are_those_that_were_and_the_missing_one_is_a_gap(works: Works) -> None:
    await works.made(150.0, starts_at=LAST_HOUR - 10 * HOUR, present=1, output_present=1)
    for back, intensity in ((5, 110.0), (4, 119.0), (2, None), (1, 116.0), (0, 140.0)):
        await works.made(intensity, starts_at=LAST_HOUR - back * HOUR)
    found = await looked_back(works, Kind.PRODUCT_INTENSITY)
    assert len(found.points) == HOURS_SHOWN
    assert [point.measured for point in found.points[-7:]] == [
        None, 110.0, 119.0, None, None, 116.0, 140.0,
    ]  # fmt: skip
    assert found.points[-11].measured is None  # so few readings tell nothing
    assert [found.is_worse(point) for point in found.points[-3:]] == [False, False, True]
    assert {b.window.ends_at - a.window.ends_at
            for a, b in zip(found.points, found.points[1:], strict=False)} == {HOUR}  # fmt: skip


@pytest.mark.puts_in("figures", "targets")
async def test_months_before_are_those_of_the_year(region: Works) -> None:
    for month, energy in ((1, 0.03), (3, None), (4, 0.07)):
        await figure(region, month, energy)
    found = await looked_back(region, Kind.REGION_LEVEL)
    measured = [None if p.measured is None else round(p.measured, 4) for p in found.points]
    assert measured == [-0.0283, None, None, 0.0094]
    assert found.is_share


async def test_a_letter_in_the_outbox_has_its_picture_and_says_who_else_knows(
    works: Works,
) -> None:
    await works.made(116.0, starts_at=LAST_HOUR - HOUR)
    await works.made(140.0)
    await works.evaluate()
    row = await works.pool.fetchrow("SELECT html, chart, body FROM outbox")
    assert row is not None
    assert chart.content_id(row["chart"]) in row["html"]
    assert "最近 24 个时段：最新 140，最低 116，最高 140 kgce/t" in row["body"]
    assert "本通知发送至：柳州市。" in row["body"]
