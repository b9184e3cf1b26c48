"""Owns a row of the intensity query: figure, grade, state, values and how they came to be.

Pure. Put together from what was used (`app/consumption.py`), metered (`app/intensity.py`) and
stated (`app/stated.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from app import intensity, stated
from app.consumption import Line
from app.intensity import NOTHING_METERED, Figure, Judged, Made, Obstacle, Used
from app.stated import Request, Version
from db.limits import LimitRow
from db.production import ProductionRow
from db.products import Equivalent
from db.restatements import Counted, Noted
from db.restatements import Figure as Stated
from energy import finality, intensity_uoms, production
from energy.finality import Cause, Restated, State
from energy.intensity_uoms import CNY_PER_UNIT, OUTPUT_VALUE, VALUE_ADDED, Energy, IntensityUom
from energy.periods import LOCAL, Span
from energy.production import Output, Source

PER_OUTPUT_VALUE = IntensityUom(Energy.TCE, OUTPUT_VALUE)
PER_VALUE_ADDED = IntensityUom(Energy.TCE, VALUE_ADDED)


@dataclass(frozen=True, slots=True)
class Question:
    """What is the same for all rows. `metered`: the products of the unit's output meters."""

    product: str
    uom: IntensityUom
    limits: Sequence[LimitRow]
    equivalents: Sequence[Equivalent]
    metered: Sequence[str]
    now: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the unit, by start of bucket."""

    lines: Mapping[datetime, Line]
    electricity: Mapping[datetime, Line]
    silent: frozenset[datetime]
    electricity_silent: frozenset[datetime]
    made: Mapping[datetime, Made]
    statements: Sequence[ProductionRow]
    requests: Sequence[Request]
    restated: Set[Noted]


@dataclass(frozen=True, slots=True)
class Valued:
    """Energy per 10,000 yuan of the whole unit's output value, or value added."""

    value_cny: float | None
    figure: Figure
    state: State
    waits_for: Sequence[Cause]
    restated_by: Sequence[Restated]


@dataclass(frozen=True, slots=True)
class Row:
    """One bucket. `versions` are there once what was stated has changed."""

    bucket: Span
    used: Used
    made: Made
    output: Output
    figure: Figure
    band: tuple[float, float] | None
    judged: Sequence[Judged]
    state: State
    waits_for: Sequence[Cause]
    restated_by: Sequence[Restated]
    per_output_value: Valued
    per_value_added: Valued
    versions: Sequence[Version]


def rows(within: Iterable[Span], question: Question, known: Known) -> list[Row]:
    """Return a row for each bucket in which the unit has a meter, or stated something."""
    return [
        _row(bucket, question, known)
        for bucket in within
        if bucket.starts_at in known.lines
        or bucket.starts_at in known.made
        or any(stated.touches(row, bucket) for row in known.statements)
    ]


def _row(bucket: Span, question: Question, known: Known) -> Row:
    start = bucket.starts_at
    used = Used(
        known.lines.get(start),
        known.electricity.get(start),
        start in known.silent,
        start in known.electricity_silent,
    )
    made = known.made.get(start, NOTHING_METERED)
    versions = stated.versions(
        known.requests, question.product, question.uom.per, question.metered, bucket
    )
    near = [row for row in known.statements if production.reaches(row.span, bucket)]
    said = stated.quantity(near, question.product, question.uom.per, bucket)
    output = production.output(made.quantity, said)
    restated = [each for each in known.restated if each.starts_at == start]
    valued = _valued(bucket, question, used, near, versions, restated)
    oil = intensity.equivalent(question.equivalents, Energy.KGOE, start.astimezone(LOCAL).date())
    figure = intensity.figure(question.uom, used, made, output, per=question.uom.per, oil=oil)
    waits_for = causes(question.uom, used, made, output, is_open=question.now < bucket.ends_at)
    restated_by = finality.restated_by(
        waits_for,
        versions=stated.count_different(each.quantity for each in versions),
        energy_changed=_is_energy_restated(restated, question),
    )
    return Row(
        bucket,
        used,
        made,
        output,
        figure,
        None if figure.value is None else intensity.band(question.uom, used, made, output, oil),
        _judged(bucket, question, used, made, output, valued),
        finality.state(waits_for, restated_by),
        waits_for,
        restated_by,
        valued[0],
        valued[1],
        versions if len(versions) > 1 else [],
    )


