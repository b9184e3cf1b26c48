"""Owns reading the stated facts behind a figure with who stated them: epochs, factors, corrections.

As they are now, or as they were known on a day (`app/known_then.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import db.changes
import db.corrections
import db.explanations
import db.factors
import db.metering
from app import known_then
from app.depends import Caller
from app.imports.factors import EVERYONE
from app.imports.kinds import Kind
from app.known_then import known
from app.lineage import Question, RecordedCorrection, RecordedEpoch, RecordedFactor
from db.changes import Change
from db.explanations import MeterRow
from db.factors import CalorificValueRow, FactorRow
from energy.explanation import Correction
from energy.factors import Basis, Factor
from energy.registers import Epoch, EpochReason

Corrections = dict[datetime, RecordedCorrection]


async def epochs(
    caller: Caller, question: Question, meters: Sequence[MeterRow]
) -> dict[int, list[RecordedEpoch]]:
    """Return the epochs of `meters` by id; a meter that was not known by then is left out."""
    unit_ids = sorted({meter.unit_id for meter in meters})
    by_meter = await db.metering.list_epochs(caller.connection, unit_ids)
    at = question.as_known_on
    registered: dict[str, list[Change]] = {}
    recorded: dict[str, list[Change]] = {}
    for unit in sorted({meter.unit for meter in meters}):
        _grouped(registered, await _stated(caller, Kind.METERS, f"{unit}/"))
        _grouped(recorded, await _stated(caller, Kind.EPOCHS, f"{unit}/"))
    found: dict[int, list[RecordedEpoch]] = {}
    for meter in meters:
        name = f"{meter.unit}/{meter.meter}"
        own = by_meter.get(meter.meter_id) or [Epoch(meter.installed_at, EpochReason.INSTALLED)]
        first = [epoch for epoch in own if epoch.reason is EpochReason.INSTALLED]
        later = [epoch for epoch in own if epoch.reason is not EpochReason.INSTALLED]
        began = known(
            {name: first[0]} if first else {},
            registered.get(name, []),
            at,
            known_then.first_epoch,
        )
        if first and not began:
            continue
        found[meter.meter_id] = known_then.in_order(
            began,
            known(
                {f"{name}/{epoch.starts_at}": epoch for epoch in later},
                recorded.get(name, []),
                at,
                known_then.epoch,
            ),
        )
    return found


def _grouped(by_meter: dict[str, list[Change]], changes: Sequence[Change]) -> None:
    """Put changes under unit and meter, which their subjects begin with."""
    for change in changes:
        parts = change.fact.subject.split("/")
        by_meter.setdefault("/".join(parts[:2]), []).append(change)


async def _stated(caller: Caller, kind: Kind, prefix: str) -> list[Change]:
    return await db.changes.list_stated(caller.connection, kind, prefix)


async def corrections(
    caller: Caller, question: Question, meters: Sequence[MeterRow]
) -> dict[int, Corrections]:
    """Return the corrections of readings of `meters`, by id and instant."""
    ids = {(meter.unit, meter.meter): meter.meter_id for meter in meters}
    by_id = {meter.meter_id: (meter.unit, meter.meter) for meter in meters}
    held = await db.explanations.list_corrections(caller.connection, caller.scope, list(by_id))
    rows = {
        db.corrections.subject(*by_id[meter_id], read_at): (meter_id, read_at, value)
        for (meter_id, read_at), value in held.items()
    }
    stated: list[Change] = []
    for unit in sorted({meter.unit for meter in meters}):
        stated += await _stated(caller, Kind.CORRECTIONS, f"{unit}/")

    def parse(content: db.changes.Content) -> tuple[int, datetime, float | None]:
        name = (str(content["unit"]), str(content["meter"]))
        read_at = known_then.moment(content["time"]).astimezone(UTC)
        return ids.get(name, 0), read_at, known_then.figure(content["value"])

    found: dict[int, Corrections] = {}
    for (meter_id, read_at, value), recorded in known(rows, stated, question.as_known_on, parse):
        found.setdefault(meter_id, {})[read_at] = RecordedCorrection(Correction(value), recorded)
    return found


async def factors(
    caller: Caller, question: Question, meters: Sequence[MeterRow]
) -> list[RecordedFactor]:
    """Return the factors that bear on `meters`: for everyone, declared, measured."""
    carriers = sorted({meter.carrier for meter in meters if meter.carrier is not None})
    units = {meter.unit: meter.unit_id for meter in meters}
    rows = {
        "/".join((row.carrier, row.basis, row.unit or EVERYONE, row.valid_from.isoformat())): row
        for row in await db.factors.list_factor_rows(caller.connection, carriers)
    }
    stated: list[Change] = []
    for carrier in carriers:
        stated += await _stated(caller, Kind.FACTORS, f"{carrier}/{question.basis}/")
    found = [
        RecordedFactor(_factor(row, units), recorded)
        for row, recorded in known(rows, stated, question.as_known_on, known_then.factor_row)
        if row.basis == question.basis and (row.unit is None or row.unit in units)
    ]
    measured = await _measured(caller, question, units)
    found += [each for each in measured if each.factor.carrier in carriers]
    return sorted(found, key=_order)


async def _measured(
    caller: Caller, question: Question, units: dict[str, int]
) -> list[RecordedFactor]:
    rows = {
        "/".join((row.unit, row.carrier, row.batch)): row
        for row in await db.factors.list_calorific_values(caller.connection, sorted(units))
    }
    stated: list[Change] = []
    for unit in sorted(units):
        stated += await _stated(caller, Kind.CALORIFIC_VALUES, f"{unit}/")
    return [
        RecordedFactor(_measured_factor(row, question.basis, units), recorded)
        for row, recorded in known(rows, stated, question.as_known_on, known_then.calorific_row)
    ]


def _factor(row: FactorRow, units: dict[str, int]) -> Factor:
    return Factor(
        row.carrier,
        Basis(row.basis),
        None if row.unit is None else units[row.unit],
        row.kgce_per_uom,
        row.valid_from,
        row.valid_to,
        row.verified,
        row.edition,
        row.source,
    )


def _measured_factor(row: CalorificValueRow, basis: Basis, units: dict[str, int]) -> Factor:
    return Factor(
        row.carrier,
        basis,
        units[row.unit],
        row.kgce_per_uom,
        row.valid_from,
        row.valid_to,
        verified=True,
        edition=f"batch {row.batch}",
        source=row.source,
        batch=row.batch,
    )


def _order(each: RecordedFactor) -> tuple[str, int, str, str]:
    factor = each.factor
    return (
        factor.carrier,
        factor.unit_id or 0,
        factor.batch or "",
        factor.valid_from.isoformat(),
    )
