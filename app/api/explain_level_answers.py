"""Owns what GET /v1/explain answers of a warning level."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal

from pydantic import Field

from app.api.answers import Answer, LocalTime
from app.api.explain_answers import Formula, RecordedBy
from app.api.warnings import RegionWarning
from app.explain_level import Leveled, LevelLineage
from app.lineage import Figure
from energy import explanation
from energy.indicators import Indicator
from energy.levels import Reason
from energy.rulesets import RuleSet
from energy.targets import TargetKind


class FigureStated(Answer):
    """A published figure; null: not published."""

    year: int = Field(examples=[2026])
    through_month: int = Field(examples=[9])
    energy_growth: float | None = Field(examples=[0.07])
    gdp_growth: float | None = Field(examples=[0.06])
    industrial_energy_growth: float | None = Field(examples=[None])
    value_added_growth: float | None = Field(examples=[None])
    carbon_growth: float | None = Field(examples=[None])
    energy_tce: float | None = Field(examples=[None])
    source: str = Field(examples=["广西统计月报 2026年9月"])
    recorded: RecordedBy | None = Field(description="null: from before the ledger")


class TargetStated(Answer):
    """A target, with its document."""

    year: int = Field(examples=[2026])
    through_year: int = Field(examples=[2026])
    kind: TargetKind = Field(examples=["base"])
    required_rate: float | None = Field(examples=[-0.02747])
    amount_tce: float | None = Field(examples=[None])
    rule_set: str | None = Field(examples=["2024"])
    source: str = Field(examples=["桂政发〔2026〕1号"])
    recorded: RecordedBy | None = Field(description="null: from before the ledger")


class BandStated(Answer):
    """A level of the scheme that holds; bound null: the most severe."""

    level: str = Field(examples=["1"])
    severity: int = Field(examples=[1])
    bound: float | None = Field(examples=[None])
    holds_at_bound: bool = Field(examples=[True])
    name_zh: str = Field(examples=["一级（十分严峻）"])
    name_en: str = Field(examples=["level 1 (very grim)"])
    source: str = Field(examples=["发改办环资〔2021〕629号"])
    verified: bool = Field(examples=[True])
    recorded: RecordedBy | None = Field(description="null: a reference row of the platform")


class RuleSetNamed(Answer):
    """A rule set that a target names, with its documents."""

    rule_set: str = Field(examples=["2024"])
    name_zh: str = Field(examples=["2024年规则（非化石能源不纳入）"])
    name_en: str = Field(examples=["rules of 2024 (non-fossil energy is deducted)"])
    documents: list[str] = Field(examples=[["发改环资〔2024〕113号"]])
    in_force_from: date = Field(examples=["2024-01-27"])
    in_force_to: date | None = Field(examples=[None])
    source: str = Field(examples=["发改环资〔2024〕113号"])


class LevelValue(Answer):
    """A level; 1 is the most severe."""

    level: str = Field(examples=["1"])
    severity: int = Field(examples=[1])
    name_zh: str = Field(examples=["一级（十分严峻）"])
    name_en: str = Field(examples=["level 1 (very grim)"])
    scheme: str = Field(examples=["national"])


class LevelCheck(Answer):
    """The level computed anew from the ledger of changes, beside the one that is answered."""

    recomputed: str | None = Field(examples=["1"])
    recomputed_measure: float | None = Field(
        description="change of the indicator, or share of the cap", examples=[0.00943]
    )
    answered: str | None = Field(
        description="by /v1/warnings; null: none, or as of a day in the past", examples=["1"]
    )
    agrees: bool | None = Field(
        description="null: as of a day in the past there is nothing to compare with",
        examples=[True],
    )


class LevelExplanation(Answer):
    """Where a warning level comes from: figures, targets, scheme, with who stated them."""

    figure: Literal[Figure.LEVEL] = Field(examples=["level"])
    region: str = Field(examples=["450200"])
    indicator: Indicator = Field(examples=["energy_per_gdp"])
    year: int = Field(examples=[2026])
    through_month: int | None = Field(
        description="that the figures go through; null: none was published", examples=[9]
    )
    as_known_on: LocalTime | None = Field(examples=[None])
    value: LevelValue | None = Field(description="null: an input is missing, see reason")
    reason: Reason = Field(examples=["rose"])
    formula: Formula
    check: LevelCheck
    row: RegionWarning | None = Field(
        description="as /v1/warnings answers it; null: as of a day in the past"
    )
    figures: list[FigureStated]
    targets: list[TargetStated]
    rule_sets: list[RuleSetNamed] = Field(description="that the targets name")
    bands: list[BandStated] = Field(description="of the scheme, the most severe first")


def of(
    lineage: LevelLineage,
    found: Leveled,
    row: RegionWarning | None,
    rule_sets: Sequence[RuleSet],
) -> LevelExplanation:
    finding, scheme = found.finding, found.finding.scheme
    targets = [
        (each, recorded)
        for each, recorded in lineage.targets
        if each.indicator is lineage.indicator and each.year <= lineage.year <= each.through_year
    ]
    named = {each.rule_set for each, _ in targets}
    return LevelExplanation.model_validate(
        {
            "figure": Figure.LEVEL,
            "region": lineage.region,
            "indicator": lineage.indicator,
            "year": lineage.year,
            "through_month": None if found.figure is None else found.figure.through_month,
            "as_known_on": lineage.as_known_on,
            "value": _value(found),
            "reason": finding.reason,
            "formula": found.formula,
            "check": _check(found, row),
            "row": row,
            "figures": [
                _fields(FigureStated, each, recorded)
                for each, recorded in lineage.figures
                if each in (found.figure, found.before)
            ],
            "targets": [_fields(TargetStated, each, recorded) for each, recorded in targets],
            "rule_sets": [
                {name: getattr(each, name) for name in RuleSetNamed.model_fields}
                | {"documents": list(each.documents)}
                for each in rule_sets
                if each.rule_set in named
            ],
            "bands": [
                _fields(BandStated, each, recorded)
                for each, recorded in sorted(lineage.bands, key=lambda pair: pair[0].severity)
                if scheme is not None and each.scheme == scheme.scheme
            ],
        }
    )


def _value(found: Leveled) -> LevelValue | None:
    band, scheme = found.finding.band, found.finding.scheme
    if band is None or scheme is None:
        return None
    return LevelValue(
        level=band.level,
        severity=band.severity,
        name_zh=band.name_zh,
        name_en=band.name_en,
        scheme=scheme.scheme,
    )


def _check(found: Leveled, row: RegionWarning | None) -> LevelCheck:
    level = None if found.finding.band is None else found.finding.band.level
    answered = None if row is None or row.level is None else row.level.level
    measure = found.finding.measured
    agrees = None
    if row is not None:
        told = row.rate if row.cap_share is None else row.cap_share
        agrees = level == answered and explanation.agrees(measure, told)
    return LevelCheck(
        recomputed=level, recomputed_measure=measure, answered=answered, agrees=agrees
    )


def _fields(model: type[Answer], row: object, recorded: object) -> dict[str, object]:
    names = model.model_fields.keys() - {"recorded"}
    return {name: getattr(row, name) for name in names} | {"recorded": recorded}
