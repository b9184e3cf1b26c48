"""Owns computing a region's warning level anew from the facts that people stated.

Pure. The facts are those of the ledger of changes where it has them, else the rows of today.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import db.levels
from app.formulas import plain
from app.known_then import figure, text
from app.lineage import Recorded
from app.parts import Formula
from db.changes import Content
from db.figures import FigureRow, TargetRow
from db.levels import BandRow, ChoiceRow
from energy import assessment
from energy.assessment import Finding
from energy.indicators import DESCRIPTIONS, Growth, Indicator
from energy.levels import Measure
from energy.targets import TargetKind

DECEMBER = 12
RATE_WORDS = (
    "（1 + 能耗增速）÷（1 + 产出增速）− 1，与年度目标相比",
    "(1 + growth of energy) ÷ (1 + growth of output) − 1, against what the year requires",
)
TOTAL_WORDS = (
    "上年总量 ×（1 + 增速）÷ 总量上限",
    "total of the year before × (1 + growth) ÷ cap on the total",
)


@dataclass(frozen=True, slots=True)
class LevelLineage:
    """The facts behind a level, each with who stated it; `through_month` None: the newest."""

    region: str
    year: int
    through_month: int | None
    indicator: Indicator
    figures: Sequence[tuple[FigureRow, Recorded | None]]
    targets: Sequence[tuple[TargetRow, Recorded | None]]
    bands: Sequence[tuple[BandRow, Recorded | None]]
    choices: Sequence[tuple[ChoiceRow, Recorded | None]]
    as_known_on: datetime | None = None


@dataclass(frozen=True, slots=True)
class Leveled:
    """A level as it follows from its facts, and the figures it was made of."""

    finding: Finding
    figure: FigureRow | None
    before: FigureRow | None
    formula: Formula


def leveled(lineage: LevelLineage) -> Leveled:
    rows = [row for row, _ in lineage.figures]
    ours = [
        row
        for row in rows
        if row.year == lineage.year and lineage.through_month in (None, row.through_month)
    ]
    history = [row for row in rows if row.year < lineage.year and row.through_month == DECEMBER]
    newest = max(ours, key=lambda row: row.through_month, default=None)
    schemes = db.levels.schemes([row for row, _ in lineage.bands])
    findings = assessment.findings(
        None if newest is None else newest.figures(),
        [row.figures() for row in history],
        [row.target() for row, _ in lineage.targets],
        db.levels.chosen(schemes, [row for row, _ in lineage.choices], lineage.region),
        lineage.year,
    )
    finding = next(each for each in findings if each.indicator is lineage.indicator)
    before = next((row for row in history if row.year == lineage.year - 1), None)
    return Leveled(finding, newest, before, _formula(finding, newest, before))


def _formula(finding: Finding, row: FigureRow | None, before: FigureRow | None) -> Formula:
    of = DESCRIPTIONS[finding.indicator]
    growth = _told(None if row is None else getattr(row, of.numerator))
    required = None if finding.base is None else finding.base.rate
    if of.denominator is None:
        total = _told(None if before is None else before.energy_tce)
        cap = _told(None if finding.base is None else finding.base.amount_tce)
        numbers = f"{total} × (1 + {growth}) ÷ {cap} = {_told(finding.measured)}"
        return Formula(*TOTAL_WORDS, numbers)
    output = _told(None if row is None else getattr(row, of.denominator))
    numbers = (
        f"(1 + {growth}) ÷ (1 + {output}) − 1 = {_told(finding.measured)}; "
        f"{_told(required)} → {'?' if finding.band is None else finding.band.level}"
    )
    return Formula(*RATE_WORDS, numbers)


def _told(value: float | None) -> str:
    return "?" if value is None else plain(value)


# -- facts of the ledger ---------------------------------------------------------------------------


def figure_row(content: Content) -> FigureRow:
    numbers = {one.value: figure(content.get(one)) for one in Growth}
    return FigureRow(
        region=str(content["region"]),
        year=_whole(content["year"]),
        through_month=_whole(content["through_month"]),
        source=str(content["source"]),
        energy_tce=figure(content.get("energy_tce")),
        **numbers,
    )


def target_row(content: Content) -> TargetRow:
    year = _whole(content["year"])
    return TargetRow(
        region=str(content["region"]),
        year=year,
        required_rate=figure(content["required_rate"]),
        source=str(content["source"]),
        through_year=_whole(content.get("through_year", year)),
        indicator=Indicator(str(content.get("indicator", Indicator.ENERGY_PER_GDP))),
        kind=TargetKind(str(content.get("kind", TargetKind.BASE))),
        amount_tce=figure(content.get("amount_tce")),
        rule_set=text(content.get("rule_set")),
    )


def band_row(content: Content) -> BandRow:
    return BandRow(
        scheme=str(content["scheme"]),
        level=str(content["level"]),
        severity=_whole(content["severity"]),
        bound=figure(content["bound"]),
        holds_at_bound=bool(content["holds_at_bound"]),
        name_zh=str(content["name_zh"]),
        name_en=str(content["name_en"]),
        colour=text(content["colour"]),
        measure=Measure(str(content["measure"])),
        scheme_zh=str(content["scheme_zh"]),
        scheme_en=str(content["scheme_en"]),
        source=str(content["source"]),
        verified=bool(content["verified"]),
    )


def choice_row(content: Content) -> ChoiceRow:
    return ChoiceRow(
        str(content["region"]),
        Indicator(str(content["indicator"])),
        str(content["scheme"]),
        str(content["source"]),
    )


def _whole(value: object) -> int:
    return int(str(value))
