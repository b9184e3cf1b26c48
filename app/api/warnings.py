"""Owns GET /v1/warnings."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AfterValidator, ConfigDict, Field

import app.assessments
from app import known_tables
from app.api.answers import Answer, ListOf, Reckoned, problems
from app.api.parameters import AsKnown, RegionCode
from app.assessments import Assessed, Period
from app.depends import KnowingCaller
from db.figures import FigureRow
from energy import levels
from energy.assessment import Exemption, Finding
from energy.indicators import DESCRIPTIONS, Description, Direction, Indicator
from energy.levels import Band, Reason, Scheme
from energy.targets import Path, PlanProgress, Requirement

router = APIRouter(tags=["targets"])

_PERIOD = re.compile(r"(20\d\d)(?:-(0[1-9]|1[0-2]))?", re.ASCII)


def parse_period(text: str) -> str:
    if not _PERIOD.fullmatch(text):
        raise ValueError("is a year, as in 2026, or January to a month of it, as in 2026-09")
    return text


class WarningQuery(AsKnown):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    region: RegionCode | None = Field(
        default=None,
        description="GB/T 2260 code: this region and all within that have figures or targets",
        examples=["450200"],
    )
    period: Annotated[str, AfterValidator(parse_period)] | None = Field(
        default=None,
        description="a year (its newest month), or January to a month of it; without: the newest "
        "figures of each region",
        examples=["2026-09"],
    )
    indicator: Indicator | None = Field(
        default=None, description="only this indicator", examples=["energy_per_gdp"]
    )

    def when(self) -> Period | None:
        match = None if self.period is None else _PERIOD.fullmatch(self.period)
        return match and Period(int(match[1]), int(match[2]) if match[2] else None)


class Figure(Answer):
    """An input, and who published it; value null: it is not there."""

    figure: str = Field(examples=["energy_growth"])
    year: int = Field(examples=[2026])
    through_month: int | None = Field(
        description="cumulative from January to this month; null: nothing was published",
        examples=[9],
    )
    value: float | None = Field(
        description="growth as a share, against the same months of the year before; energy_tce "
        "in tce",
        examples=[0.07],
    )
    source: str | None = Field(examples=["广西统计月报 2026年9月"])


class Required(Answer):
    """What the year requires, and the target it comes from."""

    rate: Reckoned | None = Field(description="change, as a share", examples=[-0.02747])
    amount_tce: float | None = Field(description="cap on the total", examples=[21500000.0])
    path: Path = Field(
        description="filed: the region's own target of the year; geometric_default: an even share "
        "of a plan, which the region has not filed",
        examples=["geometric_default"],
    )
    target_period: str = Field(examples=["2026-2030"])
    target_rate: float | None = Field(description="of the whole period", examples=[-0.13])
    rule_set: str | None = Field(
        description="rules it is assessed by; null: not stated", examples=["2024"]
    )
    source: str = Field(examples=["桂政发〔2026〕1号"])


class Plan(Answer):
    """How far a plan of several years is, with the year so far taken as the year."""

    period: str = Field(examples=["2026-2030"])
    target_rate: float = Field(examples=[-0.13])
    reached_rate: Reckoned | None = Field(
        description="cumulative change; null: a year lacks its figure", examples=[-0.0283]
    )
    scheduled_rate: Reckoned = Field(
        description="what its path asks for by now", examples=[-0.0275]
    )
    missing_years: list[int] = Field(examples=[[]])


class Level(Answer):
    """A warning level. Go by severity: 1 is the most severe, whatever the level is called."""

    level: str = Field(examples=["1"])
    severity: int = Field(description="1 is the most severe", examples=[1])
    severities: int = Field(description="how many levels the scheme has", examples=[3])
    name_zh: str = Field(examples=["一级（十分严峻）"])
    name_en: str = Field(examples=["level 1 (very grim)"])
    colour: str | None = Field(examples=["red"])
    scheme: str = Field(examples=["national"])
    scheme_zh: str = Field(examples=["国家能耗强度预警等级"])
    scheme_en: str = Field(examples=["national barometer of energy intensity"])
    verified: bool = Field(
        description="false: a suggestion of the platform, not an official rule", examples=[True]
    )
    source: str = Field(examples=["发改办环资〔2021〕629号"])


class RegionWarning(Answer):
    """One indicator of one region."""

    region: str = Field(examples=["450200"])
    region_name: str = Field(examples=["柳州市"])
    tier: str = Field(examples=["city"])
    year: int = Field(examples=[2026])
    through_month: int | None = Field(
        description="of the figures; null: none was published", examples=[9]
    )
    indicator: Indicator = Field(examples=["energy_per_gdp"])
    indicator_zh: str = Field(examples=["单位地区生产总值能耗"])
    indicator_en: str = Field(examples=["energy per GDP"])
    uom: str = Field(examples=["tce/1e4CNY"])
    direction: Direction = Field(examples=["lower"])
    figures: list[Figure]
    base: Required | None = Field(description="null: no target")
    incentive: Required | None = Field(description="null: no incentive target")
    rate: Reckoned | None = Field(
        description="change of the indicator: (1 + growth of energy) / (1 + growth of output) - 1",
        examples=[0.00943],
    )
    output_rate: Reckoned | None = Field(
        description="the inverse view: change of output per energy (能源产出率)",
        examples=[-0.00935],
    )
    cap_share: Reckoned | None = Field(
        description="of the total: what the year comes to at the growth so far ÷ cap",
        examples=[0.998],
    )
    progress: Reckoned | None = Field(
        description="share of the required reduction that is reached; negative: it rose",
        examples=[-0.343],
    )
    incentive_progress: Reckoned | None = Field(examples=[-0.314])
    plan: Plan | None = Field(description="null: no plan of several years")
    level: Level | None = Field(description="null: an input is missing, see reason")
    reason: Reason = Field(examples=["rose"])
    exempt: bool | None = Field(
        description="of the total: not assessed, the incentive target is reached; null: it cannot "
        "be told, or is not asked of this indicator",
        examples=[None],
    )
    exemption: Exemption | None = Field(examples=[None])


class Warnings(ListOf[RegionWarning]):
    """All at once, by region and indicator; next is always null."""


@router.get(
    "/v1/warnings",
    operation_id="list_warnings",
    summary="Warning level of each region and indicator, with all it rests on",
    responses=problems(401, 404, 422, 503),
)
async def list_warnings(query: Annotated[WarningQuery, Query()], caller: KnowingCaller) -> Warnings:
    """Return levels from cumulative figures; there is no level where an input is missing.

    Published figures of regions are shown to keys of that region; a key of a unit sees those of
    the regions it lies in. A region that this key may not see is answered like a missing one.
    """
    caller = await known_tables.facts(caller, query.as_known_on)
    found = await app.assessments.assessed(caller, query.region, query.when())
    items = [
        _item(each, finding)
        for each in found
        for finding in each.findings
        if query.indicator in (None, finding.indicator)
    ]
    return Warnings(items=items, next=None)


def _item(each: Assessed, finding: Finding) -> RegionWarning:
    of = DESCRIPTIONS[finding.indicator]
    is_rate = of.denominator is not None
    rate = finding.measured if is_rate else None
    return RegionWarning(
        region=each.region.region,
        region_name=each.region.name,
        tier=each.region.tier,
        year=each.year,
        through_month=None if each.figure is None else each.figure.through_month,
        indicator=finding.indicator,
        indicator_zh=of.name_zh,
        indicator_en=of.name_en,
        uom=of.uom,
        direction=of.direction,
        figures=_figures(each, of),
        base=_required(finding.base),
        incentive=_required(finding.incentive),
        rate=rate,
        output_rate=None if rate is None else levels.output_rate(rate),
        cap_share=None if is_rate else finding.measured,
        progress=finding.progress,
        incentive_progress=finding.incentive_progress,
        plan=_plan(finding.plan),
        level=_level(finding.scheme, finding.band),
        reason=finding.reason,
        exempt=finding.is_exempt,
        exemption=finding.exemption,
    )


def _figures(each: Assessed, of: Description) -> list[Figure]:
    inputs = [
        _figure(name, each.year, each.figure)
        for name in (of.numerator, of.denominator)
        if name is not None
    ]
    if of.denominator is None:
        inputs.append(_figure("energy_tce", each.year - 1, each.before))
    return inputs


def _figure(name: str, year: int, row: FigureRow | None) -> Figure:
    return Figure(
        figure=name,
        year=year,
        through_month=None if row is None else row.through_month,
        value=None if row is None else getattr(row, name),
        source=None if row is None else row.source,
    )


def _required(required: Requirement | None) -> Required | None:
    if required is None:
        return None
    return Required(
        rate=required.rate,
        amount_tce=required.amount_tce,
        path=required.path,
        target_period=required.target.period,
        target_rate=required.target.required_rate,
        rule_set=required.target.rule_set,
        source=required.target.source,
    )


def _plan(plan: PlanProgress | None) -> Plan | None:
    if plan is None or plan.target.required_rate is None:
        return None
    return Plan(
        period=plan.target.period,
        target_rate=plan.target.required_rate,
        reached_rate=plan.reached,
        scheduled_rate=plan.scheduled,
        missing_years=list(plan.missing_years),
    )


def _level(scheme: Scheme | None, band: Band | None) -> Level | None:
    if scheme is None or band is None:
        return None
    return Level(
        level=band.level,
        severity=band.severity,
        severities=len(scheme.bands),
        name_zh=band.name_zh,
        name_en=band.name_en,
        colour=band.colour,
        scheme=scheme.scheme,
        scheme_zh=scheme.name_zh,
        scheme_en=scheme.name_en,
        verified=scheme.verified,
        source=scheme.source,
    )
