"""Owns how the balance of a unit is put together: which meter or statement each term comes from.

A carrier kept in stock is balanced by what was bought: its boundary meter may stand behind the
store. Otherwise meters come before statements; both are shown, and their results compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import fsum

from db.meter_sums import MeterSum
from db.statements import StockRow, TradeRow
from energy import balance, carriers, coverage
from energy.balance import (
    Absence,
    Balance,
    Comparison,
    Flow,
    Incomparable,
    Origin,
    Term,
)
from energy.periods import LOCAL, Span
from energy.roles import Role

METERED_FLOWS = {
    Flow.PURCHASED: Role.BOUNDARY,
    Flow.PRODUCED: Role.RENEWABLE,
    Flow.SOLD: Role.EXPORT,
    Flow.FEEDSTOCK: Role.FEEDSTOCK,
}
ROLES = (*METERED_FLOWS.values(), Role.SUB)
SUB_ROLES = (Role.SUB, Role.FEEDSTOCK)
"""What measures uses behind the boundary."""


@dataclass(frozen=True, slots=True)
class Metered:
    """What the meters of one role counted; `coverage` None: no reading was due yet."""

    term: Term
    coverage: float | None
    estimated_share: float | None


@dataclass(frozen=True, slots=True)
class Side:
    """A term of the balance, and what its meters and its statements each say of it."""

    term: Term
    metered: Metered | None
    stated: Term | None


@dataclass(frozen=True, slots=True)
class CarrierBalance:
    """The balance of one carrier in its reference unit of measure `uom`.

    `metered` is boundary and own generation less export and feedstock, as meters count;
    `against_meters` compares the balance with it, `unmetered` the boundary with its sub-meters.
    """

    carrier: str
    uom: str
    sides: Sequence[Side]
    balance: Balance
    metered: float | None
    against_meters: Comparison
    unmetered: Comparison


@dataclass(frozen=True, slots=True)
class Books:
    """What a unit states of one carrier, and in which span it is asked for."""

    stocks: Sequence[StockRow]
    trades: Sequence[TradeRow]
    starts_on: date
    ends_on: date
    reference_uom: str

    def stock(self, flow: Flow) -> Term:
        """Return the stock at one end of the span, as counted on that day."""
        on = self.starts_on if flow is Flow.OPENING_STOCK else self.ends_on
        for row in self.stocks:
            if row.counted_on == on:
                quantity = row.quantity * carriers.conversion(row.uom, self.reference_uom)
                return Term(flow, quantity, Origin.STATED, evidence=(row.evidence,))
        counted = Absence.NOT_COUNTED if self.stocks else Absence.NONE_KNOWN
        return Term(flow, None, None, counted)

    def stated(self, flow: Flow) -> Term | None:
        """Return what statements say of a flow; None: none ever did."""
        return stated(self.trades, flow, self.starts_on, self.ends_on, self.reference_uom)


def stated(
    trades: Sequence[TradeRow], flow: Flow, starts_on: date, ends_on: date, reference_uom: str
) -> Term | None:
    """Return what statements of one carrier say of a flow in a span of days; None: none ever did.

    They count only if they cover the span once and nothing beside it.
    """
    amounts = [(row, amount) for row in trades if (amount := getattr(row, flow)) is not None]
    if not amounts:
        return None
    inside = [
        (row, amount)
        for row, amount in amounts
        if row.starts_on < ends_on and row.ends_on > starts_on
    ]
    pieces = [(row.starts_on, row.ends_on) for row, _ in inside]
    if not balance.are_tiling(pieces, starts_on, ends_on):
        absence = Absence.STATED_IN_PART if inside else Absence.NOT_STATED
        return Term(flow, None, None, absence)
    quantity = fsum(amount * carriers.conversion(row.uom, reference_uom) for row, amount in inside)
    evidence = tuple(dict.fromkeys(row.evidence for row, _ in inside))
    return Term(flow, quantity, Origin.STATED, evidence=evidence)


def balances(
    meters: Sequence[MeterSum],
    stocks: Sequence[StockRow],
    trades: Sequence[TradeRow],
    reference_uoms: Mapping[str, str],
    span: Span,
    now: datetime,
) -> list[CarrierBalance]:
    """Return the balance of every carrier that the unit has a meter or a statement of."""
    starts_on = span.starts_at.astimezone(LOCAL).date()
    ends_on = span.ends_at.astimezone(LOCAL).date()
    names = sorted({row.carrier for rows in (meters, stocks, trades) for row in rows})
    found = []
    for name in names:
        of = [meter for meter in meters if meter.carrier == name]
        by_flow = {
            flow: _metered(flow, [meter for meter in of if meter.role is role], span, now)
            for flow, role in METERED_FLOWS.items()
        }
        subs = [None if meter.held else meter.quantity for meter in of if meter.role in SUB_ROLES]
        books = Books(
            [row for row in stocks if row.carrier == name],
            [row for row in trades if row.carrier == name],
            starts_on,
            ends_on,
            reference_uoms[name],
        )
        found.append(_balance(name, by_flow, subs, books))
    return found


def _balance(
    carrier: str,
    by_flow: Mapping[Flow, Metered | None],
    subs: Sequence[float | None],
    books: Books,
) -> CarrierBalance:
    sides = [_side(flow, by_flow.get(flow), books) for flow in Flow]
    found = balance.balance(side.term for side in sides)
    counted = balance.balance(_as_counted(flow, by_flow.get(flow)) for flow in Flow)
    has_boundary = by_flow[Flow.PURCHASED] is not None
    return CarrierBalance(
        carrier=carrier,
        uom=books.reference_uom,
        sides=sides,
        balance=found,
        metered=counted.consumed if has_boundary else None,
        against_meters=_against_meters(found, counted, has_boundary=has_boundary),
        unmetered=balance.against_sub_meters(counted.used if has_boundary else None, subs),
    )


def _side(flow: Flow, metered: Metered | None, books: Books) -> Side:
    """Return the term of `flow`, from the source that comes first and is known."""
    if flow in (Flow.OPENING_STOCK, Flow.CLOSING_STOCK):
        term = books.stock(flow)
        return Side(term, None, term)
    said = books.stated(flow)
    by_meter = None if metered is None else metered.term
    sources = [said, by_meter] if flow is Flow.PRODUCED else [by_meter, said]
    if flow is Flow.PURCHASED and books.stocks:
        sources = [said]
    there = [term for term in sources if term is not None]
    known = [term for term in there if term.quantity is not None]
    nothing = Absence.NOT_STATED if flow is Flow.PURCHASED else Absence.NONE_KNOWN
    term = next(iter([*known, *there]), Term(flow, None, None, nothing))
    return Side(term, metered, said)


def _as_counted(flow: Flow, metered: Metered | None) -> Term:
    return Term(flow, None, None, Absence.NONE_KNOWN) if metered is None else metered.term


def _against_meters(found: Balance, counted: Balance, *, has_boundary: bool) -> Comparison:
    whole, part = found.consumed, counted.consumed
    if not any(term.origin is Origin.STATED for term in found.terms):
        return Comparison(whole, part, None, None, Incomparable.NOTHING_STATED)
    if whole is None:
        return Comparison(None, part, None, None, Incomparable.BALANCE_UNKNOWN)
    if part is None or not has_boundary:
        return Comparison(whole, None, None, None, Incomparable.BOUNDARY_UNKNOWN)
    return balance.compared(whole, part)


def _metered(flow: Flow, meters: Sequence[MeterSum], span: Span, now: datetime) -> Metered | None:
    """Return what some meters counted together: known only if each of them is."""
    if not meters:
        return None
    due = sum(_due(meter, span, now) for meter in meters)
    present = sum(meter.readings_present for meter in meters)
    names = tuple(meter.meter for meter in meters)
    quantities = [meter.quantity for meter in meters if meter.quantity is not None]
    if any(meter.held for meter in meters):
        term = Term(flow, None, None, Absence.HELD, names)
    elif len(quantities) < len(meters):
        term = Term(flow, None, None, Absence.METER_SILENT, names)
    else:
        term = Term(flow, fsum(quantities), Origin.METERED, evidence=names)
    whole = fsum(map(abs, quantities))
    estimated = fsum(meter.estimated_quantity for meter in meters)
    return Metered(
        term=term,
        coverage=min(1.0, present / due) if due else None,
        estimated_share=min(1.0, estimated / whole) if whole else None,
    )


def _due(meter: MeterSum, span: Span, now: datetime) -> int:
    starts_at = max(span.starts_at, meter.installed_at)
    within = Span(starts_at, span.ends_at)
    return coverage.due_of(meter.kind, meter.intervals, within, now)
