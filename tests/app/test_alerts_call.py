"""Alerts are read newest first, with their history."""

from __future__ import annotations

import httpx
import pytest

from alerts.standing import STALE_AFTER
from app import auth
from tests import cast, factories
from tests.app.conftest import NOW, Stage

STANDING = """
INSERT INTO standings (rule_id, rule_version, subject, unit_id, region, state, since_at, starts_at,
                       ends_at, measured, threshold, uom, coverage, estimated_share, reason,
                       judged_at)
SELECT $1, 1, 'x', unit_id, region, 'ok', '2026-11-01 00:00+08', '2026-11-01 00:00+08',
       '2026-11-01 01:00+08', 600, 640, 'kgce/t', 1, 0, 'r', '2026-11-01 01:00+08'
  FROM units
 WHERE unit = $2
"""


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


async def test_there_are_no_verdicts_of_a_unit_that_is_not_there(stage: Stage) -> None:
    assert await stage.items("qian", "/v1/verdicts", unit=cast.QIANS_UNIT) == []
    assert await stage.code("qian", "/v1/verdicts", unit=cast.SUNS_UNIT) == (404, "not_found")


async def test_pages_of_alerts_lose_and_repeat_nothing(stage: Stage, alert_ids: list[int]) -> None:
    first = (await stage.get("zhao", "/v1/alerts", limit=3)).json()
    second = (await stage.get("zhao", "/v1/alerts", limit=3, cursor=first["next"])).json()
    ids = [item["alert_id"] for page in (first, second) for item in page["items"]]
    assert ids == alert_ids[::-1]
    assert second["next"] is None


async def test_an_open_alert_shows_the_newest_figures_beside_those_it_was_written_about(
    stage: Stage, alert_ids: list[int]
) -> None:
    await stage.pool.execute(
        """
        INSERT INTO standings (rule_id, rule_version, subject, unit_id, region, state, since_at,
                               starts_at, ends_at, measured, threshold, uom, level, coverage,
                               estimated_share, reason, judged_at)
        SELECT rule_id, 1, subject, unit_id, region, 'firing', period_ends_at, period_ends_at,
               period_ends_at + interval '1 hour', 900, 640, uom, 1, 1, 0, 'r', updated_at
          FROM alerts
         WHERE alert_id = $1
        """,
        alert_ids[1],
    )
    resolved, firing, suns, _ = [
        (await stage.get("zhao", f"/v1/alerts/{alert_id}")).json() for alert_id in alert_ids
    ]
    names = ("state", "period_ends_at", "measured", "threshold")
    newest = [firing[f"newest_{name}"] for name in names]
    assert newest == ["firing", "2026-11-02T01:00:00+08:00", 900, 640]
    assert (firing["measured"], firing["threshold"]) == (655.2, 635)
    assert {each[f"newest_{name}"] for each in (resolved, suns) for name in names} == {None}


async def test_nobody_reads_that_all_is_well_while_nobody_judges(stage: Stage) -> None:
    async with stage.pool.acquire() as connection:
        rule_id = await factories.rule(connection, name="r")
    await stage.pool.execute(STANDING, rule_id, cast.QIANS_UNIT)
    await stage.pool.execute("INSERT INTO evaluators VALUES ('alert', 1, $1, $1)", NOW)

    async def read(**query: str) -> tuple[object, ...]:
        told = (await stage.get("qian", "/v1/verdicts", **query)).json()
        items = [(item["state"], item["since_at"][:16]) for item in told["items"]]
        return items, told["counts"]["ok"], told["is_stale"], told["evaluated_at"][:16]

    assert await read() == ([("ok", "2026-11-01T00:00")], 1, False, "2026-11-23T16:00")
    await stage.pool.execute("UPDATE evaluators SET ended_at = $1", NOW - 2 * STALE_AFTER)
    stale = ([("unknown", "2026-11-23T15:30")], 0, True, "2026-11-23T15:30")
    assert await read() == await read(state="unknown") == stale
    assert (await read(state="ok"))[0] == []


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


@pytest.fixture
async def keys(stage: Stage) -> dict[str, str]:
    """Keys that may do all their roles may: a desk of the county, Li, who has Qian's unit."""
    async with stage.pool.acquire() as connection:
        return {
            "desk": await auth.create_key(
                connection,
                label="desk",
                region="450202",
                unit=None,
                expires_at=None,
                may_state=True,
            ),
            "li": await auth.create_key(
                connection,
                label="li",
                region="450200",
                unit=cast.QIANS_UNIT,
                expires_at=None,
                may_state=True,
            ),
        }


async def say(stage: Stage, key: str, path: str, **body: str) -> httpx.Response:
    return await stage.ask(key, f"/v1/alerts/{path}", method="POST", body=body)


