"""Owns the tree that explains a figure: parts that sum to the whole, down to what nobody computed.

Pure. Each part says what it came to, how, and what share of the part above it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from math import fsum

from app.lineage import Recorded
from energy import explanation
from energy.factors import Basis, MissingFactor, Origin
from energy.periods import Step
from energy.registers import DoubtReason, EpochReason, Kind, Side


class Whole(StrEnum):
    """What a part of a figure is about."""

    TOTAL = "total"
    UNIT = "unit"
    CARRIER = "carrier"
    METER = "meter"


@dataclass(frozen=True, slots=True)
class Tally:
    """What is added up; None: unknown, not zero.

    `absolute_…` and `estimated_…` are without signs, so that export does not cancel them.
    """

    energy_tce: float | None
    quantity: float | None
    uom: str | None
    absolute_tce: float | None
    estimated_tce: float | None
    absolute_quantity: float | None
    estimated_quantity: float
    present: int
    due: int
    held: bool
    left_out: Mapping[str, Sequence[MissingFactor]] = field(default_factory=dict)

    @property
    def coverage(self) -> float | None:
        return min(1.0, self.present / self.due) if self.due else None

    @property
    def estimated_share(self) -> float | None:
        """Return the share of estimated energy; of quantity where there is no factor. [0–1]"""
        part, whole = self.estimated_tce, self.absolute_tce
        if whole is None and len(self.left_out) <= 1:
            part, whole = self.estimated_quantity, self.absolute_quantity
        if whole is None:
            return None
        return 0.0 if whole == 0 or part is None else min(1.0, part / whole)

    @property
    def figure(self) -> float | None:
        """Return the energy; the quantity where it has none and is of one carrier."""
        return self.quantity if self.energy_tce is None else self.energy_tce

    @property
    def figure_uom(self) -> str:
        return "tce" if self.energy_tce is not None or self.uom is None else self.uom


def added(tallies: Sequence[tuple[float, Tally]]) -> Tally:
    """Return the sum of tallies, each with its sign; quantities of different units do not add up.

    >>> one = Tally(1.0, 10.0, "kWh", 1.0, 0.0, 10.0, 0.0, 4, 4, held=False)
    >>> added([(1, one), (-1, one)]).energy_tce, added([(1, one), (-1, one)]).absolute_tce
    (0.0, 2.0)
    """
    uoms = {tally.uom for _, tally in tallies}
    is_one_carrier = len(uoms) == 1 and None not in uoms
    reasons: dict[str, set[MissingFactor]] = {}
    for _, tally in tallies:
        for carrier, why in tally.left_out.items():
            reasons.setdefault(carrier, set()).update(why)
    known = explanation.known_sum
    return Tally(
        energy_tce=known(_signed(sign, tally.energy_tce) for sign, tally in tallies),
        quantity=known(_signed(sign, tally.quantity) for sign, tally in tallies)
        if is_one_carrier
        else None,
        uom=next(iter(uoms)) if is_one_carrier else None,
        absolute_tce=known(tally.absolute_tce for _, tally in tallies),
        estimated_tce=known(tally.estimated_tce for _, tally in tallies),
        absolute_quantity=known(tally.absolute_quantity for _, tally in tallies),
        estimated_quantity=fsum(tally.estimated_quantity for _, tally in tallies),
        present=sum(tally.present for _, tally in tallies),
        due=sum(tally.due for _, tally in tallies),
        held=any(tally.held for _, tally in tallies),
        left_out={
            carrier: [reason for reason in MissingFactor if reason in reasons[carrier]]
            for carrier in sorted(reasons)
        },
    )


def netted(tally: Tally) -> Tally:
    """Return a tally of one carrier of one owner as it is stored: export is taken off first.

    What is estimated is a share of what is left, as in the sums that `/v1/consumption` reads.

    >>> one = Tally(4.0, 10.0, "kWh", None, None, None, 5.0, 4, 4, held=False)
    >>> netted(one).estimated_tce, netted(one).absolute_tce, netted(one).estimated_share
    (2.0, 4.0, 0.5)
    """
    energy, quantity, estimated = tally.energy_tce, tally.quantity, tally.estimated_quantity
    return replace(
        tally,
        absolute_tce=None if energy is None else abs(energy),
        estimated_tce=abs(energy * estimated / quantity)
        if energy is not None and quantity
        else None,
        absolute_quantity=None if quantity is None else abs(quantity),
        estimated_quantity=abs(estimated),
    )


def _signed(sign: float, figure: float | None) -> float | None:
    return None if figure is None else sign * figure


@dataclass(frozen=True, slots=True)
class Formula:
    """How a part is made: in words, and as the numbers put in."""

    zh: str
    en: str
    numbers: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored for a part in buckets of one step, and whether it is the same."""

    step: Step
    energy_tce: float | None
    quantity: float | None
    agrees: bool


