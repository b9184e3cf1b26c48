"""Owns how a quantity of a carrier becomes carbon dioxide: dated factors of fuels and of grids.

Emissions by factor: quantity × factor. Electricity takes the average factor of the grid that is
chosen for its region (生态环境部、国家统计局, yearly). A missing factor never reads as zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from energy.carriers import ELECTRICITY
from energy.factors import Unverified

KG_PER_T = 1000.0


class Obstacle(StrEnum):
    """Why a quantity has no carbon."""

    QUANTITY_MISSING = "quantity_missing"
    CARBON_FACTOR_MISSING = "carbon_factor_missing"
    CARBON_FACTOR_UNVERIFIED = "carbon_factor_unverified"
    """There is one, which nobody verified, and the platform refuses those."""

    GRID_NOT_CHOSEN = "grid_not_chosen"


@dataclass(frozen=True, slots=True)
class CarbonFactor:
    """What a reference unit of `carrier` emits from `valid_from` until before `valid_to`. [kg CO₂]

    `grid` is set for electricity. `edition` names the year or table of the factor; `year` is the
    year it describes, None for what does not depend on one.
    """

    carrier: str
    grid: str | None
    kgco2_per_uom: float
    valid_from: date
    valid_to: date | None
    year: int | None
    edition: str
    source: str
    verified: bool

    def holds_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)

    def is_carried_on(self, day: date) -> bool:
        """Return whether the factor describes an earlier year than that of `day`."""
        return self.year is not None and self.year < day.year


@dataclass(frozen=True, slots=True)
class GridChoice:
    """From a day on, electricity used within `region` is that of `grid`."""

    region: str
    grid: str
    valid_from: date
    source: str


@dataclass(frozen=True, slots=True)
class Emission:
    """`carbon_t` None: `obstacle` says why. [t CO₂]"""

    carbon_t: float | None
    factor: CarbonFactor | None
    obstacle: Obstacle | None = None


class CarbonTable:
    """Factors and choices of grid that can be asked for by carrier, region and day."""

    def __init__(
        self,
        factors: Iterable[CarbonFactor],
        choices: Iterable[GridChoice],
        unverified: Unverified = Unverified.NOTE,
    ) -> None:
        self._unverified = unverified
        self._factors: dict[tuple[str, str | None], list[CarbonFactor]] = {}
        for factor in sorted(factors, key=lambda row: row.valid_from, reverse=True):
            self._factors.setdefault((factor.carrier, factor.grid), []).append(factor)
        self._choices: dict[str, list[GridChoice]] = {}
        for choice in sorted(choices, key=lambda row: row.valid_from, reverse=True):
            self._choices.setdefault(choice.region, []).append(choice)

    def grid_of(self, region: str, on: date) -> str | None:
        """Return the grid of a region that day: its own choice, else its city's, its province's."""
        for within in (region, f"{region[:4]}00", f"{region[:2]}0000"):
            for choice in self._choices.get(within, ()):
                if choice.valid_from <= on:
                    return choice.grid
        return None

    def emission(self, carrier: str, quantity: float | None, region: str, on: date) -> Emission:
        """Return the carbon of a quantity (in the carrier's reference unit) used that day. [t]

        Negative where more was given than taken: what is exported is emitted for others.

        >>> coke = CarbonFactor("coke", None, 2.86, date(2020, 1, 1), None, None, "", "", True)
        >>> CarbonTable([coke], []).emission("coke", 1000.0, "450200", date(2026, 1, 1)).carbon_t
        2.86
        >>> CarbonTable([], []).emission("coke", 1000.0, "450200", date(2026, 1, 1)).carbon_t
        """
        if quantity is None:
            return Emission(None, None, Obstacle.QUANTITY_MISSING)
        grid = None
        if carrier == ELECTRICITY:
            grid = self.grid_of(region, on)
            if grid is None:
                return Emission(None, None, Obstacle.GRID_NOT_CHOSEN)
        holding = [one for one in self._factors.get((carrier, grid), ()) if one.holds_on(on)]
        for factor in holding:
            if factor.verified or self._unverified is Unverified.NOTE:
                return Emission(quantity * factor.kgco2_per_uom / KG_PER_T, factor)
        lacking = Obstacle.CARBON_FACTOR_UNVERIFIED if holding else Obstacle.CARBON_FACTOR_MISSING
        return Emission(None, None, lacking)
