"""Owns `nenghao verify evidence FILE`: is a file whole, and does its figure follow from its tables?

It needs nothing but the file: no database, no network.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

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
from app.parts import leaves
from app.resolve import Refusal
from energy import explanation, intensity_uoms
from energy.factors import Basis, Unverified
from energy.indicators import Indicator
from energy.periods import Span
from energy.roles import Role

FILE_BYTES_MAX = 256 * 2**20
UNPACKED_BYTES_MAX = 1024 * 2**20
"""A ZIP archive may unpack to much more than it is."""

DERIVED = ("gaps.csv", "doubts.csv")
"""Tables that follow from the others."""

console = Console()


@dataclass(slots=True)
class Verdict:
    """What was found. No `faults`: the file is whole and its figure follows from its tables."""

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
            _check_derived(lineage, content, verdict)
            tally = explain.explained(lineage).root.tally
            verdict.recomputed, verdict.uom = tally.figure, tally.figure_uom
            _compare(verdict, found["value"]["value"], tally.figure)
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


def _check_derived(lineage: Lineage, content: Mapping[str, bytes], verdict: Verdict) -> None:
    """The tables of gaps and doubts follow from readings and epochs: they must be the same."""
    parts = [part for _, part in leaves(explain.explained(lineage).root)]
    ids = {(each.meter.unit, each.meter.meter): each.meter.meter_id for each in lineage.meters}
    details = {
        ids[part.unit, part.code]: part.detail
        for part in parts
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


# -- from a file -----------------------------------------------------------------------------------


def read(path: Path) -> dict[str, bytes]:
    """Return the files in a ZIP by name. Raises Refusal if it is none, or too large."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise Refusal(f"{path.name} is larger than {FILE_BYTES_MAX // 2**20} MiB")
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > UNPACKED_BYTES_MAX:
                raise Refusal(f"{path.name} unpacks to more than {UNPACKED_BYTES_MAX // 2**20} MiB")
            names = [member.filename for member in members]
            if len(set(names)) < len(names):
                raise Refusal(f"{path.name} holds a file twice")
            return {name: archive.read(name) for name in names}
    except (OSError, zipfile.BadZipFile) as error:
        raise Refusal(f"cannot read {path}: {error}") from error


def evidence_command(
    file: Annotated[Path, typer.Argument(help="an evidence file of GET /v1/explain, format=zip")],
) -> None:
    """Check an evidence file: every hash, and its figure computed anew from its tables."""
    try:
        verdict = checked(read(file))
    except EvidenceError as error:
        raise Refusal(f"{file.name}: {error}") from error
    manifest = verdict.manifest
    console.print(
        f"made {manifest['made_at']} for {manifest['made_for']} by {manifest['platform']}",
        highlight=False,
    )
    console.print(f"told {verdict.told} {verdict.uom}", highlight=False)
    console.print(f"from the tables {verdict.recomputed} {verdict.uom}", highlight=False)
    for fault in verdict.faults:
        console.print(f"[red]{fault}[/red]", highlight=False)
    if verdict.faults:
        raise typer.Exit(1)
    console.print(f"{len(manifest['files'])} files are whole; the figure follows from the tables")
