"""Alerts are read newest first, with their history."""

from __future__ import annotations

import pytest

from tests import cast, factories
from tests.app.conftest import Stage


@pytest.fixture
async def alert_ids(stage: Stage) -> list[int]:
    """Four alerts: of Qian's unit (resolved, then firing), of Sun's unit, of the city of Qian."""
    async with stage.pool.acquire() as connection:
        rule_id = await factories.rule(connection, name="r")
    made = (
        (cast.QIANS_UNIT, "450202", "resolved"),
        (cast.QIANS_UNIT, "450202", "firing"),
        (cast.SUNS_UNIT, "450302", "pending"),
        (None, "450200", "firing"),
    )
    return [
        await stage.pool.fetchval(
            """
            INSERT INTO alerts (rule_id, region, unit_id, subject, level, state, period_starts_at,
                                period_ends_at, measured, threshold, uom, coverage,
                                estimated_share, reason, pending_at, updated_at)
            VALUES ($4, $1,
                    (SELECT unit_id FROM units WHERE unit = $2), $1, 1, $3,
                    '2026-11-01 00:00+08', '2026-11-02 00:00+08', 655.2, 635, 'kgce/t', 0.99, 0,
                    'over the limit', '2026-11-02 00:00+08', '2026-11-02 00:00+08')
            RETURNING alert_id
            """,
            region, unit, state, rule_id,
        )
        for unit, region, state in made
    ]  # fmt: skip


async def seen(stage: Stage, name: str, **query: str | int) -> list[int]:
    return [item["alert_id"] for item in await stage.items(name, "/v1/alerts", **query)]


async def test_alerts_are_newest_first_and_filtered(stage: Stage, alert_ids: list[int]) -> None:
    resolved, firing, suns, citys = alert_ids
    assert await seen(stage, "zhao") == [citys, suns, firing, resolved]
    assert await seen(stage, "zhao", state="firing") == [citys, firing]
    assert await seen(stage, "zhao", region="450300") == [suns]
    assert await seen(stage, "zhao", unit=cast.QIANS_UNIT) == [firing, resolved]


async def test_a_unit_does_not_see_the_alerts_of_its_region(
    stage: Stage, alert_ids: list[int]
) -> None:
    resolved, firing, suns, citys = alert_ids
    assert await seen(stage, "qian") == [citys, firing, resolved]
    assert await seen(stage, "sun") == [suns]
    assert await seen(stage, "li") == [firing, resolved]
    assert await stage.code("li", f"/v1/alerts/{citys}") == (404, "not_found")


async def test_pages_of_alerts_lose_and_repeat_nothing(stage: Stage, alert_ids: list[int]) -> None:
    first = (await stage.get("zhao", "/v1/alerts", limit=3)).json()
    second = (await stage.get("zhao", "/v1/alerts", limit=3, cursor=first["next"])).json()
    ids = [item["alert_id"] for page in (first, second) for item in page["items"]]
    assert ids == alert_ids[::-1]
    assert second["next"] is None


async def test_an_alert_shows_its_figures_and_history(stage: Stage, alert_ids: list[int]) -> None:
    await stage.pool.executemany(
        "INSERT INTO alert_events (alert_id, happened_at, kind, measured, reason) "
        "VALUES ($1, '2026-11-02 00:00+08', $2, 655.2, 'over the limit')",
        [(alert_ids[1], "first"), (alert_ids[1], "reminder"), (alert_ids[0], "first")],
    )
    alert = (await stage.get("li", f"/v1/alerts/{alert_ids[1]}")).json()
    assert (alert["measured"], alert["threshold"], alert["uom"]) == (655.2, 635, "kgce/t")
    assert (alert["unit"], alert["region_name"]) == (cast.QIANS_UNIT, "城中区")
    assert alert["period_starts_at"] == "2026-11-01T00:00:00+08:00"
    assert [event["kind"] for event in alert["events"]] == ["first", "reminder"]


@pytest.mark.parametrize("part", ["WyItMSJd", "WyJ4Il0", "WyI5OTk5OTk5OTk5OTk5OTk5OTk5OTkiXQ"])
async def test_a_made_up_place_in_the_list_is_refused(shown_stage: Stage, part: str) -> None:
    assert (await shown_stage.code("zhao", "/v1/alerts", cursor=part))[0] == 422
