"""Owns the part of a figure that one meter is: its readings followed anew, or its stored sums.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import fsum

from app import formulas
from app.lineage import Lineage, MeterLineage, Question, RecordedEpoch, RecordedFactor
from app.parts import (
    CorrectionApplied,
    DoubtFound,
    EpochInForce,
    FactorSpan,
    FactorUsed,
    Gap,
    LinkHolding,
    MeterDetail,
    Part,
    ReadingsUsed,
    Tally,
    UsedReading,
    Whole,
    netted,
)
from db.explanations import ArrivedReading, MeterRow
from db.stored_sums import StoredSum
from energy import carriers, consumption, courses, coverage, explanation, instants, intervals
from energy.consumption import Hour
from energy.explanation import Valued
from energy.factors import Factor, FactorTable, MissingFactor
from energy.intervals import Intervals
from energy.periods import LOCAL, Span
from energy.registers import Course, Epoch, EpochReason, epoch_at, of_register
from energy.roles import Role

READINGS_LISTED_MAX = 10_000
"""Readings of a single meter in one answer; the evidence file has all of them."""

LINKS_LISTED_MAX = 100
INSTANT = timedelta(microseconds=1)

Sums = Mapping[tuple[int, str | None], Sequence[StoredSum]]


def part(
    lineage: Lineage, each: MeterLineage, table: FactorTable, sums: Sums, *, listed: bool
) -> Part:
    """Return the part of a meter, with its sign in the unit."""
    meter, question = each.meter, lineage.question
    if each.readings is None:
        tally = _stored_tally(question, each, table, sums)
        detail, formula = None, formulas.of_stored(tally)
    else:
        course = course_of(each)
        history = counted(each)
        hours = consumption.hours(meter.kind, history, course, intervals_of(each), question.span)
        spans = _spans(lineage, meter, hours, table)
        tally = _tally(question, each, hours, spans)
        detail = _detail(lineage, each, course, spans, listed=listed)
        formula = formulas.of_readings(meter.kind, detail, tally)
    return Part(
        Whole.METER,
        meter.meter,
        meter.name,
        meter.name,
        -1 if meter.role == Role.EXPORT else 1,
        tally,
        formula,
        unit=meter.unit,
        kind=meter.kind,
        role=meter.role,
        interval_s=intervals.at(intervals_of(each), question.span.starts_at),
        detail=detail,
    )


def counted(each: MeterLineage) -> list[tuple[int, float]]:
    """Return the readings that are accounted for, as `energy.courses` takes them."""
    return [
        (instants.of(reading.read_at), value)
        for reading in each.readings or ()
        if (value := _counted(each, reading)) is not None
    ]


def course_of(each: MeterLineage) -> Course:
    return courses.course(each.meter.kind, counted(each), epochs_of(each), intervals_of(each))


def epochs_of(each: MeterLineage) -> list[Epoch]:
    """A meter that was registered without an epoch counts plainly since it was installed."""
    found = [recorded.epoch for recorded in each.epochs]
    return found or [Epoch(each.meter.installed_at, EpochReason.INSTALLED)]


def intervals_of(each: MeterLineage) -> Intervals:
    return intervals.of(each.meter.interval_s, (known.epoch for known in each.epochs))


def _counted(each: MeterLineage, reading: ArrivedReading) -> float | None:
    held = each.corrections.get(reading.read_at)
    correction = None if held is None else held.correction
    return explanation.counted(reading.raw_value, reading.quality, correction)


def conversion(meter: MeterRow) -> float:
    """Return by what the meter's quantities are multiplied; output meters keep their unit."""
    if meter.reference_uom is None:
        return 1.0
    return carriers.conversion(meter.uom, meter.reference_uom)


def _due(question: Question, each: MeterLineage) -> int:
    meter = each.meter
    starts_at = max(question.span.starts_at, meter.installed_at)
    if starts_at >= question.span.ends_at:
        return 0
    span = Span(starts_at, question.span.ends_at)
    return coverage.due_of(meter.kind, intervals_of(each), span, question.computed_at)


