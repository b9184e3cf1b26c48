"""Owns what GET /v1/explain answers of an intensity."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app import explain_intensity
from app.api.answers import Answer, LocalTime
from app.api.explain_answers import Asked, FigureValue, Formula, PartOfFigure, RecordedBy
from app.api.intensity_answers import IntensityRow
from app.explain import Explained
from app.explain_intensity import IntensityLineage, Ratio, RecordedStatement
from app.lineage import Figure, Source
from app.parts import Part
from energy import explanation
from energy.production import Source as OutputSource


class Statement(Answer):
    """What was stated of output, and who stated it."""

    starts_at: LocalTime = Field(examples=["2026-10-01T00:00:00+08:00"])
    ends_at: LocalTime = Field(examples=["2026-11-01T00:00:00+08:00"])
    quantity: float | None = Field(examples=[36500.0])
    uom: str | None = Field(examples=["t"])
    recorded: RecordedBy | None = Field(description="null: from before the ledger")

    @classmethod
    def of(cls, each: RecordedStatement) -> Statement:
        row = each.row
        return cls.model_validate(
            {
                "starts_at": row.starts_at,
                "ends_at": row.ends_at,
                "quantity": row.quantity,
                "uom": row.uom,
                "recorded": each.recorded,
            }
        )


class OutputBehind(Answer):
    """The output of the product: the stated one counts once it is there."""

    quantity: float | None = Field(examples=[36500.0])
    uom: str = Field(examples=["t"])
    source: OutputSource | None = Field(examples=["stated"])
    metered: float | None = Field(examples=[36480.0])
    stated: float | None = Field(examples=[36500.0])
    meters: list[PartOfFigure]
    statements: list[Statement]


class IntensityCheck(Answer):
    """The intensity computed anew, beside the one that is answered from what is stored."""

    recomputed: float | None = Field(examples=[104.2])
    answered: float | None = Field(
        description="by /v1/intensity; null: unknown, or as of a day in the past", examples=[104.2]
    )
    uom: str = Field(examples=["kgce/t"])
    computed_from: Source = Field(examples=["readings"])
    agrees: bool | None = Field(
        description="figure, energy and output; null: nothing is stored to compare with",
        examples=[True],
    )
    waiting: int = Field(examples=[0])


class IntensityExplanation(Answer):
    """Where an intensity comes from: the energy of the unit, and its output of the product."""

    figure: Literal[Figure.INTENSITY] = Field(examples=["intensity"])
    asked: Asked
    product: str = Field(examples=["cement_clinker"])
    kgce_per_kgoe: float | None = Field(
        description="what the unit of oil was taken for; null: not needed", examples=[None]
    )
    value: FigureValue
    reason: str | None = Field(description="why there is no figure", examples=[None])
    formula: Formula
    check: IntensityCheck
    row: IntensityRow | None = Field(
        description="as /v1/intensity answers it, with limits and state; null: as of a day in the "
        "past"
    )
    energy: PartOfFigure
    output: OutputBehind

    @classmethod
    def of(
        cls,
        lineage: IntensityLineage,
        energy: Explained,
        outputs: list[Part],
        found: Ratio,
        row: IntensityRow | None,
    ) -> IntensityExplanation:
        tally = energy.root.tally
        refused = row is not None and row.intensity is None
        return cls(
            figure=Figure.INTENSITY,
            asked=Asked.of(energy.lineage.question),
            product=lineage.product,
            kgce_per_kgoe=lineage.kgce_per_kgoe,
            value=FigureValue(
                value=None if refused else found.value,
                uom=str(found.uom),
                coverage=tally.coverage,
                estimated_share=tally.estimated_share,
                held=explain_intensity.held(energy.root, outputs),
            ),
            reason=row.reason if row is not None else found.missing,
            formula=Formula.model_validate(found.formula()),
            check=_check(lineage, energy, outputs, found, row),
            row=row,
            energy=PartOfFigure.of(energy.root),
            output=_output(lineage, outputs, found),
        )


def _check(
    lineage: IntensityLineage,
    energy: Explained,
    outputs: list[Part],
    found: Ratio,
    row: IntensityRow | None,
) -> IntensityCheck:
    agrees = explain_intensity.is_stored_right(energy.root, outputs)
    if row is not None and row.intensity is not None and agrees is not None:
        agrees = agrees and explanation.agrees(found.value, row.intensity)
    waiting = energy.lineage.waiting
    if lineage.outputs is not None:
        waiting += lineage.outputs.waiting
    return IntensityCheck(
        recomputed=found.value,
        answered=None if row is None else row.intensity,
        uom=str(found.uom),
        computed_from=energy.source,
        agrees=agrees,
        waiting=waiting,
    )


def _output(lineage: IntensityLineage, outputs: list[Part], found: Ratio) -> OutputBehind:
    return OutputBehind(
        quantity=found.output.quantity,
        uom=found.uom.per,
        source=found.output.source,
        metered=found.output.metered,
        stated=found.output.stated,
        meters=[PartOfFigure.of(each) for each in outputs],
        statements=[Statement.of(each) for each in lineage.statements],
    )
