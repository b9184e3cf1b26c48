"""Clients are written against the description: it names, explains and exemplifies everything."""

from __future__ import annotations

from typing import Any

import pytest

from app.main import create_app
from settings import Settings

OPENAPI: dict[str, Any] = create_app(Settings(), "postgresql://nowhere").openapi()
OPERATIONS = [
    (path, call) for path, calls in sorted(OPENAPI["paths"].items()) for call in calls.values()
]
SIGNED = "/v1/readings/{city}/{unit}/{gateway}"
DECIDED = {f"/v1/proposals/{{proposal_id}}/{decision}" for decision in ("approve", "reject")}
POSTED = {
    SIGNED,
    "/v1/alerts/{alert_id}/acknowledge",
    "/v1/alerts/{alert_id}/assign",
    "/v1/alerts/{alert_id}/close",
    "/v1/alerts/{alert_id}/contest",
    "/v1/alerts/{alert_id}/contest/decide",
    "/v1/tasks/{task_id}/done",
    "/v1/alerts/{alert_id}/comments",
    "/v1/corrections",
    "/v1/production",
    "/v1/rules",
    *DECIDED,
    "/v1/rules/{rule_id}/backtest",
    "/v1/rules/backtest",
    "/v1/silences",
    "/v1/silences/{silence_id}/approve",
}


def test_every_call_of_this_step_is_there_and_no_other() -> None:
    assert [path for path, _ in OPERATIONS] == [
        "/healthz",
        "/metrics",
        "/readyz",
        "/v1/accounts",
        "/v1/alerts",
        "/v1/alerts/{alert_id}",
        "/v1/alerts/{alert_id}/acknowledge",
        "/v1/alerts/{alert_id}/assign",
        "/v1/alerts/{alert_id}/close",
        "/v1/alerts/{alert_id}/comments",
        "/v1/alerts/{alert_id}/comments",
        "/v1/alerts/{alert_id}/contest",
        "/v1/alerts/{alert_id}/contest/decide",
        "/v1/audit",
        "/v1/balance",
        "/v1/benchmark_shares",
        "/v1/budgets",
        "/v1/carbon",
        "/v1/consumption",
        "/v1/corrections",
        "/v1/explain",
        "/v1/factors",
        "/v1/intensity",
        "/v1/meters",
        "/v1/production",
        "/v1/production",
        "/v1/production/{unit}/{product}/{from}",
        "/v1/proposals",
        "/v1/proposals/{proposal_id}",
        "/v1/proposals/{proposal_id}/approve",
        "/v1/proposals/{proposal_id}/reject",
        "/v1/quality",
        "/v1/readings",
        SIGNED,
        "/v1/regions",
        "/v1/rules",
        "/v1/rules",
        "/v1/rules/backtest",
        "/v1/rules/{rule_id}",
        "/v1/rules/{rule_id}",
        "/v1/rules/{rule_id}",
        "/v1/rules/{rule_id}/backtest",
        "/v1/silences",
        "/v1/silences",
        "/v1/silences/{silence_id}",
        "/v1/silences/{silence_id}",
        "/v1/silences/{silence_id}/approve",
        "/v1/stream",
        "/v1/tasks",
        "/v1/tasks/{task_id}/done",
        "/v1/units",
        "/v1/units/{unit}",
        "/v1/value_intensity",
        "/v1/verdicts",
        "/v1/warnings",
    ]
    posts = {path for path, calls in OPENAPI["paths"].items() if "post" in calls}
    assert posts == POSTED


@pytest.mark.parametrize(("path", "call"), OPERATIONS)
def test_a_call_has_a_name_a_tag_and_a_summary(path: str, call: dict[str, Any]) -> None:
    assert call["operationId"].islower()
    assert call["tags"]
    assert call["summary"]


@pytest.mark.parametrize(("path", "call"), [each for each in OPERATIONS if "/v1/" in each[0]])
def test_a_call_of_the_interface_asks_for_a_key_and_declares_its_problems(
    path: str, call: dict[str, Any]
) -> None:
    assert call.get("security") == (None if path == SIGNED else [{"api_key": []}])
    assert {"200", "401", "422", "429", "503"} <= call["responses"].keys()
    for status, response in call["responses"].items():
        if not status.startswith("2"):
            assert list(response["content"]) == ["application/problem+json"]


@pytest.mark.parametrize(("path", "call"), OPERATIONS)
def test_parameters_are_explained_by_example(path: str, call: dict[str, Any]) -> None:
    for parameter in call.get("parameters", []):
        assert parameter["description"], parameter["name"]
        assert parameter["schema"]["examples"], parameter["name"]


@pytest.mark.parametrize("name", sorted(OPENAPI["components"]["schemas"]))
def test_models_show_an_example_of_each_value(name: str) -> None:
    schema = OPENAPI["components"]["schemas"][name]
    assert schema.get("description") or "enum" in schema
    for field, described in schema.get("properties", {}).items():
        is_nested = "$ref" in str(described)
        assert is_nested or "examples" in described, f"{name}.{field}"
