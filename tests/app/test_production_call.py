"""What is stated of output is stored once, restated with a reason, and nobody else's to state."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

import db.changes
from tests import cast
from tests.app.conftest import Stage

OCTOBER = {
    "unit": cast.QIANS_UNIT,
    "product": "steel",
    "from": "2026-10-01T00:00:00+08:00",
    "to": "2026-11-01T00:00:00+08:00",
    "quantity": 10.0,
    "uom": "t",
    "output_value_cny": 40_000.0,
    "value_added_cny": 10_000.0,
}
SPAN = {"from_": "2026-10-01T00:00:00+08:00", "to": "2026-11-01T00:00:00+08:00"}
SUBJECT = f"{cast.QIANS_UNIT}/steel/2026-10-01T00:00:00+08:00"


@pytest.fixture(autouse=True)
async def may_state(stage: Stage) -> None:
    await stage.pool.execute("UPDATE api_keys SET may_state = (label <> 'zhao')")


async def post(stage: Stage, name: str, *items: dict[str, Any], **body: str) -> httpx.Response:
    key = stage.cast.key(name)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return await stage.client.post("/v1/production", json={"items": items, **body}, headers=headers)


async def outcomes(stage: Stage, *items: dict[str, Any], **body: str) -> list[str]:
    answer = await post(stage, "li", *items, **body)
    assert answer.status_code == 200, answer.text
    return [item["outcome"] for item in answer.json()["items"]]


async def refusal(stage: Stage, *items: dict[str, Any], **body: str) -> tuple[int, str]:
    answer = await post(stage, "li", *items, **body)
    return answer.status_code, answer.json()["code"]


async def history(stage: Stage) -> list[db.changes.Change]:
    async with stage.pool.acquire() as connection:
        return await db.changes.list_history(connection, "production", SUBJECT)


async def test_the_same_statement_again_changes_nothing(stage: Stage) -> None:
    assert await outcomes(stage, OCTOBER) == ["stored"]
    assert await outcomes(stage, OCTOBER) == ["unchanged"]
    (stated,) = await history(stage)
    assert (stated.author.actor, stated.author.reason) == ("li", "first statement")


async def test_another_figure_needs_a_reason_and_both_are_kept(stage: Stage) -> None:
    await outcomes(stage, OCTOBER)
    more = OCTOBER | {"quantity": 11.0}
    assert await refusal(stage, more) == (422, "reason_required")
    assert await outcomes(stage, more, reason="盘点", evidence="盘点表") == ["restated"]
    figures = [each.fact.content["quantity"] for each in await history(stage) if each.fact.content]
    assert figures == [10.0, 11.0]
    assert (await history(stage))[1].author == db.changes.Author("li", "盘点", "盘点表")


async def test_what_was_stated_is_read_back(stage: Stage) -> None:
    await outcomes(stage, OCTOBER)
    (row,) = await stage.items(
        "qian", "/v1/production", unit=cast.QIANS_UNIT,
        from_="2026-10-01T00:00:00+08:00", to="2026-10-02T00:00:00+08:00",
    )  # fmt: skip
    assert (row["product"], row["quantity"], row["uom"]) == ("steel", 10.0, "t")
    assert row["ends_at"] == "2026-11-01T00:00:00+08:00"


@pytest.mark.parametrize(
    ("name", "unit", "status", "code"),
    [
        ("sun", cast.QIANS_UNIT, 404, "not_found"),
        ("li", cast.QIANS_OTHER_UNIT, 404, "not_found"),
        ("zhao", cast.QIANS_UNIT, 403, "may_not_state"),
        ("zhou", cast.QIANS_UNIT, 401, "unauthenticated"),
    ],
)
async def test_nobody_states_what_is_not_theirs(
    stage: Stage, name: str, unit: str, status: int, code: str
) -> None:
    answer = await post(stage, name, OCTOBER | {"unit": unit})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await stage.pool.fetchval("SELECT count(*) FROM production") == 0
    assert await stage.pool.fetchval("SELECT count(*) FROM changes") == 0


async def test_one_foreign_unit_refuses_the_whole_request(stage: Stage) -> None:
    foreign = OCTOBER | {"unit": cast.SUNS_UNIT}
    answer = await post(stage, "qian", OCTOBER, foreign)
    assert answer.status_code == 404
    assert await stage.pool.fetchval("SELECT count(*) FROM production") == 0


@pytest.mark.parametrize(
    ("change", "parameter", "detail"),
    [
        ({"from": "2026-10-01T01:00:00+08:00"}, "items[0].from", "00:00 in Asia/Shanghai"),
        ({"from": "2025-10-01T00:00:00+08:00"}, "items[0].from", "a year at most"),
        ({"to": "2026-12-01T00:00:00+08:00"}, "items[0].to", "is in the future"),
        ({"to": "2026-10-01T00:00:00+08:00"}, "items[0].to", "must be after from"),
        ({"uom": None}, "items[0].uom", "required beside a quantity"),
        ({"product": "cement_clinker", "uom": "m2"}, "items[0].uom", "does not lead to t"),
        ({"product": "all"}, "items[0].quantity", "the unit as a whole"),
        (
            {"quantity": None, "output_value_cny": None, "value_added_cny": None},
            "items[0].quantity",
            "at least one of",
        ),
        ({"quantity": -1.0}, "quantity", "greater than or equal to 0"),
        ({"quantity": "10"}, "quantity", "valid number"),
        ({"output_value_cny": -1.0}, "output_value_cny", "greater than or equal to 0"),
        ({"product": "a/b"}, "product", "must be of the form"),
        ({"note": "x"}, "note", "not a parameter"),
    ],
)
async def test_a_statement_that_cannot_be_is_refused_by_name(
    stage: Stage, change: dict[str, Any], parameter: str, detail: str
) -> None:
    answer = await post(stage, "li", OCTOBER | change)
    assert answer.status_code == 422
    faults = {fault["parameter"]: fault["detail"] for fault in answer.json()["errors"]}
    assert detail in faults[parameter]
    assert await stage.pool.fetchval("SELECT count(*) FROM production") == 0


async def test_a_product_that_is_mistyped_is_refused_with_what_it_may_be(stage: Stage) -> None:
    answer = await post(stage, "li", OCTOBER | {"product": "crude_steal"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_statement")
    assert answer.json()["errors"] == [
        {"parameter": "items[0].product", "detail": "is no known product; is it 'crude_steel'?"}
    ]


async def test_two_statements_never_share_a_day(stage: Stage) -> None:
    await outcomes(stage, OCTOBER)
    week = OCTOBER | {"from": "2026-10-20T00:00:00+08:00", "to": "2026-10-27T00:00:00+08:00"}
    assert await refusal(stage, week) == (422, "invalid_statement")
    assert await refusal(stage, OCTOBER, OCTOBER) == (422, "invalid_statement")
    assert await outcomes(stage, week | {"product": "coke"}) == ["stored"]


async def test_a_span_is_cut_by_restating_it_together_with_the_rest(stage: Stage) -> None:
    await outcomes(stage, OCTOBER)
    middle = "2026-10-16T00:00:00+08:00"
    halves = (OCTOBER | {"to": middle, "quantity": 4.0}, OCTOBER | {"from": middle})
    assert await outcomes(stage, *halves, reason="by halves") == ["restated", "stored"]


async def test_value_added_may_be_negative(stage: Stage) -> None:
    assert await outcomes(stage, OCTOBER | {"value_added_cny": -5.0}) == ["stored"]


async def test_a_key_may_only_read_unless_it_was_made_to_state(stage: Stage) -> None:
    await stage.pool.execute("UPDATE api_keys SET may_state = DEFAULT")
    assert await refusal(stage, OCTOBER) == (403, "may_not_state")


async def test_of_two_at_once_one_states_and_the_other_finds_it_stated(stage: Stage) -> None:
    found = await asyncio.gather(outcomes(stage, OCTOBER), outcomes(stage, OCTOBER))
    assert sorted(found) == [["stored"], ["unchanged"]]
    assert len(await history(stage)) == 1


async def delete(
    stage: Stage, name: str, unit: str = cast.QIANS_UNIT, **query: str
) -> httpx.Response:
    return await stage.client.delete(
        f"/v1/production/{unit}/steel/2026-10-01T00:00:00%2B08:00",
        params={"reason": "stated for the wrong plant", **query},
        headers={"Authorization": f"Bearer {stage.cast.key(name)}"},
    )


async def test_a_statement_is_taken_back_and_may_be_made_anew(stage: Stage) -> None:
    await outcomes(stage, OCTOBER)
    answer = await delete(stage, "li", evidence="盘点表")
    assert (answer.status_code, answer.json()["starts_at"]) == (200, OCTOBER["from"])
    assert await stage.items("li", "/v1/production", unit=cast.QIANS_UNIT, **SPAN) == []
    _, gone = await history(stage)
    assert (gone.author.evidence, gone.fact.content) == ("盘点表", None)
    assert (await delete(stage, "li")).status_code == 404
    assert await outcomes(stage, {**OCTOBER, "quantity": 11.0}) == ["stored"]


async def test_an_intensity_without_its_statement_is_provisional_and_tells_what_was_known(
    stage: Stage,
) -> None:
    september = {**OCTOBER, "from": "2026-09-01T00:00:00+08:00", "to": OCTOBER["from"]}
    await outcomes(stage, september, OCTOBER)
    await delete(stage, "li")
    query = {"unit": cast.QIANS_UNIT, "product": "steel", "bucket": "month"}
    (row,) = await stage.items("li", "/v1/intensity", **query, **SPAN)
    assert (row["state"], row["output_quantity"]) == ("provisional", None)
    assert [one["output_quantity"] for one in row["history"]] == [10.0, None]


@pytest.mark.parametrize(
    ("name", "unit", "query", "status"),
    [
        ("zhao", cast.QIANS_UNIT, {}, 403),  # may not state
        ("sun", cast.QIANS_UNIT, {}, 404),
        ("li", cast.SUNS_UNIT, {}, 404),
        ("li", cast.QIANS_UNIT, {"reason": "  "}, 422),
        ("li", cast.QIANS_UNIT, {"why": "x"}, 422),
    ],
)
async def test_nobody_takes_back_what_is_not_theirs_or_without_saying_why(
    stage: Stage, name: str, unit: str, query: dict[str, str], status: int
) -> None:
    await outcomes(stage, OCTOBER)
    assert (await delete(stage, name, unit, **query)).status_code == status
    assert len(await history(stage)) == 1
