"""Owns the copy of the audit log that another host keeps: one line of JSON for each link, in order.

Each line has the hash of the link before it and its own, so that a copy proves itself without the
database, from any line on; and the log cannot be cut, changed or put back without parting from it.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import BinaryIO

import db.audit
from app.resolve import Refusal
from db.audit import Entry
from db.pool import Pool
from energy import ledger
from energy.ledger import GENESIS, Break, Head, Link
from ingest import audit_chain

NAMES = ("number", "entry_id", "noted_at", *(each.name for each in fields(Entry)))
"""What a link vouches for, in order."""

LINKS_A_TIME = 1_000
LINE_BYTES_MAX = 1024 * 1024

CHANGED = (
    "the log does not continue the copy: {} Somebody cut or changed it, or the database was "
    "restored. Keep the copy, run `nenghao verify`, and begin another file"
)


def line(link: Link, previous: bytes) -> str:
    """Return the line of a link that follows `previous`."""
    told = dict(zip(NAMES, json.loads(link.content), strict=True))
    told |= {"previous": previous.hex(), "sha256": link.digest.hex()}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def parse(text: bytes) -> tuple[Link, bytes]:
    """Return the link of a line, and the hash of the one before. Raises ValueError.

    >>> link = Link(1, ledger.canonical([1, *range(16)]), b"1" * 32)
    >>> parse(line(link, GENESIS).encode()) == (link, GENESIS)
    True
    """
    try:
        told = json.loads(text)
        content = ledger.canonical([told[name] for name in NAMES])
        link = Link(told["number"], content, bytes.fromhex(told["sha256"]))
        return link, bytes.fromhex(told["previous"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("is no line of a copy of the audit log") from error


@dataclass(slots=True)
class Checked:
    """What a copy holds: its first link, its newest, and where it breaks, if it does."""

    first: int = 0
    entries: int = 0
    head: Head = field(default_factory=Head)
    fault: str | None = None


def check(lines: Iterable[bytes]) -> Checked:
    """Return what a copy proves by itself: that its lines follow from one another."""
    found = Checked()
    previous = GENESIS
    for place, text in enumerate(lines, start=1):
        try:
            link, before = parse(text)
        except ValueError as error:
            found.fault = f"line {place} {error}"
            return found
        if found.entries == 0:
            found.first, previous = link.number, before
        broken = ledger.first_break([link], previous, found.first + found.entries - 1)
        if broken is not None:
            found.fault = f"line {place}: {broken.fault}"
            return found
        found.entries += 1
        previous = link.digest
        found.head = Head(link.number, link.digest)
    return found


async def turns(pool: Pool, head: Head) -> AsyncGenerator[list[str], None]:
    """Yield the lines after `head` some at a time, and nothing whenever there are none yet.

    Entries that wait for their links get them here, too, so that a copy needs no `settle`. Raises
    Refusal where the log does not follow from what was read before.
    """
    while True:
        async with pool.acquire() as connection:
            await audit_chain.link_some(connection)
            links = await db.audit.list_links(connection, after=head.number, limit=LINKS_A_TIME)
        broken = ledger.first_break(links, head.digest, head.number)
        good = links if broken is None else links[: broken.number - head.number - 1]
        if good or broken is None:
            yield list(_lines(good, head.digest))
        if broken is not None:
            raise Refusal(_parted(broken))
        if links:
            head = Head(links[-1].number, links[-1].digest)


def _lines(links: Sequence[Link], previous: bytes) -> Iterator[str]:
    for link in links:
        yield line(link, previous)
        previous = link.digest


def _parted(broken: Break) -> str:
    return CHANGED.format(f"{broken.fault}.")


async def beginning(pool: Pool, after: int, copied: Head | None) -> Head:
    """Return the link to go on after: the newest of the copy, or that of a number; 0: the first.

    Where old entries were removed the log begins after them.
    """
    number = after if copied is None else copied.number
    async with pool.acquire() as connection:
        if number == 0:
            removal = await db.audit.fetch_removal(connection)
            return Head() if removal is None else removal.head
        head = await db.audit.fetch_link(connection, number)
    if copied is not None and head != copied:
        raise Refusal(CHANGED.format(f"link {number} is another one, or gone."))
    if head is None:
        raise Refusal(f"there is no link {number}: leave --after out to begin with the first")
    return head


class CopyFile:
    """A copy in a file that one process at a time appends to; a line cut short is taken off."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise Refusal(f"another `nenghao audit follow` writes into {path}") from error
        self._file.truncate(self._whole())

    def _whole(self) -> int:
        """Return where the last whole line ends."""
        size = self._file.seek(0, io.SEEK_END)
        start = max(0, size - LINE_BYTES_MAX)
        self._file.seek(start)
        return start + self._file.read().rfind(b"\n") + 1

    def head(self) -> Head | None:
        """Return the newest link in it; None: there is none yet."""
        size = self._file.seek(0, io.SEEK_END)
        self._file.seek(max(0, size - LINE_BYTES_MAX))
        lines = self._file.read().splitlines()
        if not lines:
            return None
        try:
            link, _ = parse(lines[-1])
        except ValueError as error:
            raise Refusal(f"the last line of {self._path} {error}: name another file") from error
        return Head(link.number, link.digest)

    def add(self, lines: Sequence[str]) -> None:
        """Append lines, and return once they are on the disk."""
        self._file.write("".join(f"{each}\n" for each in lines).encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()
