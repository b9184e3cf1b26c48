"""Rules are stated, changed and ended over HTTP; what they said stays."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

import db.rules
from app import auth, standing, told_twice
from app.findings import Report
from tests import factories
from tests.app.conftest import NOW, Stage

NEW = {
    "kind": "product_intensity",
    "region": "450200",
    "name": "日均单耗",
    "parameters": {"window_h": 24, "against": "baseline"},
    "reason": "桂能审〔2026〕17号",
}
CHANGED = {"kind": "product_intensity", "name": "日均单耗", "reason": "fewer letters"}


@pytest.fixture
async def desk(stage: Stage) -> str:
    """A key of the desk of Qian's city that may do all its role may."""
    async with stage.pool.acquire() as connection:
        return await auth.create_key(
            connection, label="desk", region="450200", unit=None, expires_at=None, may_state=True
        )


async def make(stage: Stage, desk: str, **different: object) -> httpx.Response:
    return await stage.ask(desk, "/v1/rules", method="POST", body=NEW | different)


async def change(
    stage: Stage, desk: str, version: object, rule_id: int = 3, **different: object
) -> httpx.Response:
    headers = {} if version is None else {"If-Match": str(version)}
    return await stage.ask(
        desk, f"/v1/rules/{rule_id}", method="PUT", body=CHANGED | different, headers=headers
    )


async def end(stage: Stage, desk: str, version: int, rule_id: int = 3) -> httpx.Response:
    return await stage.ask(
        desk,
        f"/v1/rules/{rule_id}",
        method="DELETE",
        query={"reason": "repealed"},
        headers={"If-Match": f'"{version}"'},
    )


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_rule_is_made_changed_and_ended_and_all_it_said_stays(
    stage: Stage, desk: str
) -> None:
    made = (await make(stage, desk)).json()
    assert (made["rule_id"], made["version"], made["region_name"]) == (3, 1, "柳州市")
    assert made["parameters"]["window_h"] == 24
    assert (await change(stage, desk, '"1"')).status_code == 200
    assert (await end(stage, desk, 2)).status_code == 200
    rule = (await stage.get("qian", "/v1/rules/3")).json()
    assert rule["parameters"] is None
    told_by = [(each["version"], each["actor"], each["reason"]) for each in rule["versions"]]
    assert told_by == [
        (1, "desk", "桂能审〔2026〕17号"),
        (2, "desk", "fewer letters"),
        (3, "desk", "repealed"),
    ]
    assert rule["versions"][0]["parameters"]["against"] == "baseline"
    assert rule["versions"][1]["parameters"]["window_h"] == 1
    async with stage.pool.acquire() as connection:
        holding = await db.rules.list_holding(connection, NOW)
    assert [each.rule_id for each in holding] == [1, 2]


async def test_who_did_not_read_the_newest_version_changes_nothing(stage: Stage, desk: str) -> None:
    await make(stage, desk)
    assert told(await change(stage, desk, None)) == (428, "version_required")
    assert told(await change(stage, desk, "*")) == (428, "version_required")
    assert told(await change(stage, desk, '"x"')) == (422, "invalid_parameter")
    assert (await change(stage, desk, '"1"')).status_code == 200
    late = await change(stage, desk, '"1"')
    assert told(late) == (412, "changed_meanwhile")
    assert "The newest version of this rule is 2, not 1" in late.json()["detail"]
    assert told(await end(stage, desk, 1)) == (412, "changed_meanwhile")
    assert await stage.pool.fetchval("SELECT count(*) FROM rule_versions WHERE rule_id = 3") == 2


async def test_a_rule_that_is_ended_is_never_changed_again(stage: Stage, desk: str) -> None:
    await make(stage, desk)
    await end(stage, desk, 1)
    assert told(await change(stage, desk, '"2"')) == (409, "rule_ended")
    assert told(await end(stage, desk, 2)) == (409, "rule_ended")
    assert (await make(stage, desk)).json()["rule_id"] == 4


