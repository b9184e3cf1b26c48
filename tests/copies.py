"""Copies of a migrated database, made ahead of the tests that take them and dropped behind them.

Making and dropping one waits for the disk, so a thread does it while the tests go on.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import uuid4

import db.admin

AHEAD = 2


class Copies:
    """Copies of `template` on the server of `url`, each for one test."""

    def __init__(self, url: str, template: str) -> None:
        self._url = url
        self._template = template
        self._thread = ThreadPoolExecutor(1, "copies")
        self._ahead: deque[Future[str]] = deque()
        self._dropped: list[Future[None]] = []

    def take(self) -> str:
        """Return the URL of a copy that nobody has used."""
        while len(self._ahead) <= AHEAD:
            self._ahead.append(self._thread.submit(self._make))
        return self._ahead.popleft().result()

    def give_back(self, url: str) -> None:
        self._dropped.append(self._thread.submit(self._drop, url))

    def close(self) -> None:
        """Drop what is left. Raises what went wrong behind the tests."""
        while self._ahead:
            self.give_back(self._ahead.popleft().result())
        self._thread.shutdown()
        for each in self._dropped:
            each.result()

    def _make(self) -> str:
        name = f"test_{uuid4().hex[:12]}"
        return db.admin.recreate(self._url, name, template=self._template)

    def _drop(self, url: str) -> None:
        db.admin.drop(self._url, db.admin.database_of(url))
