"""Owns what a verdict on a product is given: rows of meters and limits put together by subject.

Pure. A fact says what is known and what is not; what follows from it is for `verdict`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from alerts.kinds.kind import Facts, UnitName
from alerts.kinds.product_intensity.parameters import Against, ProductIntensity
from db.facts import MeterUse
from db.limits import LimitRow
from energy import carriers, coverage, periods
from energy.factors import KGCE_PER_TCE, Basis
from energy.periods import LOCAL, Span, Step

LIMIT_PREFIX = "kgce/"
WINDOWS_BACK = 3
"""Hours one goes back for a window that can be judged: gateways deliver late, often by minutes."""


@dataclass(frozen=True, slots=True)
class Yardstick:
    """The value a product is judged against, and the row it comes from."""

    value: float
    against: Against
    limit: LimitRow

    @property
    def output_uom(self) -> str:
        return self.limit.uom.removeprefix(LIMIT_PREFIX)


@dataclass(frozen=True, slots=True)
class Subject:
    """A unit and one of its products."""

    unit_id: int
    unit: str
    unit_name: str
    region: str
    product: str

    @property
    def name(self) -> str:
        return f"{self.unit}/{self.product}"


@dataclass(frozen=True, slots=True)
class ProductFacts(Facts):
    """What a unit used and made in a window, in kgce and in the limit's unit of output.

    The bounds are what the two would come to if what is missing were made up at the pace of what
    is there. `silent`, `held`: meters; `without_factor`: carriers; `foreign_uoms`: units of measure
    that do not lead to kgce per unit of output.
    """

    subject: Subject
    window: Span
    yardstick: Yardstick | None
    energy_kgce: float | None
    energy_bounds: tuple[float, float]
    output: float | None
    output_bounds: tuple[float, float]
    coverage: float
    estimated_share: float
    silent: Sequence[str] = ()
    held: Sequence[str] = ()
    without_factor: Sequence[str] = ()
    foreign_uoms: Sequence[str] = ()
    other_products: Sequence[str] = ()
    basis: Basis = Basis.CALORIFIC

    @property
    def about_unit(self) -> UnitName:
        return UnitName(self.subject.unit_id, self.subject.unit, self.subject.unit_name)

    @property
    def energy_basis(self) -> Basis:
        return self.basis


def windows(now: datetime, length: timedelta) -> list[Span]:
    """Return the windows that end with a full hour, from the newest one back."""
    newest = periods.floor(now, Step.HOUR)
    ends = [newest - timedelta(hours=back) for back in range(WINDOWS_BACK + 1)]
    return [Span(ends_at - length, ends_at) for ends_at in ends]


def products(
    uses: Iterable[MeterUse],
    limits: Iterable[LimitRow],
    parameters: ProductIntensity,
    now: datetime,
) -> Iterator[Iterator[ProductFacts]]:
    """Yield, for each unit and product, the facts of its windows, newest first.

    A window in which no limit holds has none. `uses` must be in order of unit and window; facts
    are put together as they are asked for, and mostly only the newest are.
    """
    by_product: dict[str, list[LimitRow]] = {}
    for limit in limits:
        by_product.setdefault(limit.product, []).append(limit)
    for _, of_unit in groupby(uses, key=lambda use: use.unit_id):
        windows = [list(meters) for _, meters in groupby(of_unit, key=lambda use: use.window)]
        made = {use.product for meters in windows for use in meters if use.product is not None}
        for product in sorted(made & by_product.keys()):
            yield _candidates(windows, product, by_product[product], parameters, now)


def _candidates(
    windows: Sequence[Sequence[MeterUse]],
    product: str,
    limits: Sequence[LimitRow],
    parameters: ProductIntensity,
    now: datetime,
) -> Iterator[ProductFacts]:
    for meters in windows:
        on = meters[0].window.starts_at.astimezone(LOCAL).date()
        yardsticks = _in_force(limits, parameters.against, on)
        if yardsticks and any(use.product == product for use in meters):
            yield _product(meters, product, yardsticks, parameters.basis, now)


def _in_force(limits: Sequence[LimitRow], against: Against, on: date) -> list[Yardstick]:
    """Return the values that hold on a day, in the order in which they are to be used.

    Of each edition the newest row holds; a newer edition comes before an older one.
    """
    editions: dict[str, LimitRow] = {}
    for limit in sorted(limits, key=lambda row: row.valid_from):
        if limit.valid_from <= on:
            editions[limit.edition] = limit
    rows = sorted(editions.values(), key=lambda row: (row.valid_from, row.edition), reverse=True)
    baselines = [
        Yardstick(row.baseline, Against.BASELINE, row) for row in rows if row.baseline is not None
    ]
    if against is Against.BASELINE:
        return baselines
    mandatory = [Yardstick(row.limit, Against.LIMIT, row) for row in rows if row.limit is not None]
    return mandatory + baselines


def _product(
    meters: Sequence[MeterUse],
    product: str,
    yardsticks: Sequence[Yardstick],
    basis: Basis,
    now: datetime,
) -> ProductFacts:
    energy = [use for use in meters if use.role != "output"]
    output = [use for use in meters if use.product == product]
    yardstick = _fitting(yardsticks, {use.uom for use in output})
    shares = {use.meter: _share(use, now) for use in (*energy, *output)}
    measured, bounds = _total([(_kgce(use), shares[use.meter]) for use in energy])
    per_meter = [(_output(use, yardstick), shares[use.meter]) for use in output]
    made, made_bounds = _total(per_meter)
    first = meters[0]
    return ProductFacts(
        subject=Subject(first.unit_id, first.unit, first.unit_name, first.region, product),
        window=first.window,
        yardstick=yardstick,
        energy_kgce=measured,
        energy_bounds=bounds,
        output=made,
        output_bounds=made_bounds,
        coverage=_coverage((*energy, *output), now),
        estimated_share=_estimated_share(energy),
        silent=[m.meter for m in (*energy, *output) if m.quantity is None or not shares[m.meter]],
        held=[use.meter for use in (*energy, *output) if use.held],
        without_factor=sorted({use.carrier or "" for use in energy if use.lacks_factor}),
        foreign_uoms=[] if yardstick else [yardsticks[0].limit.uom, *{u.uom for u in output}],
        other_products=sorted({use.product for use in meters if use.product} - {product}),
        basis=basis,
    )


def _fitting(yardsticks: Sequence[Yardstick], uoms: set[str]) -> Yardstick | None:
    for yardstick in yardsticks:
        if yardstick.limit.uom.startswith(LIMIT_PREFIX) and all(
            _conversion(uom, yardstick.output_uom) is not None for uom in uoms
        ):
            return yardstick
    return None


def _conversion(uom: str, other: str) -> float | None:
    """Return how many `other` one `uom` is; None: they do not convert."""
    if uom == other:
        return 1.0
    try:
        return carriers.conversion(uom, other)
    except carriers.UomError:
        return None


def _kgce(use: MeterUse) -> float | None:
    if use.tce is None:
        return None
    return use.tce * KGCE_PER_TCE * (-1 if use.role == "export" else 1)


def _output(use: MeterUse, yardstick: Yardstick | None) -> float | None:
    factor = _conversion(use.uom, yardstick.output_uom) if yardstick else 1.0
    return None if use.quantity is None or factor is None else use.quantity * factor


def _total(
    parts: Sequence[tuple[float | None, float]],
) -> tuple[float | None, tuple[float, float]]:
    """Return the sum of (quantity, share of its readings), and the bounds of the whole.

    A sum of which one part is unknown is unknown.
    """
    known = [(quantity, share) for quantity, share in parts if quantity is not None]
    total = sum(quantity for quantity, _ in known)
    missing = [quantity / share - quantity for quantity, share in known if share > 0]
    low = total + sum(quantity for quantity in missing if quantity < 0)
    high = total + sum(quantity for quantity in missing if quantity > 0)
    return (total if parts and len(known) == len(parts) else None), (low, high)


def _due(use: MeterUse, now: datetime) -> int:
    there = Span(max(use.window.starts_at, use.installed_at), use.window.ends_at)
    return coverage.due_of(use.kind, use.intervals, there, now)


def _share(use: MeterUse, now: datetime) -> float:
    due = _due(use, now)
    return min(1.0, use.readings_present / due) if due else 1.0


def _coverage(uses: Iterable[MeterUse], now: datetime) -> float:
    """Return the readings present as a share of those due; a meter cannot make up for another."""
    pairs = [(_due(use, now), use.readings_present) for use in uses]
    due = sum(owed for owed, _ in pairs)
    return sum(min(owed, present) for owed, present in pairs) / due if due else 0.0


def _estimated_share(energy: Sequence[MeterUse]) -> float:
    weighed = list(_weighed(energy))
    whole = sum(weight for weight, _ in weighed)
    return sum(weight * share for weight, share in weighed) / whole if whole else 0.0


def _weighed(energy: Sequence[MeterUse]) -> Iterator[tuple[float, float]]:
    """Yield (coal equivalent, estimated share) of each meter, without signs."""
    for use in energy:
        if use.tce and use.quantity:
            yield abs(use.tce), min(1.0, abs(use.estimated_quantity / use.quantity))
