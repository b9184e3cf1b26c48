"""Owns the rows of the consumption query: what was used beside what was due, bucket by bucket.

A row appears for each bucket and group in which a meter is installed, also when nothing came in:
then its energy is unknown and its coverage 0. Nothing is said of the future.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import app.sums
import db.area_sums
import db.consumption
from app.depends import Caller
from app.errors import ApiError, InvalidParameter
from db.consumption import Group, Key, Meters, Selection, Sum
from db.scope import Scope
from energy import periods, roles
from energy.coverage import Calendar, Due
from energy.periods import Span, Step
from energy.roles import Role

ROWS_MAX = 50_000
BUCKETS_MAX = 10_000
DIVISION_LENGTH = 3
"""Of an industry division of GB/T 4754, as in C31: what areas are divided by."""


@dataclass(frozen=True, slots=True)
class Line:
    """One bucket of one group. `used` None: nothing is known; `coverage` None: nothing was due."""

    bucket: Span
    key: Key
    meters: Meters | None
    used: Sum | None
    coverage: float | None


def buckets(span: Span, step: Step, now: datetime) -> list[Span]:
    """Return the whole buckets that `span` touches and that have begun."""
    starts = list(islice(periods.buckets(span, step), BUCKETS_MAX + 1))
    if len(starts) > BUCKETS_MAX:
        raise InvalidParameter(
            "to", f"is more than {BUCKETS_MAX:,} buckets after from; use a coarser bucket"
        )
    return [Span(start, periods.following(start, step)) for start in starts if start < now]


async def lines(
    caller: Caller,
    selection: Selection,
    within: Sequence[Span],
    *,
    may_trail: bool = False,
    of_days: bool = False,
) -> list[Line]:
    """Return the answer to `selection`, whose span is that of the buckets `within`.

    `of_days`: they are spans of some days each, and the buckets of `selection` are days.
    `may_trail`: sums of areas will do. They trail their units until settlement has added them up,
    so they are not for answers that set them beside figures of units or meters. As known on a day
    units answer: their sums were just made.
    """
    groups = await owing(caller, selection)
    read = sum((each.ends_at - each.starts_at).days for each in within) if of_days else len(within)
    refuse_beyond(len({group.key for group in groups}), read)
    if may_trail and caller.known_at is None and is_of_areas(selection, caller.scope):
        sums = await _of_areas(caller, selection)
    else:
        sums = await db.consumption.list_sums(caller.connection, caller.scope, selection)
    if of_days:
        sums = app.sums.within(sums, within)
    return merged(within, groups, sums, caller.now)


async def _of_areas(caller: Caller, selection: Selection) -> list[Sum]:
    sums = await db.area_sums.list_unexplained_sums(caller.connection, caller.scope, selection)
    if not any(one.unvalued for one in sums):
        return sums
    return await db.area_sums.list_sums(caller.connection, caller.scope, selection)


async def owing(caller: Caller, selection: Selection) -> Sequence[Meters]:
    """Return the meters that owe readings before the end of the span, by group."""
    seen, counting = caller.scope, counted(selection)
    return await caller.remembered.of(
        ("meters", seen, *db.consumption.asked_of_meters(selection, counting)),
        lambda: db.consumption.list_meters(caller.connection, seen, selection, roles=counting),
    )


def refuse_beyond(groups: int, buckets: int) -> None:
    if groups * buckets > ROWS_MAX:
        raise ApiError(
            "too_many_rows",
            f"{buckets:,} buckets of {groups:,} groups may be {groups * buckets:,} rows; "
            f"at most {ROWS_MAX:,} are answered. Use a coarser bucket, a shorter span, "
            f"fewer groups or a filter.",
        )


def is_of_areas(selection: Selection, scope: Scope) -> bool:
    """Whether areas can tell: they are of all units of a county and an industry division."""
    is_of_units = selection.groups & {Group.UNIT, Group.METER} or selection.unit or scope.unit
    return not is_of_units and len(selection.industry) <= DIVISION_LENGTH


def counted(selection: Selection) -> Sequence[str]:
    """Return the roles of the meters that an answer counts: single meters are all shown."""
    return tuple(Role) if Group.METER in selection.groups else roles.COUNTING


def merged(
    within: Sequence[Span], groups: Sequence[Meters], sums: Sequence[Sum], now: datetime
) -> list[Line]:
    """Return one line for each bucket and group that owes readings or has used something."""
    calendar = Calendar(within, now)
    due: dict[Key, Due] = {}
    named: dict[Key, Meters] = {}
    for group in groups:
        named.setdefault(group.key, group)
        due.setdefault(group.key, Due(calendar)).add(
            group.kind, group.interval_s, group.due_from, group.meters, ends_at=group.due_to
        )
    used = {(one.starts_at, one.key): one for one in sums}
    result = []
    for key in sorted({*due, *(one.key for one in sums)}, key=_order):
        counts = due[key].counts() if key in due else [0] * len(within)
        first = due[key].first if key in due else len(within)
        for index, bucket in enumerate(within):
            one = used.get((bucket.starts_at, key))
            if index >= first or (one is not None and says_something(one)):
                coverage = _coverage(one, counts[index])
                result.append(Line(bucket, key, named.get(key), one, coverage))
    return sorted(result, key=lambda line: line.bucket.starts_at)


def says_something(one: Sum) -> bool:
    """A register's very first reading closes an hour in which nothing is known yet."""
    return one.quantity is not None or one.held


def estimated_share(one: Sum | None) -> float | None:
    """Return the share of estimated energy; of quantity where there is no factor. [0–1]

    None: nothing is known. Quantities of several carriers without factors do not add up.
    """
    if one is None:
        return None
    if one.absolute_tce is not None:
        return _share(one.estimated_tce, one.absolute_tce)
    if one.absolute_quantity is not None and len(one.left_out) <= 1:
        return _share(one.estimated_quantity, one.absolute_quantity)
    return None


def _share(part: float | None, whole: float) -> float:
    return 0.0 if whole == 0 or part is None else min(1.0, part / whole)


def _coverage(one: Sum | None, due: int) -> float | None:
    if due == 0:
        return None
    return 0.0 if one is None else min(1.0, one.readings_present / due)


def _order(key: Key) -> tuple[str, ...]:
    return tuple(part or "" for part in key)
