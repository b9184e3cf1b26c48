"""What cannot be answered is refused with a stable code and a sentence, never ignored."""

from __future__ import annotations

import base64
import json

import pytest

import db.admin
from app import cursor
from tests import cast, factories
from tests.app.conftest import Stage, staged

SPAN = {"from": "2026-11-01T00:00:00+08:00", "to": "2026-11-02T00:00:00+08:00"}
DAY = SPAN | {"bucket": "day"}
METER = SPAN | {"unit": cast.QIANS_UNIT, "meter": "E01"}


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/v1/units", {"format": "csv"}, "unknown_parameter"),
        ("/v1/units/x", {"format": "csv"}, "unknown_parameter"),
        ("/v1/consumption", DAY | {"compared": "yoy"}, "unknown_parameter"),
        ("/v1/consumption", SPAN, "invalid_parameter"),
        ("/v1/consumption", DAY | {"bucket": "15m"}, "invalid_parameter"),
        ("/v1/consumption", DAY | {"group_by": "region,planet"}, "invalid_parameter"),
        ("/v1/consumption", DAY | {"group_by": ""}, "invalid_parameter"),
        ("/v1/consumption", DAY | {"basis": "both"}, "invalid_parameter"),
        ("/v1/consumption", DAY | {"energy": "plutonium"}, "invalid_parameter"),
        ("/v1/consumption", DAY | {"region": "999999"}, "invalid_parameter"),
        ("/v1/consumption", DAY | {"region": "45"}, "invalid_parameter"),
        ("/v1/consumption", DAY | {"industry": "C99"}, "invalid_parameter"),
        ("/v1/consumption", DAY | {"unit": factories.unit_code(99)}, "not_found"),
        ("/v1/consumption", DAY | {"from": "2026-11-01T00:00:00"}, "invalid_parameter"),
        ("/v1/consumption", DAY | {"from": "1793462400"}, "invalid_parameter"),
        ("/v1/consumption", DAY | {"from": "2026-02-30T00:00:00Z"}, "invalid_parameter"),
        ("/v1/consumption", DAY | {"from": "0001-01-01T00:00:00+14:00"}, "invalid_parameter"),
        ("/v1/consumption", DAY | {"to": "9999-12-31T23:59:59-14:00"}, "invalid_parameter"),
        ("/v1/consumption", DAY | {"to": SPAN["from"]}, "invalid_parameter"),
        ("/v1/consumption", DAY | {"from": "2024-01-01T00:00:00Z", "bucket": "hour"},
         "invalid_parameter"),
        ("/v1/readings", METER | {"from": "2025-01-01T00:00:00Z"}, "invalid_parameter"),
        ("/v1/readings", METER | {"meter": "E\0"}, "invalid_parameter"),
        ("/v1/readings", METER | {"meter": "E99"}, "not_found"),
        ("/v1/readings", METER | {"cursor": "WyIyMDI2Il0"}, "invalid_parameter"),
        ("/v1/intensity", SPAN | {"unit": cast.QIANS_UNIT, "product": "gold"}, "not_found"),
        ("/v1/units", {"limit": "0"}, "invalid_parameter"),
        ("/v1/units", {"limit": "1001"}, "invalid_parameter"),
        ("/v1/units", {"limit": "99999999999999999999"}, "invalid_parameter"),
        ("/v1/units", {"q": "\0"}, "invalid_parameter"),
        ("/v1/units/%00", {}, "invalid_parameter"),
        ("/v1/alerts/99999999999999999999", {}, "invalid_parameter"),
        ("/v1/nothing", {}, "unknown_path"),
    ],
)  # fmt: skip
async def test_a_refusal_has_a_stable_code(
    shown_stage: Stage, path: str, query: dict[str, str], code: str
) -> None:
    key = {"Authorization": f"Bearer {shown_stage.cast.zhao}"}
    answer = await shown_stage.client.get(path, params=query, headers=key)
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["type"]) == (code, f"urn:nenghao:problem:{code}")
    assert answer.status_code == (404 if code in ("not_found", "unknown_path") else 422)


@pytest.mark.parametrize(
    "made_up",
    [
        "x", "!", "é", "bnVsbA",
        *(base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()
          for parts in ([], ["a", "b"], [1], ["\0"], ["\ud800"], ["x" * 201], {"a": 1}, "a")),
    ],
)  # fmt: skip
async def test_a_made_up_cursor_is_refused(shown_stage: Stage, made_up: str) -> None:
    assert await shown_stage.code("zhao", "/v1/units", cursor=made_up) == (
        422,
        "invalid_parameter",
    )


async def test_every_wrong_parameter_is_named(shown_stage: Stage) -> None:
    answer = await shown_stage.get("zhao", "/v1/readings", unit="1", page=2)
    faults = {fault["parameter"] for fault in answer.json()["errors"]}
    assert faults == {"from", "to", "unit", "meter", "page"}


async def test_a_parameter_given_twice_is_refused(shown_stage: Stage) -> None:
    key = {"Authorization": f"Bearer {shown_stage.cast.zhao}"}
    answer = await shown_stage.client.get("/v1/units?limit=1&limit=2", headers=key)
    assert (answer.status_code, answer.json()["code"]) == (422, "repeated_parameter")


