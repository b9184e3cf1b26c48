"""Owns the energy balance (能源实物平衡) of a unit: what came in, was kept, went out, was used.

One carrier, one span, one unit of measure. A term that nobody knows is named, and there is then no
figure: missing is not zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from math import fsum


class Flow(StrEnum):
    """The terms of a balance (GB/T 2589-2020, energy actually consumed by a unit)."""

    OPENING_STOCK = "opening_stock"
    PURCHASED = "purchased"
    PRODUCED = "produced"
    SOLD = "sold"
    """Sold on, or output as a product: subtracted, else it would count twice (GB/T 2589-2020)."""

    CLOSING_STOCK = "closing_stock"
    FEEDSTOCK = "feedstock"
    """Used as raw material of a non-energy product (发改环资〔2022〕803号): shown apart."""


SIGNS = {
    Flow.OPENING_STOCK: 1,
    Flow.PURCHASED: 1,
    Flow.PRODUCED: 1,
    Flow.SOLD: -1,
    Flow.CLOSING_STOCK: -1,
    Flow.FEEDSTOCK: -1,
}


class Origin(StrEnum):
    """Where the quantity of a term comes from."""

    METERED = "metered"
    STATED = "stated"


class Absence(StrEnum):
    """Why a term has no quantity."""

    NONE_KNOWN = "none_known"
    """No meter measures it and the unit never stated any: no term of the balance, and told so."""

    NOT_STATED = "not_stated"
    STATED_IN_PART = "stated_in_part"
    """Statements cover only a part of the span, or reach over its ends."""

    NOT_COUNTED = "not_counted"
    """The stock was not counted on that day."""

    METER_SILENT = "meter_silent"
    HELD = "held"
    """A register step waits for review."""


@dataclass(frozen=True, slots=True)
class Term:
    """One flow: a `quantity` with its `origin`, or None with the `absence` that says why.

    `evidence` are the documents or the meters it rests on.
    """

    flow: Flow
    quantity: float | None
    origin: Origin | None = None
    absence: Absence | None = None
    evidence: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = self.quantity is not None
        if known != (self.origin is not None) or known == (self.absence is not None):
            raise ValueError("a term has a quantity and an origin, or neither and a reason")

    @property
    def is_missing(self) -> bool:
        """Return whether the balance has to do without a quantity that belongs to it."""
        return self.quantity is None and self.absence is not Absence.NONE_KNOWN


@dataclass(frozen=True, slots=True)
class Balance:
    """The terms in the order of `Flow`, and what follows from them, in their unit of measure.

    `used` is what the unit used in all, `consumed` the same less feedstock; None: `missing` names
    the terms that are wanting. `none_known` names those the balance takes not to exist.
    """

    terms: tuple[Term, ...]
    used: float | None
    consumed: float | None
    missing: tuple[Flow, ...]
    none_known: tuple[Flow, ...]


def balance(terms: Iterable[Term]) -> Balance:
    """Return the balance of `terms`; a flow that is not among them is missing.

    consumed = opening stock + purchased + produced − sold − closing stock − feedstock
    (GB/T 2589-2020: energy sold on or output as a product is subtracted). The sum is rounded once,
    so that it closes whatever the order of the terms. A negative result is no error: it is shown,
    because it says that a term is wrong.

    >>> flows = {Flow.OPENING_STOCK: 20.0, Flow.PURCHASED: 100.0, Flow.CLOSING_STOCK: 30.0}
    >>> none = {flow: Term(flow, None, None, Absence.NONE_KNOWN) for flow in Flow}
    >>> known = {flow: Term(flow, value, Origin.STATED) for flow, value in flows.items()}
    >>> balance((none | known).values()).consumed
    90.0
    >>> balance(known.values()).missing
    (<Flow.PRODUCED: 'produced'>, <Flow.SOLD: 'sold'>, <Flow.FEEDSTOCK: 'feedstock'>)
    """
    by_flow: dict[Flow, Term] = {}
    for term in terms:
        if term.flow in by_flow:
            raise ValueError(f"two terms for {term.flow}")
        by_flow[term.flow] = term
    ordered = tuple(
        by_flow.get(flow) or Term(flow, None, None, Absence.NOT_STATED) for flow in Flow
    )
    return Balance(
        terms=ordered,
        used=_sum(term for term in ordered if term.flow is not Flow.FEEDSTOCK),
        consumed=_sum(ordered),
        missing=tuple(term.flow for term in ordered if term.is_missing),
        none_known=tuple(
            term.flow for term in ordered if term.quantity is None and not term.is_missing
        ),
    )


def _sum(terms: Iterable[Term]) -> float | None:
    held = list(terms)
    if any(term.is_missing for term in held) or all(term.quantity is None for term in held):
        return None
    return fsum(SIGNS[term.flow] * term.quantity for term in held if term.quantity is not None)


class Incomparable(StrEnum):
    """Why two figures of the same energy are not compared."""

    BOUNDARY_UNKNOWN = "boundary_unknown"
    NO_SUB_METERS = "no_sub_meters"
    SUB_METER_UNKNOWN = "sub_meter_unknown"
    NOTHING_STATED = "nothing_stated"
    """The balance rests on the meters alone: there is no second source."""

    BALANCE_UNKNOWN = "balance_unknown"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`whole` beside `part` of the same energy, in one unit of measure.

    `difference` is whole less part; `share` of the whole, None where that is zero too.
    """

    whole: float | None
    part: float | None
    difference: float | None
    share: float | None
    reason: Incomparable | None = None


def compared(whole: float, part: float) -> Comparison:
    """Return by how much `whole` exceeds `part`; negative: the part is more than the whole.

    >>> compared(100.0, 92.0).share
    0.08
    """
    difference = whole - part
    return Comparison(whole, part, difference, difference / abs(whole) if whole else None)


def against_sub_meters(boundary: float | None, subs: Sequence[float | None]) -> Comparison:
    """Return what the boundary counts and the sub-meters (GB 17167 levels 2, 3) do not: unmetered.

    Comparable only where everything is known: a silent sub-meter is no unmetered use.

    >>> against_sub_meters(100.0, [60.0, 30.0]).difference
    10.0
    >>> against_sub_meters(100.0, [60.0, None]).reason
    <Incomparable.SUB_METER_UNKNOWN: 'sub_meter_unknown'>
    """
    known = [sub for sub in subs if sub is not None]
    part = fsum(known) if known and len(known) == len(subs) else None
    if boundary is None:
        return Comparison(None, part, None, None, Incomparable.BOUNDARY_UNKNOWN)
    if not subs:
        return Comparison(boundary, None, None, None, Incomparable.NO_SUB_METERS)
    if part is None:
        return Comparison(boundary, None, None, None, Incomparable.SUB_METER_UNKNOWN)
    return compared(boundary, part)


def are_tiling(pieces: Iterable[tuple[date, date]], starts_on: date, ends_on: date) -> bool:
    """Return whether the half-open `pieces` cover `[starts_on, ends_on)` once and nothing beside.

    >>> months = [(date(2026, 1, 1), date(2026, 2, 1)), (date(2026, 2, 1), date(2026, 3, 1))]
    >>> are_tiling(months, date(2026, 1, 1), date(2026, 3, 1))
    True
    >>> are_tiling(months, date(2026, 1, 1), date(2026, 2, 15))
    False
    """
    reached = starts_on
    for first, last in sorted(pieces):
        if first != reached:
            return False
        reached = last
    return reached == ends_on
