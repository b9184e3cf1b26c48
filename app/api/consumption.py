"""Owns GET /v1/consumption."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BeforeValidator, Field
from starlette.responses import Response

import app.comparison
import app.consumption
import app.left_out
import app.quarters
import app.ranking
import db.unverified
from app import exports, known_tables
from app.api import comparing, parameters
from app.api.answers import Answer, ListOf, LocalTime, Reckoned, problems
from app.api.comparing import Compared
from app.api.consumption_query import Bucket, ConsumptionQuery
from app.comparison import Others
from app.consumption import Line
from app.depends import Caller, KnowingCaller
from app.exports import Format
from app.left_out import LeftOut, Missing, Reasons
from app.ranking import Place
from db.consumption import Group, Selection
from energy.factors import Basis, MissingFactor, Unverified
from energy.periods import Span, Step

router = APIRouter(tags=["consumption"])


def parse_step(text: object) -> object:
    """Refuse 15m with a sentence: it is asked for in good faith."""
    if text == "15m":
        raise ValueError(
            "consumption is kept by hour and longer; use hour, or /v1/readings for the readings"
        )
    return text


BucketParameter = Annotated[Step, BeforeValidator(parse_step)]


class DaysLeftOut(Answer):
    """Days without a factor, and why there is none."""

    reason: MissingFactor = Field(examples=["expired"])
    starts_on: date = Field(examples=["2026-11-01"])
    ends_on: date = Field(description="no longer among them", examples=["2026-11-09"])


class ConsumptionRow(Answer):
    """What was used in one bucket; the names it is grouped by are there, the others are not."""

    starts_at: LocalTime = Field(examples=["2026-11-01T00:00:00+08:00"])
    ends_at: LocalTime = Field(examples=["2026-11-02T00:00:00+08:00"])
    region: str | None = Field(default=None, examples=["450200"])
    region_name: str | None = Field(default=None, examples=["柳州市"])
    industry: str | None = Field(default=None, examples=["C31"])
    industry_name: str | None = Field(default=None, examples=["黑色金属冶炼和压延加工业"])
    unit: str | None = Field(default=None, examples=["91450200MA5KF5XJ00"])
    unit_name: str | None = Field(default=None, examples=["柳州某钢铁厂"])
    meter: str | None = Field(default=None, examples=["E01"])
    role: str | None = Field(
        default=None, description="of the meter, with group_by=meter", examples=["boundary"]
    )
    energy: str | None = Field(default=None, examples=["electricity"])
    energy_tce: Reckoned | None = Field(
        description="standard coal [tce] of what is known; null: nothing is known, which is not 0",
        examples=[12.29],
    )
    quantity: Reckoned | None = Field(
        description="physical quantity, where the row is about one carrier; null otherwise, "
        "or if nothing is known",
        examples=[100000.0],
    )
    uom: str | None = Field(
        description="unit of measure of quantity: the one the carrier is accounted in",
        examples=["kWh"],
    )
    coverage: Reckoned | None = Field(
        description="share of the readings due by now that are there; null: none was due yet",
        examples=[0.995],
    )
    estimated_share: Reckoned | None = Field(
        description="share that was spread over gaps between readings; null: nothing is known",
        examples=[0.01],
    )
    held: bool = Field(
        description="a step of a register could not be explained and waits for review",
        examples=[False],
    )
    left_out: list[str] = Field(
        description="carriers with a quantity that is not (or not all) in energy_tce: no factor",
        examples=[["natural_gas"]],
    )
    left_out_reasons: dict[str, list[MissingFactor]] = Field(
        description="of each carrier in left_out, why there is no factor; several where units or "
        "days differ",
        examples=[{"natural_gas": ["range_only"]}],
    )
    left_out_days: dict[str, list[DaysLeftOut]] = Field(
        description="of each carrier in left_out, the days it is left out on, by reason",
        examples=[
            {
                "natural_gas": [
                    {"reason": "expired", "starts_on": "2026-11-01", "ends_on": "2026-11-09"}
                ]
            }
        ],
    )
    rank: int | None = Field(
        default=None,
        description="place in its bucket, with order or top; null: energy_tce is not known",
        examples=[1],
    )
    share: Reckoned | None = Field(
        default=None,
        description="of energy_tce in that of all rows of its bucket that are known, shown or "
        "not, with order or top; null: it is not known, or the whole is not above zero",
        examples=[0.42],
    )
    compared: Compared | None = Field(
        default=None, description="the other period and the change, with compare"
    )


class Note(Answer):
    """What a reader of the figures must know."""

    code: str = Field(examples=["unverified_factor"])
    energy: str | None = Field(examples=["electricity"])
    detail: str = Field(
        examples=[
            "electricity, equivalent: the factor of 2026, valid from 2026-01-01, was not "
            "verified against its source."
        ]
    )


class ConsumptionAnswer(ListOf[ConsumptionRow]):
    """All rows at once, in order of time and group; next is always null."""

    bucket: Bucket = Field(examples=["day"])
    basis: Basis = Field(examples=["calorific"])
    notes: list[Note]


@router.get(
    "/v1/consumption",
    operation_id="list_consumption",
    summary="Energy used, by time and group",
    response_model_exclude_unset=True,
    response_model=ConsumptionAnswer,
    responses={**problems(401, 404, 422, 503), **exports.responses()},
)
async def list_consumption(
    query: Annotated[ConsumptionQuery, Query()], caller: KnowingCaller
) -> ConsumptionAnswer | Response:
    """Return every bucket that touches `[from, to)`, in full, up to now.

    Consumption of a unit is that of its boundary meters less its export meters. With
    `group_by=meter` every meter is shown as it counts (and its unit with it): those rows do not
    add up to the unit. A unit that is named must be visible, else the answer is 404.
    """
    answer = await _answer(query, caller)
    if query.format is Format.JSON:
        return answer
    file = await exports.of_items(
        query.format, query.columns(), exports.in_batches(answer.items, _cells)
    )
    return exports.answer(file, query.format, "consumption")


async def _answer(query: ConsumptionQuery, caller: Caller) -> ConsumptionAnswer:
    query.refuse_unfitting()
    asked = query.asked()
    caller = await known_tables.facts(caller, query.as_known_on)
    within = _within(query, caller)
    selection = await _selection(caller, query, within)
    if query.bucket is Bucket.QUARTER:
        app.quarters.refuse_unfitting(selection)
    if not within:
        return ConsumptionAnswer(
            bucket=query.bucket, basis=query.basis, items=[], notes=[], next=None
        )
    plan = None if asked is None else app.comparison.planned(asked, selection, within)
    await known_tables.selected(caller, selection, *(() if plan is None else plan.selections))
    if query.bucket is Bucket.QUARTER:
        lines = await app.quarters.lines(caller, selection, within)
    else:
        lines = await app.consumption.lines(caller, selection, within, may_trail=True)
    others = None if plan is None else await app.comparison.fetch(caller, plan)
    places = app.ranking.places(lines, query.ordered(), query.top)
    why = await app.left_out.fetch(caller, selection, [place.line.used for place in places])
    items = [_row(place.line, selection, why) for place in places]
    if query.ordered() is not None or others is not None:
        items = [
            item.model_copy(
                update=_rank(query, place) | _comparison(others, place.line, selection, caller)
            )
            for item, place in zip(items, places, strict=True)
        ]
    return ConsumptionAnswer(
        bucket=query.bucket,
        basis=query.basis,
        items=items,
        notes=[
            *_notes_beside(query, lines),
            *missing(why, (item.left_out_reasons for item in items)),
            *await notes(caller, selection),
        ],
        next=None,
    )


def _within(query: ConsumptionQuery, caller: Caller) -> list[Span]:
    if query.bucket is Bucket.QUARTER:
        return app.quarters.buckets(query.span(), caller.now)
    return app.consumption.buckets(query.span(), query.bucket.step, caller.now)


def _rank(query: ConsumptionQuery, place: Place) -> dict[str, object]:
    return {} if query.ordered() is None else {"rank": place.rank, "share": place.share}


def _comparison(
    others: Others | None, line: Line, selection: Selection, caller: Caller
) -> dict[str, object]:
    if others is None:
        return {}
    found = app.comparison.compared(line, others, caller.now)
    return {"compared": comparing.answered(found, is_one_carrier=_is_one_carrier(selection))}


def _cells(item: ConsumptionRow) -> dict[str, object]:
    """Return the fields of a row, those of the other period beside its own."""
    then = {} if item.compared is None else dict(item.compared)
    return dict(item) | {f"compared_{name}": value for name, value in then.items()}


async def _selection(caller: Caller, query: ConsumptionQuery, within: list[Span]) -> Selection:
    if query.unit is not None:
        await parameters.visible_unit(caller, query.unit)
    return Selection(
        span=Span(within[0].starts_at, within[-1].ends_at) if within else query.span(),
        bucket=query.bucket.step,
        basis=query.basis,
        groups=query.groups(),
        tier=query.region_level,
        region_prefix=await parameters.region_prefix(caller, query.region),
        unit=query.unit,
        industry=query.industry or "",
        energy=await parameters.known_energy(caller, query.energy),
    )


def _notes_beside(query: ConsumptionQuery, lines: Sequence[Line]) -> list[Note]:
    said = comparing.sentences(query.asked()) | comparing.sentences_of_shares(
        query.ordered(), lines
    )
    return [Note(code=code, energy=None, detail=detail) for code, detail in said.items()]


def missing(why: LeftOut, rows: Iterable[Reasons]) -> list[Note]:
    """Return what is to be said of the factors that are missing, each thing once."""
    pairs = {
        (carrier, reason) for reasons in rows for carrier, of in reasons.items() for reason in of
    }
    return [
        Note(code=reason, energy=carrier, detail=why.sentence(carrier, reason))
        for carrier, reason in sorted(pairs)
    ]


async def notes(caller: Caller, selection: Selection) -> list[Note]:
    """Return what is to be said of the factors that are used, or would be if they were verified."""
    seen, counting = caller.scope, app.consumption.counted(selection)
    found = await caller.remembered.of(
        ("unverified", seen, *db.unverified.asked(selection, counting)),
        lambda: db.unverified.list_factors(caller.connection, seen, selection, roles=counting),
    )
    refused = caller.unverified is Unverified.REFUSE
    return [
        Note(
            code="unverified_factor_refused" if refused else "unverified_factor",
            energy=factor.energy,
            detail=f"{factor.energy}, {selection.basis}: the factor of {factor.edition}, valid "
            f"from {factor.valid_from}, was not verified against its source"
            + (" and is not used." if refused else "."),
        )
        for factor in found
    ]


def _row(line: Line, selection: Selection, why: LeftOut) -> ConsumptionRow:
    used, one_carrier = line.used, _is_one_carrier(selection)
    return ConsumptionRow(
        starts_at=line.bucket.starts_at,
        ends_at=line.bucket.ends_at,
        **group_names(line, selection.groups),
        energy_tce=None if used is None else used.energy_tce,
        quantity=used.quantity if used is not None and one_carrier else None,
        uom=line.meters.uom if line.meters is not None and one_carrier else None,
        coverage=line.coverage,
        estimated_share=app.consumption.estimated_share(used),
        held=used is not None and used.held,
        left_out=[] if used is None else used.left_out,
        left_out_reasons=why.reasons(used, line.bucket),
        left_out_days=days_left_out(why.days(used, line.bucket)),
    )


def _is_one_carrier(selection: Selection) -> bool:
    return selection.energy is not None or bool(selection.groups & {Group.ENERGY, Group.METER})


def days_left_out(days: Mapping[str, Sequence[Missing]]) -> dict[str, list[DaysLeftOut]]:
    return {
        carrier: [
            DaysLeftOut(reason=reason, starts_on=span.valid_from, ends_on=span.valid_to)
            for reason, span in missing
        ]
        for carrier, missing in days.items()
    }


def group_names(line: Line, groups: frozenset[Group]) -> dict[str, str | None]:
    """Return the names a row is grouped by, for people and for programs."""
    key, meters = line.key, line.meters
    named: dict[str, str | None] = {}
    if Group.REGION in groups:
        named |= {"region": key.region, "region_name": meters.region_name if meters else None}
    if Group.INDUSTRY in groups:
        name = meters.industry_name if meters else None
        named |= {"industry": key.industry, "industry_name": name}
    if Group.UNIT in groups:
        named |= {"unit": key.unit, "unit_name": meters.unit_name if meters else None}
    if Group.METER in groups:
        named |= {"meter": key.meter, "role": meters.role if meters else None}
    if Group.ENERGY in groups:
        named |= {"energy": key.energy}
    return named