@pytest.mark.puts_in("rules")
async def test_the_first_acknowledgement_is_kept_and_again_changes_nothing(
    stage: Stage, alert_ids: list[int], keys: dict[str, str]
) -> None:
    resolved, firing, *_ = alert_ids
    first = await say(stage, keys["desk"], f"{firing}/acknowledge", note="已电话核实")
    assert first.status_code == 200, first.text
    again = await say(stage, keys["desk"], f"{firing}/acknowledge", note="again")
    assert first.json() == again.json()
    assert (first.json()["acknowledged_by"], first.json()["state"]) == ("desk", "firing")
    (event,) = first.json()["events"]
    assert (event["kind"], event["actor"], event["reason"]) == (
        "acknowledged",
        "desk",
        "已电话核实",
    )
    assert await seen(stage, "li", acknowledged="true") == [firing]
    assert await seen(stage, "li", acknowledged="false") == [resolved]
    closed = await say(stage, keys["desk"], f"{resolved}/acknowledge")
    assert (closed.status_code, closed.json()["code"]) == (409, "alert_closed")
    assert f"POST /v1/alerts/{resolved}/comments" in closed.json()["detail"]
    actors = await stage.pool.fetch("SELECT actor, noun, subject, content FROM changes")
    assert [tuple(row)[:3] for row in actors] == [
        ("desk", "alert_events", f"{firing}/{event['event_id']}")
    ]


@pytest.mark.puts_in("rules")
async def test_comments_are_kept_with_who_said_them(
    stage: Stage, alert_ids: list[int], keys: dict[str, str]
) -> None:
    resolved, _, suns, citys = alert_ids
    for name, text in (("li", "窑况波动"), ("desk", "=1+1"), ("li", "已调整\n喂料")):
        said = await say(stage, keys[name], f"{resolved}/comments", text=text)
        assert (said.status_code, said.json()["text"]) == (200, text)
    path = f"/v1/alerts/{resolved}/comments"
    first = (await stage.get("qian", path, limit=2)).json()
    rest = (await stage.get("qian", path, limit=2, cursor=first["next"])).json()
    told = [(each["actor"], each["text"]) for each in first["items"] + rest["items"]]
    assert told == [("li", "窑况波动"), ("desk", "=1+1"), ("li", "已调整\n喂料")]
    assert rest["next"] is None
    history = (await stage.get("li", f"/v1/alerts/{resolved}")).json()["events"]
    assert [event["actor"] for event in history] == ["li", "desk", "li"]
    for foreign in (suns, citys):
        answer = await say(stage, keys["li"], f"{foreign}/comments", text="t")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert await stage.code("li", f"/v1/alerts/{foreign}/comments") == (404, "not_found")
    assert (await say(stage, keys["li"], f"{suns}/acknowledge")).status_code == 403
    for text in ("", " ", "a\0b", "x" * 2_001, "\x1b[2J"):
        answer = await say(stage, keys["li"], f"{resolved}/comments", text=text)
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "text")
    assert len((await stage.get("qian", path)).json()["items"]) == 3


@pytest.mark.puts_in("rules")
async def test_an_alert_takes_so_many_comments_and_no_more(
    stage: Stage, alert_ids: list[int], keys: dict[str, str]
) -> None:
    await stage.pool.execute(
        "INSERT INTO alert_events (alert_id, happened_at, kind, reason) "
        "SELECT $1, now(), 'comment', 't' FROM generate_series(1, 1000)",
        alert_ids[0],
    )
    answer = await say(stage, keys["li"], f"{alert_ids[0]}/comments", text="t")
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_comments")


async def test_a_region_that_was_told_a_part_of_an_incident_reads_that_part_alone(
    stage: Stage, alert_ids: list[int]
) -> None:
    incident = await stage.pool.fetchval(
        """
        UPDATE alerts SET region = '450000', reason = 'all of it' WHERE alert_id = $1
        RETURNING alert_id
        """,
        alert_ids[-1],
    )
    await stage.pool.execute(
        """
        WITH told AS (
            INSERT INTO alert_events (alert_id, happened_at, kind, measured, reason)
            VALUES ($1, '2026-11-02 00:00+08', 'first', 655.2, 'all of it'),
                   ($1, '2026-11-02 00:00+08', 'comment', NULL, 'of the province')
            RETURNING alert_id, event_id, kind
        )
        INSERT INTO alert_parts (event_id, region, alert_id, measured, threshold, reason,
                                 period_starts_at, period_ends_at)
        SELECT event_id, '450200', alert_id, 4, 4, 'a part', now(), now() + interval '1 h'
          FROM told
         WHERE kind = 'first'
        """,
        incident,
    )
    whole = (await stage.get("zhao", f"/v1/alerts/{incident}")).json()
    assert (whole["measured"], whole["is_part"], len(whole["events"])) == (655.2, False, 2)
    part = (await stage.get("qian", f"/v1/alerts/{incident}")).json()
    assert (part["measured"], part["is_part"], part["region"]) == (4, True, "450000")
    assert [(each["kind"], each["reason"]) for each in part["events"]] == [("first", "a part")]
    assert "all of it" not in str(part)
    for name in ("sun", "li"):
        assert await stage.code(name, f"/v1/alerts/{incident}") == (404, "not_found")
    assert await seen(stage, "qian") == alert_ids[1::-1]