@dataclass(frozen=True, slots=True)
class UsedReading:
    """A reading as it arrived; `counted` is what is reckoned with, None: it does not count."""

    time: datetime
    value: float
    quality: str
    received_at: datetime
    counted: float | None
    chain: str | None
    link: int | None


@dataclass(frozen=True, slots=True)
class ReadingsUsed:
    """The readings behind a part. `items` None: not asked for; `omitted` are beyond the bound."""

    count: int
    counted: int
    first: UsedReading | None
    last: UsedReading | None
    items: Sequence[UsedReading] | None
    omitted: int


@dataclass(frozen=True, slots=True)
class EpochInForce:
    """An epoch that readings of the part lie in; `quantity` is what they span in it."""

    quantity: float
    scale: float
    starts_at: datetime
    reason: EpochReason
    multiplier: float
    side: Side
    rollover: float | None
    rate_max: float | None
    first_value: float | None
    previous_last_value: float | None
    interval_s: int | None
    recorded: Recorded | None


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of which only the sum is known (`quantity`), or not even that: it is held.

    `inside` is the part of it that counts in the span.
    """

    starts_at: datetime
    ends_at: datetime
    quantity: float | None
    inside: float | None
    is_held: bool


@dataclass(frozen=True, slots=True)
class DoubtFound:
    reason: DoubtReason
    first_at: datetime
    last_at: datetime
    readings: int
    is_held: bool


@dataclass(frozen=True, slots=True)
class CorrectionApplied:
    """`new_value` None: the reading is set aside."""

    time: datetime
    old_value: float
    new_value: float | None
    recorded: Recorded | None


@dataclass(frozen=True, slots=True)
class FactorUsed:
    """A factor in kgce per `uom` (the reference unit of the carrier)."""

    kgce_per_uom: float
    uom: str
    basis: Basis
    origin: Origin
    edition: str
    source: str
    verified: bool
    batch: str | None
    valid_from: date
    valid_to: date | None
    recorded: Recorded | None


@dataclass(frozen=True, slots=True)
class FactorSpan:
    """What was used from `first_day` to `last_day`, both included, at one factor. A leaf."""

    first_day: date
    last_day: date
    quantity: float
    factor: FactorUsed | None
    missing: MissingFactor | None
    energy_tce: float | None


@dataclass(frozen=True, slots=True)
class LinkHolding:
    """A link of the chain that holds readings of this meter."""

    chain: str
    link: int
    stored_at: datetime
    sha256: str
    readings: int


@dataclass(frozen=True, slots=True)
class MeterDetail:
    """What a meter's part comes from. Quantities in the meter's unit, multiplier applied.

    `course_quantity` is what its readings span, `outside_quantity` what of that lies before or
    after the span, in proportion to time.
    """

    readings: ReadingsUsed
    course_quantity: float
    outside_quantity: float
    uom: str
    conversion: float
    epochs: Sequence[EpochInForce]
    spans: Sequence[FactorSpan]
    gaps: Sequence[Gap]
    doubts: Sequence[DoubtFound]
    corrections: Sequence[CorrectionApplied]
    conflicts: int
    rejected: int
    links: Sequence[LinkHolding]
    links_total: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a figure. `sign` is -1 where it is taken off the part above: export.

    `agrees` None: nothing is stored to compare with.
    """

    whole: Whole
    code: str
    name_zh: str
    name_en: str
    sign: int
    tally: Tally
    formula: Formula
    parts: Sequence[Part] = ()
    stored: Sequence[Stored] = ()
    agrees: bool | None = None
    share: float | None = None
    unit: str | None = None
    kind: Kind | None = None
    role: str | None = None
    interval_s: int | None = None
    detail: MeterDetail | None = None


def leaves(part: Part, sign: int = 1) -> Iterable[tuple[int, Part]]:
    """Yield the parts that have none, each with its sign in the whole."""
    if not part.parts:
        yield sign, part
    for each in part.parts:
        yield from leaves(each, sign * each.sign)
