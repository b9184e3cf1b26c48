"""Owns what is remembered of the registry between questions: answers that follow from it alone.

An answer is kept beside the stamp of the registry that it was made under, and given only to a
transaction that sees the same stamp: what is remembered is what would be read.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast
from uuid import UUID

T = TypeVar("T")

ROWS_MAX = 50_000
"""Of all that is remembered together: some 20 MB."""

ROWS_OF_ONE_MAX = 1_000
"""An answer of more is asked for anew: what is asked for often is short."""


class Memory:
    """The answers that were asked for last, of one process."""

    def __init__(self, rows_max: int = ROWS_MAX) -> None:
        self._rows_max = rows_max
        self._rows = 0
        self._stamp: UUID | None = None
        self._known: OrderedDict[Hashable, Sequence[object]] = OrderedDict()

    def find(self, stamp: UUID, question: Hashable) -> Sequence[object] | None:
        if stamp != self._stamp or question not in self._known:
            return None
        self._known.move_to_end(question)
        return self._known[question]

    def keep(self, stamp: UUID, question: Hashable, answer: Sequence[object]) -> None:
        """Remember an answer; all that was made under another stamp is forgotten."""
        if stamp != self._stamp:
            self._stamp, self._rows = stamp, 0
            self._known.clear()
        if len(answer) >= ROWS_OF_ONE_MAX or question in self._known:
            return
        self._known[question] = answer
        self._rows += _size(answer)
        while self._rows > self._rows_max:
            _, forgotten = self._known.popitem(last=False)
            self._rows -= _size(forgotten)


def _size(answer: Sequence[object]) -> int:
    return 1 + len(answer)


@dataclass(frozen=True, slots=True)
class Remembered:
    """The memory, and the stamp that one transaction sees. No memory: all is asked anew."""

    memory: Memory | None = None
    stamp: UUID | None = None

    async def of(
        self, question: Hashable, fetch: Callable[[], Awaitable[Sequence[T]]]
    ) -> Sequence[T]:
        """Return what `fetch` reads, which follows from `question` and the registry alone."""
        if self.memory is None or self.stamp is None:
            return await fetch()
        found = self.memory.find(self.stamp, question)
        if found is None:
            found = tuple(await fetch())
            self.memory.keep(self.stamp, question, found)
        return cast("Sequence[T]", found)

    async def one(self, question: Hashable, fetch: Callable[[], Awaitable[T]]) -> T:
        """Return what `fetch` reads, as `of`: a single thing, or None."""

        async def alone() -> Sequence[T]:
            return (await fetch(),)

        return (await self.of(question, alone))[0]


NOTHING = Remembered()
