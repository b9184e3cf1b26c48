"""Owns the files that wait on the disk of `serve` for their readers: how many, and how large.

A file has its place from before it is written until its answer ended, however it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from starlette.types import Scope

from app import guard
from app.errors import TooManyOpen, Unavailable

PLACE = "nenghao.place"
MIB = 2**20
FULL = (
    "The files that others are taking fill what this process has room for. Try again later, or "
    "ask for a shorter span."
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait for its readers, of one holder of a key and of all in a process."""

    files_per_holder: int = 5
    files: int = 100
    bytes_per_holder: int = 256 * MIB
    bytes: int = 2_048 * MIB


@dataclass(slots=True, eq=False)
class Place:
    """The place of a file. [bytes], 0 until it is whole"""

    holder: str
    size: int = 0


class Downloads:
    """The places of a process. Of what is being written only the number of files is known."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._places: set[Place] = set()

    @contextmanager
    def placed(self, holder: str) -> Iterator[Place]:
        """Give a file a place meanwhile. Raises TooManyOpen or Unavailable."""
        bounds, place = self._bounds, Place(holder)
        if len(self._of(holder)) >= bounds.files_per_holder:
            raise _too_many(f"{bounds.files_per_holder} files")
        if len(self._places) >= bounds.files:
            raise Unavailable("busy", FULL)
        self._places.add(place)
        try:
            yield place
        finally:
            self._places.discard(place)

    def keep(self, place: Place, size: int) -> None:
        """Let a whole file of `size` wait for its reader. Raises TooManyOpen or Unavailable."""
        bounds = self._bounds
        if sum(each.size for each in self._of(place.holder)) + size > bounds.bytes_per_holder:
            raise _too_many(f"files of {bounds.bytes_per_holder // MIB} MiB")
        if sum(each.size for each in self._places) + size > bounds.bytes:
            raise Unavailable("busy", FULL)
        place.size = size

    def _of(self, holder: str) -> list[Place]:
        return [each for each in self._places if each.holder == holder]


def _too_many(held: str) -> TooManyOpen:
    return TooManyOpen(
        "too_many_files",
        f"More than {held} would wait for this key to take them. Take those first, or close their "
        "connections, or ask for a shorter span.",
    )


def give_place(scope: Scope, downloads: Downloads, holder: str) -> None:
    """Give the file that a request asks for a place until its answer has ended."""
    scope[PLACE] = guard.kept(scope).enter_context(downloads.placed(holder))


def keep(scope: Scope, size: int) -> None:
    """Let the file that a request asked for wait for its reader, now that it is whole."""
    downloads: Downloads = scope["state"]["downloads"]
    downloads.keep(cast("Place", scope[PLACE]), size)
