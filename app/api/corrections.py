"""Owns POST /v1/corrections."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import Field, StringConstraints

import db.corrections
from app import correcting, foreseen
from app.api import proposed
from app.api.answers import Answer, LocalTime, problems
from app.api.parameters import CreditCode, Instant, NoParameters, Sent
from app.api.proposed import WILL_BE_HELD, Holding, waiting
from app.approval import Deed
from app.depends import StatingCaller
from app.drafts import Submission, written
from app.errors import InvalidParameter, NotFound
from app.imports.kinds import Kind
from db.changes import Author
from db.corrections import CorrectionRow

CORRECTIONS_MAX = 1_000
TEXT_LENGTH_MAX = 500

router = APIRouter(tags=["readings"])

Text = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, max_length=TEXT_LENGTH_MAX, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]


class Body(Sent):
    """Base of what is sent."""


class Correction(Body):
    """What is to hold in place of one reading."""

    unit: CreditCode = Field(
        description="unified social credit code of the unit", examples=["91450200MA5KF5XJ00"]
    )
    meter: str = Field(
        min_length=1,
        max_length=32,
        pattern=r"^[^\x00]*$",
        description="code of the meter, the unit's own",
        examples=["E01"],
    )
    time: Instant = Field(
        description="of the reading, exactly", examples=["2026-11-23T08:00:00+08:00"]
    )
    value: float | None = Field(
        strict=True,
        allow_inf_nan=False,
        description="in the meter's unit of measure, before its multiplier; null: the reading is "
        "set aside, what the meter showed is not known",
        examples=[120345.67],
    )


class Statement(Body):
    """Corrections that are stated together, for one reason; all are taken or none."""

    reason: Annotated[Text, StringConstraints(min_length=1)] = Field(
        description="why", examples=["the gateway swapped two digits"]
    )
    evidence: Text = Field(
        default="",
        description="what proves it: a document number, a file with its hash, who approved it",
        examples=["桂能审〔2026〕17号"],
    )
    corrections: list[Correction] = Field(
        min_length=1,
        max_length=CORRECTIONS_MAX,
        examples=[
            [{"unit": "91450200MA5KF5XJ00", "meter": "E01", "time": "2026-11-23T08:00:00+08:00",
              "value": 120345.67}]
        ],
    )  # fmt: skip


class Stated(Answer):
    """What became of a statement."""

    stated_at: LocalTime = Field(examples=["2026-11-24T09:12:44+08:00"])
    actor: str = Field(description="label of the key", examples=["desk of Liuzhou"])
    stated: int = Field(description="corrections that are new facts", examples=[1])
    repeated: int = Field(
        description="corrections that the same actor stated last in the same words",
        examples=[0],
    )
    will_be_held: list[Holding] = WILL_BE_HELD


@router.post(
    "/v1/corrections",
    operation_id="state_corrections",
    summary="State what holds in place of readings",
    responses=waiting() | problems(401, 403, 404, 409, 422, 503),
    response_model=Stated,
)
async def state_corrections(
    statement: Statement, _: Annotated[NoParameters, Query()], caller: StatingCaller
) -> Stated | JSONResponse:
    """Let corrections hold from now on. The readings stay as they arrived.

    Where the platform asks for a second person the answer is 202: they hold once one approved.

    What was computed from them is computed again. A correction of a correction is one more; what
    was known before is answered with `as_known_on`.
    """
    rows = [
        CorrectionRow(each.unit, each.meter, each.time, each.value)
        for each in statement.corrections
    ]
    if len({row.subject for row in rows}) < len(rows):
        raise InvalidParameter("corrections", "a reading is corrected twice in one statement")
    found = await db.corrections.list_visible_targets(caller.connection, caller.scope, rows)
    if len(found) < len(rows):
        raise NotFound("reading")
    targets = [(row, found[row.subject]) for row in rows]
    author = Author(caller.actor, statement.reason, statement.evidence)
    held = await foreseen.list_held(caller.connection, targets)
    try:
        if caller.rule.asks(Deed.CORRECTION, Kind.CORRECTIONS):
            wanted = corrected([row for row, _ in targets], author)
            return await proposed.answer(caller, wanted, held)
        stated = await correcting.state(caller.connection, author, targets, caller.now)
    except correcting.OutOfRangeError as error:
        raise InvalidParameter("value", str(error), code="value_out_of_range") from error
    return Stated(
        stated_at=caller.now,
        actor=caller.actor,
        stated=stated,
        repeated=len(targets) - stated,
        will_be_held=proposed.holdings(held),
    )


def corrected(rows: list[CorrectionRow], author: Author) -> Submission:
    name = rows[0].subject if len(rows) == 1 else f"{rows[0].subject} and {len(rows) - 1} more"
    return Submission(Deed.CORRECTION, Kind.CORRECTIONS, name, written(rows), author)
