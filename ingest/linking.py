"""Owns the links of a flush: its rows week by week, in order, each week vouched for by a link.

Verification then goes through readings as they lie in their chunks, one week at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

import db.links
from db import reading_rows
from db.links import ReadingLink
from db.reading_rows import Part
from energy import instants
from energy.ledger import Head

Week = tuple[int, list[bytes]]
"""Number of a week (`energy.instants`), and rows in it, sorted."""


def weeks(rows: Sequence[bytes], hours: Mapping[tuple[int, int], set[int]]) -> list[Week]:
    """Return `rows` by week. `hours` are those that hold all of them, by meter.

    Most flushes lie in one week, and then no row is looked at but by the sort: 70 ns each, for
    they come in runs.
    """
    if not rows:
        return []
    first = instants.week(min(map(min, hours.values())) * instants.HOUR)
    if first == instants.week(max(map(max, hours.values())) * instants.HOUR):
        return [(first, sorted(rows))]
    return by_week(rows)


def by_week(rows: Sequence[bytes]) -> list[Week]:
    found: dict[int, list[bytes]] = {}
    for row in rows:
        found.setdefault(reading_rows.week(row), []).append(row)
    return [(week, sorted(some)) for week, some in sorted(found.items())]


class Linker:
    """Makes the links of one try to store a flush, each next after the one before."""

    def __init__(
        self, chain: str, head: Head, link_ids: Iterator[int], stored_at: datetime
    ) -> None:
        self._chain = chain
        self._head = head
        self._link_ids = link_ids
        self._stored_at = stored_at
        self.links: list[ReadingLink] = []

    def bodies(self, found: Sequence[Week]) -> Iterator[bytes]:
        """Yield the bytes to store, week by week; the links that vouch for them are made.

        A body is hashed when the next one is asked for: then the database has work meanwhile.
        """
        for week, rows in found:
            part = Part(next(self._link_ids), week, rows)
            body = part.body()
            yield body
            self._follow(part, body)

    def ids(self, found: Sequence[Week]) -> dict[int, int]:
        """Return a link id for each week."""
        return {week: next(self._link_ids) for week, _ in found}

    def link(self, ids: Mapping[int, int], rows: Sequence[bytes], new: Collection[int]) -> None:
        """Make the links of those `rows` whose ordinals are `new`, under the `ids` of weeks."""
        for week, some in by_week([rows[ordinal] for ordinal in new]):
            part = Part(ids[week], week, some)
            self._follow(part, part.body())

    def _follow(self, part: Part, body: bytes) -> None:
        link = db.links.follow(self._chain, self._head, self._stored_at, part, body)
        self.links.append(link)
        self._head = link.head
