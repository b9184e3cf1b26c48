"""Owns computing an intensity anew from its parts: energy of the unit over output of the product.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app import stated
from app.formulas import plain
from app.lineage import Lineage, Recorded
from app.parts import Formula, Part, Whole, leaves
from db.production import ProductionRow
from energy import explanation, intensity, intensity_uoms, production
from energy.carriers import ELECTRICITY
from energy.intensity import Missing
from energy.intensity_uoms import Energy, IntensityUom
from energy.periods import Span
from energy.production import Output

WORDS = (
    "全单位能耗除以该产品产量",
    "energy of the whole unit divided by its output of the product",
)


@dataclass(frozen=True, slots=True)
class RecordedStatement:
    """What was stated of output, and who stated it."""

    row: ProductionRow
    recorded: Recorded | None


@dataclass(frozen=True, slots=True)
class Ratio:
    """An intensity as it follows from its parts: `energy` in units of `uom.energy`."""

    uom: IntensityUom
    energy: float | None
    output: Output
    value: float | None
    missing: Missing | None

    def formula(self) -> Formula:
        energy = "?" if self.energy is None else plain(self.energy)
        made = "?" if self.output.quantity is None else plain(self.output.quantity)
        value = "?" if self.value is None else plain(self.value)
        numbers = f"{energy} {self.uom.energy} ÷ {made} {self.uom.per} = {value} {self.uom}"
        return Formula(*WORDS, numbers)


@dataclass(frozen=True, slots=True)
class IntensityLineage:
    """The rows behind an intensity: energy, output meters, statements.

    `kgce_per_kgoe` is what the unit of oil is worth, None: nobody says.
    """

    product: str
    uom: IntensityUom
    bucket: Span
    energy: Lineage
    outputs: Lineage | None
    statements: Sequence[RecordedStatement]
    kgce_per_kgoe: float | None


def ratio(lineage: IntensityLineage, energy: Part, outputs: Sequence[Part]) -> Ratio:
    """Return the intensity; `energy` is the tree of the unit, `outputs` are its output meters."""
    uom = lineage.uom
    used = intensity_uoms.counted(
        uom.energy,
        energy_tce=energy.tally.energy_tce,
        electricity_kwh=_electricity(energy) if uom.energy is Energy.KWH else None,
        kgce_per_kgoe=lineage.kgce_per_kgoe,
    )
    rows = [each.row for each in lineage.statements]
    said = stated.quantity(rows, lineage.product, uom.per, lineage.bucket)
    made = production.output(_metered(outputs, uom.per), said)
    found = intensity.intensity(used, made.quantity)
    return Ratio(uom, used, made, found.value, found.missing)


def _electricity(energy: Part) -> float | None:
    for part in energy.parts:
        if part.whole is Whole.CARRIER and part.code == ELECTRICITY:
            return part.tally.quantity
    return None


def _metered(outputs: Sequence[Part], per: str) -> float | None:
    """Return what the meters counted in `per`; None where their units do not lead to it."""
    known = []
    for each in outputs:
        factor = intensity_uoms.output_conversion(each.tally.uom or "", per)
        if factor is None:
            return None
        if each.tally.quantity is not None:
            known.append(each.tally.quantity * factor)
    return explanation.known_sum(known)


def is_stored_right(energy: Part, outputs: Sequence[Part]) -> bool | None:
    """Return whether all that is stored of the parts agrees; None: there is nothing stored."""
    found = [energy.agrees, *(each.agrees for each in outputs)]
    return None if None in found else all(found)


def held(energy: Part, outputs: Sequence[Part]) -> bool:
    parts = [leaf for _, leaf in leaves(energy)]
    return any(part.tally.held for part in (*parts, *outputs))
