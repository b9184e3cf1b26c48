"""Owns what GET /v1/explain answers of a consumption: the models of the tree and its leaves."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from app.api.answers import Answer, LocalTime
from app.explain import Explained
from app.lineage import Figure, Question, Source
from app.parts import Part, Whole
from energy.factors import Basis, MissingFactor, Origin, Unverified
from energy.periods import Step
from energy.registers import DoubtReason, EpochReason, Kind, Side


class RecordedBy(Answer):
    """Who stated a fact, when, why and on what evidence: the ledger of changes."""

    actor: str = Field(examples=["desk of Liuzhou"])
    reason: str = Field(examples=["import of epochs.csv"])
    evidence: str = Field(examples=["桂能审〔2026〕17号"])
    recorded_at: LocalTime = Field(examples=["2026-11-24T09:12:44+08:00"])


class FigureValue(Answer):
    """A figure and how firm it is."""

    value: float | None = Field(description="null: unknown, which is not 0", examples=[12.29])
    uom: str = Field(examples=["tce"])
    coverage: float | None = Field(
        description="share of the readings due that are there; null: none was due",
        examples=[0.995],
    )
    estimated_share: float | None = Field(
        description="share that was spread over gaps; null: nothing is known", examples=[0.01]
    )
    held: bool = Field(
        description="a step of a register waits for review: its energy is in no figure",
        examples=[False],
    )


class Formula(Answer):
    """How a part is made."""

    zh: str = Field(examples=["边界表之和减外供表之和"])
    en: str = Field(examples=["boundary meters less export meters"])
    numbers: str = Field(
        description="the formula with the numbers put in", examples=["12.29 − 1.2 = 11.09 tce"]
    )


class StoredFigure(Answer):
    """What is stored in buckets of one step that fill the span."""

    step: Step = Field(examples=["month"])
    energy_tce: float | None = Field(examples=[12.29])
    quantity: float | None = Field(examples=[100000.0])
    agrees: bool = Field(description="with what was computed anew", examples=[True])


class ReadingUsed(Answer):
    """A reading as it arrived."""

    time: LocalTime = Field(examples=["2026-11-23T08:00:00+08:00"])
    value: float = Field(description="before the multiplier", examples=[120345.67])
    quality: str = Field(examples=["good"])
    received_at: LocalTime = Field(examples=["2026-11-23T08:00:06+08:00"])
    counted: float | None = Field(
        description="what is reckoned with: the value, or its correction; null: it does not count",
        examples=[120345.67],
    )
    chain: str | None = Field(
        description="chain that vouches for it; null: from before the ledger", examples=["main"]
    )
    link: int | None = Field(examples=[1234])


class ReadingsUsed(Answer):
    """The readings behind a meter's part: from the last one before the span to the first after."""

    count: int = Field(examples=[2977])
    counted: int = Field(description="those that count", examples=[2976])
    first: ReadingUsed | None
    last: ReadingUsed | None
    items: list[ReadingUsed] | None = Field(
        description="all of them, where a single meter and at most 31 days are asked for; else null"
    )
    omitted: int = Field(
        description="beyond the bound of one answer; the evidence file has them", examples=[0]
    )


class EpochInForce(Answer):
    """A span in which a register counts on without a break (计量段), or one multiplier holds."""

    quantity: float = Field(
        description="what the readings come to in it, multiplier applied", examples=[2850.0]
    )
    scale: float = Field(
        description="what differences of a register, or values of another meter, are multiplied "
        "by: 1 where the side is primary",
        examples=[100.0],
    )
    starts_at: LocalTime = Field(examples=["2026-11-10T14:00:00+08:00"])
    reason: EpochReason = Field(examples=["replaced"])
    multiplier: float = Field(description="CT × PT", examples=[100.0])
    side: Side = Field(examples=["secondary"])
    rollover: float | None = Field(description="of a register, as those below", examples=[1e6])
    rate_max: float | None = Field(examples=[630.0])
    first_value: float | None = Field(examples=[0.0])
    previous_last_value: float | None = Field(examples=[99991.5])
    interval_s: int | None = Field(
        description="a reading is due every so often from then on [s]; null: as before",
        examples=[None],
    )
    recorded: RecordedBy | None = Field(description="null: from before the ledger")


