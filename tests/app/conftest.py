"""The HTTP interface on a real database, spoken to as the cast would."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

import db.admin
import db.logins
import db.pool
from app.main import PATIENCE, create_app
from app.state import Clock
from app.uploads import Patience
from db.pool import Pool
from deploy.services import Services
from energy.factors import Unverified
from settings import Settings
from tests import cast
from tests.app import possessions
from tests.app.books import filled
from tests.cast import Cast
from tests.ingest.conftest import Plant

POSSESSED = "nenghao_possessed"
UNBOUNDED = 1_000_000_000
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stage:
    """The interface, its database, and the cast. The time is NOW."""

    client: httpx.AsyncClient
    pool: Pool
    cast: Cast
    app: ASGIApp
    views: Pool
    state: Mapping[str, Any]

    async def get(self, name: str, path: str, **query: str | int) -> httpx.Response:
        """Return the answer to `name`; `from_` stands for the parameter from."""
        key = self.cast.key(name)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        params = {parameter.rstrip("_"): str(value) for parameter, value in query.items()}
        return await self.client.get(path, params=params, headers=headers)

    async def ask(
        self,
        key: str | None,
        path: str,
        *,
        method: str = "GET",
        query: Mapping[str, str] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Return the answer to whoever holds `key`."""
        sent = dict(headers or {}) | ({"Authorization": f"Bearer {key}"} if key else {})
        return await self.client.request(method, path, params=query, json=body, headers=sent)

    async def items(self, name: str, path: str, **query: str | int) -> list[dict[str, Any]]:
        """Return the items of an answer that must be 200."""
        answer = await self.get(name, path, **query)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def code(self, name: str, path: str, **query: str | int) -> tuple[int, str]:
        """Return (status, code) of a problem."""
        answer = await self.get(name, path, **query)
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        problem = answer.json()
        assert problem["status"] == answer.status_code
        return answer.status_code, problem["code"]


@asynccontextmanager
async def staged(
    url: str,
    timeout_s: float = 10,
    *,
    unverified: Unverified = Unverified.NOTE,
    patience: Patience = PATIENCE,
    settings: Settings | None = None,
    clock: Clock = lambda: NOW,
    people: Cast | None = None,
) -> AsyncIterator[Stage]:
    usual = settings or Settings(
        database_timeout_s=timeout_s,
        unverified_factors=unverified,
        requests_per_minute=UNBOUNDED,
        uploads_per_minute=UNBOUNDED,
        refusals_per_minute=UNBOUNDED,
    )
    # The pool is the test's own too, and writes what no service may: tests/app/test_grants.py.
    owned = usual.model_copy(update={"service_database_url": SecretStr(url)})
    app = create_app(owned, url, clock=clock, patience=patience)
    async with app.router.lifespan_context(app) as state:
        assert state is not None

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        transport = httpx.ASGITransport(with_state)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            pool: Pool = state["pool"]
            if people is None:
                async with pool.acquire() as connection:
                    people = await cast.enter(connection)
            yield Stage(client, pool, people, with_state, state["views"], state)


@pytest.fixture
async def stage(database_url: str) -> AsyncIterator[Stage]:
    """A stage of the test's own: it may write."""
    async with staged(database_url) as made:
        yield made


@pytest.fixture(scope="session")
async def shown_stage(services: Services, template_url: str) -> AsyncIterator[Stage]:
    """A stage for tests that only read."""
    template = template_url.rsplit("/", 1)[-1]
    url = db.admin.recreate(services.database_url, "nenghao_stage", template=template)
    async with staged(url) as made:
        yield made


@pytest.fixture
async def books(pool: Pool) -> Plant:
    """Two collectors have stored three weeks of readings, people have stated facts."""
    return await filled(pool)


@pytest.fixture(scope="session")
async def possessed_stage(services: Services, template_url: str) -> AsyncIterator[Stage]:
    """A stage for tests that only read, where Qian's unit has a row in everything."""
    template = template_url.rsplit("/", 1)[-1]
    url = db.admin.recreate(services.database_url, POSSESSED, template=template)
    async with staged(url) as made:
        async with made.pool.acquire() as connection:
            await possessions.enter(connection)
        yield made


@pytest.fixture(scope="session")
def possessed_url(services: Services, possessed_stage: Stage) -> str:
    return db.admin.with_database(services.database_url, POSSESSED)


@pytest.fixture(scope="session")
async def views(possessed_url: str) -> AsyncIterator[Pool]:
    """Connections of the login that only looks."""
    url = db.logins.derived(possessed_url)
    async with await db.pool.create_view_pool(url, timeout_s=10, application="test") as pool:
        yield pool
