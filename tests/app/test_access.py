"""Everybody tries every route on what is theirs and what is not: what is foreign does not exist."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app import auth
from app.main import create_app
from app.roles import MAY, Act, Role
from settings import Settings
from tests import cast, factories
from tests.app import areas
from tests.app.conftest import NOW, Stage

APP = create_app(Settings(), "postgresql://nowhere")
OPENAPI: dict[str, Any] = APP.openapi()
OPEN = {
    ("GET", path)
    for path in ("/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/static")
}
"""Without a key, and naming no unit."""

SIGNED = {("POST", "/v1/readings/{city}/{unit}/{gateway}")}
"""The signature of the gateway is the identity: tests/app/test_uploads.py."""

STREAMED = {("GET", "/v1/stream")}
"""Ends when who follows it does: tests/app/test_stream.py."""

STATING = {
    ("POST", "/v1/production"): {
        "reason": "r",
        "items": [
            {"unit": cast.QIANS_UNIT, "product": "steel", "from": "2026-11-01T00:00:00+08:00",
             "to": "2026-11-02T00:00:00+08:00", "quantity": 1, "uom": "t"}
        ],
    },
    ("POST", "/v1/corrections"): {
        "reason": "r",
        "corrections": [
            {"unit": cast.QIANS_UNIT, "meter": "E01", "time": "2026-11-01T08:00:00+08:00",
             "value": 2}
        ],
    },
    ("DELETE", "/v1/production/{unit}/{product}/{from}"): None,
    ("POST", "/v1/alerts/{alert_id}/acknowledge"): {"note": "n"},
    ("POST", "/v1/alerts/{alert_id}/comments"): {"text": "t"},
    ("POST", "/v1/alerts/{alert_id}/assign"): {"to": "the county", "reason": "r"},
    ("POST", "/v1/alerts/{alert_id}/contest"): {"text": "t", "evidence": "e"},
    ("POST", "/v1/alerts/{alert_id}/contest/decide"): {"decision": "upheld", "reason": "r"},
    ("POST", "/v1/alerts/{alert_id}/close"): {"reason": "r"},
    ("POST", "/v1/tasks/{task_id}/done"): {"text": "t", "evidence": "e"},
}  # fmt: skip
"""What is stated of Qian's unit, by those who may state."""

OTHER_ACTS = {
    "/v1/alerts/{alert_id}/acknowledge": Act.ACKNOWLEDGE,
    "/v1/alerts/{alert_id}/assign": Act.ACKNOWLEDGE,
    "/v1/alerts/{alert_id}/contest": Act.CONTEST,
    "/v1/alerts/{alert_id}/contest/decide": Act.ACKNOWLEDGE,
    "/v1/alerts/{alert_id}/close": Act.ACKNOWLEDGE,
    "/v1/tasks/{task_id}/done": Act.ACKNOWLEDGE,
}
"""What it takes to do that, where it is not to state."""

RULING = {
    ("POST", "/v1/rules"),
    ("PUT", "/v1/rules/{rule_id}"),
    ("DELETE", "/v1/rules/{rule_id}"),
}
ASKING = {
    ("POST", "/v1/rules/{rule_id}/backtest"): {
        "from": "2026-11-01T00:00:00+08:00", "to": "2026-11-01T02:00:00+08:00"
    },
    ("POST", "/v1/rules/backtest"): {
        "from": "2026-11-01T00:00:00+08:00", "to": "2026-11-01T02:00:00+08:00",
        "acts_in": "450202", "rule": {"kind": "product_intensity"},
    },
}  # fmt: skip
"""What is asked in a body, by those who may read."""

SILENCING: Mapping[tuple[str, str], object] = {
    ("POST", "/v1/silences"): {
        "region": "450202", "unit": cast.QIANS_UNIT, "ends_at": "2026-11-24T00:00:00+08:00",
        "reason": "r",
    },
    ("POST", "/v1/silences/{silence_id}/approve"): {"reason": "r"},
    ("DELETE", "/v1/silences/{silence_id}"): None,
}  # fmt: skip
"""What is done to silences, by those who regulate, or approve."""

DECIDING = {
    ("POST", f"/v1/proposals/{{proposal_id}}/{decision}") for decision in ("approve", "reject")
}
"""What a second person decides on: tests/app/test_proposals.py tries it as everybody."""


def routes(within: Sequence[object]) -> Iterator[tuple[str, str]]:
    """Return method and path of all that the interface answers, shown in its document or not."""
    for route in within:
        if (router := getattr(route, "original_router", None)) is not None:
            yield from routes(router.routes)
        else:
            methods: Collection[str] = getattr(route, "methods", {"GET"})
            yield from ((method, str(vars(route)["path"])) for method in {*methods} - {"HEAD"})


