"""Copies of a migrated database, made or put back ahead of the tests that take them.

Both wait for the disk, so a thread does it while the tests go on.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from uuid import uuid4

import psycopg

import db.admin
from tests.pristine import Pristine

AHEAD = 3
USES_MAX = 40
"""What is emptied row by row grows: it is dropped after so many tests."""


class Copies:
    """Copies of `template` on the server of `url`, each for one test at a time."""

    def __init__(self, url: str, template: str) -> None:
        self._url = url
        self._template = template
        self._pristine = Pristine.of(db.admin.with_database(url, template))
        self._thread = ThreadPoolExecutor(1, "copies")
        self._ahead = SimpleQueue[Future[str]]()
        self._uses = Counter[str]()
        for _ in range(AHEAD):
            self._ahead.put(self._thread.submit(self._make))

    def take(self, *, is_new: bool = False) -> str:
        """Return the URL of a copy that is as the template is; `is_new`: that nobody used."""
        ready = self._thread.submit(self._make) if is_new else self._ahead.get()
        return ready.result()

    def give_back(self, url: str) -> None:
        self._ahead.put(self._thread.submit(self._renew, url))

    def close(self) -> None:
        """Drop what is left. Raises what went wrong behind the tests."""
        while not self._ahead.empty():
            self._drop(self.take())
        self._thread.shutdown()

    def _renew(self, url: str) -> str:
        self._uses[url] += 1
        if self._uses[url] < USES_MAX and self._is_put_back(url):
            return url
        self._drop(url)
        return self._make()

    def _is_put_back(self, url: str) -> bool:
        try:
            return self._pristine.put_back(url)
        except psycopg.Error:  # the test did away with it, or with what it is made of
            return False

    def _make(self) -> str:
        name = f"test_{uuid4().hex[:12]}"
        return db.admin.recreate(self._url, name, template=self._template)

    def _drop(self, url: str) -> None:
        db.admin.drop(self._url, db.admin.database_of(url))
