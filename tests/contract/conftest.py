"""A server process of its own, on a database of its own in which a cement works has its books."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

import db.admin
import db.pool
from deploy import processes
from deploy.services import Services
from tests.contract import works
from tests.contract.works import Keys

ROOT = Path(__file__).parent.parent.parent
FILLED = "nenghao_works"
STARTED_WITHIN_S = 30
AS_OFTEN_AS_THEY_LIKE = {
    f"NENGHAO_{what}_PER_MINUTE": "1000000000" for what in ("REQUESTS", "UPLOADS", "REFUSALS")
}
"""Who sends thousands of requests is meant to get their answers here."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that answers, the database behind it, who may ask, and what it logged."""

    url: str
    database_url: str
    keys: Keys
    log: Path


@pytest.fixture(scope="session")
async def keys(
    services: Services, template_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Keys:
    """Fill the database of which the servers get copies; return the keys to it."""
    template = db.admin.database_of(template_url)
    url = db.admin.recreate(services.database_url, FILLED, template=template)
    async with await db.pool.create_pool(url) as pool:
        return await works.enter(pool, tmp_path_factory.mktemp("works"))


@contextmanager
def served(services: Services, keys: Keys, name: str, folder: Path) -> Iterator[Served]:
    """Lend a server process on a copy of the filled database."""
    url = db.admin.recreate(services.database_url, f"nenghao_{name}", template=FILLED)
    port = processes.free_port(None)
    log = folder / f"{name}.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.contract.server", url, str(port)],
            cwd=ROOT,
            env={**os.environ, **AS_OFTEN_AS_THEY_LIKE},
            stdout=said,
            stderr=said,
        )
    address = f"http://{processes.ADDRESS}:{port}"
    try:
        _wait(address, process, log)
        yield Served(address, url, keys, log)
    finally:
        process.terminate()
        process.wait(20)
    db.admin.drop(services.database_url, db.admin.database_of(url))


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + STARTED_WITHIN_S
    while True:
        try:
            if httpx.get(f"{address}/readyz").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        assert process.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < until, log.read_text(encoding="utf-8")
        time.sleep(0.05)


@pytest.fixture(scope="module")
def server(
    services: Services,
    keys: Keys,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """The server of the tests of one module."""
    name = request.module.__name__.rpartition("test_")[2]
    with served(services, keys, name, tmp_path_factory.mktemp(name)) as lent:
        yield lent