async def test_a_plus_that_was_not_escaped_is_understood(shown_stage: Stage) -> None:
    key = {"Authorization": f"Bearer {shown_stage.cast.zhao}"}
    query = "from=2026-11-01T00:00:00+08:00&to=2026-11-02T00:00:00+08:00&bucket=day"
    answer = await shown_stage.client.get(f"/v1/consumption?{query}", headers=key)
    assert answer.status_code == 200
    assert answer.json()["items"][0]["starts_at"] == "2026-11-01T00:00:00+08:00"


async def test_what_is_not_built_is_absent(shown_stage: Stage) -> None:
    key = {"Authorization": f"Bearer {shown_stage.cast.zhao}"}
    answer = await shown_stage.client.post("/v1/units", headers=key)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"


async def test_all_methods_of_a_path_are_named(shown_stage: Stage) -> None:
    answer = await shown_stage.client.put("/v1/production")
    assert answer.headers["allow"] == "GET, POST"


@pytest.mark.parametrize("body", [b"\xff", b"{", b""])
async def test_a_body_that_is_no_json_is_named(stage: Stage, body: bytes) -> None:
    await stage.pool.execute("UPDATE api_keys SET may_state = true")
    headers = {"Authorization": f"Bearer {stage.cast.zhao}", "Content-Type": "application/json"}
    answer = await stage.client.post("/v1/production", content=body, headers=headers)
    problem = answer.json()
    code = "malformed_body" if body else "invalid_parameter"
    assert (answer.status_code, problem["code"]) == (422, code)
    assert problem["detail"].startswith("body: is ")


JSON = "application/json"
ACKNOWLEDGE = "/v1/alerts/1/acknowledge"


@pytest.mark.parametrize(
    ("path", "media", "body", "told"),
    [
        ("/v1/rules", JSON, "{}", "kind: is required: one of budget_pace, "),
        ("/v1/rules", JSON, '{"kind": "x"}', "kind: is 'x', which is none of 'product_intensity'"),
        ("/v1/rules", JSON, "[]", "body: must be a JSON object"),
        (ACKNOWLEDGE, JSON, "", "body: is required: a JSON object"),
        (ACKNOWLEDGE, "text/plain", "{}", "body: must be a JSON object, sent with `Content-Type"),
        (ACKNOWLEDGE, JSON, '{"note": 5}', "note: should be a valid string"),
        ("/v1/production", JSON, '{"items": []}', "items: should have at least 1 item"),
    ],
)
async def test_nobody_is_told_the_words_of_a_library(
    stage: Stage, path: str, media: str, body: str, told: str
) -> None:
    await stage.pool.execute("UPDATE api_keys SET may_state = true")
    headers = {"Authorization": f"Bearer {stage.cast.zhao}", "Content-Type": media}
    answer = await stage.client.post(path, content=body, headers=headers)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid_parameter")
    assert told in problem["detail"]
    for words in ("Input", "Unable", "dictionary", "Field", "List", "pydantic"):
        assert words not in problem["detail"], problem["detail"]


@pytest.mark.parametrize("path", ["/v1/rules", "/v1/alerts", "/v1/proposals"])
@pytest.mark.parametrize("number", ["0", "-1", "x", str(2**63)])
async def test_a_number_in_a_cursor_is_from_1_on(
    shown_stage: Stage, path: str, number: str
) -> None:
    made_up = cursor.encode(number)
    assert await shown_stage.code("zhao", path, cursor=made_up) == (422, "invalid_parameter")


async def test_an_answer_that_would_be_too_long_says_how_to_narrow_it(stage: Stage) -> None:
    async with stage.pool.acquire() as connection:
        unit_id = await connection.fetchval("SELECT max(unit_id) FROM units")
        for number in range(10):
            await factories.meter(connection, unit_id, f"M{number}")
    query = {"from_": "2025-12-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
    answer = await stage.get("zhao", "/v1/consumption", **query, bucket="hour", group_by="meter")
    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_rows")
    assert "coarser bucket" in answer.json()["detail"]


@pytest.mark.tampers("the database: it is gone")
async def test_a_database_that_goes_away_is_an_outage_and_not_a_bug(
    database_url: str, services: object
) -> None:
    async with staged(database_url) as stage:
        server, database = database_url.rsplit("/", 1)
        db.admin.drop(f"{server}/postgres", database)
        assert await stage.code("zhao", "/v1/units") == (503, "database_unavailable")
        assert await stage.code("zhou", "/readyz") == (503, "database_unavailable")
        assert (await stage.get("zhou", "/healthz")).status_code == 200
        assert "nenghao_database_up 0.0" in (await stage.get("zhou", "/metrics")).text


async def test_a_statement_that_takes_too_long_is_given_up(database_url: str) -> None:
    async with (
        staged(database_url, timeout_s=1) as stage,
        stage.pool.acquire() as other,
        other.transaction(),
    ):
        await other.execute("LOCK TABLE units IN ACCESS EXCLUSIVE MODE")
        assert await stage.code("zhao", "/v1/units") == (503, "too_slow")


async def test_our_own_fault_is_a_problem_that_tells_nothing_of_the_inside(stage: Stage) -> None:
    await stage.pool.execute("ALTER VIEW api.meters RENAME COLUMN uom TO unit_of_measure")
    answer = await stage.get("zhao", "/v1/meters")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "uom" not in answer.text
