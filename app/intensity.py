"""Owns the rows of the intensity query: the energy of a unit per product, beside its limits.

Pure. An intensity that is not known is None with the reason why: it never reads as a good one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from app.consumption import Line
from db.consumption import Sum
from db.limits import LimitRow
from db.outputs import Output as Counted
from db.outputs import OutputMeter
from db.products import Equivalent
from energy import finality, intensity, intensity_uoms, intervals
from energy.coverage import Calendar, Due
from energy.intensity import Judgement, Levels, Missing
from energy.intensity_uoms import Energy, IntensityUom, IntensityUomError
from energy.periods import Span
from energy.production import Output, Source


class Obstacle(StrEnum):
    """Why there is no intensity though figures are there."""

    FACTOR_MISSING = "factor_missing"
    HELD = "held"
    """A register step of the energy or of the output waits for review."""
    METER_SILENT = "meter_silent"
    """A meter that counts has nothing in the bucket: the sum of the others would flatter."""
    OUTPUT_MIXED = "output_mixed"
    """The units of measure of the output do not lead to the one that is asked for."""
    EQUIVALENT_MISSING = "equivalent_missing"
    """Nobody says what the unit of energy is worth in standard coal on that day."""
    UOM_UNKNOWN = "uom_unknown"
    """The limit is in a unit of measure that is not known here."""


Reason = Obstacle | Missing


@dataclass(frozen=True, slots=True)
class Made:
    """What output meters counted in a bucket; `mixed`: their units of measure do not add up."""

    quantity: float | None
    coverage: float | None
    held: bool
    mixed: bool
    silent: bool = False

    @property
    def is_sound(self) -> bool:
        """Whether it can be held against what was stated."""
        enough = self.coverage is not None and self.coverage >= finality.COVERAGE_MIN
        return enough and not (self.held or self.mixed or self.silent)


NOTHING_METERED = Made(None, None, held=False, mixed=False)


@dataclass(frozen=True, slots=True)
class Used:
    """What a unit used in a bucket: all of it, and the electricity in it."""

    line: Line | None
    electricity: Line | None = None
    is_silent: bool = False
    is_electricity_silent: bool = False

    @property
    def total(self) -> Sum | None:
        return None if self.line is None else self.line.used

    def of(self, energy: Energy) -> tuple[Line | None, bool]:
        """Return what an intensity in `energy` counts, and whether a meter of it is silent."""
        if energy is Energy.KWH:
            return self.electricity, self.is_electricity_silent
        return self.line, self.is_silent


@dataclass(frozen=True, slots=True)
class Figure:
    """An intensity; None: `reason` says why."""

    value: float | None
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Judged:
    """A limit with the intensity in its own unit of measure and what follows."""

    limit: LimitRow
    figure: Figure
    judgement: Judgement


def output_uom(
    uoms: Sequence[str], limits: Sequence[LimitRow], named: str | None = None
) -> IntensityUom:
    """Return the unit of measure of the answer: that of the newest limit, if the output allows it.

    A limit of 540 kgce/t is compared with tons, whatever the meter counts in. Without a limit it
    is per `named`, in which the product is counted, else per what the output came in.
    """
    for limit in sorted(limits, key=lambda row: row.valid_from, reverse=True):
        uom = parsed(limit.uom)
        if uom is not None and _fits(uoms, uom.per):
            return uom
    if named is not None and _fits(uoms, named):
        return IntensityUom(Energy.KGCE, named)
    return IntensityUom(Energy.KGCE, uoms[0] if uoms else "t")


def _fits(uoms: Sequence[str], per: str) -> bool:
    return all(intensity_uoms.output_conversion(uom, per) is not None for uom in uoms)


def parsed(uom: str) -> IntensityUom | None:
    """Return what `uom` is; None: a limit of earlier days with a unit that nobody knows."""
    try:
        return intensity_uoms.parse(uom)
    except IntensityUomError:
        return None


def outputs(
    within: Sequence[Span],
    meters: Sequence[OutputMeter],
    counted: Sequence[Counted],
    uom: str,
    now: datetime,
) -> dict[datetime, Made]:
    """Return what was metered by start of bucket, in `uom`."""
    due = Due(Calendar(within, now))
    for meter in meters:
        for interval_s, starts_at, ends_at in intervals.stretches(meter.intervals):
            begins_at = max(starts_at, meter.installed_at)
            due.add(meter.kind, interval_s, begins_at, 1, ends_at=ends_at)
    counts = due.counts()
    installed = sorted(meter.installed_at for meter in meters)
    by_bucket: dict[datetime, list[Counted]] = {}
    for output in counted:
        by_bucket.setdefault(output.starts_at, []).append(output)
    return {
        bucket.starts_at: _made(
            by_bucket.get(bucket.starts_at, []),
            counts[index],
            uom,
            meters=bisect_right(installed, bucket.starts_at),
        )
        for index, bucket in enumerate(within)
        if index >= due.first or bucket.starts_at in by_bucket
    }


def in_force(limits: Sequence[LimitRow], on: date) -> list[LimitRow]:
    """Return the limits that apply on a day: of each edition the newest values, newest first."""
    newest: dict[str, LimitRow] = {}
    for limit in sorted(limits, key=lambda row: row.valid_from):
        if limit.valid_from <= on:
            newest[limit.edition] = limit
    return sorted(newest.values(), key=lambda row: (row.valid_from, row.edition), reverse=True)


def equivalent(equivalents: Sequence[Equivalent], energy: Energy, on: date) -> Equivalent | None:
    """Return what a unit of energy is worth on a day; None: nobody says."""
    held = [row for row in equivalents if row.energy_uom == energy and row.valid_from <= on]
    return max(held, key=lambda row: row.valid_from, default=None)


def figure(
    uom: IntensityUom,
    used: Used,
    made: Made,
    output: Output,
    *,
    per: str,
    oil: Equivalent | None,
) -> Figure:
    """Return the intensity in `uom` of energy over output; `output` is in `per`."""
    line, is_silent = used.of(uom.energy)
    total = None if line is None else line.used
    is_coal = uom.energy is not Energy.KWH
    if is_coal and total is not None and total.left_out:
        return Figure(None, Obstacle.FACTOR_MISSING)
    factor = intensity_uoms.output_conversion(per, uom.per)
    is_metered = output.source is not Source.STATED
    if factor is None or (is_metered and made.mixed):
        return Figure(None, Obstacle.OUTPUT_MIXED)
    if uom.energy is Energy.KGOE and oil is None:
        return Figure(None, Obstacle.EQUIVALENT_MISSING)
    energy = _energy(uom, line, oil)
    if energy is not None and output.quantity is not None:
        if (total is not None and total.held) or (is_metered and made.held):
            return Figure(None, Obstacle.HELD)
        if is_silent or (is_metered and made.silent):
            return Figure(None, Obstacle.METER_SILENT)
    amount = None if output.quantity is None else output.quantity * factor
    found = intensity.intensity(energy, amount)
    return Figure(found.value, found.missing)


def band(
    uom: IntensityUom, used: Used, made: Made, output: Output, oil: Equivalent | None
) -> tuple[float, float] | None:
    """Return the bounds of the intensity if what is missing came at the pace of what is there.

    None where nothing bounds it. A stated output is taken as it is; `output` is in `uom.per`.
    """
    line, _ = used.of(uom.energy)
    energy = _energy(uom, line, oil)
    coverage = None if line is None else line.coverage
    if energy is None or not coverage or not output.quantity:
        return None
    amount = output.quantity
    share = 1.0 if output.source is Source.STATED else made.coverage
    if not share:
        return None
    return intensity.bounds((energy, energy / coverage), (amount, amount / share))


def judged(limit: LimitRow, found: Figure) -> Judged:
    levels = Levels(limit.limit, limit.baseline, limit.benchmark, limit.advanced, limit.exclusive)
    return Judged(limit, found, intensity.judgement(found.value, levels))


def decisive(rows: Sequence[Judged]) -> Judged | None:
    """Return the edition that grades: the newest one with a benchmark or a baseline."""
    for each in rows:
        if each.limit.benchmark is not None or each.limit.baseline is not None:
            return each
    return None


def _energy(uom: IntensityUom, line: Line | None, oil: Equivalent | None) -> float | None:
    total = None if line is None else line.used
    return intensity_uoms.counted(
        uom.energy,
        energy_tce=None if total is None else total.energy_tce,
        electricity_kwh=None if total is None else total.quantity,
        kgce_per_kgoe=None if oil is None else oil.kgce_per_uom,
    )


def _made(counted: Sequence[Counted], due: int, uom: str, *, meters: int) -> Made:
    known = [
        (output.quantity, intensity_uoms.output_conversion(output.uom, uom)) for output in counted
    ]
    mixed = any(factor is None for _, factor in known)
    quantities = [
        quantity * factor
        for quantity, factor in known
        if quantity is not None and factor is not None
    ]
    present = sum(output.readings_present for output in counted)
    return Made(
        quantity=sum(quantities) if quantities and not mixed else None,
        coverage=min(1.0, present / due) if due else None,
        held=any(output.held for output in counted),
        mixed=mixed,
        silent=0 < len(quantities) < meters,
    )