class FactorInUse(Answer):
    """A factor as it was used."""

    kgce_per_uom: float = Field(examples=[0.1229])
    uom: str = Field(examples=["kWh"])
    basis: Basis = Field(examples=["calorific"])
    origin: Origin = Field(examples=["reference"])
    edition: str = Field(examples=["GB/T 2589-2020"])
    source: str = Field(examples=["GB/T 2589-2020, 附录 A"])
    verified: bool = Field(examples=[True])
    batch: str | None = Field(examples=[None])
    valid_from: date = Field(examples=["2021-04-01"])
    valid_to: date | None = Field(examples=[None])
    recorded: RecordedBy | None = Field(description="null: a reference row of the platform")


class FactorSpan(Answer):
    """What was used at one factor: a leaf of the tree."""

    first_day: date = Field(examples=["2026-11-01"])
    last_day: date = Field(description="included", examples=["2026-11-30"])
    quantity: float = Field(examples=[100000.0])
    factor: FactorInUse | None = Field(description="null: see missing")
    missing: MissingFactor | None = Field(examples=[None])
    energy_tce: float | None = Field(examples=[12.29])


class GapSpread(Answer):
    """A stretch of which only the sum is known, or not even that."""

    starts_at: LocalTime = Field(examples=["2026-11-03T02:00:00+08:00"])
    ends_at: LocalTime = Field(examples=["2026-11-03T08:00:00+08:00"])
    quantity: float | None = Field(
        description="between the two readings; null: held", examples=[3812.0]
    )
    inside: float | None = Field(description="of it in the span", examples=[3812.0])
    is_held: bool = Field(examples=[False])


class DoubtFound(Answer):
    """Readings that are off the course of their register."""

    reason: DoubtReason = Field(examples=["fell"])
    first_at: LocalTime = Field(examples=["2026-11-05T00:15:00+08:00"])
    last_at: LocalTime = Field(examples=["2026-11-05T01:00:00+08:00"])
    readings: int = Field(description="0: the step between is in doubt", examples=[3])
    is_held: bool = Field(
        description="false: passed over, the register came back", examples=[False]
    )


class CorrectionApplied(Answer):
    """What holds in place of a reading."""

    time: LocalTime = Field(examples=["2026-11-23T08:00:00+08:00"])
    old_value: float = Field(examples=[210345.67])
    new_value: float | None = Field(
        description="null: the reading is set aside", examples=[120345.67]
    )
    recorded: RecordedBy | None


class LinkHolding(Answer):
    """A link of the chain that holds readings of this meter."""

    chain: str = Field(examples=["main"])
    link: int = Field(examples=[1234])
    stored_at: LocalTime = Field(examples=["2026-11-23T08:00:07+08:00"])
    sha256: str = Field(
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]
    )
    readings: int = Field(description="of those behind this part", examples=[1])


class MeterDetail(Answer):
    """What nobody computed: readings and stated facts. Quantities in uom, multiplier applied."""

    uom: str = Field(examples=["MWh"])
    conversion: float = Field(description="to the unit of the carrier", examples=[1000.0])
    readings: ReadingsUsed
    course_quantity: float = Field(
        description="what a register counted from the first reading to the last; of other meters "
        "what all readings together come to",
        examples=[100.4],
    )
    outside_quantity: float = Field(
        description="of it before and after the span, in proportion to time", examples=[0.4]
    )
    epochs: list[EpochInForce]
    spans: list[FactorSpan]
    gaps: list[GapSpread]
    doubts: list[DoubtFound]
    corrections: list[CorrectionApplied]
    conflicts: int = Field(
        description="values that contradict readings of the span: evidence", examples=[0]
    )
    rejected: int = Field(
        description="readings that were turned away when they arrived in the span", examples=[0]
    )
    links: list[LinkHolding] = Field(description="the first 100")
    links_total: int = Field(examples=[1])


