"""Owns GET /v1/carbon."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AfterValidator, ConfigDict, Field

import app.carbon
import app.consumption
import db.carbon
from app import known_tables
from app.api import consumption, parameters
from app.api.answers import Answer, ListOf, LocalTime, Reckoned, problems
from app.api.consumption import Note
from app.api.parameters import AsKnown, Selecting, Valued
from app.carbon import Part, Row
from app.depends import Caller, KnowingCaller
from db.consumption import Group, Selection
from energy.carbon import CarbonFactor, Obstacle
from energy.factors import Basis
from energy.periods import Span, Step

router = APIRouter(tags=["targets"])

GROUPS = (Group.REGION, Group.INDUSTRY, Group.UNIT, Group.ENERGY)


def parse_groups(text: str) -> str:
    for name in text.split(","):
        if name not in GROUPS:
            raise ValueError(f"{name!r} is none of {', '.join(GROUPS)} (a comma list)")
    return text


class CarbonQuery(Selecting, Valued, AsKnown):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    bucket: Literal["day", "month", "year"] = Field(
        default="month",
        description="length of a row; days, months and years are those of Asia/Shanghai",
        examples=["month"],
    )
    group_by: Annotated[str, AfterValidator(parse_groups)] | None = Field(
        default=None,
        max_length=100,
        description="comma list of region, industry, unit, energy; without: one total",
        examples=["region"],
    )


class Factor(Answer):
    """A carbon factor as it is stored."""

    carrier: str = Field(examples=["electricity"])
    grid: str | None = Field(description="of electricity", examples=["southern"])
    kgco2_per_uom: float = Field(
        description="kg of CO₂ per unit of measure of the quantity", examples=[0.4042]
    )
    valid_from: date = Field(examples=["2023-01-01"])
    valid_to: date | None = Field(
        description="no longer included; null: until a newer one is there", examples=[None]
    )
    year: int | None = Field(description="the year it describes", examples=[2023])
    edition: str = Field(examples=["2023年电力二氧化碳排放因子"])
    source: str = Field(examples=["生态环境部、国家统计局"])
    verified: bool = Field(
        description="false: nobody has checked it against its source", examples=[True]
    )


class CarbonPart(Answer):
    """A carrier, by one factor."""

    energy: str = Field(examples=["electricity"])
    quantity: Reckoned | None = Field(examples=[1000000.0])
    uom: str | None = Field(examples=["kWh"])
    carbon_t: Reckoned | None = Field(description="t of CO₂", examples=[404.2])
    reason: Obstacle | None = Field(
        description="why there is no carbon", examples=["carbon_factor_missing"]
    )
    factor: Factor | None = Field(description="null: none, see reason")


class CarbonRow(Answer):
    """What was emitted in one bucket; the names it is grouped by are there, the others are not."""

    starts_at: LocalTime = Field(examples=["2026-11-01T00:00:00+08:00"])
    ends_at: LocalTime = Field(examples=["2026-12-01T00:00:00+08:00"])
    region: str | None = Field(default=None, examples=["450200"])
    region_name: str | None = Field(default=None, examples=["柳州市"])
    industry: str | None = Field(default=None, examples=["C31"])
    industry_name: str | None = Field(default=None, examples=["黑色金属冶炼和压延加工业"])
    unit: str | None = Field(default=None, examples=["91450200MA5KF5XJ00"])
    unit_name: str | None = Field(default=None, examples=["柳州某钢铁厂"])
    energy: str | None = Field(default=None, examples=["electricity"])
    carbon_t: Reckoned | None = Field(
        description="t of CO₂; null: not known, see reason", examples=[404.2]
    )
    reason: Obstacle | None = Field(
        description="why there is no carbon", examples=["carbon_factor_missing"]
    )
    carbon_known_t: Reckoned | None = Field(
        description="t of CO₂ of the carriers that have a factor", examples=[404.2]
    )
    carbon_left_out: list[str] = Field(description="carriers without a factor", examples=[[]])
    energy_tce: Reckoned | None = Field(description="as in /v1/consumption [tce]", examples=[122.9])
    left_out: list[str] = Field(
        description="carriers that are not in energy_tce: no coal equivalent factor", examples=[[]]
    )
    coverage: Reckoned | None = Field(
        description="share of the readings due by now that are there; null: none was due yet",
        examples=[0.995],
    )
    estimated_share: Reckoned | None = Field(examples=[0.01])
    held: bool = Field(examples=[False])
    carriers: list[CarbonPart]


class CarbonAnswer(ListOf[CarbonRow]):
    """All rows at once, in order of time and group; next is always null."""

    bucket: Step = Field(examples=["month"])
    basis: Basis = Field(examples=["calorific"])
    notes: list[Note]


@router.get(
    "/v1/carbon",
    operation_id="list_carbon",
    summary="Carbon dioxide of the energy used, by time and group",
    response_model_exclude_unset=True,
    responses=problems(401, 404, 422, 503),
)
async def list_carbon(
    query: Annotated[CarbonQuery, Query()], caller: KnowingCaller
) -> CarbonAnswer:
    """Return every bucket that touches `[from, to)`, in full, up to now.

    Fuels by their factor, electricity by that of the grid chosen for its region; energy that a
    unit exports is taken off. Feedstock and green certificates are not: this is what the energy
    that was counted emits.
    """
    bucket = Step(query.bucket)
    caller = await known_tables.facts(caller, query.as_known_on)
    within = app.consumption.buckets(query.span(), bucket, caller.now)
    selection = await _selection(caller, query, bucket, within)
    await known_tables.selected(caller, selection)
    rows = await app.carbon.rows(caller, selection, within) if within else []
    measured = await db.carbon.list_measured(caller.connection, caller.scope, selection)
    parts = [part for row in rows for part in row.parts]
    return CarbonAnswer(
        bucket=bucket,
        basis=query.basis,
        items=[_row(row, selection) for row in rows],
        notes=[
            *_notes(parts),
            *_measured_notes(parts, measured),
            *(await consumption.notes(caller, selection) if within else []),
        ],
        next=None,
    )


async def _selection(
    caller: Caller, query: CarbonQuery, bucket: Step, within: Sequence[Span]
) -> Selection:
    if query.unit is not None:
        await parameters.visible_unit(caller, query.unit)
    return Selection(
        span=Span(within[0].starts_at, within[-1].ends_at) if within else query.span(),
        bucket=bucket,
        basis=query.basis,
        groups=frozenset(map(Group, query.group_by.split(",") if query.group_by else ())),
        tier=query.region_level,
        region_prefix=await parameters.region_prefix(caller, query.region),
        unit=query.unit,
        industry=query.industry or "",
        energy=await parameters.known_energy(caller, query.energy),
    )


def _row(row: Row, selection: Selection) -> CarbonRow:
    line, used = row.line, row.line.used
    return CarbonRow(
        starts_at=line.bucket.starts_at,
        ends_at=line.bucket.ends_at,
        **consumption.group_names(line, selection.groups),
        carbon_t=row.carbon_t,
        reason=row.obstacle,
        carbon_known_t=row.known_t,
        carbon_left_out=row.left_out,
        energy_tce=None if used is None else used.energy_tce,
        left_out=[] if used is None else used.left_out,
        coverage=line.coverage,
        estimated_share=app.consumption.estimated_share(used),
        held=used is not None and used.held,
        carriers=[_part(part) for part in row.parts],
    )


def _part(part: Part) -> CarbonPart:
    return CarbonPart(
        energy=part.energy,
        quantity=part.quantity,
        uom=part.uom,
        carbon_t=part.carbon_t,
        reason=part.obstacle,
        factor=None if part.factor is None else Factor.model_validate(part.factor),
    )


def _notes(parts: Iterable[Part]) -> list[Note]:
    """Return what is to be said of the carbon factors that were used, each once."""
    said: dict[tuple[str, CarbonFactor], Note] = {}
    for part in parts:
        factor = part.factor
        if factor is None:
            continue
        if not factor.verified:
            said[("unverified_carbon_factor", factor)] = Note(
                code="unverified_carbon_factor",
                energy=factor.carrier,
                detail=f"{factor.carrier}: {factor.kgco2_per_uom:g} kg CO₂ of {factor.edition} was "
                f"not verified ({factor.source}).",
            )
        if part.is_carried_on:
            said[("carbon_factor_of_another_year", factor)] = Note(
                code="carbon_factor_of_another_year",
                energy=factor.carrier,
                detail=f"{factor.carrier}, grid {factor.grid}: the factor describes {factor.year}; "
                "it stands in until that of the year asked for is loaded.",
            )
    return list(said.values())


def _measured_notes(parts: Iterable[Part], measured: Collection[str]) -> list[Note]:
    """Return where carbon and coal equivalent do not rest on the same calorific value."""
    uoms = {each.energy: each.uom for each in parts if each.factor and each.energy in measured}
    return [
        Note(
            code="carbon_not_by_measured_value",
            energy=energy,
            detail=f"{energy}: units here had its calorific value measured, which energy_tce goes "
            f"by; its carbon is per {uom}, by a factor that rests on a reference calorific value.",
        )
        for energy, uom in sorted(uoms.items())
    ]