ROUTES = set(routes(APP.routes))
WRITING = STATING.keys() | RULING | SILENCING.keys() | ASKING.keys() | DECIDING
READING = ROUTES - OPEN - SIGNED - STREAMED - WRITING
PATHS = sorted(path for method, path in READING if method == "GET")
QIANS = {
    "unit": cast.QIANS_UNIT,
    "meter": "E01",
    "product": "steel",
    "from": "2026-11-01T00:00:00+08:00",
    "to": "2026-11-02T00:00:00+08:00",
    "bucket": "day",
    "region": "450200",
    "year": "2024",
    "alert_id": "1",
    "rule_id": "3",
    "proposal_id": "1",
    "task_id": "1",
    "silence_id": "1",
    "figure": "consumption",
}
"""A value for each parameter that names something of Qian's."""

MISSING = {cast.QIANS_UNIT: factories.unit_code(99), "E01": "E77"}
"""What nobody has, as long as what Qian has."""

NOBODYS_IDS = {
    "alert_id": "9",
    "rule_id": "9",
    "proposal_id": "9",
    "task_id": "9",
    "silence_id": "9",
}

AUDITED = "/v1/audit"
"""For those who see to the trace, and nobody else."""

NOT_TOGETHER = {"/v1/explain": {"product"}}
"""Parameters of a call that do not go with those above."""


@dataclass(frozen=True, slots=True)
class Place:
    """A role and what it answers for."""

    role: Role
    region: str
    unit: str | None = None


HOLDERS = {
    "the province": Place(Role.PROVINCE, "450000"),
    "the city": Place(Role.CITY, "450200"),
    "the county": Place(Role.COUNTY, "450202"),
    "the enterprise": Place(Role.ENTERPRISE, "450200", cast.QIANS_UNIT),
    "an auditor of the city": Place(Role.AUDITOR, "450200"),
    "an administrator of the city": Place(Role.ADMINISTRATOR, "450200"),
}
FOREIGNERS = {
    "another city": Place(Role.CITY, "450300"),
    "another county of the city": Place(Role.COUNTY, "450203"),
    "a county of another city": Place(Role.COUNTY, "450302"),
    "another enterprise of the city": Place(Role.ENTERPRISE, "450200", cast.QIANS_OTHER_UNIT),
    "an enterprise of another city": Place(Role.ENTERPRISE, "450300", cast.SUNS_UNIT),
    "an auditor of another city": Place(Role.AUDITOR, "450300"),
    "an administrator of another city": Place(Role.ADMINISTRATOR, "450300"),
}


ELSEWHERE = {name for name in FOREIGNERS if "another city" in name}
"""Whoever is in the city sees what they have there, and its own figures."""

QIANS_ALONE = {cast.QIANS_UNIT, "450202"}


async def hand_out(stage: Stage) -> dict[str, str]:
    """Return a key for each of them that may do all its role may."""
    async with stage.pool.acquire() as connection:
        return {
            name: await auth.create_key(
                connection,
                label=name,
                region=place.region,
                unit=place.unit,
                expires_at=None,
                role=place.role,
                may_state=True,
            )
            for name, place in (HOLDERS | FOREIGNERS).items()
        }


async def key_for(stage: Stage, path: str) -> str:
    """Return a key of the province that may ask for `path`."""
    if path != AUDITED:
        return stage.cast.zhao
    async with stage.pool.acquire() as connection:
        return await auth.create_key(
            connection, label="auditor", region="450000", unit=None, expires_at=None,
            role=Role.AUDITOR,
        )  # fmt: skip


@pytest.fixture(scope="session")
async def keys(possessed_stage: Stage) -> dict[str, str]:
    return await hand_out(possessed_stage)


def request(path: str) -> tuple[str, dict[str, str]]:
    """Return the path and query that ask for Qian's data."""
    parameters = OPENAPI["paths"][path]["get"].get("parameters", [])
    named = {p["name"]: QIANS[p["name"]] for p in parameters if p["name"] in QIANS}
    missing = [p["name"] for p in parameters if p["required"] and p["name"] not in QIANS]
    assert not missing, f"give QIANS a value for {missing}"
    query = {p["name"] for p in parameters if p["in"] == "query"} - NOT_TOGETHER.get(path, set())
    return path.format(**named), {name: named[name] for name in query & named.keys()}


def without(text: str) -> str:
    """Return a text about Qian's that is about what is missing."""
    for theirs, nobodys in MISSING.items():
        text = text.replace(theirs, nobodys)
    return text


def filled_in(path: str, *, of_nobody: bool = False) -> str:
    """Return a path about Qian's, or about what is missing."""
    return without(path.format(**QIANS | NOBODYS_IDS)) if of_nobody else path.format(**QIANS)