async def test_a_rule_sent_twice_is_one_rule(stage: Stage, desk: str) -> None:
    await make(stage, desk)
    again = await make(stage, desk)
    assert told(again) == (409, "rule_exists")
    assert "PUT /v1/rules/3" in again.json()["detail"]
    assert (await make(stage, desk, name="another", region="450203")).status_code == 200
    assert told(await change(stage, desk, '"1"', 4, name="x", kind="region_level")) == (
        422,
        "invalid_parameter",
    )


async def test_the_rule_of_the_province_is_seen_by_a_city_and_not_changed(
    stage: Stage, desk: str
) -> None:
    assert (await stage.get("qian", "/v1/rules/1")).status_code == 200
    assert told(await change(stage, desk, '"1"', 1)) == (403, "rule_of_another_desk")
    assert told(await make(stage, desk, region="450000")) == (404, "not_found")
    assert told(await make(stage, desk, region="450300")) == (404, "not_found")


async def seen(stage: Stage, name: str, **query: str | int) -> list[int]:
    return [item["rule_id"] for item in await stage.items(name, "/v1/rules", **query)]


@pytest.mark.puts_in("rules")
async def test_one_sees_the_rules_that_act_on_what_one_sees(stage: Stage) -> None:
    async with stage.pool.acquire() as connection:
        for region in ("450200", "450202", "450203", "450300"):
            await factories.rule(connection, region=region)
    assert await seen(stage, "zhao") == [1, 2, 3, 4, 5, 6]
    assert await seen(stage, "qian") == [1, 2, 3, 4, 5]
    assert await seen(stage, "sun") == [1, 2, 6]
    assert await seen(stage, "li") == [1, 2, 3, 4]
    assert await seen(stage, "qian", region="450200", kind="product_intensity") == [3, 4, 5]
    first = (await stage.get("qian", "/v1/rules", limit=3)).json()
    assert await seen(stage, "qian", limit=3, cursor=first["next"]) == [4, 5]
    assert await stage.code("sun", "/v1/rules/3") == (404, "not_found")


def of(kind: str, **parameters: object) -> dict[str, Any]:
    return {"kind": kind, "parameters": parameters}


def keeping(**keeps: object) -> dict[str, Any]:
    return of("product_intensity", keeps_back=[keeps])


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"parameters": {"window_h": 0}}, "window_h", "greater than or equal to 1"),
    ({"parameters": {"window_h": "24"}}, "window_h", "valid integer"),
    ({"parameters": {"basis": "gross"}}, "basis", "'calorific' or 'equivalent'"),
    ({"parameters": {"span": 1}}, "span", "is not a parameter of this call"),
    ({"parameters": {"window": "week"}}, "window", "month_to_date"),
    ({"kind": "weather"}, "kind", "'product_intensity', 'region_level'"),
    (of("region_level", scheme="natonal"), "scheme", "is it national? There are "),
    (of("region_level", scheme="total_default"), "scheme", "no scheme for energy_per_gdp"),
    (of("region_level", indicator="total_energy", scheme="national"), "scheme", "is no scheme for"),
    (keeping(kind="product_intensty"), "keeps_back", "is it product_intensity? There are budget_"),
    (keeping(rule_id=4711), "keeps_back", "there is no rule 4711 that holds"),
    (keeping(kind="data_quality", check="offlin"), "keeps_back", "is it offline? There are clock,"),
    (keeping(kind="outage", check="offline"), "keeps_back", "check goes with data_quality"),
    (
        of("expression", of="unit", expression="quantity > 1", carrier="electrcity"),
        "carrier",
        "electrcity is no carrier: is it electricity?",
    ),
    ({"parameters": {"early_notice": True}}, "early_notice", "say how near (warn_ratio)"),
    ({"parameters": {"window": "day", "window_h": 7}}, "window_h", "day has its own length"),
    (
        {"parameters": {"shifts": [{"valid_from": "2026-01-01", "starts_h": [6, 18]}]}},
        "shifts",
        "are for the window shift",
    ),
    (of("value_intensity", industry="C9999"), "industry", "C99 is no division of GB/T 4754"),
    ({"name": "a\nb"}, "name", "must be of the form"),
    ({"name": " "}, "name", "at least 1 character"),
    ({"reason": "x\0"}, "reason", "NUL character"),
    ({"region": "459999"}, "region", "is not a region; see /v1/regions"),
    ({"holds_from": "2026-11-23T00:00:00+08:00"}, "holds_from", "is in the past"),
    ({"holds_from": "2026-11-23"}, "holds_from", "as in 2026-11-01T00:00:00+08:00"),
]


