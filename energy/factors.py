"""Owns how a quantity becomes standard coal: dated factors by carrier and basis.

GB/T 2589-2020: E = Σ(Eᵢ × kᵢ). A range is not a factor, and a missing factor never reads as zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

KGCE_PER_TCE = 1000.0


class Basis(StrEnum):
    """Calorific value (当量值) or coal-equivalent value (等价值) of an energy carrier."""

    CALORIFIC = "calorific"
    EQUIVALENT = "equivalent"


@dataclass(frozen=True, slots=True)
class Factor:
    """What one reference unit of `carrier` is worth, from `valid_from` until before `valid_to`.

    `kgce_per_uom` in kgce per reference unit of measure of the carrier; `unit_id` is set where a
    unit measured its own value.
    """

    carrier: str
    basis: Basis
    unit_id: int | None
    kgce_per_uom: float
    valid_from: date
    valid_to: date | None
    verified: bool = True

    def holds_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


class FactorTable:
    """Factors that can be asked for by carrier, basis, unit and day."""

    def __init__(self, factors: Iterable[Factor]) -> None:
        self._rows: dict[tuple[str, Basis, int | None], list[Factor]] = {}
        for factor in sorted(factors, key=lambda row: row.valid_from, reverse=True):
            key = (factor.carrier, factor.basis, factor.unit_id)
            self._rows.setdefault(key, []).append(factor)

    def find(self, carrier: str, basis: Basis, unit_id: int, on: date) -> Factor | None:
        """Return the factor that holds `on` that day, or None: then there is no figure.

        A value measured by the unit takes precedence over the reference value
        (GB/T 2589-2020, reference factors apply where no measured value exists).
        """
        for owner in (unit_id, None):
            for factor in self._rows.get((carrier, basis, owner), ()):
                if factor.holds_on(on):
                    return factor
        return None


def coal_equivalent(quantity: float, factor: Factor | None) -> float | None:
    """Return `quantity` (in the carrier's reference unit) in standard coal. [tce]

    None when there is no factor: missing is not zero.

    >>> electricity = Factor("electricity", Basis.CALORIFIC, None, 0.1229, date(2021, 4, 1), None)
    >>> coal_equivalent(1000.0, electricity)
    0.1229
    """
    return None if factor is None else quantity * factor.kgce_per_uom / KGCE_PER_TCE