class PartOfFigure(Answer):
    """A part: with its sign, the parts below it sum to it."""

    whole: Whole = Field(description="what it is about", examples=["unit"])
    code: str = Field(examples=["91450200MA5KF5XJ00"])
    name_zh: str = Field(examples=["柳州某钢铁厂"])
    name_en: str = Field(examples=["柳州某钢铁厂"])
    unit: str | None = Field(description="of a meter", examples=[None])
    role: str | None = Field(description="of a meter", examples=[None])
    kind: Kind | None = Field(description="of a meter", examples=[None])
    interval_s: int | None = Field(description="of a meter", examples=[None])
    sign: int = Field(description="-1: taken off the part above", examples=[1])
    share: float | None = Field(
        description="of the part above; null: it is unknown or 0", examples=[0.42]
    )
    energy_tce: float | None = Field(examples=[12.29])
    quantity: float | None = Field(
        description="where it is of one carrier; null otherwise, or unknown", examples=[100000.0]
    )
    uom: str | None = Field(examples=["kWh"])
    coverage: float | None = Field(examples=[0.995])
    estimated_share: float | None = Field(examples=[0.01])
    held: bool = Field(examples=[False])
    left_out: dict[str, list[MissingFactor]] = Field(
        description="carriers with a quantity that is not in energy_tce, and why",
        examples=[{"natural_gas": ["range_only"]}],
    )
    formula: Formula
    stored: list[StoredFigure]
    agrees: bool | None = Field(
        description="null: nothing is stored to compare with", examples=[True]
    )
    parts: list[PartOfFigure]
    detail: MeterDetail | None = Field(description="of a meter, where readings were followed")

    @classmethod
    def of(cls, part: Part) -> PartOfFigure:
        tally = part.tally
        return cls.model_validate(
            {
                **{name: getattr(part, name) for name in PART_FIELDS},
                **{name: getattr(tally, name) for name in TALLY_FIELDS},
                "left_out": {carrier: list(why) for carrier, why in tally.left_out.items()},
                "parts": [cls.of(each) for each in part.parts],
            }
        )


PART_FIELDS = (
    "whole", "code", "name_zh", "name_en", "unit", "role", "kind", "interval_s", "sign", "share",
    "formula", "stored", "agrees", "detail",
)  # fmt: skip
TALLY_FIELDS = ("energy_tce", "quantity", "uom", "coverage", "estimated_share", "held")


class FigureCheck(Answer):
    """The figure computed anew from its parts, beside what is stored."""

    recomputed: float | None = Field(examples=[12.29])
    uom: str = Field(examples=["tce"])
    computed_from: Source = Field(examples=["readings"])
    stored: list[StoredFigure]
    agrees: bool | None = Field(
        description="null: nothing is stored to compare with, as of a day in the past",
        examples=[True],
    )
    waiting: int = Field(
        description="ranges of these meters that wait to be settled: until then it may differ",
        examples=[0],
    )


class Asked(Answer):
    """The question as it was understood."""

    starts_at: LocalTime = Field(examples=["2026-11-01T00:00:00+08:00"])
    ends_at: LocalTime = Field(examples=["2026-12-01T00:00:00+08:00"])
    basis: Basis = Field(examples=["calorific"])
    region: str | None = Field(examples=[None])
    unit: str | None = Field(examples=["91450200MA5KF5XJ00"])
    meter: str | None = Field(examples=[None])
    industry: str = Field(examples=[""])
    energy: str | None = Field(examples=[None])
    as_known_on: LocalTime | None = Field(examples=[None])
    computed_at: LocalTime = Field(
        description="until when readings are due", examples=["2026-12-01T08:00:00+08:00"]
    )
    unverified_factors: Unverified = Field(examples=["note"])

    @classmethod
    def of(cls, question: Question) -> Asked:
        return cls(
            starts_at=question.span.starts_at,
            ends_at=question.span.ends_at,
            basis=question.basis,
            region=question.region,
            unit=question.unit,
            meter=question.meter,
            industry=question.industry,
            energy=question.energy,
            as_known_on=question.as_known_on,
            computed_at=question.computed_at,
            unverified_factors=question.unverified,
        )


class ConsumptionExplanation(Answer):
    """Where a consumption comes from, down to what nobody computed."""

    figure: Literal[Figure.CONSUMPTION] = Field(examples=["consumption"])
    asked: Asked
    value: FigureValue
    formula: Formula
    check: FigureCheck
    tree: PartOfFigure

    @classmethod
    def of(cls, found: Explained) -> ConsumptionExplanation:
        return cls(
            figure=Figure.CONSUMPTION,
            asked=Asked.of(found.lineage.question),
            value=value_of(found.root),
            formula=Formula.model_validate(found.root.formula),
            check=check_of(found),
            tree=PartOfFigure.of(found.root),
        )


def value_of(part: Part) -> FigureValue:
    tally = part.tally
    return FigureValue(
        value=tally.figure,
        uom=tally.figure_uom,
        coverage=tally.coverage,
        estimated_share=tally.estimated_share,
        held=tally.held,
    )


def check_of(found: Explained) -> FigureCheck:
    tally = found.root.tally
    return FigureCheck(
        recomputed=tally.figure,
        uom=tally.figure_uom,
        computed_from=found.source,
        stored=[StoredFigure.model_validate(each) for each in found.root.stored],
        agrees=found.agrees,
        waiting=found.lineage.waiting,
    )
