"""Owns net calorific values (低位发热量): what a measured one makes of a fuel's factor.

GB/T 2589-2020: 1 kgce = 29,307.6 kJ, and a measured calorific value takes precedence over the
reference factor.
"""

from __future__ import annotations

from enum import StrEnum

from energy.factors import KJ_PER_KCAL, KJ_PER_KGCE

KGCE_PER_UOM_MIN = 0.02
KGCE_PER_UOM_MAX = 5.0
"""No fuel lies beyond, per kg or m³: lean blast-furnace gas 0.1, hydrogen 4.1 per kg."""


class CalorificUom(StrEnum):
    """In what a laboratory states a net calorific value."""

    KJ_PER_KG = "kJ/kg"
    KJ_PER_M3 = "kJ/m3"
    MJ_PER_KG = "MJ/kg"
    MJ_PER_M3 = "MJ/m3"
    KCAL_PER_KG = "kcal/kg"
    KCAL_PER_M3 = "kcal/m3"

    @property
    def kj(self) -> float:
        """Return how many kJ its unit of energy is. [kJ]"""
        return {"kJ": 1.0, "MJ": 1_000.0, "kcal": KJ_PER_KCAL}[self.split("/")[0]]

    @property
    def reference_uom(self) -> str:
        """Return the unit of measure it is per: the carrier must be accounted in the same."""
        return self.split("/")[1]


def factor_of(net_calorific_value: float, uom: CalorificUom) -> float:
    """Return what one kg or m³ of a fuel of that calorific value is worth. [kgce/kg, kgce/m³]

    GB/T 2589-2020: the net calorific value divided by 29,307.6 kJ/kgce. Not rounded: reference
    factors are published with four decimals, a measured value stands as it was measured.

    >>> factor_of(7_000, CalorificUom.KCAL_PER_KG)
    1.0
    >>> round(factor_of(20_934, CalorificUom.KJ_PER_KG), 4)  # raw coal
    0.7143
    >>> round(factor_of(38.931, CalorificUom.MJ_PER_M3), 4)  # natural gas of high grade
    1.3284
    """
    return net_calorific_value * uom.kj / KJ_PER_KGCE


def value_of(kgce_per_uom: float, uom: CalorificUom) -> float:
    """Return the net calorific value that a factor stands for, in `uom`.

    >>> round(value_of(0.7143, CalorificUom.KJ_PER_KG))
    20934
    """
    return kgce_per_uom * KJ_PER_KGCE / uom.kj


def is_plausible(kgce_per_uom: float) -> bool:
    """Return whether a fuel can have that factor; both borders can. [kgce/kg, kgce/m³]"""
    return KGCE_PER_UOM_MIN <= kgce_per_uom <= KGCE_PER_UOM_MAX
