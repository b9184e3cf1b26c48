"""Real services for every test: they are set up on first use and stopped at the end of the run.

Nothing needs to be started by hand; `make test` and plain `pytest` do the same. A service that
cannot be started fails the run and says what to install.
"""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from hypothesis import settings

import db.admin
import db.migrate
import db.pool
from db.pool import Connection, Pool
from deploy import services as local_services
from deploy.services import Services
from tests.copies import Copies
from tests.held import Held

STATE_DIR = Path(__file__).parent.parent / "var"
INSTANCE = os.environ.get("TEST_INSTANCE", "test")
"""Two runs at once have services of their own: tests/run.py."""

TEMPLATE = "nenghao_template"

gc.set_threshold(50_000, 20, 100)
"""What lives as long as the run is not looked through all the time."""

settings.register_profile("nenghao", max_examples=1000, deadline=None)
settings.load_profile("nenghao")  # the bar of property tests; fewer only where each one is slow


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """A database server and a broker of the test run's own."""
    yield local_services.up(STATE_DIR, report=print, instance=INSTANCE)
    local_services.down(STATE_DIR, report=print, instance=INSTANCE)


@pytest.fixture(scope="session")
def template_url(services: Services) -> str:
    """The URL of a migrated database that nobody connects to: others are copies of it."""
    url = db.admin.recreate(services.database_url, TEMPLATE)
    db.migrate.upgrade(url)
    return url


@pytest.fixture(scope="session")
def copies(services: Services, template_url: str) -> Iterator[Copies]:
    made = Copies(services.database_url, TEMPLATE)
    yield made
    made.close()


@pytest.fixture
def database_url(copies: Copies, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a fresh migrated database, for tests with several connections.

    What the test wrote through the platform must hold at its end: tests/held.py.
    """
    url = copies.take(is_new=request.node.get_closest_marker("new_database") is not None)
    yield url
    try:
        Held.of(request).check_database(url)
    finally:
        copies.give_back(url)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    created = await db.pool.create_pool(database_url)
    yield created
    await created.close()


@pytest.fixture(scope="session")
def shared_database_url(services: Services, template_url: str) -> str:
    return db.admin.recreate(services.database_url, "nenghao_shared", template=TEMPLATE)


@pytest.fixture
async def connection(
    shared_database_url: str, request: pytest.FixtureRequest
) -> AsyncIterator[Connection]:
    """A connection inside a transaction that is rolled back, once all in it holds."""
    opened = await asyncpg.connect(shared_database_url, server_settings={"timezone": "UTC"})
    transaction = opened.transaction()
    await transaction.start()
    yield opened
    try:
        await Held.of(request).check_connection(opened)
    finally:
        await transaction.rollback()
        await opened.close()