async def test_what_a_rule_must_not_say_is_refused_with_what_it_may(
    stage: Stage, desk: str
) -> None:
    """Also what there is not: regions by a scheme that nobody knows are UNKNOWN, and silent."""
    for different, parameter, detail in REFUSED:
        answer = await make(stage, desk, **different)
        assert answer.status_code == 422, answer.text
        (fault,) = answer.json()["errors"]
        assert fault["parameter"] == parameter
        assert detail in fault["detail"]


STATED: list[tuple[str, dict[str, Any]]] = [
    (
        "product_intensity",
        {"window": "shift", "shifts": [{"valid_from": "2026-01-01", "starts_h": [7, 19]}]},
    ),
    ("value_intensity", {"per": "value_added", "limit_tce": 0.5, "industry": "C31"}),
    ("budget_pace", {"watches": "pace", "owners": ["unit", "park"]}),
    ("region_level", {"indicator": "total_energy", "scheme": "total_default"}),
    ("two_high", {"from_tce": 100_000}),
]


async def test_each_kind_is_stated_read_back_and_tried_on_the_past(stage: Stage, desk: str) -> None:
    for kind, parameters in STATED:
        made = await make(stage, desk, kind=kind, name=kind, parameters=parameters)
        assert made.status_code == 200, made.text
        assert made.json()["parameters"].items() >= parameters.items()
        tried = await stage.ask(
            desk,
            f"/v1/rules/{made.json()['rule_id']}/backtest",
            method="POST",
            body={"from": "2026-11-01T00:00:00+08:00", "to": "2026-11-03T00:00:00+08:00"},
        )
        assert tried.status_code == 200, tried.text


@pytest.mark.tampers("versions of rules")
async def test_verify_finds_a_rule_that_was_changed_past_the_platform(
    stage: Stage, desk: str
) -> None:
    await make(stage, desk)
    await stage.pool.execute(
        """
        UPDATE rule_versions SET parameters = '{"window_h": 99}' WHERE rule_id IN (1, 3);
        DELETE FROM rule_versions WHERE rule_id = 2
        """
    )
    async with stage.pool.acquire() as connection:
        found = [each for one in await standing.of_all(connection) for each in one.findings]
    faults = {each.subject: each.fault for each in found if each.kind == "rules"}
    assert faults["3/1"].startswith("parameters is {'window_h': 99}, stated was")
    assert "nobody stated it" in faults["1/1"]
    assert faults["2/1"] == "was shipped and is gone"


@pytest.mark.tampers("what people said")
async def test_verify_finds_what_people_did_not_say(stage: Stage, desk: str) -> None:
    async with stage.pool.acquire() as connection:
        for kind in ("comment", "acknowledged"):
            await stage.pool.execute(
                """
                INSERT INTO alerts (rule_id, region, subject, level, state, period_starts_at,
                                    period_ends_at, measured, threshold, uom, coverage,
                                    estimated_share, reason, pending_at, updated_at)
                VALUES (1, '450200', $1, 1, 'firing', '2026-11-01Z', '2026-11-02Z', 2, 1, 'kgce/t',
                        1, 0, 'over', now(), now())
                """,
                kind,
            )
        await stage.ask(desk, "/v1/alerts/1/comments", method="POST", body={"text": "true"})
        await stage.ask(desk, "/v1/alerts/2/acknowledge", method="POST", body={"note": "n"})
        await stage.pool.execute("UPDATE alert_events SET reason = 'false' WHERE alert_id = 1")
        await stage.pool.execute("DELETE FROM alert_events WHERE alert_id = 2")
        await stage.pool.execute(
            "INSERT INTO alert_events (alert_id, happened_at, kind, reason, actor) "
            "VALUES (1, now(), 'comment', 'made up', 'desk')"
        )
        report = Report()
        await told_twice.alert_events(connection, report, lambda check, done, total: None)
    faults = [each.fault for each in report.findings]
    assert [fault[:4] for fault in faults] == ["1/1 ", "1/3 ", "2/2 "]
    assert "the ledger says" in faults[0]
    assert "does not know it" in faults[1]
    assert "gone from the history" in faults[2]


