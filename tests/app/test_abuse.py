"""What nobody should send is refused early, by name, and costs the others nothing."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from starlette.types import Message

from app.guard import BODY_BYTES_MAX
from app.pace import Pace
from ingest.payload import PAYLOAD_BYTES_MAX
from settings import Settings
from tests import cast
from tests.app.conftest import UNBOUNDED, Stage, staged
from tests.app.test_access import OPENAPI, PATHS, QIANS, STATING, key_for
from tests.app.test_uploads import tracked

POSTED = sorted(path for method, path in STATING if method == "POST")
UPLOAD = f"/v1/readings/450200/{cast.QIANS_UNIT}/gw1"
JSON = {"Content-Type": "application/json"}


def holding(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


# -- bodies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*POSTED, UPLOAD, "/v1/units", "/healthz", "/v1/nothing"])
async def test_a_body_is_refused_before_it_is_read(shown_stage: Stage, path: str) -> None:
    """[RELIABILITY 46] Announced or in chunks, whatever the call."""
    chunk, sent = b" " * 65_536, 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1_000):
            sent += len(chunk)
            yield chunk

    client, headers = shown_stage.client, holding(shown_stage.cast.zhao) | JSON
    announced = await client.post(
        path, headers={**headers, "Content-Length": "10000000000"}, content=endless()
    )
    assert (announced.status_code, announced.json()["code"], sent) == (413, "too_large", 0)
    if path in (*POSTED, UPLOAD):
        told = await client.post(path, headers=headers, content=endless())
        assert (told.status_code, told.json()["code"]) == (413, "too_large")
        assert sent <= BODY_BYTES_MAX + 2 * len(chunk)


def bombs() -> Iterator[tuple[str, bytes]]:
    yield "depth", b'{"reason":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    yield "objects", b'{"reason":' * 30_000 + b"1" + b"}" * 30_000
    yield "keys", json.dumps({f"k{n}": n for n in range(1_000)}).encode()
    yield "many keys", json.dumps({f"{n}": 1 for n in range(40_000)}).encode()
    yield "text", json.dumps({"reason": "x" * 10_000_000}).encode()
    yield "elements", b'{"items":[' + b"1," * 1_000_000 + b"1]}"
    yield "elements that fit", b'{"items":[' + b"1," * 250_000 + b"1]}"
    yield "digits", b'{"reason":' + b"9" * 500_000 + b"}"
    yield "bytes", b"\xff" * 1_000
    packer = zlib.compressobj(9, wbits=31)
    yield "gzip", b"".join(packer.compress(bytes(1_000_000)) for _ in range(200)) + packer.flush()


@pytest.mark.parametrize("path", POSTED)
async def test_a_bomb_is_refused_and_the_others_are_answered(stage: Stage, path: str) -> None:
    """[RELIABILITY 46]"""
    await stage.pool.execute("UPDATE api_keys SET may_state = true")
    headers = holding(stage.cast.zhao) | JSON
    with tracked(mb_max=50):
        for name, body in bombs():
            more = {"Content-Encoding": "gzip"} if name == "gzip" else {}
            asked = stage.client.post(path, content=body, headers=headers | more)
            answer, alive = await asyncio.gather(asked, stage.client.get("/healthz"))
            assert 400 <= answer.status_code < 500, name
            assert answer.headers["content-type"] == "application/problem+json"
            assert len(answer.content) < 100_000, name
            assert alive.status_code == 200


# -- values ----------------------------------------------------------------------------------------

TOO_LARGE = [str(2**63), str(-(2**63) - 1), "9" * 400, "9" * 5_000]


@pytest.mark.parametrize("path", PATHS)
async def test_every_parameter_refuses_a_nul_and_a_number_out_of_range(
    shown_stage: Stage, path: str
) -> None:
    """[RELIABILITY 45] Of every call, as its own description lists them."""
    key = await key_for(shown_stage, path)
    parameters = OPENAPI["paths"][path]["get"].get("parameters", [])
    usual = {p["name"]: QIANS[p["name"]] for p in parameters if p["required"]}
    for parameter in parameters:
        is_number = "integer" in json.dumps(parameter["schema"])
        for value in ["\0", "1\0", *(TOO_LARGE if is_number else ())]:
            values = usual | {parameter["name"]: value}
            named = {p["name"]: values.pop(p["name"]) for p in parameters if p["in"] == "path"}
            url = path.format(**{name: one.replace("\0", "%00") for name, one in named.items()})
            answer = await shown_stage.client.get(url, params=values, headers=holding(key))
            assert answer.status_code == 422, (parameter["name"], value, answer.text)


def spoiled(said: Any) -> Iterator[Any]:
    """Yield a body once for each value in it, that value replaced by what no column takes."""
    match said:
        case str():
            yield from ("\0", f"{said}\0", "\ud800")
        case int() | float():
            yield from (10**400, float("inf"), float("nan"))
        case list():
            yield from ([*said[:n], other, *said[n + 1 :]]
                        for n, one in enumerate(said) for other in spoiled(one))  # fmt: skip
        case dict():
            yield from (
                {**said, name: other} for name, one in said.items() for other in spoiled(one)
            )
            yield {**said, "\0": 1}


@pytest.mark.parametrize("path", POSTED)
async def test_every_value_of_a_body_refuses_a_nul_and_a_number_out_of_range(
    stage: Stage, path: str
) -> None:
    """[RELIABILITY 45]"""
    await stage.pool.execute("UPDATE api_keys SET may_state = true")
    who = stage.cast.li if path.endswith("/contest") else stage.cast.zhao
    for body in spoiled(STATING["POST", path]):
        answer = await stage.client.post(
            path, content=json.dumps(body), headers=holding(who) | JSON
        )
        assert answer.status_code in (400, 422), (body, answer.text)


NULS = {
    "a type of its own": ("application/merge-patch+json", "utf-8"),
    "a parameter": ("application/json ; charset=utf-8", "utf-8"),
    "capitals": ("Application/JSON", "utf-8"),
    "UTF-16": ("application/json", "utf-16"),
}


@pytest.mark.parametrize("way", NULS)
async def test_a_nul_is_refused_in_whatever_is_parsed_as_json(stage: Stage, way: str) -> None:
    """[RELIABILITY 45]"""
    await stage.pool.execute("UPDATE api_keys SET may_state = true")
    media, encoding = NULS[way]
    deep = "[" * 300 + '"\\u0000"' + "]" * 300
    for value in ('"\\u0000"', deep):
        answer = await stage.client.post(
            "/v1/production",
            content=f'{{"reason": {value}, "statements": []}}'.encode(encoding),
            headers=holding(stage.cast.zhao) | {"Content-Type": media},
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
        assert "NUL" in answer.json()["detail"]


# -- how often -------------------------------------------------------------------------------------


@pytest.fixture
async def strict(database_url: str) -> AsyncIterator[Stage]:
    """Five requests a minute of a holder, three refusals of an address."""
    rates = Settings(requests_per_minute=5, uploads_per_minute=2, refusals_per_minute=3)
    async with staged(database_url, settings=rates) as made:
        yield made


async def test_who_asks_too_often_is_told_when_to_come_again_and_the_others_are_not(
    strict: Stage,
) -> None:
    statuses = [(await strict.get("qian", "/v1/units")).status_code for _ in range(5)]
    told = await strict.get("qian", "/v1/units")
    assert (statuses, told.status_code) == ([200] * 5, 429)
    assert told.json()["code"] == "too_many_requests"
    assert told.headers["ratelimit-policy"] == '"requests";q=5;w=60'
    assert 1 <= int(told.headers["retry-after"]) <= 12
    assert (await strict.get("sun", "/v1/units")).status_code == 200
    assert (await strict.get("zhou", "/healthz")).status_code == 200


async def test_who_asks_too_often_costs_the_database_nothing(strict: Stage) -> None:
    for _ in range(5):
        await strict.get("qian", "/v1/units")
    async with strict.pool.acquire() as blocker, blocker.transaction():
        await blocker.execute("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(1):
            assert (await strict.get("qian", "/v1/units")).status_code == 429


async def test_uploads_of_strangers_are_bounded_though_they_name_a_gateway(strict: Stage) -> None:
    """Too large, so that nobody looks at the signature: each counts against the address."""
    told = [
        await strict.client.post(UPLOAD, content=b"x" * (PAYLOAD_BYTES_MAX + 1)) for _ in range(5)
    ]
    assert [each.status_code for each in told] == [413, 413, 413, 429, 429]
    rows = await strict.pool.fetch("SELECT identity, role, scope FROM audit")
    assert {tuple(row) for row in rows} == {("", None, None)}


async def test_uploads_of_strangers_are_bounded_though_they_break_off(strict: Stage) -> None:
    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def nowhere(_: Message) -> None:
        return

    for _ in range(3):
        scope = {
            "type": "http", "method": "POST", "path": UPLOAD, "query_string": b"", "headers": [],
            "client": ("127.0.0.1", 1), "http_version": "1.1", "scheme": "http",
            "server": ("test", 80), "root_path": "",
        }  # fmt: skip
        await strict.app(scope, gone, nowhere)
    assert (await strict.client.post(UPLOAD, content=b"{}")).status_code == 429
    rows = await strict.pool.fetch("SELECT identity, code FROM audit WHERE status < 429")
    assert [tuple(row) for row in rows] == [("", "malformed_body")] * 3


async def test_an_address_that_guesses_keys_is_shut_out_but_for_keys_that_held(
    strict: Stage,
) -> None:
    assert (await strict.get("li", "/v1/units")).status_code == 200
    guesses = [await strict.ask(f"nh_{n}", "/v1/units") for n in range(5)]
    assert [each.status_code for each in guesses] == [401, 401, 401, 429, 429]
    assert guesses[-1].json()["code"] == "too_many_refusals"
    assert (await strict.get("sun", "/v1/units")).status_code == 429
    assert (await strict.get("li", "/v1/units")).status_code == 200
    assert (await strict.client.post(UPLOAD, content=b"{}")).status_code == 429


def test_a_pace_lets_as_many_through_as_it_says() -> None:
    pace = Pace("requests", 60)
    taken = [pace.take("li", now / 100) == 0 for now in range(18_000)]
    assert sum(taken) == 60 + 179
    assert pace.take("qian", 180) == 0
    assert Pace("requests", 60).wait_s("li", 0) == 0


# -- expensive questions ---------------------------------------------------------------------------

MONTH = {"from": "2026-10-01T00:00:00+08:00", "to": "2026-11-01T00:00:00+08:00"}
YEARS = {"from": "2021-11-01T00:00:00+08:00", "to": "2026-11-01T00:00:00+08:00"}


async def test_five_years_of_all_meters_are_refused_and_say_how_to_narrow(
    shown_stage: Stage,
) -> None:
    """[RELIABILITY 50]"""
    asked = {**YEARS, "bucket": "hour", "group_by": "unit,meter,energy"}
    answer = await shown_stage.ask(shown_stage.cast.zhao, "/v1/consumption", query=asked)
    assert answer.status_code == 422
    assert "coarser bucket" in answer.json()["detail"]


async def test_fifty_files_and_statements_at_once_leave_the_watchers_their_connections(
    stage: Stage,
) -> None:
    """[RELIABILITY 50] Each of them waits for a table that is locked."""
    asked, key = {**MONTH, "bucket": "day", "format": "csv"}, stage.cast.zhao
    await stage.pool.execute("UPDATE api_keys SET may_state = true")
    body = STATING["POST", "/v1/production"]
    async with stage.pool.acquire() as blocker, blocker.transaction():
        await blocker.execute(
            "LOCK TABLE unit_consumption, area_consumption, production IN ACCESS EXCLUSIVE MODE"
        )
        exports = [
            asyncio.create_task(stage.ask(key, "/v1/consumption", query=asked)) for _ in range(50)
        ]
        stated = [
            asyncio.create_task(stage.ask(key, "/v1/production", method="POST", body=body))
            for _ in range(20)
        ]
        await asyncio.sleep(0.3)
        async with asyncio.timeout(2):
            watched = [await stage.get("zhou", path) for path in ("/healthz", "/readyz")]
            others = await stage.get("li", "/v1/units")
        assert [each.status_code for each in (*watched, others)] == [200] * 3
    answers = await asyncio.gather(*exports, *stated)
    # 429: the key has five files that wait already
    assert {each.status_code for each in answers} <= {200, 429, 503}
    assert sum(each.status_code == 200 for each in answers) >= 3


async def test_a_key_that_does_not_hold_takes_no_turn_and_waits_for_none(stage: Stage) -> None:
    """[RELIABILITY 50] Strangers do not keep out those who may ask."""
    async with AsyncExitStack() as others:
        for turns in (stage.state["files"], stage.state["changes"]):
            while not turns.locked():
                await others.enter_async_context(turns)
        async with asyncio.timeout(2):
            for method, path in (("GET", "/v1/consumption"), ("POST", "/v1/production")):
                asked = {**MONTH, "bucket": "day", "format": "csv"} if method == "GET" else None
                body = STATING.get((method, path))
                answer = await stage.ask("nh_none", path, method=method, query=asked, body=body)
                assert answer.status_code == 401, answer.text


async def test_a_request_that_takes_too_long_is_told_what_to_do(database_url: str) -> None:
    """Here its body never comes."""

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(30)

    hurried = Settings(request_timeout_s=1, refusals_per_minute=UNBOUNDED)
    async with staged(database_url, settings=hurried) as stage:
        async with asyncio.timeout(5):
            answer = await stage.client.post(
                POSTED[0], content=slow(), headers=holding(stage.cast.zhao) | JSON
            )
    assert (answer.status_code, answer.json()["code"]) == (503, "too_slow")
    assert answer.headers["retry-after"]
