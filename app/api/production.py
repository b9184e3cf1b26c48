"""Owns /v1/production: stating output and its value, taking it back, and reading it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

import app.production
import db.production
from app import known_tables, statements
from app.api import parameters, proposed
from app.api.answers import Answer, ListOf, LocalTime, problems
from app.api.parameters import AsKnown, Between, CreditCode, Instant, NoParameters
from app.api.proposed import waiting
from app.approval import Deed
from app.depends import KnowingCaller, StatingCaller
from app.drafts import Submission
from app.errors import InvalidParameter
from app.imports.kinds import Kind
from app.production import Outcome
from db.changes import Author
from db.production import ProductionRow

STATEMENTS_MAX = 1_000
DAYS_MAX = 3_700
router = APIRouter(tags=["production"])


class Statement(BaseModel):
    """What a unit made of a product in whole days that are over."""

    model_config = ConfigDict(extra="forbid")

    unit: CreditCode = Field(
        description="unified social credit code", examples=["91450200MA5KF5XJ00"]
    )
    product: str = Field(
        min_length=1,
        max_length=64,
        pattern=r"^[^\x00-\x1f/]+$",
        description="product; `all`: the unit as a whole, values only",
        examples=["cement_clinker"],
    )
    from_: Instant = Field(
        alias="from",
        description="00:00 of a day in Asia/Shanghai",
        examples=["2026-10-01T00:00:00+08:00"],
    )
    to: Instant = Field(
        description="00:00 of the day after the last", examples=["2026-11-01T00:00:00+08:00"]
    )
    quantity: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, strict=True, examples=[51_000.0]
    )
    uom: str | None = Field(
        default=None,
        min_length=1,
        max_length=32,
        description="unit of measure of quantity",
        examples=["t"],
    )
    output_value_cny: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        strict=True,
        description="产值 [yuan]",
        examples=[36_500_000.0],
    )
    value_added_cny: float | None = Field(
        default=None,
        allow_inf_nan=False,
        strict=True,
        description="增加值 [yuan]; may be negative",
        examples=[9_800_000.0],
    )

    def row(self, index: int) -> ProductionRow:
        if self.to <= self.from_:
            raise InvalidParameter(f"items[{index}].to", "must be after from")
        return ProductionRow(
            unit=self.unit,
            product=self.product,
            starts_at=self.from_,
            ends_at=self.to,
            quantity=self.quantity,
            uom=statements.uom(self.uom),
            output_value_cny=self.output_value_cny,
            value_added_cny=self.value_added_cny,
        )


Evidence = Annotated[
    str,
    Field(
        max_length=500,
        pattern=r"^[^\x00-\x1f]*$",
        description="what proves it: a document number, a file with its hash",
        examples=["盘点表 2026-10"],
    ),
]


class Statements(BaseModel):
    """Statements that are taken together or not at all."""

    model_config = ConfigDict(extra="forbid")

    items: list[Statement] = Field(min_length=1, max_length=STATEMENTS_MAX)
    reason: str | None = Field(
        default=None,
        min_length=1,
        max_length=500,
        pattern=r"^[^\x00-\x1f]+$",
        description="why; required where a figure that was stated before changes",
        examples=["inventory of October"],
    )
    evidence: Evidence = ""


class Why(BaseModel):
    """Why a statement is taken back."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(
        min_length=1,
        max_length=500,
        pattern=r"^[^\x00-\x1f]*[^\x00-\x1f\s][^\x00-\x1f]*$",
        description="why",
        examples=["stated for the wrong plant"],
    )
    evidence: Evidence = ""


class Withdrawn(Answer):
    """A statement that holds no longer."""

    unit: str = Field(examples=["91450200MA5KF5XJ00"])
    product: str = Field(examples=["cement_clinker"])
    starts_at: LocalTime = Field(examples=["2026-10-01T00:00:00+08:00"])
    ends_at: LocalTime = Field(examples=["2026-11-01T00:00:00+08:00"])
    withdrawn_at: LocalTime = Field(examples=["2026-11-24T09:12:44+08:00"])
    actor: str = Field(description="label of the key", examples=["desk of Liuzhou"])


class Taken(Answer):
    """What became of a statement."""

    unit: str = Field(examples=["91450200MA5KF5XJ00"])
    product: str = Field(examples=["cement_clinker"])
    starts_at: LocalTime = Field(examples=["2026-10-01T00:00:00+08:00"])
    ends_at: LocalTime = Field(examples=["2026-11-01T00:00:00+08:00"])
    outcome: Outcome = Field(examples=["stored"])


