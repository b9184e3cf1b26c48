"""Owns the tables of an evidence file: rows behind a figure as CSV, and back again.

Pure. Numbers are written so that they read back bit for bit; what a person typed never begins a
formula in a spreadsheet.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from app import explain_meter, quoting
from app.lineage import Lineage, MeterLineage, Recorded, RecordedFactor
from app.parts import MeterDetail
from energy.periods import LOCAL

Cell = str | float | int | bool | datetime | date | None
BOM = "\ufeff"

BY = ("actor", "why", "evidence", "recorded_at")
METERS = (
    "unit", "unit_name", "region", "meter", "name", "carrier", "carrier_zh", "carrier_en", "kind",
    "uom", "reference_uom", "interval_s", "role", "product", "installed_at", "conflicts",
    "rejected", "followed",
)  # fmt: skip
READINGS = ("unit", "meter", "time", "value", "quality", "received_at", "chain", "link")
EPOCHS = (
    "unit", "meter", "starts_at", "reason", "multiplier", "side", "rollover", "rate_max",
    "first_value", "previous_last_value", "interval_s", *BY,
)  # fmt: skip
FACTORS = (
    "carrier", "basis", "unit", "kgce_per_uom", "valid_from", "valid_to", "edition", "source",
    "verified", "batch", *BY,
)  # fmt: skip
RANGES = ("carrier", "low", "high", "edition", "source", "verified")
CORRECTIONS = ("unit", "meter", "time", "old_value", "new_value", *BY)
GAPS = ("unit", "meter", "from", "to", "quantity", "inside", "held")
DOUBTS = ("unit", "meter", "reason", "first_at", "last_at", "readings", "held")
LINKS = ("chain", "link", "stored_at", "sha256")
SUMS = (
    "owner", "unit", "meter", "carrier", "step", "quantity", "energy_tce", "estimated_quantity",
    "readings_present", "held", "left_out",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of an evidence file."""

    name: str
    columns: Sequence[str]
    rows: Iterable[Sequence[Cell]]

    def lines(self) -> Iterator[str]:
        """Yield the table as CSV, header first."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\r\n")
        yield BOM
        for row in (self.columns, *self.rows):
            writer.writerow([_written(cell) for cell in row])
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()


def _written(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case datetime():
            return cell.astimezone(LOCAL).isoformat()
        case date():
            return cell.isoformat()
        case float():
            return repr(cell)
        case str():
            return quoting.harmless(cell)
        case _:
            return str(cell)


def sheets(lineage: Lineage, details: Mapping[int, MeterDetail]) -> list[Sheet]:
    """Return the tables of a consumption; `details` are those of its meters by id."""
    meters = lineage.meters
    named = [
        (each, details[each.meter.meter_id]) for each in meters if each.meter.meter_id in details
    ]
    return [
        Sheet("meters.csv", METERS, map(_meter, meters)),
        Sheet("readings.csv", READINGS, (row for each in meters for row in _readings(each))),
        Sheet("epochs.csv", EPOCHS, (row for each in meters for row in _epochs(each))),
        Sheet("factors.csv", FACTORS, (_factor(each, lineage) for each in lineage.factors)),
        Sheet("ranges.csv", RANGES, map(_range, lineage.ranges)),
        Sheet("corrections.csv", CORRECTIONS, (row for one in meters for row in _corrections(one))),
        Sheet("gaps.csv", GAPS, (row for pair in named for row in _gaps(*pair))),
        Sheet("doubts.csv", DOUBTS, (row for pair in named for row in _doubts(*pair))),
        Sheet("links.csv", LINKS, (
            (link.chain, link.number, link.stored_at, link.sha256.hex())
            for link in lineage.links.values()
        )),
        Sheet("sums.csv", SUMS, _sums(lineage)),
    ]  # fmt: skip


def by(recorded: Recorded | None) -> tuple[Cell, ...]:
    if recorded is None:
        return (None, None, None, None)
    return (recorded.actor, recorded.reason, recorded.evidence, recorded.recorded_at)


def _meter(each: MeterLineage) -> Sequence[Cell]:
    fields = [getattr(each.meter, name) for name in METERS[:-3]]
    return [*fields, each.conflicts, each.rejected, each.readings is not None]


def _readings(each: MeterLineage) -> Iterator[Sequence[Cell]]:
    for one in each.readings or ():
        yield (each.meter.unit, each.meter.meter, one.read_at, one.raw_value, one.quality,
               one.received_at, one.chain, one.number)  # fmt: skip


def _epochs(each: MeterLineage) -> Iterator[Sequence[Cell]]:
    for one in each.epochs:
        fields = [getattr(one.epoch, name) for name in EPOCHS[2:-4]]
        yield (each.meter.unit, each.meter.meter, *fields, *by(one.recorded))


def _factor(each: RecordedFactor, lineage: Lineage) -> Sequence[Cell]:
    factor = each.factor
    unit = None if factor.unit_id is None else lineage.unit_codes[factor.unit_id]
    fields = [getattr(factor, name) for name in FACTORS[3:-4]]
    return (factor.carrier, factor.basis, unit, *fields, *by(each.recorded))


def _range(each: object) -> Sequence[Cell]:
    return [getattr(each, name) for name in RANGES]


def _corrections(each: MeterLineage) -> Iterator[Sequence[Cell]]:
    for row in explain_meter.corrections(each):
        yield (each.meter.unit, each.meter.meter, row.time, row.old_value, row.new_value,
               *by(row.recorded))  # fmt: skip


def _gaps(each: MeterLineage, detail: MeterDetail) -> Iterator[Sequence[Cell]]:
    for gap in detail.gaps:
        yield (each.meter.unit, each.meter.meter, gap.starts_at, gap.ends_at, gap.quantity,
               gap.inside, gap.is_held)  # fmt: skip


def _doubts(each: MeterLineage, detail: MeterDetail) -> Iterator[Sequence[Cell]]:
    for doubt in detail.doubts:
        yield (each.meter.unit, each.meter.meter, doubt.reason, doubt.first_at, doubt.last_at,
               doubt.readings, doubt.is_held)  # fmt: skip


def _sums(lineage: Lineage) -> Iterator[Sequence[Cell]]:
    meters = {each.meter.meter_id: each.meter for each in lineage.meters}
    for one in lineage.meter_sums:
        meter = meters[one.owner_id]
        yield ("meter", meter.unit, meter.meter, *_sum(one))
    for one in lineage.unit_sums:
        yield ("unit", lineage.unit_codes[one.owner_id], None, *_sum(one))


def _sum(one: object) -> Sequence[Cell]:
    return [getattr(one, name) for name in SUMS[3:]]
