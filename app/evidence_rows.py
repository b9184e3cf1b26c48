"""Owns reading the tables of an evidence file back into the rows behind a figure.

Pure; the other direction is `app/evidence_tables.py`. Raises EvidenceError where a table is none.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TypeVar

from app import quoting
from app.lineage import (
    Lineage,
    MeterLineage,
    Question,
    Recorded,
    RecordedCorrection,
    RecordedEpoch,
    RecordedFactor,
)
from db.explanations import ArrivedReading, MeterRow
from db.stored_sums import StoredSum
from energy.explanation import Correction
from energy.factors import Basis, Factor, FactorRange
from energy.periods import Step
from energy.registers import Epoch, EpochReason, Kind, Side

Row = Mapping[str, str]
T = TypeVar("T")


class EvidenceError(ValueError):
    """An evidence file cannot be read. The message says where."""


def rows(content: bytes, name: str) -> list[Row]:
    """Return the rows of a CSV table by the names of its columns."""
    try:
        text = io.StringIO(content.decode("utf-8-sig"), newline="")
        return [
            {column: quoting.original(cell) for column, cell in row.items()}
            for row in csv.DictReader(text, strict=True)
        ]
    except (UnicodeDecodeError, csv.Error, AttributeError) as error:
        raise EvidenceError(f"{name} is no table: {error}") from error


def lineage(tables: Mapping[str, Sequence[Row]], question: Question) -> Lineage:
    """Return what the tables hold. Raises EvidenceError."""
    try:
        return _lineage(tables, question)
    except (KeyError, ValueError, TypeError) as error:
        raise EvidenceError(
            f"a table lacks something or holds something else: {error!r}"
        ) from error


def _lineage(tables: Mapping[str, Sequence[Row]], question: Question) -> Lineage:
    units: dict[str, int] = {}
    for row in tables["meters.csv"]:
        units.setdefault(row["unit"], len(units) + 1)
    by_meter = {
        name: _grouped(tables[f"{name}.csv"]) for name in ("readings", "epochs", "corrections")
    }
    ids: dict[tuple[str, str], int] = {}
    meters = []
    for row in tables["meters.csv"]:
        key = row["unit"], row["meter"]
        ids[key] = len(ids) + 1
        own = {name: grouped.get(key, []) for name, grouped in by_meter.items()}
        meters.append(_meter(row, ids[key], units[row["unit"]], own))
    owned = [row for row in tables["factors.csv"] if not row["unit"] or row["unit"] in units]
    return Lineage(
        question,
        meters,
        [RecordedFactor(_factor(row, units), recorded_of(row)) for row in owned],
        [_range(row) for row in tables["ranges.csv"]],
        {unit_id: unit for unit, unit_id in units.items()},
        meter_sums=[
            _sum(row, ids[row["unit"], row["meter"]])
            for row in tables["sums.csv"]
            if row["owner"] == "meter"
        ],
    )


def _grouped(table: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in table:
        found.setdefault((row["unit"], row["meter"]), []).append(row)
    return found


def _meter(row: Row, meter_id: int, unit_id: int, own: Mapping[str, Sequence[Row]]) -> MeterLineage:
    meter = MeterRow(
        meter_id=meter_id,
        unit_id=unit_id,
        unit=row["unit"],
        unit_name=row["unit_name"],
        region=row["region"],
        meter=row["meter"],
        name=row["name"],
        carrier=row["carrier"] or None,
        carrier_zh=row["carrier_zh"] or None,
        carrier_en=row["carrier_en"] or None,
        kind=Kind(row["kind"]),
        uom=row["uom"],
        reference_uom=row["reference_uom"] or None,
        interval_s=int(row["interval_s"]),
        role=row["role"],
        product=row["product"] or None,
        installed_at=moment(row["installed_at"]),
    )
    return MeterLineage(
        meter,
        [RecordedEpoch(_epoch(each), recorded_of(each)) for each in own["epochs"]],
        [_reading(each) for each in own["readings"]] if row["followed"] == "true" else None,
        {
            moment(each["time"]): RecordedCorrection(
                Correction(_maybe(float, each["new_value"])), recorded_of(each)
            )
            for each in own["corrections"]
        },
        int(row["conflicts"]),
        int(row["rejected"]),
    )


def _reading(row: Row) -> ArrivedReading:
    return ArrivedReading(
        moment(row["time"]),
        float(row["value"]),
        row["quality"],
        moment(row["received_at"]),
        row["chain"] or None,
        _maybe(int, row["link"]),
    )


def _epoch(row: Row) -> Epoch:
    return Epoch(
        moment(row["starts_at"]),
        EpochReason(row["reason"]),
        float(row["multiplier"]),
        _maybe(float, row["rollover"]),
        _maybe(float, row["first_value"]),
        _maybe(float, row["previous_last_value"]),
        Side(row["side"]),
        _maybe(float, row["rate_max"]),
        _maybe(int, row["interval_s"]),
    )


def _factor(row: Row, units: Mapping[str, int]) -> Factor:
    return Factor(
        row["carrier"],
        Basis(row["basis"]),
        units[row["unit"]] if row["unit"] else None,
        float(row["kgce_per_uom"]),
        date.fromisoformat(row["valid_from"]),
        _maybe(date.fromisoformat, row["valid_to"]),
        row["verified"] == "true",
        row["edition"],
        row["source"],
        row["batch"] or None,
    )


def _range(row: Row) -> FactorRange:
    return FactorRange(
        row["carrier"],
        float(row["low"]),
        float(row["high"]),
        row["edition"],
        row["source"],
        row["verified"] == "true",
    )


def _sum(row: Row, owner_id: int) -> StoredSum:
    return StoredSum(
        owner_id,
        row["carrier"] or None,
        Step(row["step"]),
        _maybe(float, row["quantity"]),
        _maybe(float, row["energy_tce"]),
        float(row["estimated_quantity"]),
        int(row["readings_present"]),
        row["held"] == "true",
        row["left_out"] == "true",
    )


def recorded_of(row: Row) -> Recorded | None:
    if not row["recorded_at"]:
        return None
    return Recorded(row["actor"], row["why"], row["evidence"], moment(row["recorded_at"]))


def moment(text: str) -> datetime:
    """Return an instant of a table. [UTC]"""
    return datetime.fromisoformat(text).astimezone(UTC)


def _maybe(parse: Callable[[str], T], text: str) -> T | None:
    return parse(text) if text else None
