"""Owns what a verdict on the connection of a unit is given. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from alerts.kinds.kind import Facts, UnitName
from db.connecting import ConnectingRow
from energy.periods import LOCAL, Span

CHECKED_WITHIN = timedelta(hours=26)
"""Each unit is assessed once a day at least (NENGHAO_ASSESS_EVERY_S)."""


@dataclass(frozen=True, slots=True)
class ConnectionFacts(Facts):
    """What of a unit is connected at the end of `period`, which begins as it was commissioned.

    `boundary` meters it has, `heard` of them; `silent`: those that should have been and were not;
    `unmetered`: carriers filed without a boundary meter. `is_fresh`: it was assessed lately.
    `carriers`: how carriers are called in Chinese and English.
    """

    unit: UnitName
    region: str
    commissioned_on: date
    period: Span
    boundary: int
    heard: int
    silent: Sequence[str]
    unmetered: Sequence[str]
    is_fresh: bool
    carriers: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def about_unit(self) -> UnitName:
        return self.unit

    @property
    def days(self) -> int:
        """Days since it was commissioned. [d]"""
        last = self.period.ends_at.astimezone(LOCAL).date()
        return (last - self.commissioned_on).days


def of(
    row: ConnectingRow, carriers: Mapping[str, tuple[str, str]], now: datetime
) -> ConnectionFacts:
    """Return the facts of a unit that was commissioned before `now`."""
    day = row.commissioned_on
    begins = datetime(day.year, day.month, day.day, tzinfo=LOCAL).astimezone(UTC)
    return ConnectionFacts(
        UnitName(row.unit_id, row.unit, row.unit_name),
        row.region,
        day,
        Span(begins, max(now, begins + timedelta(seconds=1))),
        row.boundary,
        row.heard,
        row.silent,
        row.unmetered,
        is_fresh=row.checked_at is not None and now - row.checked_at <= CHECKED_WITHIN,
        carriers=carriers,
    )
