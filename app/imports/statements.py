"""Owns the `stocks` and `trades` files: what units count in their stores, and state of the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pydantic import Field

import db.registry
import db.statements
from app.imports import quantities
from app.imports.fields import Code, CreditCode, Day, Line, NotNegative, Source, Uom
from app.imports.kinds import Kind
from app.imports.sheet import Change, Findings, Key, Sheet
from app.tables import Row
from db.pool import Connection
from db.statements import StockRow, TradeRow

AMOUNTS = ("purchased", "produced", "sold", "feedstock")


class StockLine(Line):
    unit: CreditCode
    carrier: Code
    counted_on: Day
    quantity: NotNegative
    uom: Uom
    evidence: Source


class TradeLine(Line):
    unit: CreditCode
    carrier: Code
    from_: Day = Field(alias="from")
    to: Day
    purchased: NotNegative | None = None
    produced: NotNegative | None = None
    sold: NotNegative | None = None
    feedstock: NotNegative | None = None
    uom: Uom
    evidence: Source


class Accounting:
    """Who may state a quantity of what, and in which unit of measure."""

    def __init__(self, units: Collection[str], reference_uoms: Mapping[str, str]) -> None:
        self._units = frozenset(units)
        self._reference_uoms = reference_uoms

    def uom(self, line: StockLine | TradeLine, row: Row, findings: Findings) -> str:
        """Return the unit of measure as `energy.carriers` writes it."""
        if line.unit not in self._units:
            findings.problem(row, "unit", "is not registered; import the unit first")
        return quantities.uom(
            line.carrier,
            line.uom,
            self._reference_uoms,
            row,
            findings,
            otherwise="is a rate; state a quantity, as in kWh or t",
        )


class StockSheet(Sheet[StockLine, StockRow]):
    """Stocks by unit, carrier and day; what was there when the day began."""

    kind = Kind.STOCKS
    key = ("unit", "carrier", "counted_on")
    line = StockLine

    def __init__(self, accounting: Accounting) -> None:
        self._accounting = accounting

    def record(self, line: StockLine, row: Row, findings: Findings) -> StockRow:
        return StockRow(
            unit=line.unit,
            carrier=line.carrier,
            counted_on=line.counted_on,
            quantity=line.quantity,
            uom=self._accounting.uom(line, row, findings),
            evidence=line.evidence,
        )

    async def stored(self, connection: Connection, records: Sequence[StockRow]) -> list[StockRow]:
        units = sorted({record.unit for record in records})
        return await db.statements.list_stocks_by_unit(connection, units)

    async def standing(self, connection: Connection, units: Sequence[str]) -> list[StockRow]:
        return await db.statements.list_stocks_by_unit(connection, units)

    async def store(
        self, connection: Connection, new: Sequence[StockRow], changes: Sequence[Change[StockRow]]
    ) -> None:
        stocks = [*new, *(change.new for change in changes)]
        await db.statements.upsert_stocks(connection, stocks)


class TradeSheet(Sheet[TradeLine, TradeRow]):
    """Statements by unit, carrier and first day; those of a carrier may not overlap."""

    kind = Kind.TRADES
    key = ("unit", "carrier", "from")
    fields = ("unit", "carrier", "starts_on")
    line = TradeLine

    def __init__(self, accounting: Accounting) -> None:
        self._accounting = accounting
        self._rows: dict[Key, Row] = {}
        self._records: list[TradeRow] = []
        self._stored: list[TradeRow] = []

    def key_of(self, record: TradeRow) -> Key:
        return (record.unit, record.carrier, str(record.starts_on))

    def record(self, line: TradeLine, row: Row, findings: Findings) -> TradeRow:
        if line.to <= line.from_:
            findings.problem(row, "to", "must be after from; it is the first day not included")
        if all(getattr(line, amount) is None for amount in AMOUNTS):
            findings.problem(row, "purchased", f"give at least one of {', '.join(AMOUNTS)}")
        record = TradeRow(
            unit=line.unit,
            carrier=line.carrier,
            starts_on=line.from_,
            ends_on=line.to,
            purchased=line.purchased,
            produced=line.produced,
            sold=line.sold,
            feedstock=line.feedstock,
            uom=self._accounting.uom(line, row, findings),
            evidence=line.evidence,
        )
        self._rows.setdefault(self.key_of(record), row)
        return record

    async def stored(self, connection: Connection, records: Sequence[TradeRow]) -> list[TradeRow]:
        units = sorted({record.unit for record in records})
        self._records = list(records)
        self._stored = await db.statements.list_trades_by_unit(connection, units)
        return self._stored

    async def standing(self, connection: Connection, units: Sequence[str]) -> list[TradeRow]:
        return await db.statements.list_trades_by_unit(connection, units)

    async def review(
        self, connection: Connection, changes: Sequence[Change[TradeRow]], findings: Findings
    ) -> None:
        """Refuse statements that overlap: what both tell of would count twice."""
        merged = {self.key_of(each): each for each in [*self._stored, *self._records]}
        reached: dict[tuple[str, str], TradeRow] = {}
        for key in sorted(merged):
            each = merged[key]
            before = reached.get((each.unit, each.carrier))
            if before is not None and each.starts_on < before.ends_on:
                said = f"{before.starts_on} to {before.ends_on}"
                row = self._rows.get(key) or self._rows[self.key_of(before)]
                other = said if key in self._rows else f"{each.starts_on} to {each.ends_on}"
                findings.problem(row, "from", f"overlaps with the statement of {other}")
            if before is None or before.ends_on < each.ends_on:
                reached[(each.unit, each.carrier)] = each

    async def store(
        self, connection: Connection, new: Sequence[TradeRow], changes: Sequence[Change[TradeRow]]
    ) -> None:
        trades = [*new, *(change.new for change in changes)]
        await db.statements.upsert_trades(connection, trades)


async def _accounting(connection: Connection) -> Accounting:
    return Accounting(
        await db.registry.list_unit_codes(connection),
        await db.registry.list_reference_uoms(connection),
    )


async def stock_sheet(connection: Connection) -> StockSheet:
    return StockSheet(await _accounting(connection))


async def trade_sheet(connection: Connection) -> TradeSheet:
    return TradeSheet(await _accounting(connection))
