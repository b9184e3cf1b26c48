"""Owns the `capacities` file: what units can make of a product in a year."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import db.capacities
import db.products
import db.registry
from app import statements
from app.imports.fields import Code, CreditCode, Day, Line, NotNegative, Source, Uom
from app.imports.kinds import Kind
from app.imports.sheet import Change, Findings, Sheet
from app.tables import Row
from db.capacities import CapacityRow
from db.pool import Connection
from db.products import Product
from energy import intensity_uoms


class CapacityLine(Line):
    unit: CreditCode
    product: Code
    capacity: NotNegative
    uom: Uom
    valid_from: Day
    source: Source


class CapacitySheet(Sheet[CapacityLine, CapacityRow]):
    """Capacities by unit, product and the day from which they hold; 0: shut down."""

    kind = Kind.CAPACITIES
    key = ("unit", "product", "valid_from")
    line = CapacityLine

    def __init__(self, units: Collection[str], products: Mapping[str, Product]) -> None:
        self._units = frozenset(units)
        self._products = products

    def record(self, line: CapacityLine, row: Row, findings: Findings) -> CapacityRow:
        if line.unit not in self._units:
            findings.problem(row, "unit", "is not registered; import the unit first")
        uom = statements.uom(line.uom) or line.uom
        product = self._products.get(line.product)
        if product is None:
            findings.problem(row, "product", "is not a named product; see migrations/reference")
        elif intensity_uoms.output_conversion(uom, product.output_uom) is None:
            reason = f"{line.product} is counted in {product.output_uom}; give that, per year"
            findings.problem(row, "uom", reason)
        return CapacityRow(
            unit=line.unit,
            product=line.product,
            capacity=line.capacity,
            uom=uom,
            valid_from=line.valid_from,
            source=line.source,
        )

    async def stored(
        self, connection: Connection, records: Sequence[CapacityRow]
    ) -> list[CapacityRow]:
        units = sorted({record.unit for record in records})
        return await db.capacities.list_by_unit(connection, units)

    async def standing(self, connection: Connection, units: Sequence[str]) -> list[CapacityRow]:
        return await db.capacities.list_by_unit(connection, units)

    async def store(
        self,
        connection: Connection,
        new: Sequence[CapacityRow],
        changes: Sequence[Change[CapacityRow]],
    ) -> None:
        await db.capacities.upsert(connection, [*new, *(change.new for change in changes)])


async def sheet(connection: Connection) -> CapacitySheet:
    return CapacitySheet(
        await db.registry.list_unit_codes(connection),
        await db.products.list_products(connection),
    )
