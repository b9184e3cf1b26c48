"""[33] A foreign id is a missing one wherever it is put, down to the statements that are run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asyncpg.connection import LoggedQuery
from fastapi import APIRouter
from fastapi.routing import APIRoute

from app import cursor, depends
from app.depends import AuthenticatedCaller
from tests import cast
from tests.app import test_access
from tests.app.conftest import Stage
from tests.app.test_access import (
    APP,
    OPEN,
    OPENAPI,
    PATHS,
    QIANS,
    QIANS_ALONE,
    SIGNED,
    STREAMED,
    told,
)

FORGET = "UPDATE registry_stamp SET stamp = gen_random_uuid()"
"""Nothing is remembered of what was asked before."""

FORMATS = ("csv", "xlsx", "parquet", "zip")


@pytest.fixture(scope="module")
async def foreign(possessed_stage: Stage) -> Mapping[str, str]:
    """The keys of another city and of another enterprise of Qian's city, among others."""
    return await test_access.hand_out(possessed_stage)


@asynccontextmanager
async def statements(stage: Stage) -> AsyncIterator[list[str]]:
    """Note what is run on the connection that is lent next: who asks one by one has that one."""
    run: list[str] = []

    def note(query: LoggedQuery) -> None:
        run.append(query.query)

    async with stage.views.acquire() as connection:
        connection.add_query_logger(note)
    yield run
    async with stage.views.acquire() as connection:
        connection.remove_query_logger(note)


