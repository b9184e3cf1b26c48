"""Owns what the hours of a meter are worth: its reference unit of measure, coal on both bases."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from db.metering import MeterSpec
from db.settlement import HourRow
from energy import carriers, factors
from energy.consumption import Hour
from energy.factors import Basis, FactorTable
from energy.periods import LOCAL, Step


class Valuation:
    """Turns the hours of one meter into rows: reference unit of the carrier, both bases of tce."""

    def __init__(self, unit_id: int, spec: MeterSpec, table: FactorTable) -> None:
        self._unit_id = unit_id
        self._spec = spec
        self._table = table
        self._to_reference = _to_reference(spec)
        self._found: dict[tuple[Basis, date], factors.Factor | None] = {}

    def rows(self, hours: Iterable[Hour]) -> list[HourRow]:
        return [self.row(hour) for hour in hours]

    def row(self, hour: Hour) -> HourRow:
        quantity = None if hour.quantity is None else hour.quantity * self._to_reference
        return (
            self._spec.meter_id,
            Step.HOUR,
            hour.starts_at,
            quantity,
            hour.estimated_quantity * self._to_reference,
            hour.readings_present,
            hour.held,
            self._tce(quantity, Basis.CALORIFIC, hour.starts_at),
            self._tce(quantity, Basis.EQUIVALENT, hour.starts_at),
        )

    def _tce(self, quantity: float | None, basis: Basis, starts_at: datetime) -> float | None:
        if quantity is None or self._spec.carrier is None:
            return None
        key = (basis, starts_at.astimezone(LOCAL).date())
        if key not in self._found:
            self._found[key] = self._table.find(self._spec.carrier, basis, self._unit_id, key[1])
        return factors.coal_equivalent(quantity, self._found[key])


def _to_reference(spec: MeterSpec) -> float:
    """Return by what the meter's quantities are multiplied; output meters keep their unit."""
    if spec.reference_uom is None:
        return 1.0
    return carriers.conversion(spec.uom, spec.reference_uom)
