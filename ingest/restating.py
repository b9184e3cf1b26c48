"""Owns noting that energy changed under an intensity that was final: it is restated from then on.

Settlement asks which figures are final before it replaces sums, and again what they are after. Of
today nothing is stated yet, so that what comes in on time costs one question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import db.restatements
from db.metering import MeterSpec
from db.pool import Connection
from db.restatements import Bucket, Counted, Energy, Figure, Restatement, Stated
from energy import coverage, explanation, finality, intervals, periods, roles
from energy.carriers import ELECTRICITY
from energy.periods import Span, Step
from ingest import rollups

STEPS = (Step.DAY, Step.MONTH, Step.YEAR)
"""Output is stated for whole days."""


@dataclass(frozen=True, slots=True)
class Final:
    """A figure that is final, with the energy in it."""

    restatement: Restatement
    energy: Energy


async def list_final(
    connection: Connection,
    unit_id: int,
    specs: Iterable[MeterSpec],
    changed: Iterable[Sequence[Span]],
) -> list[Final]:
    """Return the figures of `changed` spans that are final as sums say now."""
    spans = periods.merged(span for spans in changed for span in spans)
    touched = list(_buckets(spans))
    stated = await db.restatements.list_stated(connection, unit_id, touched) if touched else []
    if not stated:
        return []
    buckets = sorted({each.bucket for each in stated}, key=lambda each: each.span.starts_at)
    energy = await db.restatements.list_energy(connection, unit_id, buckets)
    counting = [spec for spec in specs if spec.role in roles.COUNTING]
    firm = {
        (bucket, counted)
        for (bucket, counted), used in energy.items()
        if is_final(used, due(counting, bucket.span, counted))
    }
    return [
        Final(each, energy[each.bucket, each.counted])
        for each in _restatements(stated)
        if (each.bucket, each.counted) in firm
    ]


async def note(connection: Connection, unit_id: int, final: Sequence[Final]) -> None:
    """Note which of the figures that were `final` have another energy now."""
    if not final:
        return
    buckets = list({each.restatement.bucket for each in final})
    energy = await db.restatements.list_energy(connection, unit_id, buckets)
    restated = [
        each.restatement
        for each in final
        if differs(each.energy, energy.get((each.restatement.bucket, each.restatement.counted)))
    ]
    if restated:
        await db.restatements.insert(connection, unit_id, restated)


def due(counting: Iterable[MeterSpec], span: Span, counted: Counted) -> int:
    """Return how many readings were due of a span that is over. [readings]"""
    return sum(
        coverage.due_of(spec.kind, spec.intervals, Span(installed_at, span.ends_at), intervals.END)
        for spec in counting
        if counted is Counted.TOTAL or spec.carrier == ELECTRICITY
        if (installed_at := max(span.starts_at, spec.epochs[0].starts_at)) < span.ends_at
    )


def is_final(used: Energy, due: int) -> bool:
    """Return whether a stated figure of `used` is final where `due` readings were.

    That its output meters contradict it is not looked at: output is then stated anew, or corrected.
    """
    return not finality.causes(
        is_open=False,
        is_energy_known=used.amount is not None,
        coverage=used.readings_present / due if due else None,
        is_held=used.held,
        is_stated=True,
        differs=False,
    )


def differs(before: Energy, after: Energy | None) -> bool:
    """Return whether the amount changed, or is not known any more."""
    return after is None or not explanation.agrees(before.amount, after.amount)


def _buckets(spans: Iterable[Span]) -> Iterator[Bucket]:
    """Yield the days, months and years that `spans` touch, each once."""
    for step in STEPS:
        for span in periods.merged(rollups.whole(span, step) for span in spans):
            for starts_at in periods.buckets(span, step):
                yield Bucket(step, Span(starts_at, periods.following(starts_at, step)))


def _restatements(stated: Iterable[Stated]) -> Iterator[Restatement]:
    """Yield the figures that can be restated: those of value count all energy, as it is in tce."""
    for each in stated:
        for figure in sorted(each.figures):
            for counted in Counted if figure is Figure.QUANTITY else (Counted.TOTAL,):
                yield Restatement(each.bucket, each.product, figure, counted)
