"""Owns days in force: what holds from a day until before another, or until further notice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Protocol, TypeVar


class Dated(Protocol):
    """Something that holds from `valid_from` until before `valid_to`; None: it has no end yet."""

    @property
    def valid_from(self) -> date: ...
    @property
    def valid_to(self) -> date | None: ...


@dataclass(frozen=True, slots=True)
class Days:
    """The days from `valid_from` until before `valid_to`; None: without end."""

    valid_from: date
    valid_to: date | None


D = TypeVar("D", bound=Dated)


def holds_on(dated: Dated, day: date) -> bool:
    """Return whether `dated` is in force on `day`: its first day is, its `valid_to` is not.

    >>> march = Days(date(2026, 3, 1), date(2026, 4, 1))
    >>> [holds_on(march, date(2026, month, 1)) for month in (3, 4)]
    [True, False]
    """
    return dated.valid_from <= day < _end(dated)


def first_overlap(rows: Iterable[D]) -> tuple[D, D] | None:
    """Return two of `rows` that hold on one same day, the earlier first; None: there are none.

    >>> first_overlap([Days(date(2025, 1, 1), date(2026, 1, 1)), Days(date(2026, 1, 1), None)])
    """
    for earlier, later in pairwise(sorted(rows, key=lambda row: row.valid_from)):
        if later.valid_from < _end(earlier):
            return earlier, later
    return None


def changed_days(old: Dated | None, new: Dated | None, *, same_meaning: bool) -> list[Days]:
    """Return the days on which something else holds after `old` became `new`.

    `same_meaning`: the two say the same, so only days that one of them has matter.

    >>> open_ended, ended = Days(date(2026, 1, 1), None), Days(date(2026, 1, 1), date(2027, 1, 1))
    >>> changed_days(open_ended, ended, same_meaning=True)
    [Days(valid_from=datetime.date(2027, 1, 1), valid_to=None)]
    """
    there = [each for each in (old, new) if each is not None]
    if len(there) < 2 or not same_meaning or first_overlap(there) is None:
        return [Days(each.valid_from, each.valid_to) for each in there]
    starts = sorted(each.valid_from for each in there)
    ends = sorted(_end(each) for each in there)
    return [
        Days(first, None if last == date.max else last)
        for first, last in (starts, ends)
        if first < last
    ]


def _end(dated: Dated) -> date:
    return date.max if dated.valid_to is None else dated.valid_to
