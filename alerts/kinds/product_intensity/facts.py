"""Owns what a verdict on a product is given: rows of meters and limits put together by subject.

Pure. A fact says what is known and what is not; what follows from it is for `verdict`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import groupby

from alerts.kinds import metered
from alerts.kinds.kind import Facts, UnitName
from alerts.kinds.product_intensity.parameters import Against, ProductIntensity, Window
from db.facts import MeterUse
from db.limits import LimitRow
from db.products import Equivalent, Product
from energy import intensity_uoms
from energy.carriers import ELECTRICITY
from energy.factors import Basis, Unverified
from energy.intensity import Levels
from energy.intensity_uoms import MONEY, PUE, Energy, IntensityUomError
from energy.periods import LOCAL, Span


@dataclass(frozen=True, slots=True)
class Yardstick:
    """The value a product is judged against, and the row it comes from."""

    value: float
    against: Against
    limit: LimitRow

    @property
    def energy(self) -> Energy:
        """The energy that counts, and the unit that it is told in."""
        return Energy.KWH if self.limit.uom == PUE else Energy(self.limit.uom.partition("/")[0])

    @property
    def output_uom(self) -> str:
        return "kWh" if self.limit.uom == PUE else self.limit.uom.partition("/")[2]

    @property
    def levels(self) -> Levels:
        row = self.limit
        return Levels(row.limit, row.baseline, row.benchmark, row.advanced, row.exclusive)


@dataclass(frozen=True, slots=True)
class Reference:
    """What products are held against: limits, and what kgoe is worth in kgce; and their names."""

    limits: Sequence[LimitRow]
    equivalents: Sequence[Equivalent] = ()
    unverified: Unverified = Unverified.NOTE
    named: Mapping[str, Product] = field(default_factory=dict)

    def of(self, product: str) -> list[LimitRow]:
        """Return the limits of a product that somebody checked against their edition.

        Nobody is written to because of a figure that was never checked.
        """
        return [row for row in self.limits if row.product == product and row.verified]

    def unchecked(self, product: str) -> list[LimitRow]:
        """Return the others: where there are no better ones, it is unknown whether it is over."""
        return [row for row in self.limits if row.product == product and not row.verified]

    def oil(self, on: date) -> Equivalent | None:
        """Return what a kgoe is worth on a day; None: nobody says, or nobody may rely on it."""
        held = [
            row
            for row in self.equivalents
            if row.energy_uom == Energy.KGOE
            and row.valid_from <= on
            and (row.verified or self.unverified is not Unverified.REFUSE)
        ]
        return max(held, key=lambda row: row.valid_from, default=None)


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
    """What a unit used and made in a window, in the limit's units of energy and of output.

    The bounds are what the two would come to if what is missing were made up at the pace of what
    is there. `silent`, `held`: meters; `without_factor`: carriers; `foreign_uoms`: units of measure
    that do not lead to those of the limit. `oil`: what a kgoe was taken for, if the limit is in it.
    `unverified`: editions of limits that hold, of which none was checked. `named`: the product's
    names; None: it has none but its code.
    """

    subject: Subject
    window: Span
    yardstick: Yardstick | None
    energy: float | None
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
    period: Window = Window.HOURS
    oil: Equivalent | None = None
    unverified: Sequence[str] = ()
    named: Product | None = None

    @property
    def about_unit(self) -> UnitName:
        return UnitName(self.subject.unit_id, self.subject.unit, self.subject.unit_name)

    @property
    def about_product(self) -> Product | None:
        return self.named

    @property
    def energy_basis(self) -> Basis | None:
        is_coal = self.yardstick is None or self.yardstick.energy is not Energy.KWH
        return self.basis if is_coal else None


def products(
    uses: Iterable[MeterUse], reference: Reference, parameters: ProductIntensity, now: datetime
) -> Iterator[Iterator[ProductFacts]]:
    """Yield, for each unit and product, the facts of its windows, newest first.

    A window in which no limit holds has none. `uses` must be in order of unit and window; facts
    are put together as they are asked for, and mostly only the newest are.
    """
    limited = {row.product for row in reference.limits}
    for _, of_unit in groupby(uses, key=lambda use: use.unit_id):
        windows = [list(meters) for _, meters in groupby(of_unit, key=lambda use: use.window)]
        made = {use.product for meters in windows for use in meters if use.product is not None}
        for product in sorted(made & limited):
            yield _candidates(windows, product, reference, parameters, now)


def _candidates(
    windows: Sequence[Sequence[MeterUse]],
    product: str,
    reference: Reference,
    parameters: ProductIntensity,
    now: datetime,
) -> Iterator[ProductFacts]:
    limits, unchecked = reference.of(product), reference.unchecked(product)
    for meters in windows:
        on = meters[0].window.starts_at.astimezone(LOCAL).date()
        yardsticks = _in_force(limits, parameters.against, on)
        others = [] if yardsticks else _in_force(unchecked, parameters.against, on)
        if (yardsticks or others) and any(use.product == product for use in meters):
            found = _product(meters, product, yardsticks, reference.oil(on), parameters, now)
            editions = dict.fromkeys(each.limit.edition for each in others)
            named = reference.named.get(product)
            yield replace(found, unverified=list(editions), named=named)


def _in_force(limits: Sequence[LimitRow], against: Against, on: date) -> list[Yardstick]:
    """Return the values that hold on a day, in the order in which they are to be used.

    Of each edition the newest row holds; a newer edition comes before an older one.
    """
    editions: dict[str, LimitRow] = {}
    for limit in sorted(limits, key=lambda row: row.valid_from):
        if limit.valid_from <= on:
            editions[limit.edition] = limit
    rows = sorted(editions.values(), key=lambda row: (row.valid_from, row.edition), reverse=True)
    found = _values(rows, against)
    return found + _values(rows, Against.BASELINE) if against is Against.LIMIT else found


def _values(rows: Sequence[LimitRow], against: Against) -> list[Yardstick]:
    values = [(getattr(row, against), row) for row in rows]
    return [Yardstick(value, against, row) for value, row in values if value is not None]


def _product(
    meters: Sequence[MeterUse],
    product: str,
    yardsticks: Sequence[Yardstick],
    oil: Equivalent | None,
    parameters: ProductIntensity,
    now: datetime,
) -> ProductFacts:
    output = [use for use in meters if use.product == product]
    yardstick = _fitting(yardsticks, {use.uom for use in output}, oil)
    counted = yardstick.energy if yardstick else Energy.KGCE
    is_coal = counted is not Energy.KWH
    energy = [u for u in meters if u.role != "output" and (is_coal or u.carrier == ELECTRICITY)]
    amounts = {use.meter: metered.energy(use, counted, oil) for use in energy}
    shares = {use.meter: metered.share(use, now) for use in (*energy, *output)}
    measured, bounds = metered.total([(amounts[use.meter], shares[use.meter]) for use in energy])
    per_meter = [(_output(use, yardstick), shares[use.meter]) for use in output]
    made, made_bounds = metered.total(per_meter)
    first = meters[0]
    return ProductFacts(
        subject=Subject(first.unit_id, first.unit, first.unit_name, first.region, product),
        window=first.window,
        yardstick=yardstick,
        energy=measured,
        energy_bounds=bounds,
        output=made,
        output_bounds=made_bounds,
        coverage=metered.coverage((*energy, *output), now),
        estimated_share=metered.estimated_share([(amounts[use.meter], use) for use in energy]),
        silent=[m.meter for m in (*energy, *output) if m.quantity is None or not shares[m.meter]],
        held=[use.meter for use in (*energy, *output) if use.held],
        without_factor=sorted({u.carrier or "" for u in energy if is_coal and u.lacks_factor}),
        foreign_uoms=_foreign(yardsticks, output) if yardstick is None else [],
        other_products=sorted({use.product for use in meters if use.product} - {product}),
        basis=parameters.basis,
        period=parameters.window,
        oil=oil if counted is Energy.KGOE else None,
    )


def _foreign(yardsticks: Sequence[Yardstick], output: Iterable[MeterUse]) -> list[str]:
    """Return the units of measure that do not fit: that of the limit, if there is one, first."""
    return [*(each.limit.uom for each in yardsticks[:1]), *{use.uom for use in output}]


def _fitting(
    yardsticks: Sequence[Yardstick], uoms: set[str], oil: Equivalent | None
) -> Yardstick | None:
    """Return the first one in whose units the energy and all of the output can be told."""
    for yardstick in yardsticks:
        try:
            wanted = intensity_uoms.parse(yardstick.limit.uom)
        except IntensityUomError:
            continue
        has_energy = wanted.energy is not Energy.KGOE or oil is not None
        if (
            has_energy
            and wanted.per not in MONEY
            and all(intensity_uoms.output_conversion(uom, wanted.per) is not None for uom in uoms)
        ):
            return yardstick
    return None


def _output(use: MeterUse, yardstick: Yardstick | None) -> float | None:
    factor = intensity_uoms.output_conversion(use.uom, yardstick.output_uom) if yardstick else 1.0
    return None if use.quantity is None or factor is None else use.quantity * factor
