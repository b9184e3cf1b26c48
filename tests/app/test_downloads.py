"""Files that nobody takes fill no disk, whoever asks for them and however slowly they are read."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack

import pytest
from starlette.types import Message, Scope

from app.downloads import Bounds, Downloads
from app.errors import ApiError
from tests import cast
from tests.app.conftest import Stage

DAY = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z"}
READINGS = {"unit": cast.QIANS_UNIT, "meter": "E01", "format": "csv", **DAY}
BOUNDS = Bounds(files_per_holder=2, files=3, bytes_per_holder=10, bytes=15)


@pytest.mark.parametrize(
    ("held", "holder", "size", "refused"),
    [
        ({}, "li", 10, None),
        ({}, "li", 11, "too_many_files"),
        ({"li": [5, 5]}, "li", 0, "too_many_files"),
        ({"li": [6]}, "li", 5, "too_many_files"),
        ({"li": [6]}, "qian", 9, None),
        ({"li": [6]}, "qian", 10, "busy"),
        ({"li": [0, 0], "qian": [0]}, "sun", 0, "busy"),
    ],
)
def test_each_holder_and_all_together_have_room_for_so_much(
    held: dict[str, list[int]], holder: str, size: int, refused: str | None
) -> None:
    downloads = Downloads(BOUNDS)
    code = None
    with ExitStack() as taking:
        for each, sizes in held.items():
            for one in sizes:
                downloads.keep(taking.enter_context(downloads.placed(each)), one)
        try:
            downloads.keep(taking.enter_context(downloads.placed(holder)), size)
        except ApiError as error:
            code = error.code
    assert code == refused
    with downloads.placed(holder) as place:
        downloads.keep(place, 10)  # all the others were taken


class Reader:
    """Asks for a file, and takes the first byte of it when it is let."""

    def __init__(self, stage: Stage, path: str, query: str) -> None:
        self.began, self.may_take = asyncio.Event(), asyncio.Event()
        key = f"Bearer {stage.cast.li}".encode()
        scope: Scope = {
            "type": "http", "method": "GET", "path": path, "query_string": query.encode(),
            "headers": [(b"authorization", key)], "client": ("127.0.0.1", 1),
            "http_version": "1.1", "scheme": "http", "server": ("test", 80), "root_path": "",
        }  # fmt: skip
        self.task = asyncio.create_task(self._ask(stage, scope))

    async def _ask(self, stage: Stage, scope: Scope) -> None:
        await stage.app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        await self.may_take.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            self.began.set()
            await self.may_take.wait()


def unnamed_files() -> int:
    """Return how many files this process has open that have no name."""
    links = []
    for each in os.scandir("/proc/self/fd"):
        try:
            links.append(os.readlink(each.path))
        except FileNotFoundError:
            continue  # that of the listing itself
    return sum(link.startswith("/") and link.endswith("(deleted)") for link in links)


async def test_who_takes_none_of_their_files_is_given_no_more(stage: Stage) -> None:
    query = "&".join(f"{name}={value}" for name, value in READINGS.items())
    before, most = unnamed_files(), Bounds().files_per_holder
    readers = [Reader(stage, "/v1/readings", query) for _ in range(most)]
    async with asyncio.timeout(10):
        for reader in readers:
            await reader.began.wait()
    assert unnamed_files() == before + most
    assert await stage.code("li", "/v1/readings", **READINGS) == (429, "too_many_files")
    assert (await stage.get("qian", "/v1/readings", **READINGS)).status_code == 200
    for reader in readers:
        reader.may_take.set()
    await asyncio.gather(*(reader.task for reader in readers))
    assert unnamed_files() == before
    assert (await stage.get("li", "/v1/readings", **READINGS)).status_code == 200
