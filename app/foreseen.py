"""Owns what settlement will hold for review because of corrections, told before it settles.

The same functions follow the register as in settlement; nothing is written. What is held with and
without the corrections is not because of them, and is not told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import db.metering
from db.corrections import CorrectionRow, Target
from db.pool import Connection
from db.settlement import History, Stale
from energy import courses, instants, periods, registers
from energy.periods import LOCAL, Span, Step
from energy.registers import Epoch, Kind
from ingest import histories, rollups

LOOKED_AT_MAX = 200
"""Corrections of one statement that are looked at; a file may hold very many."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a meter used in `[starts_at, ends_at)` will be held: no figure has it."""

    unit: str
    meter: str
    starts_at: datetime
    ends_at: datetime

    def __str__(self) -> str:
        start, end = (each.astimezone(LOCAL).isoformat() for each in (self.starts_at, self.ends_at))
        return (
            f"what meter {self.meter} of unit {self.unit} used from {start} to {end} will be held "
            f"for review and be in no figure: the register cannot have gone so. Correct what lies "
            f"beside it too, or see `nenghao doubts list` once it is settled"
        )


async def list_held(
    connection: Connection, corrections: Sequence[tuple[CorrectionRow, Target]]
) -> list[Held]:
    """Return what will be held because of `corrections`, of registers, meter by meter."""
    looked_at = sorted(corrections[:LOOKED_AT_MAX], key=lambda each: each[1].meter_id)
    unit_ids = sorted({target.unit_id for _, target in looked_at})
    meters = {each.meter_id: each for each in await db.metering.list_meters(connection, unit_ids)}
    found: list[Held] = []
    for meter_id, group in groupby(looked_at, key=lambda each: each[1].meter_id):
        meter, stated = meters[meter_id], list(group)
        if meter.kind is not Kind.REGISTER:
            continue
        row = stated[0][0]
        for window, history in await _windows(connection, meter_id, stated):
            values = {
                instants.of(target.read_at): each.value
                for each, target in stated
                if window.starts_at <= target.read_at <= window.ends_at
            }
            spans = newly_held(history, values, meter.epochs)
            found += [Held(row.unit, row.meter, each.starts_at, each.ends_at) for each in spans]
    return found


async def _windows(
    connection: Connection, meter_id: int, stated: Sequence[tuple[CorrectionRow, Target]]
) -> list[tuple[Span, History]]:
    """Return the spans about the corrections of a meter that settlement will look at, with the
    readings that it will see there.
    """
    starts = sorted({periods.floor(target.read_at, Step.HOUR) for _, target in stated})
    hours = [Stale(meter_id, Span(at, periods.following(at, Step.HOUR))) for at in starts]
    reaches = await histories.reaches(connection, hours)
    wide = periods.merged(rollups.whole(each, Step.HOUR) for each in reaches)
    found = await histories.fetch(connection, [Stale(meter_id, each) for each in wide])
    return list(zip(wide, found, strict=True))


def newly_held(
    history: History, values: dict[int, float | None], epochs: Sequence[Epoch]
) -> list[Span]:
    """Return what is held with `values` in place of readings, and not without. None: set aside."""
    told = dict(history) | values
    after = [(at, value) for at, value in sorted(told.items()) if value is not None]
    before = _held(history, epochs)
    return [each for each in _held(after, epochs) if each not in before]


def _held(history: History, epochs: Sequence[Epoch]) -> list[Span]:
    course = courses.register_course(history, registers.of_register(epochs))
    return [
        Span(instants.moment(each.starts_at), instants.moment(each.ends_at))
        for each in course.advances
        if each.quantity is None
    ]