def causes(
    uom: IntensityUom, used: Used, made: Made, output: Output, *, is_open: bool
) -> list[Cause]:
    """Return what the figure in `uom` still waits for."""
    line, is_silent = used.of(uom.energy)
    total = None if line is None else line.used
    energy = None if total is None else total.energy_tce
    if uom.energy is Energy.KWH:
        energy = None if total is None else total.quantity
    is_complete = uom.energy is Energy.KWH or total is None or not total.left_out
    return finality.causes(
        is_open=is_open,
        is_energy_known=energy is not None and is_complete and not is_silent,
        coverage=None if line is None else line.coverage,
        is_held=total is not None and total.held,
        is_stated=output.source is Source.STATED,
        differs=output.differs and made.is_sound,
    )


def _valued(
    bucket: Span,
    question: Question,
    used: Used,
    statements: Sequence[ProductionRow],
    versions: Sequence[Version],
    restated: Iterable[Noted],
) -> list[Valued]:
    """Return energy per output value and per value added."""
    values = stated.values(statements, question.metered, bucket)
    of_all = {(one.product, one.figure) for one in restated if one.counted is Counted.TOTAL}
    return [
        valued_at(
            uom,
            value,
            used,
            is_open=question.now < bucket.ends_at,
            versions=stated.count_different(history),
            energy_changed=stated.is_energy_restated(statements, of_all, of, bucket),
        )
        for uom, value, history, of in (
            (PER_OUTPUT_VALUE, values.output_value_cny,
             [each.values.output_value_cny for each in versions], Stated.OUTPUT_VALUE),
            (PER_VALUE_ADDED, values.value_added_cny,
             [each.values.value_added_cny for each in versions], Stated.VALUE_ADDED),
        )
    ]  # fmt: skip


def _is_energy_restated(restated: Iterable[Noted], question: Question) -> bool:
    """Return whether what the figure counts of the energy changed after it was final."""
    is_kwh = question.uom.energy is Energy.KWH
    counted = Counted.ELECTRICITY if is_kwh else Counted.TOTAL
    return any(
        one.product == question.product and one.figure is Stated.QUANTITY and one.counted is counted
        for one in restated
    )


def valued_at(
    uom: IntensityUom,
    value_cny: float | None,
    used: Used,
    *,
    is_open: bool,
    versions: int,
    energy_changed: bool,
) -> Valued:
    """Return energy per 10,000 yuan in `uom`; `versions`: how often the value was another."""
    worth = None if value_cny is None else value_cny / CNY_PER_UNIT
    output = production.output(None, worth)
    figure = intensity.figure(uom, used, NOTHING_METERED, output, per=uom.per, oil=None)
    waits_for = causes(uom, used, NOTHING_METERED, output, is_open=is_open)
    restated_by = finality.restated_by(waits_for, versions=versions, energy_changed=energy_changed)
    state = finality.state(waits_for, restated_by)
    return Valued(value_cny, figure, state, waits_for, restated_by)


def _judged(
    bucket: Span,
    question: Question,
    used: Used,
    made: Made,
    output: Output,
    valued: Sequence[Valued],
) -> list[Judged]:
    """Return the limits in force, each with the intensity in its own unit of measure."""
    on = bucket.starts_at.astimezone(LOCAL).date()
    oil = intensity.equivalent(question.equivalents, Energy.KGOE, on)
    found = []
    for limit in intensity.in_force(question.limits, on):
        uom = intensity.parsed(limit.uom)
        if uom is None:
            figure = Figure(None, Obstacle.UOM_UNKNOWN)
        elif uom.per in intensity_uoms.MONEY:
            each = valued[intensity_uoms.MONEY.index(uom.per)]
            worth = None if each.value_cny is None else each.value_cny / CNY_PER_UNIT
            money = production.output(None, worth)
            figure = intensity.figure(uom, used, NOTHING_METERED, money, per=uom.per, oil=oil)
        else:
            figure = intensity.figure(uom, used, made, output, per=question.uom.per, oil=oil)
        found.append(intensity.judged(limit, figure))
    return found
