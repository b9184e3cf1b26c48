"""Owns what happens after factors change: what was valued with them is marked to be settled anew.

By meter, from its first reading to its last within the days on which something else holds now.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

import db.factors
from db.pool import Connection
from energy import periods
from energy.periods import LOCAL, Span
from energy.validity import Days

METERS_AT_ONCE = 1_000
"""Meters that one statement marks: each costs a look at its first and its last reading."""

FAR_AWAY = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Affected:
    """Days on which a carrier has another factor; `unit` None: for everyone."""

    carrier: str
    unit: str | None
    days: Days


async def mark(connection: Connection, affected: Iterable[Affected]) -> int:
    """Mark what is affected as stale; return how many ranges. In the transaction of the change."""
    spans: dict[tuple[str, str | None], list[Span]] = {}
    for each in affected:
        spans.setdefault((each.carrier, each.unit), []).append(_span(each.days))
    marked = 0
    for (carrier, unit), of_carrier in spans.items():
        for span in periods.merged(of_carrier):
            marked += await _mark_span(connection, carrier, unit, span)
    return marked


async def _mark_span(connection: Connection, carrier: str, unit: str | None, span: Span) -> int:
    ends_at = None if span.ends_at == FAR_AWAY else span.ends_at
    marked, last = 0, 0
    while meter_ids := await db.factors.list_meter_ids(
        connection, carrier, unit, after=last, limit=METERS_AT_ONCE
    ):
        marked += await db.factors.mark_stale(connection, meter_ids, span.starts_at, ends_at)
        last = meter_ids[-1]
    return marked


def _span(days: Days) -> Span:
    """Return the days as a span of time: they are those of Asia/Shanghai."""
    ends_at = FAR_AWAY if days.valid_to is None else _midnight(days.valid_to)
    return Span(_midnight(days.valid_from), ends_at)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=LOCAL).astimezone(UTC)
