"""Owns what the hours of a meter are worth: its reference unit of measure, coal on both bases."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from db.metering import MeterSpec
from db.settlement import HourRow
from energy import carriers, factors, periods
from energy.consumption import Hour
from energy.factors import Basis, Factor, FactorTable
from energy.periods import Step


class Valuation:
    """Turns the hours of one meter into rows: reference unit of the carrier, both bases of tce."""

    def __init__(self, unit_id: int, spec: MeterSpec, table: FactorTable) -> None:
        self._unit_id = unit_id
        self._spec = spec
        self._table = table
        self._to_reference = _to_reference(spec)
        self._by_day: dict[int, tuple[Factor | None, Factor | None]] = {}

    def rows(self, hours: Iterable[Hour]) -> list[HourRow]:
        return [self.row(hour) for hour in hours]

    def row(self, hour: Hour) -> HourRow:
        quantity = None if hour.quantity is None else hour.quantity * self._to_reference
        calorific, equivalent = self._factors(periods.local_ordinal(hour.starts_at))
        return (
            self._spec.meter_id,
            Step.HOUR,
            hour.starts_at,
            quantity,
            hour.estimated_quantity * self._to_reference,
            hour.readings_present,
            hour.held,
            None if quantity is None else factors.coal_equivalent(quantity, calorific),
            None if quantity is None else factors.coal_equivalent(quantity, equivalent),
        )

    def _factors(self, day: int) -> tuple[Factor | None, Factor | None]:
        found = self._by_day.get(day)
        if found is None:
            found = self._find(Basis.CALORIFIC, day), self._find(Basis.EQUIVALENT, day)
            self._by_day[day] = found
        return found

    def _find(self, basis: Basis, day: int) -> Factor | None:
        if self._spec.carrier is None:
            return None
        return self._table.find(self._spec.carrier, basis, self._unit_id, date.fromordinal(day))


def _to_reference(spec: MeterSpec) -> float:
    """Return by what the meter's quantities are multiplied; output meters keep their unit."""
    if spec.reference_uom is None:
        return 1.0
    return carriers.conversion(spec.uom, spec.reference_uom)
