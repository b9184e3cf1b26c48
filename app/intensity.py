"""Owns the rows of the intensity query: the energy of a unit per product, beside its limits.

An intensity that is not known is None with the reason why: it never reads as a good one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from app.consumption import Line
from db.limits import LimitRow
from db.outputs import Output, OutputMeter
from energy import carriers, intensity, roles
from energy.coverage import Calendar, Due
from energy.factors import KGCE_PER_TCE
from energy.intensity import Missing
from energy.periods import LOCAL, Span

LIMIT_PREFIX = "kgce/"


class Obstacle(StrEnum):
    """Why there is no intensity though figures are there."""

    FACTOR_MISSING = "factor_missing"
    HELD = "held"
    """A register step of the energy or of the output waits for review."""
    METER_SILENT = "meter_silent"
    """A meter that counts has nothing in the bucket: the sum of the others would flatter."""
    OUTPUT_MIXED = "output_mixed"
    """The units of measure of the output meters do not lead to one."""


Reason = Obstacle | Missing


@dataclass(frozen=True, slots=True)
class Made:
    """The output of a bucket in one unit of measure; `mixed`: its meters' units do not add up."""

    quantity: float | None
    coverage: float | None
    held: bool
    mixed: bool
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One bucket; `intensity` in kgce per unit of output."""

    bucket: Span
    line: Line | None
    made: Made
    intensity: float | None
    reason: Reason | None
    limits: Sequence[LimitRow]


def output_uom(meters: Sequence[OutputMeter], limits: Sequence[LimitRow]) -> str:
    """Return the unit of measure of the output: that of the newest limit, if the meters allow it.

    A limit of 540 kgce/t is compared with tons, whatever the meter counts in.
    """
    for limit in sorted(limits, key=lambda row: row.valid_from, reverse=True):
        uom = limit.uom.removeprefix(LIMIT_PREFIX)
        if all(_factor(meter.uom, uom) is not None for meter in meters):
            return uom
    return meters[0].uom


def rows(
    within: Sequence[Span],
    lines: Sequence[Line],
    made: Mapping[datetime, Made],
    limits: Sequence[LimitRow],
    silent: Set[datetime],
) -> list[Row]:
    """Return a row for each bucket in which the unit has a meter of energy or of the product.

    `silent` are the buckets in which a meter of energy has nothing.
    """
    energy = {line.bucket.starts_at: line for line in lines}
    result = []
    for bucket in within:
        line, output = energy.get(bucket.starts_at), made.get(bucket.starts_at)
        if line is not None or output is not None:
            output = output or Made(None, None, held=False, mixed=False)
            value, reason = _intensity(line, output, bucket.starts_at in silent)
            applicable = in_force(limits, bucket.starts_at.astimezone(LOCAL).date())
            result.append(Row(bucket, line, output, value, reason, applicable))
    return result


def outputs(
    within: Sequence[Span],
    meters: Sequence[OutputMeter],
    counted: Sequence[Output],
    uom: str,
    now: datetime,
) -> dict[datetime, Made]:
    """Return the output by start of bucket, in `uom`."""
    due = Due(Calendar(within, now))
    for meter in meters:
        due.add(meter.kind, meter.interval_s, meter.installed_at, 1)
    counts = due.counts()
    installed = sorted(meter.installed_at for meter in meters)
    by_bucket: dict[datetime, list[Output]] = {}
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
    """Return the limits that apply on a day: of each edition the newest values."""
    newest: dict[str, LimitRow] = {}
    for limit in sorted(limits, key=lambda row: row.valid_from):
        if limit.valid_from <= on:
            newest[limit.edition] = limit
    return list(newest.values())


def _made(counted: Sequence[Output], due: int, uom: str, *, meters: int) -> Made:
    known = [(output.quantity, _factor(output.uom, uom)) for output in counted]
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


def silent(lines: Iterable[Line]) -> set[datetime]:
    """Return the buckets in which a counting meter has nothing, of `lines` by meter."""
    return {
        line.bucket.starts_at
        for line in lines
        if line.meters is not None
        and line.meters.role in roles.COUNTING
        and line.coverage is not None
        and (line.used is None or line.used.quantity is None)
    }


def _intensity(
    line: Line | None, made: Made, is_silent: bool
) -> tuple[float | None, Reason | None]:
    used = None if line is None else line.used
    if used is not None and used.left_out:
        return None, Obstacle.FACTOR_MISSING
    if made.mixed:
        return None, Obstacle.OUTPUT_MIXED
    tce = None if used is None else used.energy_tce
    if tce is not None and made.quantity is not None:
        if made.held or (used is not None and used.held):
            return None, Obstacle.HELD
        if is_silent or made.silent:
            return None, Obstacle.METER_SILENT
    found = intensity.intensity(None if tce is None else tce * KGCE_PER_TCE, made.quantity)
    return found.value, found.missing


def _factor(uom: str, other: str) -> float | None:
    """Return how many `other` one `uom` is; None: they do not convert."""
    if uom == other:
        return 1.0
    try:
        return carriers.conversion(uom, other)
    except carriers.UomError:
        return None
