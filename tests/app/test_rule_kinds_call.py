"""Rules on data quality, connection and expressions are stated over HTTP, or refused with why."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from alerts.kinds.data_quality.parameters import Check
from app import auth
from tests.app.conftest import Stage

KINDS: dict[str, dict[str, Any]] = {
    "data_quality": {"check": "index", "of": "city", "bound": 0.8, "days": 7, "level": 2},
    "not_connected": {"days": 60, "until": "filed"},
    "expression": {"of": "unit", "expression": "growth > 0.2 and annual_tce >= 5000"},
}


@pytest.fixture
async def desk(stage: Stage) -> str:
    """A key of the desk of Qian's city that may do all its role may."""
    async with stage.pool.acquire() as connection:
        return await auth.create_key(
            connection, label="desk", region="450200", unit=None, expires_at=None, may_state=True
        )


async def make(stage: Stage, desk: str, kind: str, parameters: dict[str, Any]) -> httpx.Response:
    body = {"kind": kind, "region": "450200", "name": kind, "parameters": parameters, "reason": "r"}
    return await stage.ask(desk, "/v1/rules", method="POST", body=body)


async def test_a_rule_of_each_kind_is_made_and_read_back_with_what_it_leaves_out(
    stage: Stage, desk: str
) -> None:
    for kind, parameters in KINDS.items():
        made = await make(stage, desk, kind, parameters)
        assert made.status_code == 200, made.text
        rule = (await stage.get("qian", f"/v1/rules/{made.json()['rule_id']}")).json()
        assert rule["kind"] == kind
        assert rule["parameters"].items() >= parameters.items()
    assert rule["parameters"]["window_h"] == 24
    listed = (await stage.get("qian", "/v1/rules")).json()["items"]
    assert [each["kind"] for each in listed][2:] == list(KINDS)


@pytest.mark.parametrize(
    ("kind", "parameters", "says"),
    [
        ("data_quality", {}, "check: is required"),
        ("data_quality", {"check": "offline", "bound": 1}, "bound of offline is from 4 to 35040"),
        ("data_quality", {"check": "offline", "bound": "4"}, "valid number"),
        ("data_quality", {"check": "gap", "of": "city"}, "index and of are for check index"),
        ("not_connected", {"until": "some"}, "'any', 'boundary' or 'filed'"),
        (
            "expression",
            {"of": "unit", "expression": "intensity > 1"},
            "intensity is no fact here; there are annual_tce, coverage, energy_tce, "
            "estimated_share, growth, index, quantity",
        ),
        ("expression", {"of": "unit", "expression": "9**9**9 > coverage"}, "** is not part of it"),
        ("expression", {"of": "unit", "expression": "x" * 501}, "at most 500 characters"),
        ("expression", {"of": "unit", "expression": "coverage"}, "compare it, as in coverage > 1"),
    ],
)
async def test_what_a_rule_must_not_say_is_refused_with_why(
    stage: Stage, desk: str, kind: str, parameters: dict[str, Any], says: str
) -> None:
    refused = await make(stage, desk, kind, parameters)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_parameter")
    assert says in refused.json()["detail"]


PROPOSED = [
    *(("data_quality", {"check": check}) for check in Check),
    ("data_quality", {"check": "index", "of": "city"}),
    ("not_connected", {"until": "filed"}),
    ("expression", {"of": "unit", "expression": "growth > 0.2 and index < 0.9"}),
    ("expression", {"of": "product", "expression": "intensity > limit"}),
    ("expression", {"of": "region", "expression": "rate > 0 and index < 0.9"}),
]


async def test_what_is_proposed_is_tried_on_the_past_by_a_login_that_sees_views_only(
    stage: Stage, desk: str
) -> None:
    rules = {
        kind: (await make(stage, desk, kind, said)).json()["rule_id"]
        for kind, said in KINDS.items()
    }
    for kind, parameters in PROPOSED:
        answer = await stage.ask(
            desk,
            f"/v1/rules/{rules[kind]}/backtest",
            method="POST",
            body={
                "from": "2026-11-01T00:00:00+08:00",
                "to": "2026-11-02T00:00:00+08:00",
                "proposed": {"kind": kind, "parameters": parameters},
            },
        )
        assert answer.status_code == 200, (parameters, answer.text)