def _spans(
    lineage: Lineage, meter: MeterRow, hours: Sequence[Hour], table: FactorTable
) -> list[FactorSpan]:
    if meter.carrier is None:
        return []
    recorded = {id(each.factor): each for each in lineage.factors}
    rows = explanation.valued(
        hours,
        conversion(meter),
        table,
        meter.carrier,
        lineage.question.basis,
        meter.unit_id,
    )
    return [_span(row, meter, recorded) for row in rows]


def _span(row: Valued, meter: MeterRow, recorded: Mapping[int, RecordedFactor]) -> FactorSpan:
    used = None if row.factor is None else _used(row.factor, meter, recorded[id(row.factor)])
    return FactorSpan(row.first_day, row.last_day, row.quantity, used, row.missing, row.energy_tce)


def _used(factor: Factor, meter: MeterRow, recorded: RecordedFactor) -> FactorUsed:
    return FactorUsed(
        factor.kgce_per_uom,
        meter.reference_uom or meter.uom,
        factor.basis,
        factor.origin,
        factor.edition,
        factor.source,
        factor.verified,
        factor.batch,
        factor.valid_from,
        factor.valid_to,
        recorded.recorded,
    )


def _tally(
    question: Question, each: MeterLineage, hours: Sequence[Hour], spans: Sequence[FactorSpan]
) -> Tally:
    to_reference = conversion(each.meter)
    used = [hour.quantity * to_reference for hour in hours if hour.quantity is not None]
    quantity = fsum(used) if used else None
    energy = explanation.known_sum(span.energy_tce for span in spans)
    missing = {span.missing for span in spans if span.missing is not None}
    return _tallied(
        question,
        each,
        energy,
        quantity,
        fsum(hour.estimated_quantity * to_reference for hour in hours),
        sum(hour.readings_present for hour in hours),
        any(hour.held for hour in hours),
        [reason for reason in MissingFactor if reason in missing],
    )


def _tallied(
    question: Question,
    each: MeterLineage,
    energy: float | None,
    quantity: float | None,
    estimated: float,
    present: int,
    held: bool,
    missing: Sequence[MissingFactor],
) -> Tally:
    meter = each.meter
    return netted(
        Tally(
            energy_tce=energy,
            quantity=quantity,
            uom=meter.reference_uom or meter.uom,
            absolute_tce=None,
            estimated_tce=None,
            absolute_quantity=None,
            estimated_quantity=estimated,
            present=present,
            due=_due(question, each),
            held=held,
            left_out={meter.carrier: missing} if meter.carrier is not None and missing else {},
        )
    )


def _stored_tally(question: Question, each: MeterLineage, table: FactorTable, sums: Sums) -> Tally:
    """Return what is stored of a meter, in the coarsest buckets that fill the span."""
    meter = each.meter
    by_step = {one.step: one for one in sums.get((meter.meter_id, meter.carrier), ())}
    stored = by_step.get(question.steps()[0])
    if stored is None:
        return _tallied(question, each, None, None, 0.0, 0, False, [])
    missing: list[MissingFactor] = []
    if meter.carrier is not None and stored.left_out:
        first = question.span.starts_at.astimezone(LOCAL).date()
        last = (question.span.ends_at - INSTANT).astimezone(LOCAL).date()
        found = table.missing_between(meter.carrier, question.basis, meter.unit_id, first, last)
        missing = list(dict.fromkeys(reason for reason, _ in found)) or [
            MissingFactor.AWAITING_SETTLEMENT
        ]
    return _tallied(
        question,
        each,
        stored.energy_tce,
        stored.quantity,
        stored.estimated_quantity,
        stored.readings_present,
        stored.held,
        missing,
    )


# -- what it comes from ----------------------------------------------------------------------------


