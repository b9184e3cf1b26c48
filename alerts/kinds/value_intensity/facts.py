"""Owns what a verdict on the energy per 10,000 yuan of a unit is given: what it used and stated.

Pure. The energy of all of a unit is never divided by the value of some of its products.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from alerts.kinds import metered, windows
from alerts.kinds.kind import Facts, UnitName
from alerts.kinds.value_intensity.parameters import Per, ValueIntensity
from db.facts import MeterUse
from db.production import ProductionRow
from energy import production
from energy.factors import Basis
from energy.intensity_uoms import Energy
from energy.periods import Span


@dataclass(frozen=True, slots=True)
class Used:
    """What a unit used in a period, and what it stated of it. None: not known, which is not 0.

    The bounds are what the energy would come to if what is missing came at the pace of what is
    there. `silent`, `held`: meters; `without_factor`: carriers.
    """

    span: Span
    energy_tce: float | None
    energy_bounds: tuple[float, float]
    value_cny: float | None
    coverage: float
    estimated_share: float
    silent: Sequence[str] = ()
    held: Sequence[str] = ()
    without_factor: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ValueFacts(Facts):
    """A period of a unit and the same months a year before; None: a limit is stated instead."""

    unit: UnitName
    region: str
    per: Per
    basis: Basis
    used: Used
    before: Used | None

    @property
    def subject(self) -> str:
        return f"{self.unit.unit}/{self.per}"

    @property
    def about_unit(self) -> UnitName:
        return self.unit

    @property
    def energy_basis(self) -> Basis:
        return self.basis


def units(
    uses: Iterable[MeterUse],
    statements: Iterable[ProductionRow],
    parameters: ValueIntensity,
    now: datetime,
) -> Iterator[Iterator[ValueFacts]]:
    """Yield, for each unit, the facts of its periods, newest first. `uses` in order of unit."""
    stated: dict[str, list[ProductionRow]] = {}
    for row in statements:
        stated.setdefault(row.unit, []).append(row)
    for unit, of_unit in groupby(uses, key=lambda use: use.unit):
        by_window: dict[Span, list[MeterUse]] = {}
        for use in of_unit:
            by_window.setdefault(use.window, []).append(use)
        yield _candidates(by_window, stated.get(unit, []), parameters, now)


def _candidates(
    by_window: Mapping[Span, Sequence[MeterUse]],
    statements: Sequence[ProductionRow],
    parameters: ValueIntensity,
    now: datetime,
) -> Iterator[ValueFacts]:
    for span in parameters.periods(now):
        if (meters := by_window.get(span)) is None:
            continue
        first, earlier = meters[0], windows.year_before(span)
        before = None
        if parameters.limit_tce is None:
            before = _used(by_window.get(earlier, ()), earlier, statements, parameters, now)
        yield ValueFacts(
            UnitName(first.unit_id, first.unit, first.unit_name),
            first.region,
            parameters.per,
            parameters.basis,
            _used(meters, span, statements, parameters, now),
            before,
        )


def _used(
    meters: Sequence[MeterUse],
    span: Span,
    statements: Sequence[ProductionRow],
    parameters: ValueIntensity,
    now: datetime,
) -> Used:
    energy = [use for use in meters if use.role != "output"]
    amounts = [(metered.energy(use, Energy.TCE), use) for use in energy]
    total, bounds = metered.total([(amount, metered.share(use, now)) for amount, use in amounts])
    made = {use.product for use in meters if use.product is not None}
    return Used(
        span=span,
        energy_tce=total,
        energy_bounds=bounds,
        value_cny=_value(statements, made, span, parameters.per),
        coverage=metered.coverage(energy, now),
        estimated_share=metered.estimated_share(amounts),
        silent=[use.meter for use in energy if use.quantity is None or not metered.share(use, now)],
        held=[use.meter for use in energy if use.held],
        without_factor=sorted({use.carrier or "" for use in energy if use.lacks_factor}),
    )


def _value(
    statements: Iterable[ProductionRow], made: Iterable[str], span: Span, per: Per
) -> float | None:
    """Return what the unit made in `span` is worth; None: not stated for all of it. [yuan]"""
    parts: dict[str, list[tuple[Span, float | None]]] = {product: [] for product in made}
    for row in statements:
        if production.reaches(row.span, span):
            value = row.output_value_cny if per is Per.OUTPUT_VALUE else row.value_added_cny
            parts.setdefault(row.product, []).append((row.span, value))
    return production.unit_value(parts, span)
