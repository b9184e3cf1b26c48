"""What an answer as known on a day cannot give is refused with what to do instead."""

from __future__ import annotations

import asyncio

from tests.app.conftest import Stage
from tests.app.later import CALLS, THEN
from tests.app.later import works as works


async def test_too_much_is_refused_with_how_to_narrow_it(works: Stage) -> None:
    await works.pool.execute("UPDATE meters SET interval_s = 1")
    span = {"from_": "2025-01-01T00:00:00+08:00", "to": "2026-01-01T00:00:00+08:00"}
    answer = await works.get(
        "zhao", "/v1/consumption", **span, bucket="month", as_known_on="2025-06-01T00:00:00+08:00"
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_rows")
    assert "a smaller region, or for a shorter span" in answer.json()["detail"]


async def test_a_copy_of_the_database_says_that_it_is_one(works: Stage) -> None:
    name = await works.pool.fetchval("SELECT current_database()")
    await works.pool.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await works.pool.expire_connections()
    refused = await works.code("li", "/v1/factors", as_known_on=THEN)
    assert refused == (503, "earlier_days_unavailable")
    assert (await works.get("li", "/v1/factors")).status_code == 200
    async with works.pool.acquire() as connection:
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")


async def test_more_at_once_than_the_platform_bears_is_refused(works: Stage) -> None:
    calls = [works.get("li", "/v1/factors", as_known_on=THEN) for _ in range(4)]
    statuses = sorted([answer.status_code for answer in await asyncio.gather(*calls)])
    assert statuses == [200, 200, 503, 503]


async def test_a_call_that_knows_only_today_names_those_that_know_more(works: Stage) -> None:
    answer = await works.get("qian", "/v1/quality", period="2026-11", as_known_on=THEN)
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_parameter")
    named = answer.json()["detail"]
    assert all(path in named for _, path, _ in CALLS.values())
    assert "/v1/quality," not in named