def _detail(
    lineage: Lineage,
    each: MeterLineage,
    course: Course,
    spans: Sequence[FactorSpan],
    *,
    listed: bool,
) -> MeterDetail:
    span = lineage.question.span
    advanced = fsum(one.quantity for one in course.advances if one.quantity is not None)
    links = _links(lineage, each)
    return MeterDetail(
        readings=_readings(each, listed=listed),
        course_quantity=advanced,
        outside_quantity=advanced - explanation.total(course, span),
        uom=each.meter.uom,
        conversion=conversion(each.meter),
        epochs=_in_force(each, course),
        spans=spans,
        gaps=_gaps(course, intervals_of(each), span),
        doubts=[
            DoubtFound(
                doubt.reason,
                instants.moment(doubt.first_at),
                instants.moment(doubt.last_at),
                doubt.readings,
                doubt.is_held,
            )
            for doubt in course.doubts
        ],
        corrections=corrections(each),
        conflicts=each.conflicts,
        rejected=each.rejected,
        links=links[:LINKS_LISTED_MAX],
        links_total=len(links),
    )


def _readings(each: MeterLineage, *, listed: bool) -> ReadingsUsed:
    readings = each.readings or ()
    used = [_used_reading(each, one) for one in readings[: READINGS_LISTED_MAX if listed else 0]]
    return ReadingsUsed(
        count=len(readings),
        counted=len(counted(each)),
        first=_used_reading(each, readings[0]) if readings else None,
        last=_used_reading(each, readings[-1]) if readings else None,
        items=used if listed else None,
        omitted=len(readings) - len(used) if listed else 0,
    )


def _used_reading(each: MeterLineage, reading: ArrivedReading) -> UsedReading:
    return UsedReading(
        reading.read_at,
        reading.raw_value,
        reading.quality,
        reading.received_at,
        _counted(each, reading),
        reading.chain,
        reading.number,
    )


def _in_force(each: MeterLineage, course: Course) -> list[EpochInForce]:
    """Return the epochs that the readings lie in, oldest first."""
    known = list(each.epochs)
    if not each.readings or not known:
        return [_epoch(one, 0.0) for one in known[-1:]]
    first, last = each.readings[0].read_at, each.readings[-1].read_at
    earlier = [one for one in known if one.epoch.starts_at <= first]
    later = [one for one in known if first < one.epoch.starts_at <= last]
    spanned = _by_epoch(of_register(epochs_of(each)), course)
    return [
        _epoch(one, spanned.get(one.epoch.starts_at, 0.0))
        for one in (*(earlier[-1:] or known[:1]), *later)
    ]


def _by_epoch(epochs: Sequence[Epoch], course: Course) -> dict[datetime, float]:
    """Return what the course says was used in each epoch; no advance reaches over two."""
    found: dict[datetime, list[float]] = {}
    for advance in course.advances:
        if advance.quantity is not None:
            epoch = epoch_at(epochs, instants.moment(advance.starts_at))
            found.setdefault(epoch.starts_at, []).append(advance.quantity)
    return {starts_at: fsum(quantities) for starts_at, quantities in found.items()}


def _epoch(one: RecordedEpoch, quantity: float) -> EpochInForce:
    epoch = one.epoch
    return EpochInForce(
        quantity,
        epoch.scale,
        epoch.starts_at,
        epoch.reason,
        epoch.multiplier,
        epoch.side,
        epoch.rollover,
        epoch.rate_max,
        epoch.first_value,
        epoch.previous_last_value,
        epoch.interval_s,
        one.recorded,
    )


def _gaps(course: Course, due: Intervals, span: Span) -> list[Gap]:
    return [
        Gap(
            instants.moment(gap.starts_at),
            instants.moment(gap.ends_at),
            gap.quantity,
            None if gap.quantity is None else explanation.inside(gap, span),
            gap.quantity is None,
        )
        for gap in explanation.gaps(course, due, span)
    ]


def corrections(each: MeterLineage) -> list[CorrectionApplied]:
    return [
        CorrectionApplied(reading.read_at, reading.raw_value, held.correction.value, held.recorded)
        for reading in each.readings or ()
        if (held := each.corrections.get(reading.read_at)) is not None
    ]


def _links(lineage: Lineage, each: MeterLineage) -> list[LinkHolding]:
    counts = Counter(
        (reading.chain, reading.number)
        for reading in each.readings or ()
        if reading.chain is not None and reading.number is not None
    )
    return [
        LinkHolding(
            link.chain, link.number, link.stored_at, link.sha256.hex(), counts[chain, number]
        )
        for chain, number in sorted(counts)
        if (link := lineage.links.get((chain, number))) is not None
    ]
