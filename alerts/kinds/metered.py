"""Owns adding up what meters counted in a window, with what is missing of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from db.facts import MeterUse
from db.products import Equivalent
from energy import coverage as due
from energy import intensity_uoms
from energy.intensity_uoms import Energy
from energy.periods import Span


def energy(use: MeterUse, counted: Energy, oil: Equivalent | None = None) -> float | None:
    """Return what a meter adds to the energy of its unit, in units of `counted`."""
    amount = intensity_uoms.counted(
        counted,
        energy_tce=use.tce,
        electricity_kwh=use.quantity,
        kgce_per_kgoe=None if oil is None else oil.kgce_per_uom,
    )
    return -amount if amount is not None and use.role == "export" else amount


def total(
    parts: Sequence[tuple[float | None, float]],
) -> tuple[float | None, tuple[float, float]]:
    """Return the sum of (quantity, share of its readings), and the bounds of the whole.

    The bounds are what it would come to if what is missing came at the pace of what is there. A sum
    of which one part is unknown is unknown.
    """
    known = [(quantity, share) for quantity, share in parts if quantity is not None]
    whole = sum(quantity for quantity, _ in known)
    missing = [quantity / share - quantity for quantity, share in known if share > 0]
    low = whole + sum(quantity for quantity in missing if quantity < 0)
    high = whole + sum(quantity for quantity in missing if quantity > 0)
    return (whole if parts and len(known) == len(parts) else None), (low, high)


def share(use: MeterUse, now: datetime) -> float:
    """Return the readings that are there as a share of those due. [0–1]"""
    owed = _owed(use, now)
    return min(1.0, use.readings_present / owed) if owed else 1.0


def coverage(uses: Iterable[MeterUse], now: datetime) -> float:
    """Return the same of several meters; one cannot make up for another. [0–1]"""
    pairs = [(_owed(use, now), use.readings_present) for use in uses]
    owed = sum(each for each, _ in pairs)
    return sum(min(each, present) for each, present in pairs) / owed if owed else 0.0


def estimated_share(amounts: Iterable[tuple[float | None, MeterUse]]) -> float:
    """Return the estimated share of amounts of energy, weighed without their signs. [0–1]"""
    weighed = [
        (abs(amount), min(1.0, abs(use.estimated_quantity / use.quantity)))
        for amount, use in amounts
        if amount and use.quantity
    ]
    whole = sum(weight for weight, _ in weighed)
    return sum(weight * part for weight, part in weighed) / whole if whole else 0.0


def _owed(use: MeterUse, now: datetime) -> int:
    there = Span(max(use.window.starts_at, use.installed_at), use.window.ends_at)
    return due.due_of(use.kind, use.intervals, there, now)
