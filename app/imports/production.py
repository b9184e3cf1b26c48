"""Owns the `production` file: what units state of their output and its value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from pydantic import Field

import db.production
import db.products
import db.registry
from app import statements
from app.imports.fields import Code, CreditCode, Finite, Instant, Line, NotNegative, Uom
from app.imports.kinds import Kind
from app.imports.sheet import Change, Findings, Key, Sheet
from app.tables import Row
from db.pool import Connection
from db.production import ProductionRow
from db.products import Product
from energy.production import WHOLE_UNIT

NAMELESS = "is no known product: none but the limits and rules that are stated of it apply"


class ProductionLine(Line):
    unit: CreditCode
    product: Code
    from_: Instant = Field(alias="from")
    to: Instant
    quantity: NotNegative | None = None
    uom: Uom | None = None
    output_value_cny: NotNegative | None = None
    value_added_cny: Finite | None = None


class ProductionSheet(Sheet[ProductionLine, ProductionRow]):
    """Statements by unit, product and beginning; another figure for them restates them."""

    kind = Kind.PRODUCTION
    key = ("unit", "product", "from")
    fields = ("unit", "product", "starts_at")
    line = ProductionLine

    def __init__(
        self, units: Collection[str], products: Mapping[str, Product], now: datetime
    ) -> None:
        self._units = frozenset(units)
        self._products = products
        self._now = now
        self._rows: dict[Key, Row] = {}
        self._records: list[ProductionRow] = []
        self._stored: list[ProductionRow] = []

    def key_of(self, record: ProductionRow) -> Key:
        return record.key

    def record(self, line: ProductionLine, row: Row, findings: Findings) -> ProductionRow:
        if line.unit not in self._units:
            findings.problem(row, "unit", "is not registered; import the unit first")
        record = ProductionRow(
            unit=line.unit,
            product=line.product,
            starts_at=line.from_,
            ends_at=line.to,
            quantity=line.quantity,
            uom=statements.uom(line.uom),
            output_value_cny=line.output_value_cny,
            value_added_cny=line.value_added_cny,
        )
        if line.to <= line.from_:
            findings.problem(row, "to", "must be after from")
            return record
        for fault in statements.faults(record, self._products, self._now):
            findings.problem(row, fault.column, fault.reason)
        if line.product not in self._products and line.product != WHOLE_UNIT:
            findings.note(row, "product", NAMELESS)
        self._rows.setdefault(record.key, row)
        return record

    async def stored(
        self, connection: Connection, records: Sequence[ProductionRow]
    ) -> list[ProductionRow]:
        units = sorted({record.unit for record in records})
        self._records = list(records)
        self._stored = await db.production.list_by_unit(connection, units)
        return self._stored

    async def standing(self, connection: Connection, units: Sequence[str]) -> list[ProductionRow]:
        return await db.production.list_by_unit(connection, units)

    async def review(
        self,
        connection: Connection,
        changes: Sequence[Change[ProductionRow]],
        findings: Findings,
    ) -> None:
        """Refuse what would count twice; say what is restated."""
        for record, reason in statements.overlaps(self._stored, self._records):
            findings.problem(self._rows[record.key], "from", reason)
        for change in changes:
            text = "restates a figure that was stated before; the ledger keeps both"
            findings.note(change.row, sorted(change.columns)[0], text)

    async def store(
        self,
        connection: Connection,
        new: Sequence[ProductionRow],
        changes: Sequence[Change[ProductionRow]],
    ) -> None:
        await db.production.upsert(connection, [*new, *(change.new for change in changes)])


async def sheet(connection: Connection) -> ProductionSheet:
    return ProductionSheet(
        await db.registry.list_unit_codes(connection),
        await db.products.list_products(connection),
        datetime.now(UTC),
    )
