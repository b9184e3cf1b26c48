"""Owns the share of capacity at the benchmark, by product: 达到标杆水平的产能比例.

Pure. By capacity, not by number of plants or output. A unit without a figure is unknown: it is
named, and the share is then known only within bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from app import intensity, intensity_rows, stated
from app.consumption import Line
from app.intensity import NOTHING_METERED, Figure, Judged, Made, Reason, Used
from db.capacities import Capacity
from db.limits import LimitRow
from db.production import ProductionRow
from db.products import Equivalent, Product
from energy import intensity as rules
from energy import intensity_uoms, production
from energy.finality import State
from energy.intensity import Grade, Missing
from energy.intensity_uoms import Energy, IntensityUom
from energy.periods import LOCAL, Span

Slot = tuple[str, datetime]
"""A unit and the start of a month."""


class Obscurity(StrEnum):
    """Why a unit cannot be placed though energy and output are known."""

    SEVERAL_PRODUCTS = "several_products"
    """The energy of the whole unit is not that of one of its products."""
    NO_BENCHMARK = "no_benchmark"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the units of a region, by month; `made` by unit, product and month."""

    months: Sequence[Span]
    lines: Mapping[Slot, Line]
    electricity: Mapping[Slot, Line]
    silent: Set[Slot]
    electricity_silent: Set[Slot]
    made: Mapping[tuple[str, str], Mapping[datetime, Made]]
    statements: Mapping[str, Sequence[ProductionRow]]
    metered: Mapping[str, Set[str]]
    equivalents: Sequence[Equivalent]
    now: datetime


@dataclass(frozen=True, slots=True)
class Placed:
    """A unit, what it can make, and where it stands. `months`: those that its figure rests on."""

    capacity: Capacity
    quantity: float | None
    intensity: float | None
    reason: Reason | Obscurity | None
    is_at_benchmark: bool | None
    grade: Grade | None
    months: int
    state: State


@dataclass(frozen=True, slots=True)
class Share:
    """The share of a product. [0–1] `at_least` counts unknown capacity as failing, `at_most` as
    meeting the benchmark; only where the two are one the share is known."""

    product: Product
    judged_by: LimitRow | None
    total: float
    at_benchmark: float
    unknown: float
    units: Sequence[Placed]

    @property
    def at_least(self) -> float | None:
        return self.at_benchmark / self.total if self.total else None

    @property
    def at_most(self) -> float | None:
        return (self.at_benchmark + self.unknown) / self.total if self.total else None

    @property
    def value(self) -> float | None:
        return None if self.unknown else self.at_least

    @property
    def is_reached(self) -> bool | None:
        """Whether the required share is reached; None: nobody requires one, or it is open."""
        required = self.product.required_share
        if required is None or self.at_least is None or self.at_most is None:
            return None
        if self.at_least >= required:
            return True
        return None if self.at_most >= required else False


def shares(
    capacities: Iterable[Capacity],
    products: Mapping[str, Product],
    limits: Sequence[LimitRow],
    known: Known,
    on: date,
) -> list[Share]:
    """Return the share of each named product that somebody can make, by limits in force `on`."""
    by_product: dict[str, list[Capacity]] = {}
    for capacity in capacities:
        if capacity.product in products:
            by_product.setdefault(capacity.product, []).append(capacity)
    return [
        _share(products[product], group, benchmark(limits, product, on), known)
        for product, group in sorted(by_product.items())
    ]


def _share(
    product: Product, group: Sequence[Capacity], judged_by: LimitRow | None, known: Known
) -> Share:
    placed = [_placed(capacity, product, judged_by, known) for capacity in group]
    return Share(
        product=product,
        judged_by=judged_by,
        total=sum(each.quantity or 0.0 for each in placed),
        at_benchmark=sum(each.quantity or 0.0 for each in placed if each.is_at_benchmark),
        unknown=sum(each.quantity or 0.0 for each in placed if each.is_at_benchmark is None),
        units=placed,
    )


def benchmark(limits: Sequence[LimitRow], product: str, on: date) -> LimitRow | None:
    """Return the newest edition in force with a benchmark for the product."""
    own = [limit for limit in limits if limit.product == product]
    for limit in intensity.in_force(own, on):
        if limit.benchmark is not None:
            return limit
    return None


def _placed(
    capacity: Capacity, product: Product, judged_by: LimitRow | None, known: Known
) -> Placed:
    factor = intensity_uoms.output_conversion(capacity.uom, product.output_uom)
    quantity = None if factor is None else capacity.capacity * factor
    uom = None if judged_by is None else intensity.parsed(judged_by.uom)
    if judged_by is None or uom is None:
        return Placed(
            capacity, quantity, None, Obscurity.NO_BENCHMARK, None, None, 0, State.PROVISIONAL
        )
    found, months, state = _figure(capacity.unit, product.product, uom, known)
    said = known.statements.get(capacity.unit, ())
    made = {*known.metered.get(capacity.unit, ())} | stated.products(said)
    reason: Reason | Obscurity | None = found.reason
    if len(made) > 1:
        found, reason = Figure(None, None), Obscurity.SEVERAL_PRODUCTS
    judged: Judged = intensity.judged(judged_by, found)
    at_benchmark = None
    if found.value is not None:
        at_benchmark = judged.judgement.grade is Grade.BENCHMARK
    return Placed(
        capacity,
        quantity,
        found.value,
        reason,
        at_benchmark,
        judged.judgement.grade,
        months,
        state,
    )


def _figure(unit: str, product: str, uom: IntensityUom, known: Known) -> tuple[Figure, int, State]:
    """Return the intensity over the months in which energy and output are both known.

    Energy of a month counts only with the output of the same month.
    """
    energy, output, counted, waits = 0.0, 0.0, 0, False
    reason: Reason = Missing.OUTPUT
    for month in known.months:
        used, made, amount = _month(unit, product, uom, month, known)
        oil = intensity.equivalent(
            known.equivalents, Energy.KGOE, month.starts_at.astimezone(LOCAL).date()
        )
        figure = intensity.figure(uom, used, made, amount, per=uom.per, oil=oil)
        is_open = known.now < month.ends_at
        waits = waits or bool(intensity_rows.causes(uom, used, made, amount, is_open=is_open))
        if figure.value is not None and amount.quantity is not None:
            energy += figure.value * amount.quantity
            output += amount.quantity
            counted += 1
        elif figure.reason is not None and not is_open:
            reason = figure.reason
    state = State.PROVISIONAL if waits or not known.months else State.FINAL
    if not counted:
        return Figure(None, reason), 0, state
    found = rules.intensity(energy, output)
    return Figure(found.value, found.missing), counted, state


def _month(
    unit: str, product: str, uom: IntensityUom, month: Span, known: Known
) -> tuple[Used, Made, production.Output]:
    slot = (unit, month.starts_at)
    used = Used(
        known.lines.get(slot),
        known.electricity.get(slot),
        slot in known.silent,
        slot in known.electricity_silent,
    )
    made = known.made.get((unit, product), {}).get(month.starts_at, NOTHING_METERED)
    said = stated.quantity(known.statements.get(unit, ()), product, uom.per, month)
    return used, made, production.output(made.quantity, said)
