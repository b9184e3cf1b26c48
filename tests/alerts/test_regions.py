"""The regional level: one letter for each time a region enters level 1."""

from __future__ import annotations

import pytest

from db.pool import Pool
from tests.alerts.conftest import HOUR, NOW, Works, contact

REQUIRED = -0.02747


@pytest.fixture
async def region(pool: Pool) -> Works:
    await pool.execute(
        "INSERT INTO region_targets VALUES ('450200', 2026, $1, 'test')",
        REQUIRED,
    )
    for code in ("450000", "450200", "450202", "450300"):
        await contact(pool, code, f"{code}@desk.example")
    return Works(pool, 0, 0, 0)


async def figure(works: Works, month: int, energy: float | None, code: str = "450200") -> None:
    await works.pool.execute(
        """
        INSERT INTO region_figures VALUES ($1, 2026, $2, $3, 0.06, 'test')
            ON CONFLICT (region, year, through_month)
            DO UPDATE SET energy_growth = excluded.energy_growth
        """,
        code,
        month,
        energy,
    )


@pytest.mark.parametrize(
    ("energy", "fires"), [(0.03, False), (0.04, False), (0.06, False), (0.07, True)]
)
async def test_only_level_one_is_written_about(region: Works, energy: float, fires: bool) -> None:
    await figure(region, 9, energy)
    assert await region.evaluate() == int(fires)
    expected = ["450000@desk.example", "450200@desk.example"] if fires else []
    assert sorted(address for address, _ in await region.letters()) == expected


async def test_the_same_month_evaluated_twice_does_nothing(region: Works) -> None:
    await figure(region, 9, 0.07)
    assert [await region.evaluate() for _ in range(3)] == [1, 0, 0]


async def test_staying_in_level_one_is_no_news(region: Works) -> None:
    await figure(region, 9, 0.07)
    await region.evaluate()
    await figure(region, 10, 0.08)
    assert await region.evaluate() == 0


async def test_leaving_resolves_and_entering_again_fires_again(region: Works) -> None:
    for month, energy in ((8, 0.07), (9, 0.05), (10, 0.07)):
        await figure(region, month, energy)
        assert await region.evaluate() == 1
    assert await region.states() == ["resolved", "firing"]
    subjects = [text for address, text in await region.letters() if address.startswith("4502")]
    assert subjects == [
        "【预警】柳州市2026年1—8月能耗强度预警等级：一级",
        "【预警解除】柳州市2026年1—9月能耗强度预警等级：二级",
        "【预警】柳州市2026年1—10月能耗强度预警等级：一级",
    ]


async def test_a_missing_figure_is_no_level_and_resolves_nothing(region: Works) -> None:
    await figure(region, 9, 0.07)
    await region.evaluate()
    await figure(region, 10, None)
    assert await region.evaluate() == 0
    assert await region.states() == ["firing"]


async def test_a_level_that_becomes_worse_is_written_about_once_more(region: Works) -> None:
    await region.pool.execute(
        """UPDATE rule_versions SET parameters = '{"letters_from_level": 2}' WHERE rule_id = 2"""
    )
    await region.pool.execute("UPDATE contacts SET minimum_level = 2")
    for month, energy in ((7, 0.05), (8, 0.07), (9, 0.05), (10, 0.03)):
        await figure(region, month, energy)
        await region.evaluate()
    rows = await region.pool.fetch("SELECT kind FROM alert_events ORDER BY event_id")
    assert [row["kind"] for row in rows] == ["first", "escalated", "eased", "resolved"]
    assert len(await region.letters()) == 3 * 2


async def test_contacts_who_want_only_the_worst_are_spared_the_milder(region: Works) -> None:
    await region.pool.execute(
        """UPDATE rule_versions SET parameters = '{"letters_from_level": 2}' WHERE rule_id = 2"""
    )
    await figure(region, 9, 0.05)
    assert await region.evaluate() == 1
    assert await region.letters() == []


async def test_a_default_from_the_plan_is_marked_in_the_letter_and_a_filed_target_is_not(
    region: Works,
) -> None:
    await region.pool.execute(
        """
        INSERT INTO region_targets (region, year, years, required_rate, source)
        VALUES ('450300', 2026, 5, -0.13, 'test')
        """
    )
    await figure(region, 9, 0.07)
    await figure(region, 9, 0.07, "450300")
    assert await region.evaluate() == 2
    bodies = await region.pool.fetch("SELECT recipient_email AS email, body FROM outbox")
    marked = {row["email"][:6] for row in bodies if "默认值，非备案值" in row["body"]}
    assert "450300" in marked
    assert "450200" not in marked


async def test_an_incentive_target_is_not_taken_for_what_the_year_requires(region: Works) -> None:
    await region.pool.execute(
        """
        INSERT INTO region_targets (region, year, kind, required_rate, source)
        VALUES ('450200', 2026, 'incentive', -0.2, 'test')
        """
    )
    await region.pool.execute(
        """UPDATE rule_versions SET parameters = '{"letters_from_level": 2}' WHERE rule_id = 2"""
    )
    await figure(region, 9, 0.03)
    assert await region.evaluate() == 0


async def test_a_notice_that_nothing_is_known_ends_with_the_figures_that_come_late(
    region: Works,
) -> None:
    """[56] Not with those of the next month, which may be in order or not."""
    await region.pool.execute(
        """UPDATE rule_versions SET parameters = '{"unknown_h": 6}' WHERE rule_id = 2"""
    )
    await figure(region, 9, None)
    for hours in (0, 7):
        await region.evaluate(now=NOW + hours * HOUR)
    assert await region.states() == ["firing"]
    await figure(region, 9, 0.01)
    await region.evaluate(now=NOW + 8 * HOUR)
    assert await region.events() == ["unknown", "passed"]
    assert await region.states() == ["resolved"]