async def test_a_backtest_over_http_is_of_what_the_key_sees(stage: Stage) -> None:
    await stage.pool.execute(
        """
        INSERT INTO limits (product, uom, edition, baseline, valid_from, source)
        VALUES ('clinker', 'kgce/t', '2023', 117, '2024-01-01', 's')
        """
    )
    for number, name in ((1, "qian"), (3, "sun")):
        async with stage.pool.acquire() as connection:
            unit_id = await connection.fetchval(
                "SELECT unit_id FROM units WHERE unit = $1", factories.unit_code(number)
            )
            await factories.meter(
                connection, unit_id, "P01", kind="interval", uom="t", role="output",
                product="clinker",
            )  # fmt: skip
            await connection.execute(
                """
                INSERT INTO contacts (region, name, email, language, minimum_level)
                SELECT region, 'n', $2, 'zh', 1
                  FROM units, unnest(ARRAY[region, left(region, 4) || '00']) AS places (place)
                 WHERE unit_id = $1
                 LIMIT 1
                """,
                unit_id,
                name,
            )
            await connection.execute(
                """
                INSERT INTO meter_consumption (meter_id, step, starts_at, quantity, held,
                                               estimated_quantity, readings_present, calorific_tce,
                                               equivalent_tce)
                SELECT meter_id, 'hour', '2026-11-23 00:00Z', 100, false, 0, 4,
                       CASE role WHEN 'boundary' THEN 14 END, NULL
                  FROM meters
                 WHERE unit_id = $1
                """,
                unit_id,
            )
    question = {"from": "2026-11-23T00:00:00Z", "to": "2026-11-23T03:00:00Z"}
    seen = {}
    for name in ("zhao", "qian", "sun", "li"):
        key = stage.cast.key(name)
        answer = await stage.ask(key, "/v1/rules/1/backtest", method="POST", body=question)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        cities = {each["city"]: each["alerts"] for each in found["cities"]}
        letters = [each["recipients"] for move in found["changes"] for each in move["letters"]]
        seen[name] = (cities, letters)
    assert seen == {
        "zhao": ({"450200": 1, "450300": 1}, [{"450202": 1}, {"450302": 1}]),
        "qian": ({"450200": 1}, [{"450202": 1}]),
        "sun": ({"450300": 1}, [{"450302": 1}]),
        "li": ({"450200": 1}, []),
    }
    key = stage.cast.key("zhao")
    new = question | {"acts_in": "450200", "rule": {"kind": "product_intensity"}, "language": "en"}
    tried = (await stage.ask(key, "/v1/rules/backtest", method="POST", body=new)).json()
    (mail,) = tried["mails"]
    assert (tried["rule_id"], tried["mails_total"], mail["kind"]) == (None, 1, "letter")
    assert (mail["recipients"], mail["language"]) == ({"450202": 1}, "zh")
    assert mail["subject"].startswith("[Warning]")
    assert "What is asked of you" in mail["text"]
    away = new | {"acts_in": "450300"}
    answer = await stage.ask(stage.cast.key("qian"), "/v1/rules/backtest", method="POST", body=away)
    assert told(answer) == (404, "not_found")
    strict = question | {"proposed": {"kind": "product_intensity", "parameters": {"for_h": 2}}}
    answer = await stage.ask(key, "/v1/rules/1/backtest", method="POST", body=strict)
    assert {move["kind"] for move in answer.json()["changes"]} == {"pending"}
    for wrong, code in (
        (question | {"to": "2026-11-23T09:00:00Z"}, "invalid_parameter"),
        (question | {"proposed": {"kind": "region_level"}}, "invalid_parameter"),
        (question | {"proposed": of("product_intensity", early_notice=True)}, "invalid_parameter"),
        (question | {"from": "2026-07-01T00:00:00Z"}, "too_many_rows"),
    ):
        answer = await stage.ask(key, "/v1/rules/1/backtest", method="POST", body=wrong)
        assert told(answer) == (422, code)