class TakenAll(Answer):
    """What became of each statement, in their order, after the commit."""

    items: list[Taken]


class ProductionQuery(Between, AsKnown):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    unit: CreditCode = Field(
        description="unified social credit code of the unit", examples=["91450200MA5KF5XJ00"]
    )


class ProductionItem(Answer):
    """A statement as it is known now."""

    product: str = Field(examples=["cement_clinker"])
    starts_at: LocalTime = Field(examples=["2026-10-01T00:00:00+08:00"])
    ends_at: LocalTime = Field(examples=["2026-11-01T00:00:00+08:00"])
    quantity: float | None = Field(
        description="null: not stated, which is not 0", examples=[51_000.0]
    )
    uom: str | None = Field(examples=["t"])
    output_value_cny: float | None = Field(examples=[36_500_000.0])
    value_added_cny: float | None = Field(examples=[9_800_000.0])


class ProductionAnswer(ListOf[ProductionItem]):
    """All statements at once, by product and time; next is always null."""

    unit: str = Field(examples=["91450200MA5KF5XJ00"])


@router.post(
    "/v1/production",
    operation_id="state_production",
    summary="State output and its value",
    responses=problems(401, 403, 404, 422, 503),
)
async def state_production(
    body: Statements,
    query: Annotated[NoParameters, Query()],
    caller: StatingCaller,
) -> TakenAll:
    """Take statements of output, output value and value added; all of them or none.

    A statement is known by unit, product and `from`. The same again changes nothing; another
    figure restates it, needs a `reason`, and the ledger keeps both with the label of the key.
    """
    rows = [each.row(index) for index, each in enumerate(body.items)]
    taken = await app.production.state(caller, rows, body.reason, body.evidence)
    return TakenAll(
        items=[
            Taken(
                unit=each.row.unit,
                product=each.row.product,
                starts_at=each.row.starts_at,
                ends_at=each.row.ends_at,
                outcome=each.outcome,
            )
            for each in taken
        ]
    )


@router.delete(
    "/v1/production/{unit}/{product}/{from}",
    operation_id="withdraw_production",
    summary="Take back what was stated of output",
    responses=waiting() | problems(401, 403, 404, 409, 422, 503),
    response_model=Withdrawn,
)
async def withdraw_production(
    unit: Annotated[CreditCode, Path(description="credit code", examples=["91450200MA5KF5XJ00"])],
    product: Annotated[
        str, Path(max_length=64, description="as it was stated", examples=["cement_clinker"])
    ],
    from_: Annotated[
        Instant,
        Path(alias="from", description="its first day", examples=["2026-10-01T00:00:00+08:00"]),
    ],
    why: Annotated[Why, Query()],
    caller: StatingCaller,
) -> Withdrawn | JSONResponse:
    """Let a statement hold no longer. It stays in the ledger, and is answered as known before.

    Figures that rest on it are provisional again, until it is stated anew. Where the platform asks
    for a second person the answer is 202: it holds until one approved.
    """
    author = Author(caller.actor, why.reason.strip(), why.evidence.strip())
    if caller.rule.asks(Deed.WITHDRAWAL, Kind.PRODUCTION):
        key = await app.production.visible_key(caller, unit, product, from_)
        wanted = Submission(Deed.WITHDRAWAL, Kind.PRODUCTION, key, key.encode(), author)
        return await proposed.answer(caller, wanted)
    row = await app.production.withdraw(caller, unit, product, from_, author)
    return Withdrawn(
        unit=row.unit,
        product=row.product,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        withdrawn_at=caller.now,
        actor=caller.actor,
    )


@router.get(
    "/v1/production",
    operation_id="list_production",
    summary="What a unit stated of its output",
    responses=problems(401, 404, 422, 503),
)
async def list_production(
    query: Annotated[ProductionQuery, Query()], caller: KnowingCaller
) -> ProductionAnswer:
    """Return the statements that touch `[from, to)`, as they are known now or were then."""
    if (query.span().ends_at - query.span().starts_at).days > DAYS_MAX:
        raise InvalidParameter("to", f"is more than {DAYS_MAX:,} days after from")
    caller = await known_tables.facts(caller, query.as_known_on)
    await parameters.visible_unit(caller, query.unit)
    rows = await db.production.list_statements(
        caller.connection, caller.scope, span=query.span(), unit=query.unit
    )
    return ProductionAnswer(
        unit=query.unit,
        items=[ProductionItem.model_validate(row) for row in rows],
        next=None,
    )
