"""Owns what is deducted from a region's energy, or put apart, each with its evidence.

Quantities that are stated, and certificates, are valued as the energy they are deducted from was
counted: so no deduction has a factor of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from math import fsum

import app.balance
from app.account_facts import Facts, YearFacts
from db.meter_sums import MeterSum
from energy import rulesets
from energy.balance import Absence, Flow, Origin
from energy.carriers import ELECTRICITY
from energy.certificates import Source
from energy.factors import KGCE_PER_TCE
from energy.periods import LOCAL
from energy.roles import Role
from energy.rulesets import TOLERANCE


class Kind(StrEnum):
    """What is deducted, or put apart."""

    FEEDSTOCK = "feedstock"
    NON_FOSSIL = "non_fossil"
    PROJECT = "project"


class Doubt(StrEnum):
    """Why a deduction has no value although its quantity is known."""

    FACTOR_MISSING = "factor_missing"
    EXCEEDS_CONSUMPTION = "exceeds_consumption"
    """More than the unit consumed of that carrier, by its boundary meters."""

    INCOMPLETE = "incomplete"
    """A meter of the project has nothing, is held, or has no factor."""


@dataclass(frozen=True, slots=True)
class Deduction:
    """One thing that is deducted or put apart, with its evidence; `tce` None: `reason` says why."""

    kind: Kind
    year: int
    tce: float | None
    origin: Origin | None = None
    reason: Absence | Doubt | None = None
    unit: str | None = None
    carrier: str | None = None
    project: str | None = None
    source: Source | None = None
    quantity: float | None = None
    uom: str | None = None
    evidence: tuple[str, ...] = ()


def feedstock(facts: Facts, of_year: YearFacts) -> list[Deduction]:
    """Return the feedstock of each unit and carrier that has a meter or ever stated some."""
    meters: dict[tuple[str, str], list[MeterSum]] = {}
    for meter in of_year.meters:
        if meter.role is Role.FEEDSTOCK:
            meters.setdefault((meter.unit, meter.carrier), []).append(meter)
    keys = {*meters, *((row.unit, row.carrier) for row in facts.trades)}
    return [
        _bounded(
            _metered_feedstock(of_year, key, meters[key], facts.reference_uoms[key[1]])
            if key in meters
            else _stated_feedstock(facts, of_year, key),
            of_year,
        )
        for key in sorted(keys)
    ]


def _metered_feedstock(
    of_year: YearFacts, key: tuple[str, str], meters: Sequence[MeterSum], uom: str
) -> Deduction:
    reasons = [reason for meter in meters if (reason := absence(meter)) is not None]
    amounts = [meter.tce for meter in meters if meter.tce is not None]
    quantities = [meter.quantity for meter in meters if meter.quantity is not None]
    return Deduction(
        kind=Kind.FEEDSTOCK,
        year=of_year.year,
        tce=None if reasons else fsum(amounts),
        origin=Origin.METERED,
        reason=reasons[0] if reasons else None,
        unit=key[0],
        carrier=key[1],
        quantity=None if reasons else fsum(quantities),
        uom=uom,
        evidence=tuple(meter.meter for meter in meters),
    )


def _stated_feedstock(facts: Facts, of_year: YearFacts, key: tuple[str, str]) -> Deduction:
    unit, carrier = key
    uom = facts.reference_uoms[carrier]
    rows = [row for row in facts.trades if (row.unit, row.carrier) == key]
    term = app.balance.stated(rows, Flow.FEEDSTOCK, *days(of_year), uom)
    quantity = None if term is None else term.quantity
    value = tce_per_quantity(of_year, unit, carrier)
    reason: Absence | Doubt | None = Absence.NOT_STATED if term is None else term.absence
    if quantity == 0:
        tce: float | None = 0.0
    elif quantity is None or value is None:
        tce, reason = None, reason or Doubt.FACTOR_MISSING
    else:
        tce = quantity * value
    return Deduction(
        kind=Kind.FEEDSTOCK,
        year=of_year.year,
        tce=tce,
        origin=Origin.STATED,
        reason=reason,
        unit=unit,
        carrier=carrier,
        quantity=quantity,
        uom=uom,
        evidence=() if term is None else term.evidence,
    )


def _bounded(found: Deduction, of_year: YearFacts) -> Deduction:
    """Return `found`, without value if the unit consumed less of the carrier than that."""
    if not found.tce:
        return found
    consumed = fsum(
        line.used.energy_tce or 0.0
        for line in of_year.lines
        if (line.key.unit, line.key.energy) == (found.unit, found.carrier) and line.used is not None
    )
    if found.tce <= consumed * (1 + TOLERANCE):
        return found
    return replace(found, tce=None, reason=Doubt.EXCEEDS_CONSUMPTION)


def electricity(
    year: int,
    source: Source,
    project: str | None,
    mwh: float,
    kgce_per_kwh: float | None,
    evidence: tuple[str, ...],
) -> Deduction:
    if mwh == 0:
        tce: float | None = 0.0  # nothing needs no value
    else:
        tce = None if kgce_per_kwh is None else rulesets.electricity_tce(mwh, kgce_per_kwh)
    return Deduction(
        kind=Kind.NON_FOSSIL,
        year=year,
        tce=tce,
        origin=Origin.STATED,
        reason=Doubt.FACTOR_MISSING if tce is None else None,
        carrier=ELECTRICITY,
        project=project,
        source=source,
        quantity=mwh,
        uom="MWh",
        evidence=evidence,
    )


def absence(meter: MeterSum) -> Absence | Doubt | None:
    if meter.held:
        return Absence.HELD
    if meter.quantity is None:
        return Absence.METER_SILENT
    return Doubt.FACTOR_MISSING if meter.lacks_factor or meter.tce is None else None


def tce_per_quantity(facts: YearFacts, unit: str | None, carrier: str) -> float | None:
    """Return what one reference unit of a carrier was counted as. [tce]

    None where nothing of it was counted, or not all of it has a factor.
    """
    used = [
        line.used
        for line in facts.lines
        if line.key.energy == carrier
        and unit in (None, line.key.unit)
        and line.used is not None
        and not line.used.left_out
    ]
    pairs = [
        (one.energy_tce, one.quantity)
        for one in used
        if one.energy_tce is not None and one.quantity is not None
    ]
    quantity = fsum(quantity for _, quantity in pairs)
    return fsum(tce for tce, _ in pairs) / quantity if quantity > 0 else None


def kgce_per_kwh(facts: YearFacts) -> float | None:
    value = tce_per_quantity(facts, None, ELECTRICITY)
    return None if value is None else value * KGCE_PER_TCE


def days(facts: YearFacts) -> tuple[date, date]:
    return (
        facts.span.starts_at.astimezone(LOCAL).date(),
        facts.span.ends_at.astimezone(LOCAL).date(),
    )
