"""Owns energy per 10,000 yuan of units together: region, industry, unit.

Pure. The energy of those units of which both figures are known is divided by the value of the
same units, never energy of all by value of some; who is left out is named with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from app import intensity_rows, stated
from app.consumption import Line
from app.intensity import Figure, Reason, Used
from app.intensity_rows import PER_OUTPUT_VALUE, PER_VALUE_ADDED, Valued
from db.changes import Change
from db.consumption import Group
from db.makers import Maker
from db.production import ProductionRow
from db.restatements import Counted, Noted
from db.restatements import Figure as Stated
from energy import finality, intensity
from energy.finality import Cause, Restated, State
from energy.intensity import Missing
from energy.intensity_uoms import CNY_PER_UNIT
from energy.periods import Span

Slot = tuple[str, datetime]
"""A unit and the start of a bucket."""


@dataclass(frozen=True, slots=True)
class Left:
    """A unit that is in no sum, and why."""

    unit: str
    unit_name: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Together:
    """Energy per 10,000 yuan of the units of which both are known.

    `energy_share`: their energy as a share of all that is known of the group; None: nothing is.
    """

    figure: Figure
    energy_tce: float | None
    value_cny: float | None
    energy_share: float | None
    units: int
    left_out: Sequence[Left]
    state: State
    waits_for: Sequence[Cause]
    restated_by: Sequence[Restated]


@dataclass(frozen=True, slots=True)
class Row:
    """One bucket of one group; `maker` is one of its units, for the names of the group."""

    bucket: Span
    maker: Maker
    per_output_value: Together
    per_value_added: Together


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of all units; `changes` of statements that were not the last word."""

    makers: Sequence[Maker]
    lines: Mapping[Slot, Line]
    silent: Set[Slot]
    statements: Mapping[str, Sequence[ProductionRow]]
    changes: Sequence[Change]
    restated: Set[Noted]
    now: datetime


@dataclass(frozen=True, slots=True)
class _Restated:
    """How many output values and values added were stated, and of what the energy changed."""

    counts: Mapping[Slot, tuple[int, int]]
    energy: Mapping[Slot, Set[tuple[str, Stated]]]


@dataclass(frozen=True, slots=True)
class _One:
    """A unit in a bucket."""

    maker: Maker
    energy_tce: float | None
    output_value: Valued
    value_added: Valued


def rows(within: Iterable[Span], groups: Set[Group], known: Known) -> list[Row]:
    """Return a row for each bucket and group in which a unit has a meter or stated something."""
    restated = _Restated(_counts(known.changes), _by_slot(known.restated))
    result = []
    for bucket in within:
        by_group: dict[tuple[str, ...], list[_One]] = {}
        for maker in known.makers:
            one = _one(maker, bucket, known, restated)
            if one is not None:
                by_group.setdefault(_key(maker, groups), []).append(one)
        for _, ones in sorted(by_group.items()):
            result.append(
                Row(
                    bucket,
                    ones[0].maker,
                    _together([(one, one.output_value) for one in ones]),
                    _together([(one, one.value_added) for one in ones]),
                )
            )
    return result


def _key(maker: Maker, groups: Set[Group]) -> tuple[str, ...]:
    return (
        maker.region if Group.REGION in groups else "",
        maker.industry if Group.INDUSTRY in groups else "",
        maker.unit if Group.UNIT in groups else "",
    )


def _one(maker: Maker, bucket: Span, known: Known, restated: _Restated) -> _One | None:
    slot = (maker.unit, bucket.starts_at)
    line = known.lines.get(slot)
    statements = known.statements.get(maker.unit, ())
    touched = [row for row in statements if stated.touches(row, bucket)]
    if line is None and not touched:
        return None
    used = Used(line, None, slot in known.silent)
    values = stated.values(statements, maker.metered, bucket)
    counts = [restated.counts.get((maker.unit, row.starts_at), (1, 1)) for row in touched]
    energy = restated.energy.get(slot, set())
    is_open = known.now < bucket.ends_at
    output_value, value_added = (
        intensity_rows.valued_at(
            uom,
            value,
            used,
            is_open=is_open,
            versions=max((count[index] for count in counts), default=1),
            energy_changed=stated.is_energy_restated(touched, energy, of, bucket),
        )
        for index, (uom, value, of) in enumerate(
            (
                (PER_OUTPUT_VALUE, values.output_value_cny, Stated.OUTPUT_VALUE),
                (PER_VALUE_ADDED, values.value_added_cny, Stated.VALUE_ADDED),
            )
        )
    )
    total = None if line is None else line.used
    return _One(maker, None if total is None else total.energy_tce, output_value, value_added)


def _together(ones: Sequence[tuple[_One, Valued]]) -> Together:
    """A unit that made nothing, or lost value, is in the sum: leaving it out would flatter."""
    counted = [
        (one.energy_tce, valued.value_cny)
        for one, valued in ones
        if valued.figure.reason in (None, Missing.OUTPUT_NOT_POSITIVE)
    ]
    energy = sum(tce for tce, _ in counted if tce is not None) if counted else None
    value = sum(cny for _, cny in counted if cny is not None) if counted else None
    everything = sum(abs(one.energy_tce) for one, _ in ones if one.energy_tce is not None)
    share = sum(abs(tce) for tce, _ in counted if tce is not None)
    found = intensity.intensity(energy, None if value is None else value / CNY_PER_UNIT)
    causes = {cause for _, valued in ones for cause in valued.waits_for}
    waits_for = [cause for cause in Cause if cause in causes]
    restated = {why for _, valued in ones for why in valued.restated_by}
    restated_by = [] if waits_for else [why for why in Restated if why in restated]
    return Together(
        figure=Figure(found.value, found.missing),
        energy_tce=energy,
        value_cny=value,
        energy_share=share / everything if everything else None,
        units=len(counted),
        left_out=[
            Left(one.maker.unit, one.maker.unit_name, valued.figure.reason)
            for one, valued in ones
            if valued.figure.reason not in (None, Missing.OUTPUT_NOT_POSITIVE)
        ],
        state=finality.state(waits_for, restated_by),
        waits_for=waits_for,
        restated_by=restated_by,
    )


def _by_slot(restated: Iterable[Noted]) -> dict[Slot, set[tuple[str, Stated]]]:
    """Return of which products and values the energy changed after they were final."""
    found: dict[Slot, set[tuple[str, Stated]]] = {}
    for one in restated:
        if one.counted is Counted.TOTAL:
            found.setdefault((one.unit, one.starts_at), set()).add((one.product, one.figure))
    return found


def _counts(changes: Iterable[Change]) -> dict[Slot, tuple[int, int]]:
    """Return how many output values and values added were known, by unit and start."""
    values: dict[Slot, list[ProductionRow]] = {}
    for change in changes:
        if change.fact.content is not None:
            row = stated.row_of(change.fact.content)
            values.setdefault((row.unit, row.starts_at), []).append(row)
    return {
        slot: (
            stated.count_different(row.output_value_cny for row in known),
            stated.count_different(row.value_added_cny for row in known),
        )
        for slot, known in values.items()
    }