def told(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
    """Return all that a caller learns from an answer, the name they gave left out."""
    headers = {name: text for name, text in answer.headers.items() if name != "x-request-id"}
    return answer.status_code, without(answer.text), headers


def may_see(path: str, place: Place) -> bool:
    return path != AUDITED or bool(MAY[place.role] & {Act.AUDIT, Act.ADMINISTER})


def test_every_route_is_tried() -> None:
    assert len(PATHS) >= 20
    assert {method for method, _ in READING} == {"GET"}, "say in STATING what is sent"
    assert OPEN | SIGNED | WRITING <= ROUTES


@pytest.mark.parametrize("path", PATHS)
async def test_those_who_may_see_it_do(
    possessed_stage: Stage, keys: Mapping[str, str], path: str
) -> None:
    filled, query = request(path)
    for name, place in HOLDERS.items():
        if "region" in query and place.role is Role.COUNTY:
            query = query | {"region": place.region}
        answer = await possessed_stage.ask(keys[name], filled, query=query)
        if not may_see(path, place):
            assert (answer.status_code, answer.json()["code"]) == (403, "may_not_audit"), name
            continue
        assert answer.status_code == 200, (name, answer.text)
        assert answer.json().get("items") != [], name


@pytest.mark.parametrize("path", PATHS)
async def test_what_is_foreign_does_not_exist(
    possessed_stage: Stage, keys: Mapping[str, str], path: str
) -> None:
    filled, query = request(path)
    for name, place in FOREIGNERS.items():
        answer = await possessed_stage.ask(keys[name], filled, query=query)
        assert not {each for each in QIANS_ALONE if each in answer.text}, name
        if not may_see(path, place):
            assert answer.status_code == 403, name
        elif name in ELSEWHERE:
            assert answer.status_code == 404 or answer.json()["items"] == [], (name, answer.text)
        nobodys = {each: without(value) for each, value in query.items()}
        about_nobody = filled_in(path, of_nobody=True)
        if (about_nobody, nobodys) != (filled, query):
            missing = await possessed_stage.ask(keys[name], about_nobody, query=nobodys)
            assert told(answer) == told(missing), name


REMEMBERING = [
    path
    for path in PATHS
    if "as_known_on" in {p["name"] for p in OPENAPI["paths"][path]["get"].get("parameters", [])}
]


@pytest.mark.parametrize("path", REMEMBERING)
async def test_what_is_foreign_did_not_exist_on_an_earlier_day_either(
    possessed_stage: Stage, keys: Mapping[str, str], path: str
) -> None:
    filled, query = request(path)
    earlier = query | {"as_known_on": "2026-11-22T00:00:00+08:00"}
    answer = await possessed_stage.ask(keys["the city"], filled, query=earlier)
    assert answer.status_code == 200, answer.text
    for name in ("another enterprise of the city", "another city"):
        answer = await possessed_stage.ask(keys[name], filled, query=earlier)
        assert not {each for each in QIANS_ALONE if each in answer.text}, name
    assert answer.status_code == 404 or answer.json()["items"] == [], answer.text


@pytest.mark.parametrize("path", REMEMBERING)
async def test_what_will_be_known_is_not_answered(
    possessed_stage: Stage, keys: Mapping[str, str], path: str
) -> None:
    filled, query = request(path)
    to_come = query | {"as_known_on": (NOW + timedelta(seconds=1)).isoformat()}
    answer = await possessed_stage.ask(keys["the city"], filled, query=to_come)
    (fault,) = answer.json()["errors"]
    assert (answer.status_code, fault["parameter"]) == (422, "as_known_on")
    assert "is in the future" in fault["detail"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", [None, "nh_nobodys", "e30.e30.e30"])
async def test_who_has_no_key_sees_nothing(
    possessed_stage: Stage, path: str, key: str | None
) -> None:
    filled, query = request(path)
    answer = await possessed_stage.ask(key, filled, query=query)
    expected = "unauthenticated" if key is None else "invalid_key"
    assert (answer.status_code, answer.json()["code"]) == (401, expected)


async def state(
    stage: Stage, key: str, method: str, path: str, *, of_nobody: bool = False
) -> httpx.Response:
    """Return the answer to whoever states it of Qian's unit, or takes back what stands there."""
    filled, body = filled_in(path, of_nobody=of_nobody), json.dumps(STATING[method, path])
    if of_nobody:
        body = without(body)
    query = {"reason": "r"} if method == "DELETE" else None
    return await stage.ask(key, filled, method=method, query=query, body=json.loads(body))


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("zhao", {cast.QIANS_UNIT, cast.QIANS_OTHER_UNIT, cast.SUNS_UNIT}),
        ("qian", {cast.QIANS_UNIT, cast.QIANS_OTHER_UNIT}),
        ("sun", {cast.SUNS_UNIT}),
        ("li", {cast.QIANS_UNIT}),
    ],
)
@pytest.mark.parametrize("path", ["/v1/units", "/v1/meters"])
async def test_lists_hold_what_one_may_see_and_no_more(
    possessed_stage: Stage, path: str, name: str, seen: set[str]
) -> None:
    assert {item["unit"] for item in await possessed_stage.items(name, path)} == seen


async def test_sums_hold_what_one_may_see_and_no_more(stage: Stage) -> None:
    await stage.pool.execute(
        """
        INSERT INTO unit_consumption
        SELECT unit_id, 'electricity', 'day', '2026-11-01 00:00+08', 1000, 0, 96, false, 1, 2
          FROM units
        """
    )
    await areas.add_up(stage.pool)
    sums = {}
    for name in ("zhao", "qian", "sun", "li"):
        (row,) = await stage.items(
            name, "/v1/consumption", from_=QIANS["from"], to=QIANS["to"], bucket="day"
        )
        sums[name] = row["energy_tce"]
    assert sums == {"zhao": 3, "qian": 2, "sun": 1, "li": 1}