def of_nobody(path: str, query: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return the same question about what nobody has."""
    named, _ = test_access.request(path)
    missing = named.replace("/1", "/9") if "_id}" in path else test_access.without(named)
    return missing, {name: test_access.without(value) for name, value in query.items()}


@pytest.mark.parametrize("path", PATHS)
async def test_the_same_statements_answer_what_is_foreign_and_what_is_missing(
    possessed_stage: Stage, foreign: Mapping[str, str], path: str
) -> None:
    """So the two take the same time, but for what a row more or less costs in an index."""
    filled, query = test_access.request(path)
    missing, nobodys = of_nobody(path, query)
    for name in ("another city", "another enterprise of the city"):
        ran = []
        await possessed_stage.ask(foreign[name], filled, query=query)  # types are asked for once
        for at, asked in ((filled, query), (missing, nobodys)):
            await possessed_stage.pool.execute(FORGET)
            async with statements(possessed_stage) as run:
                await possessed_stage.ask(foreign[name], at, query=asked)
            assert run
            ran.append(run)
        assert ran[0] == ran[1], name


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("path", PATHS)
async def test_an_export_of_what_is_foreign_is_one_of_what_is_missing(
    possessed_stage: Stage, foreign: Mapping[str, str], path: str, form: str
) -> None:
    parameters = {p["name"]: p for p in OPENAPI["paths"][path]["get"].get("parameters", [])}
    if form not in str(parameters.get("format")):
        return
    filled, query = test_access.request(path)
    missing, nobodys = of_nobody(path, query)
    theirs = await possessed_stage.ask(
        foreign["another city"], filled, query={**query, "format": form}
    )
    nobody = await possessed_stage.ask(
        foreign["another city"], missing, query={**nobodys, "format": form}
    )
    assert not {each for each in QIANS_ALONE if each.encode() in theirs.content}
    if theirs.status_code == 404:
        assert told(theirs) == told(nobody)
    else:
        assert (theirs.status_code, len(theirs.content)) == (200, len(nobody.content))


@pytest.mark.parametrize("path", ["/v1/units", "/v1/meters"])
async def test_a_cursor_that_names_what_is_foreign_is_as_good_as_any(
    possessed_stage: Stage, foreign: Mapping[str, str], path: str
) -> None:
    parts = 1 if path == "/v1/units" else 2
    for unit in (cast.QIANS_UNIT, test_access.without(cast.QIANS_UNIT)):
        at = cursor.encode(*[unit, "E01"][:parts])
        answer = await possessed_stage.ask(foreign["another city"], path, query={"cursor": at})
        assert answer.status_code == 200
        assert cast.QIANS_UNIT not in answer.text


async def test_the_tag_of_what_is_foreign_opens_nothing(
    possessed_stage: Stage, foreign: Mapping[str, str]
) -> None:
    path = f"/v1/units/{cast.QIANS_UNIT}"
    seen = await possessed_stage.ask(foreign["the city"], path)
    answers = [
        await possessed_stage.client.get(
            at,
            headers={
                "Authorization": f"Bearer {foreign['another city']}",
                "If-None-Match": seen.headers["etag"],
            },
        )
        for at in (path, test_access.without(path))
    ]
    assert [each.status_code for each in answers] == [404, 404]
    assert told(answers[0]) == told(answers[1])


async def test_a_signature_tells_nobody_which_gateways_there_are(possessed_stage: Stage) -> None:
    answers = []
    for unit, gateway in ((cast.QIANS_UNIT, "gw1"), (cast.QIANS_UNIT, "gw9"),
                          (test_access.without(cast.QIANS_UNIT), "gw1")):  # fmt: skip
        answers.append(
            await possessed_stage.client.post(
                f"/v1/readings/450200/{unit}/{gateway}",
                content=b"{}",
                headers={"Nenghao-Signature": "0" * 64},
            )
        )
    assert {each.status_code for each in answers} == {401}
    assert len({each.content for each in answers}) == 1


NESTED: Mapping[str, tuple[str, Any]] = {
    "/v1/production": ("items", {"product": "steel", "from": QIANS["from"], "to": QIANS["to"],
                                 "quantity": 1, "uom": "t"}),
    "/v1/corrections": ("corrections", {"meter": "E01", "time": "2026-11-01T08:00:00+08:00",
                                        "value": 2}),
}  # fmt: skip


@pytest.mark.parametrize("path", sorted(NESTED))
async def test_one_foreign_id_among_own_ones_is_a_missing_one_and_nothing_is_taken(
    stage: Stage, path: str
) -> None:
    await stage.pool.execute(
        """
        INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at)
        SELECT meter_id, '2026-11-01Z', 1, 'good', now() FROM meters
        """
    )
    keys = await test_access.hand_out(stage)
    name, fields = NESTED[path]
    answers = []
    for other in (cast.QIANS_UNIT, test_access.without(cast.QIANS_UNIT)):
        body = {"reason": "r", name: [{"unit": unit} | fields for unit in (cast.SUNS_UNIT, other)]}
        answers.append(await stage.ask(keys["another city"], path, method="POST", body=body))
    assert [each.status_code for each in answers] == [404, 404]
    assert told(answers[0]) == told(answers[1])
    assert await stage.pool.fetchval("SELECT count(*) FROM changes") == 0


def undeclared(routes: list[APIRoute]) -> set[str]:
    """Return the routes that no dependency gives a caller with a scope."""
    lending = {depends.authenticated, depends.knowing, depends.auditing}
    return {
        route.path
        for route in routes
        if not any(
            each.call in lending or getattr(each.call, "__qualname__", "").startswith("changing.")
            for each in route.dependant.dependencies
        )
    }


def test_a_route_that_declares_no_scope_is_found() -> None:
    routes = []
    for each in APP.routes:
        router = getattr(each, "original_router", None)
        routes += [r for r in (router.routes if router else [each]) if isinstance(r, APIRoute)]
    known = OPEN | SIGNED | STREAMED  # of the stream: tests/app/test_stream.py
    assert undeclared(routes) == {path for _, path in known} - {"/openapi.json", "/static"}
    router = APIRouter()

    @router.get("/v1/open")
    async def no_scope() -> int:
        return 1

    @router.get("/v1/scoped")
    async def scoped(caller: AuthenticatedCaller) -> int:
        return 1

    assert undeclared([r for r in router.routes if isinstance(r, APIRoute)]) == {"/v1/open"}
