"""Owns what a verdict on an energy budget is given: whose it is, and how it stands. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC

from alerts.kinds.budget_pace import charges
from alerts.kinds.budget_pace.parameters import Watches
from alerts.kinds.kind import Facts, UnitName
from db.budgets import BudgetRow, RunningBudget
from energy.budgets import Standing
from energy.factors import Basis
from energy.periods import Span


@dataclass(frozen=True, slots=True)
class BudgetFacts(Facts):
    """A budget and how it stands; `region` is the smallest one with all that is charged to it.

    `unit` None: it is of a park or a city. `is_pace`: its pace is watched, not its run-out.
    """

    row: BudgetRow
    owner_name: str
    region: str
    unit: UnitName | None
    unit_count: int
    standing: Standing
    is_pace: bool = False

    @property
    def subject(self) -> str:
        return subject(self.row)

    @property
    def about_unit(self) -> UnitName | None:
        return self.unit

    @property
    def energy_basis(self) -> Basis:
        return self.row.basis

    @property
    def through(self) -> Span | None:
        """The whole days of its period that are over; None: none is."""
        if self.standing.through_on is None:
            return None
        ends_at = charges.instant(self.standing.through_on + charges.DAY)
        return Span(charges.instant(self.row.starts_on).astimezone(UTC), ends_at.astimezone(UTC))

    @property
    def elapsed_share(self) -> float:
        """The share of its period that is over. [0–1]"""
        row, last = self.row, self.standing.through_on
        days = 0 if last is None else (last - row.starts_on).days + 1
        return days / (row.ends_on - row.starts_on).days


def subject(row: BudgetRow) -> str:
    """Return what an alert about a budget is told apart by."""
    return f"{row.owner_kind}/{row.owner}/{row.starts_on}"


def budget(running: RunningBudget, standing: Standing, watches: Watches) -> BudgetFacts:
    """Return a budget with how it stands."""
    row, unit = running.row, None
    if running.unit_id is not None:
        unit = UnitName(running.unit_id, row.owner, running.owner_name)
    return BudgetFacts(
        row,
        running.owner_name,
        smallest(running.regions),
        unit,
        running.unit_count,
        standing,
        watches is Watches.PACE,
    )


def smallest(regions: list[str]) -> str:
    """Return the smallest region that holds all of `regions`: county, city or province.

    >>> smallest(["450202"]), smallest(["450202", "450203"]), smallest(["450202", "450300"])
    ('450202', '450200', '450000')
    """
    length = next(n for n in (6, 4, 2) if len({each[:n] for each in regions}) == 1)
    return regions[0][:length].ljust(6, "0")
