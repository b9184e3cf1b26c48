"""Owns how a quantity becomes standard coal: dated factors by carrier, basis and unit.

GB/T 2589-2020: E = Σ(Eᵢ × kᵢ). A range is not a factor, a missing factor never reads as zero, and
of every factor it is known whose it is, of which edition, from which source and whether verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise

from energy import validity
from energy.carriers import ELECTRICITY
from energy.validity import Days

KGCE_PER_TCE = 1000.0
KJ_PER_KGCE = 29_307.6
"""1 kgce = 29,307.6 kJ = 7,000 kcal (GB/T 2589-2020, definition of standard coal)."""

KJ_PER_KCAL = KJ_PER_KGCE / 7_000


class Basis(StrEnum):
    """Calorific value (当量值) or coal-equivalent value (等价值) of an energy carrier."""

    CALORIFIC = "calorific"
    EQUIVALENT = "equivalent"


class Origin(StrEnum):
    """Whose factor it is, in order of precedence: a measured value comes first (GB/T 2589-2020)."""

    MEASURED = "measured"
    """The unit had the net calorific value of a batch measured."""

    DECLARED = "declared"
    """The unit declared one value and the basis it stands on."""

    REFERENCE = "reference"
    """The value for everyone, of an edition of the standard or of a year."""


class MissingFactor(StrEnum):
    """Why a quantity has no coal equivalent."""

    NO_FACTOR = "no_factor"
    RANGE_ONLY = "range_only"
    """The standard gives a range: the unit has to declare its own value."""

    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    """What held has ended; nothing has taken its place on that day."""

    UNVERIFIED_REFUSED = "unverified_refused"
    """There is one, but not verified against its source, and the platform refuses those."""

    AWAITING_SETTLEMENT = "awaiting_settlement"
    """There is one by now; what was settled before it is about to be valued anew."""


class Unverified(StrEnum):
    """What becomes of factors that nobody has verified against their source."""

    NOTE = "note"
    """They are used, and every figure that uses one says so."""

    REFUSE = "refuse"
    """They are as if they were not there."""


@dataclass(frozen=True, slots=True)
class Factor:
    """What one reference unit of `carrier` is worth, from `valid_from` until before `valid_to`.

    `kgce_per_uom` in kgce per reference unit of measure of the carrier. `unit_id` is that of the
    unit whose own value it is, None: for everyone; `batch` is set where it measured the value.
    `note` says where a figure was found that nobody compared with its source.
    """

    carrier: str
    basis: Basis
    unit_id: int | None
    kgce_per_uom: float
    valid_from: date
    valid_to: date | None
    verified: bool = True
    edition: str = ""
    source: str = ""
    batch: str | None = None
    note: str | None = None

    @property
    def origin(self) -> Origin:
        if self.unit_id is None:
            return Origin.REFERENCE
        return Origin.DECLARED if self.batch is None else Origin.MEASURED

    def holds_on(self, day: date) -> bool:
        return validity.holds_on(self, day)


@dataclass(frozen=True, slots=True)
class FactorRange:
    """What an edition gives instead of a factor, in kgce per reference unit of measure."""

    carrier: str
    low: float
    high: float
    edition: str
    source: str
    verified: bool


class FactorTable:
    """Factors that can be asked for by carrier, basis, unit and day.

    Of the rows of one origin that hold on a day the one that began last counts; imports let no two
    overlap.
    """

    def __init__(
        self,
        factors: Iterable[Factor],
        ranges: Iterable[FactorRange] = (),
        *,
        unverified: Unverified = Unverified.NOTE,
    ) -> None:
        self._unverified = unverified
        self._ranges = {each.carrier: each for each in ranges}
        self._rows: dict[tuple[str, Basis, int | None], list[Factor]] = {}
        for factor in sorted(factors, key=lambda row: row.valid_from, reverse=True):
            key = (factor.carrier, factor.basis, factor.unit_id)
            self._rows.setdefault(key, []).append(factor)
        for rows in self._rows.values():
            rows.sort(key=lambda row: _PRECEDENCE[row.origin])  # keeps the newest first

    def find(self, carrier: str, basis: Basis, unit_id: int | None, on: date) -> Factor | None:
        """Return the factor that holds `on` that day, or None: then there is no figure.

        A value measured by the unit takes precedence over one it declared, and that one over the
        reference value (GB/T 2589-2020: reference factors are for where nothing is measured).
        """
        found = self.look_up(carrier, basis, unit_id, on)
        return found if isinstance(found, Factor) else None

    def look_up(
        self, carrier: str, basis: Basis, unit_id: int | None, on: date
    ) -> Factor | MissingFactor:
        """Return the factor that holds `on` that day, or why there is none.

        A factor that is refused because it is not verified leaves its place to the next one.
        """
        holding = self.holding(carrier, basis, unit_id, on)
        for factor in holding:
            if factor.verified or self._unverified is Unverified.NOTE:
                return factor
        if holding:
            return MissingFactor.UNVERIFIED_REFUSED
        rows = list(self._for(carrier, basis, unit_id))
        if any(row.valid_from <= on for row in rows):
            return MissingFactor.EXPIRED
        if rows:
            return MissingFactor.NOT_YET_VALID
        return MissingFactor.RANGE_ONLY if carrier in self._ranges else MissingFactor.NO_FACTOR

    def holding(self, carrier: str, basis: Basis, unit_id: int | None, on: date) -> list[Factor]:
        """Return all factors that hold `on` that day, in order of precedence."""
        return [row for row in self._for(carrier, basis, unit_id) if row.holds_on(on)]

    def missing_between(
        self, carrier: str, basis: Basis, unit_id: int | None, first: date, last: date
    ) -> list[tuple[MissingFactor, Days]]:
        """Return why there is no factor from `first` to `last`, both included, and on which days.

        Empty: each day has one. What holds changes only where a row begins or ends.
        """
        end = last + timedelta(days=1)
        starts = {first}
        for row in self._for(carrier, basis, unit_id):
            starts |= {day for day in (row.valid_from, row.valid_to) if day and first < day < end}
        missing: list[tuple[MissingFactor, Days]] = []
        for starts_on, ends_on in pairwise([*sorted(starts), end]):
            found = self.look_up(carrier, basis, unit_id, starts_on)
            if isinstance(found, Factor):
                continue
            if missing and missing[-1][0] is found and missing[-1][1].valid_to == starts_on:
                starts_on = missing.pop()[1].valid_from  # it goes on
            missing.append((found, Days(starts_on, ends_on)))
        return missing

    def range_of(self, carrier: str) -> FactorRange | None:
        """Return what the standard gives instead of a factor."""
        return self._ranges.get(carrier)

    def _for(self, carrier: str, basis: Basis, unit_id: int | None) -> Iterator[Factor]:
        for owner in dict.fromkeys((unit_id, None)):
            yield from self._rows.get((carrier, basis, owner), ())


_PRECEDENCE = {origin: place for place, origin in enumerate(Origin)}


def coal_equivalent(quantity: float, factor: Factor | None) -> float | None:
    """Return `quantity` (in the carrier's reference unit) in standard coal. [tce]

    None when there is no factor: missing is not zero.

    >>> electricity = Factor("electricity", Basis.CALORIFIC, None, 0.1229, date(2021, 4, 1), None)
    >>> coal_equivalent(1000.0, electricity)
    0.1229
    """
    return None if factor is None else quantity * factor.kgce_per_uom / KGCE_PER_TCE


ELECTRICITY_KGCE_PER_KWH = 0.1229
"""The calorific value as published; 3,600 ÷ 29,307.6 is 0.12284, and is not to be used instead."""

ELECTRICITY_EQUIVALENT_MAX = 0.5
"""A power plant that turns a quarter of its coal into electricity; averages are far better."""


def objection(carrier: str, basis: Basis, kgce_per_uom: float) -> str | None:
    """Return what is wrong with a factor that is known to circulate mistaken; None: nothing.

    GB/T 2589-2020: the calorific value (当量值) of electricity is 0.1229 kgce/kWh, fixed.

    >>> objection("electricity", Basis.EQUIVALENT, 4.04)
    'is more coal than any power plant burns for a kWh; is 4.04 a slip for 0.404?'
    """
    if carrier != ELECTRICITY:
        return None
    if basis is Basis.CALORIFIC:
        if kgce_per_uom == ELECTRICITY_KGCE_PER_KWH:
            return None
        return "the calorific value (当量值) of electricity is fixed at 0.1229 kgce/kWh"
    if kgce_per_uom <= ELECTRICITY_KGCE_PER_KWH:
        return (
            "an equivalent value (等价值) is the coal a power plant burns for a kWh, about 0.3; "
            "0.1229 is the calorific value (当量值)"
        )
    if kgce_per_uom > ELECTRICITY_EQUIVALENT_MAX:
        return (
            f"is more coal than any power plant burns for a kWh; is {kgce_per_uom:g} a slip for "
            f"{kgce_per_uom / 10:g}?"
        )
    return None
