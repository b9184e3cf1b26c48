"""Owns what GET /v1/intensity answers: the models, and a row turned into one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pydantic import Field

import app.consumption
from app import intensity
from app.api.answers import Answer, ListOf, LocalTime, Reckoned
from app.api.consumption import DaysLeftOut, Note, days_left_out
from app.intensity import Judged, Reason
from app.intensity_rows import Row, Valued
from app.left_out import LeftOut
from app.stated import Version
from db.limits import LimitRow
from db.products import Equivalent
from energy import comparison, production
from energy.comparison import Change, NoChange, Other, Rule, Side
from energy.factors import Basis, MissingFactor
from energy.finality import Cause, Restated, State
from energy.intensity import Grade, Ungraded
from energy.intensity_uoms import Energy, IntensityUom
from energy.periods import Step
from energy.production import Source


class Limit(Answer):
    """What the product may need, and how it compares; lower is better."""

    edition: str = Field(examples=["GB 16780-2021"])
    uom: str = Field(examples=["kgce/t"])
    limit: float | None = Field(examples=[117.0])
    baseline: float | None = Field(description="基准水平", examples=[117.0])
    benchmark: float | None = Field(description="标杆水平", examples=[100.0])
    advanced: float | None = Field(description="先进值", examples=[100.0])
    exclusive: bool = Field(
        description="a value that only equals one of them does not meet it", examples=[False]
    )
    valid_from: date = Field(examples=["2023-01-01"])
    source: str = Field(examples=["GB 16780-2021"])
    verified: bool = Field(
        description="the figures were checked against their source", examples=[True]
    )
    intensity: Reckoned | None = Field(description="in uom", examples=[104.2])
    reason: Reason | None = Field(description="why there is no intensity", examples=[None])
    grade: Grade | None = Field(examples=["between"])
    ungraded: Ungraded | None = Field(description="why there is no grade", examples=[None])
    is_within_limit: bool | None = Field(
        description="null: no limit, or no intensity", examples=[True]
    )
    is_advanced: bool | None = Field(
        description="null: no advanced value, or no intensity", examples=[False]
    )


class PerValue(Answer):
    """Energy of the whole unit per 10,000 yuan of what its output is worth."""

    value_cny: float | None = Field(
        description="null: not stated for all of the bucket and all products",
        examples=[36_500_000.0],
    )
    intensity: Reckoned | None = Field(description="tce per 10,000 yuan", examples=[1.49])
    reason: Reason | None = Field(description="why there is no intensity", examples=[None])
    state: State = Field(examples=["final"])
    waits_for: list[Cause] = Field(description="what makes it provisional", examples=[[]])
    restated_by: list[Restated] = Field(
        description="what makes it restated: the value, or the energy, is another one than when "
        "the figure was final before",
        examples=[[]],
    )


class KnownThen(Answer):
    """What was known from an instant on, by whose statement; energy as it is known now."""

    known_at: LocalTime = Field(examples=["2026-11-08T09:12:00+08:00"])
    actor: str = Field(examples=["desk of the works"])
    reason: str = Field(examples=["inventory of October"])
    evidence: str = Field(examples=["盘点表 2026-10"])
    output_quantity: Reckoned | None = Field(examples=[51_000.0])
    output_value_cny: float | None = Field(examples=[36_500_000.0])
    value_added_cny: float | None = Field(examples=[9_800_000.0])
    intensity: Reckoned | None = Field(
        description="in intensity_uom, of the energy as it is known now", examples=[106.0]
    )


class ComparedIntensity(Answer):
    """The intensity of the other period, and what changed since; less is better."""

    rule: Rule = Field(description="by which the other period was found", examples=["same_date"])
    starts_at: LocalTime | None = Field(
        description="of the other period; null: there is none",
        examples=["2025-11-01T00:00:00+08:00"],
    )
    ends_at: LocalTime | None = Field(examples=["2025-12-01T00:00:00+08:00"])
    intensity: Reckoned | None = Field(description="then, in intensity_uom", examples=[109.1])
    intensity_reason: Reason | None = Field(
        description="why there was no intensity", examples=[None]
    )
    state: State | None = Field(
        description="then; null: no meter and no statement was there", examples=["final"]
    )
    coverage: Reckoned | None = Field(
        description="then: share of the readings due that are there, of the energy meters",
        examples=[0.98],
    )
    output_coverage: Reckoned | None = Field(
        description="the same of the output meters", examples=[1.0]
    )
    change: Reckoned | None = Field(description="now less then, in intensity_uom", examples=[-2.2])
    change_percent: Reckoned | None = Field(description="in percent of then", examples=[-2.016])
    reason: NoChange | None = Field(
        description="why a figure of the change is null", examples=[None]
    )


class IntensityRow(Answer):
    """The energy of the unit per unit of the product, in one bucket."""

    starts_at: LocalTime = Field(examples=["2026-11-01T00:00:00+08:00"])
    ends_at: LocalTime = Field(examples=["2026-12-01T00:00:00+08:00"])
    intensity: Reckoned | None = Field(
        description="in intensity_uom; null: not known, see reason", examples=[106.9]
    )
    intensity_uom: str = Field(examples=["kgce/t"])
    reason: Reason | None = Field(
        description="why there is no intensity", examples=["output_missing"]
    )
    intensity_low: Reckoned | None = Field(
        description="if what is missing came at the pace of what is there", examples=[104.9]
    )
    intensity_high: Reckoned | None = Field(examples=[108.1])
    state: State = Field(
        description="final once output is stated, the period is over and nothing waits; restated: "
        "final, and it was final before with another output or another energy",
        examples=["provisional"],
    )
    waits_for: list[Cause] = Field(
        description="what makes it provisional", examples=[["not_stated"]]
    )
    restated_by: list[Restated] = Field(
        description="what makes it restated: output or energy that is another "
        "one than when the figure was final before",
        examples=[[]],
    )
    grade: Grade | None = Field(
        description="by the newest edition with a benchmark or a baseline", examples=["between"]
    )
    graded_by: str | None = Field(
        description="that edition", examples=["标杆水平和基准水平（2023年版）"]
    )
    ungraded: Ungraded | None = Field(description="why there is no grade", examples=["no_levels"])
    energy_tce: Reckoned | None = Field(
        description="standard coal of the whole unit [tce]", examples=[5452.0]
    )
    electricity_kwh: Reckoned | None = Field(
        description="electricity of the whole unit [kWh], where the intensity counts that",
        examples=[None],
    )
    output_quantity: Reckoned | None = Field(
        description="that counts: the stated one once it is there", examples=[51_000.0]
    )
    output_uom: str = Field(examples=["t"])
    output_source: Source | None = Field(examples=["stated"])
    output_metered: Reckoned | None = Field(
        description="what the output meters counted", examples=[50_400.0]
    )
    output_difference: Reckoned | None = Field(
        description="stated less metered, where there are both", examples=[600.0]
    )
    coverage: Reckoned | None = Field(
        description="share of the readings due that are there, of the energy meters; "
        "null: none was due yet",
        examples=[0.995],
    )
    output_coverage: Reckoned | None = Field(
        description="the same of the output meters", examples=[1.0]
    )
    estimated_share: Reckoned | None = Field(
        description="share of the energy that was spread over gaps between readings",
        examples=[0.01],
    )
    held: bool = Field(
        description="a step of a register could not be explained and waits for review",
        examples=[False],
    )
    left_out: list[str] = Field(
        description="carriers whose quantity has no factor: the energy is not known",
        examples=[[]],
    )
    left_out_reasons: dict[str, list[MissingFactor]] = Field(
        description="of each carrier in left_out, why there is no factor", examples=[{}]
    )
    left_out_days: dict[str, list[DaysLeftOut]] = Field(
        description="of each carrier in left_out, on which days of the row, and why", examples=[{}]
    )
    per_output_value: PerValue
    per_value_added: PerValue
    limits: list[Limit] = Field(description="that apply when the bucket starts, newest first")
    history: list[KnownThen] = Field(
        description="what was known before and now, where a statement changed"
    )
    compared: ComparedIntensity | None = Field(
        default=None,
        exclude_if=lambda compared: compared is None,
        description="the other period and the change, with compare",
    )


class IntensityAnswer(ListOf[IntensityRow]):
    """All rows at once, in order of time; next is always null."""

    unit: str = Field(examples=["91450200MA5KF5XJ00"])
    product: str = Field(examples=["cement_clinker"])
    product_name: str | None = Field(examples=["水泥熟料"])
    product_name_en: str | None = Field(examples=["cement clinker"])
    bucket: Step = Field(examples=["month"])
    basis: Basis = Field(description="of the energy", examples=["calorific"])
    notes: list[Note]


def item(row: Row, uom: IntensityUom, why: LeftOut) -> IntensityRow:
    line, _ = row.used.of(uom.energy)
    used = None if line is None else line.used
    whole = row.used.total
    grading = intensity.decisive(row.judged)
    return IntensityRow(
        starts_at=row.bucket.starts_at,
        ends_at=row.bucket.ends_at,
        intensity=row.figure.value,
        intensity_uom=str(uom),
        reason=row.figure.reason,
        intensity_low=None if row.band is None else row.band[0],
        intensity_high=None if row.band is None else row.band[1],
        state=row.state,
        waits_for=list(row.waits_for),
        restated_by=list(row.restated_by),
        grade=None if grading is None else grading.judgement.grade,
        graded_by=None if grading is None else grading.limit.edition,
        ungraded=Ungraded.NO_LEVELS if grading is None else grading.judgement.ungraded,
        energy_tce=None if whole is None else whole.energy_tce,
        electricity_kwh=(used.quantity if used is not None and uom.energy is Energy.KWH else None),
        output_quantity=row.output.quantity,
        output_uom=uom.per,
        output_source=row.output.source,
        output_metered=row.output.metered,
        output_difference=row.output.difference,
        coverage=None if line is None else line.coverage,
        output_coverage=row.made.coverage,
        estimated_share=app.consumption.estimated_share(used),
        held=row.made.held or (used is not None and used.held),
        left_out=[] if whole is None else whole.left_out,
        left_out_reasons=why.reasons(whole, row.bucket),
        left_out_days=days_left_out(why.days(whole, row.bucket)),
        per_output_value=_per_value(row.per_output_value),
        per_value_added=_per_value(row.per_value_added),
        limits=[_limit(each) for each in row.judged],
        history=[_known_then(version, row, uom) for version in row.versions],
    )


def compared(row: Row, other: Other, then: Row | None) -> ComparedIntensity:
    """Return a row beside that of another period. A ratio need not wait until its own is over."""
    change = Change(None, None, other.reason)
    if other.span is not None:
        side = None if then is None else Side(then.figure.value)
        change = comparison.change(Side(row.figure.value), side, is_over=True)
    line = None if then is None else then.used.line
    return ComparedIntensity(
        rule=other.rule,
        starts_at=None if other.span is None else other.span.starts_at,
        ends_at=None if other.span is None else other.span.ends_at,
        intensity=None if then is None else then.figure.value,
        intensity_reason=None if then is None else then.figure.reason,
        state=None if then is None else then.state,
        coverage=None if line is None else line.coverage,
        output_coverage=None if then is None else then.made.coverage,
        change=change.amount,
        change_percent=change.percent,
        reason=change.reason,
    )


def limit_notes(limits: Sequence[LimitRow], equivalents: Sequence[Equivalent]) -> list[Note]:
    """Return what is to be said of limits that nobody has checked."""
    found = [
        Note(
            code="unverified_limit",
            energy=None,
            detail=f"{limit.edition}, valid from {limit.valid_from}: the figures for "
            f"{limit.product} were not verified against their source.",
        )
        for limit in limits
        if not limit.verified
    ]
    uoms = [intensity.parsed(limit.uom) for limit in limits]
    if any(uom is not None and uom.energy is Energy.KGOE for uom in uoms):
        found += [
            Note(
                code="unverified_equivalent",
                energy=None,
                detail=f"1 {row.energy_uom} is taken as {row.kgce_per_uom:g} kgce: {row.source}.",
            )
            for row in equivalents
            if not row.verified
        ]
    return found


def _per_value(valued: Valued) -> PerValue:
    return PerValue(
        value_cny=valued.value_cny,
        intensity=valued.figure.value,
        reason=valued.figure.reason,
        state=valued.state,
        waits_for=list(valued.waits_for),
        restated_by=list(valued.restated_by),
    )


def _limit(judged: Judged) -> Limit:
    row, judgement = judged.limit, judged.judgement
    return Limit(
        edition=row.edition,
        uom=row.uom,
        limit=row.limit,
        baseline=row.baseline,
        benchmark=row.benchmark,
        advanced=row.advanced,
        exclusive=row.exclusive,
        valid_from=row.valid_from,
        source=row.source,
        verified=row.verified,
        intensity=judged.figure.value,
        reason=judged.figure.reason,
        grade=judgement.grade,
        ungraded=judgement.ungraded,
        is_within_limit=judgement.is_within_limit,
        is_advanced=judgement.is_advanced,
    )


def _known_then(version: Version, row: Row, uom: IntensityUom) -> KnownThen:
    """Return a version with the intensity that it gives for the energy as it is known now."""
    output = production.output(row.made.quantity, version.quantity)
    return KnownThen(
        known_at=version.known_at,
        actor=version.actor,
        reason=version.reason,
        evidence=version.evidence,
        output_quantity=version.quantity,
        output_value_cny=version.values.output_value_cny,
        value_added_cny=version.values.value_added_cny,
        intensity=(
            row.figure.value * row.output.quantity / output.quantity
            if row.figure.value is not None and row.output.quantity and output.quantity
            else None
        ),
    )
