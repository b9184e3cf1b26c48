"""Owns whether an evidence file agrees with itself: its hashes, and its figure with its tables.

Pure: it needs nothing but what is in the file, and so cannot tell whether that is the platform's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app import (
    evidence,
    evidence_rows,
    evidence_stated,
    evidence_tables,
    explain,
    explain_intensity,
    explain_level,
)
from app.evidence_rows import EvidenceError, Row, moment
from app.explain_intensity import IntensityLineage
from app.lineage import Figure, Lineage, Question
from app.parts import Part, leaves
from energy import explanation, intensity_uoms
from energy.factors import Basis, Unverified
from energy.indicators import Indicator
from energy.periods import Span
from energy.roles import Role

DERIVED = ("gaps.csv", "doubts.csv")
"""Tables that follow from the others."""


@dataclass(slots=True)
class Verdict:
    """What was found. No `faults`: the file agrees with itself; who made it is not shown."""

    manifest: Mapping[str, Any]
    told: object = None
    recomputed: object = None
    uom: str = ""
    faults: list[str] = field(default_factory=list)


def checked(content: Mapping[str, bytes]) -> Verdict:
    """Return what is to be said of the files in an evidence file, by name."""
    manifest = _json(content, evidence.MANIFEST)
    verdict = Verdict(manifest)
    if manifest.get("format") != evidence.FORMAT:
        raise EvidenceError(f"not evidence that is known here: {manifest.get('format')!r}")
    _check_hashes(content, verdict)
    found = _json(content, evidence.EXPLANATION)
    tables = {
        name: evidence_rows.rows(body, name)
        for name, body in content.items()
        if name.endswith(".csv")
    }
    try:
        _check_figure(found, tables, content, verdict)
    except (KeyError, TypeError, ValueError) as error:
        verdict.faults.append(f"the figure cannot be computed from the tables: {error!r}")
    return verdict


def _json(content: Mapping[str, bytes], name: str) -> dict[str, Any]:
    try:
        parsed = json.loads(content[name])
    except (KeyError, ValueError) as error:
        raise EvidenceError(f"{name} is missing or no JSON") from error
    if not isinstance(parsed, dict):
        raise EvidenceError(f"{name} is not what it should be")
    return parsed


def _check_hashes(content: Mapping[str, bytes], verdict: Verdict) -> None:
    named: dict[str, Any] = verdict.manifest.get("files", {})
    for name in sorted(named.keys() | content.keys() - {evidence.MANIFEST}):
        if name not in content:
            verdict.faults.append(f"{name} is missing")
        elif name not in named:
            verdict.faults.append(f"{name} is not in the manifest")
        elif hashlib.sha256(content[name]).hexdigest() != named[name]["sha256"]:
            verdict.faults.append(f"{name} is not what it was when the file was made")


def _check_figure(
    found: Mapping[str, Any],
    tables: Mapping[str, list[Row]],
    content: Mapping[str, bytes],
    verdict: Verdict,
) -> None:
    match Figure(found["figure"]):
        case Figure.CONSUMPTION:
            lineage = _lineage(found, tables)
            root = explain.explained(lineage).root
            _check_derived(lineage, root, content, verdict)
            verdict.uom = root.tally.figure_uom
            _compare(verdict, found["value"]["value"], root.tally.figure)
        case Figure.INTENSITY:
            _check_intensity(found, tables, verdict)
        case Figure.LEVEL:
            _check_level(found, tables, verdict)


def _compare(verdict: Verdict, told: float | None, recomputed: float | None) -> None:
    verdict.told, verdict.recomputed = told, recomputed
    if not explanation.agrees(told, recomputed):
        verdict.faults.append(f"the tables come to {recomputed}, the explanation says {told}")


def _lineage(found: Mapping[str, Any], tables: Mapping[str, list[Row]]) -> Lineage:
    return evidence_rows.lineage(tables, _question(found["asked"]))


def _question(asked: Mapping[str, Any]) -> Question:
    """Return the question; nothing is compared with what is stored, so it is as of a day."""
    computed_at = moment(asked["computed_at"])
    return Question(
        Span(moment(asked["starts_at"]), moment(asked["ends_at"])),
        Basis(asked["basis"]),
        computed_at,
        region=asked["region"],
        unit=asked["unit"],
        meter=asked["meter"],
        industry=asked["industry"],
        energy=asked["energy"],
        as_known_on=computed_at,
        unverified=Unverified(asked["unverified_factors"]),
    )


def _check_derived(
    lineage: Lineage, root: Part, content: Mapping[str, bytes], verdict: Verdict
) -> None:
    """The tables of gaps and doubts follow from readings and epochs: they must be the same."""
    ids = {(each.meter.unit, each.meter.meter): each.meter.meter_id for each in lineage.meters}
    details = {
        ids[part.unit, part.code]: part.detail
        for _, part in leaves(root)
        if part.detail is not None and part.unit is not None
    }
    for sheet in evidence_tables.sheets(lineage, details):
        if sheet.name in DERIVED and "".join(sheet.lines()).encode() != content.get(sheet.name):
            verdict.faults.append(f"{sheet.name} does not follow from readings and epochs")


def _check_intensity(
    found: Mapping[str, Any], tables: Mapping[str, list[Row]], verdict: Verdict
) -> None:
    lineage = _lineage(found, tables)
    energy = [each for each in lineage.meters if each.meter.role != Role.OUTPUT]
    outputs = [each for each in lineage.meters if each.meter.role == Role.OUTPUT]
    ratio_lineage = IntensityLineage(
        found["product"],
        intensity_uoms.parse(found["check"]["uom"]),
        lineage.question.span,
        _only(lineage, energy),
        _only(lineage, outputs) if outputs else None,
        evidence_stated.statements(tables["production.csv"]),
        found["kgce_per_kgoe"],
    )
    root = explain.explained(ratio_lineage.energy).root
    made = [] if ratio_lineage.outputs is None else explain.meter_parts(ratio_lineage.outputs)
    ratio = explain_intensity.ratio(ratio_lineage, root, made)
    verdict.uom = str(ratio.uom)
    _compare(verdict, found["check"]["recomputed"], ratio.value)


def _only(lineage: Lineage, meters: list[Any]) -> Lineage:
    return Lineage(
        lineage.question,
        meters,
        lineage.factors,
        lineage.ranges,
        lineage.unit_codes,
        meter_sums=lineage.meter_sums,
    )


def _check_level(
    found: Mapping[str, Any], tables: Mapping[str, list[Row]], verdict: Verdict
) -> None:
    lineage = evidence_stated.level_lineage(
        tables,
        found["region"],
        found["year"],
        found["through_month"],
        Indicator(found["indicator"]),
    )
    finding = explain_level.leveled(lineage).finding
    _compare(verdict, found["check"]["recomputed_measure"], finding.measured)
    level = None if finding.band is None else finding.band.level
    verdict.told, verdict.recomputed, verdict.uom = found["check"]["recomputed"], level, ""
    if verdict.told != level:
        verdict.faults.append(f"the tables come to level {level}, told is {verdict.told}")
