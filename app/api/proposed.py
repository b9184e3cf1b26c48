"""Owns what a caller is told of a proposal, and the answer 202 where a change waits for one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import Field

from app import drafts, proposing
from app.api.answers import Answer, LocalTime
from app.approval import AnyKind, Deed, Standing, State
from app.correcting import OutOfRangeError
from app.depends import Caller
from app.drafts import Submission
from app.errors import Conflict
from app.foreseen import Held
from app.proposing import ObstructedError
from app.resolve import Refusal
from db.proposals import ProposalRow


class Proposal(Answer):
    """A change that waits for a second person, or what became of it."""

    proposal_id: int = Field(examples=[12])
    state: State = Field(description="expired: nobody decided in time", examples=["open"])
    deed: Deed = Field(description="what is done to the facts", examples=["import"])
    kind: AnyKind = Field(description="of the facts", examples=["targets"])
    name: str = Field(description="file, or key of the fact", examples=["targets.csv"])
    region: str | None = Field(
        description="the smallest region with all that it touches; null: what holds for everyone",
        examples=["450200"],
    )
    unit: str | None = Field(
        description="the one unit that it touches", examples=["91450200MA5KF5XJ00"]
    )
    sha256: str = Field(
        description="of what was submitted: the file, the JSON, the key",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )
    facts: int = Field(description="how many it changes", examples=[1])
    proposer: str = Field(examples=["desk of Liuzhou"])
    reason: str = Field(examples=["targets of 2026"])
    evidence: str = Field(examples=["桂发改〔2026〕1号"])
    proposed_at: LocalTime = Field(examples=["2026-11-24T09:12:44+08:00"])
    expires_at: LocalTime = Field(examples=["2026-12-08T09:12:44+08:00"])
    decider: str | None = Field(examples=["desk of Guangxi"])
    decided_at: LocalTime | None = Field(examples=["2026-11-24T10:02:11+08:00"])
    decision_reason: str | None = Field(examples=["approved as proposed"])


class Holding(Answer):
    """What a correction of a register will hold for review: no figure has what was used then."""

    unit: str = Field(examples=["91450200MA5KF5XJ00"])
    meter: str = Field(examples=["E01"])
    starts_at: LocalTime = Field(examples=["2026-11-23T07:45:00+08:00"])
    ends_at: LocalTime = Field(examples=["2026-11-23T08:15:00+08:00"])


WILL_BE_HELD = Field(
    description="what settlement will hold for review because of it, as the readings are now",
    examples=[[]],
)


class Waiting(Answer):
    """What was asked for waits for a second person; nothing of it holds yet."""

    proposal: Proposal
    will_be_held: list[Holding] = WILL_BE_HELD


def waiting() -> dict[int | str, dict[str, Any]]:  # the type FastAPI asks for
    """Return the OpenAPI response of a call whose change may wait for a second person."""
    return {202: {"description": "It waits for a second person", "model": Waiting}}


async def answer(caller: Caller, submission: Submission, held: Sequence[Held] = ()) -> JSONResponse:
    """Keep what a caller asked for until a second person approved it; answer 202 with it."""
    try:
        drafted = await drafts.draft(caller.connection, submission)
        row = await proposing.propose(
            caller.connection, caller.rule, submission, drafted, caller.now
        )
    except OutOfRangeError:
        raise
    except ObstructedError as error:
        raise Conflict(error.code, f"{error}.") from error
    except Refusal as error:
        raise Conflict(
            "cannot_hold", f"This could not hold if it was approved: {error}."
        ) from error
    if caller.asked is not None:
        caller.asked.promised = HTTPStatus.ACCEPTED
    waiting = Waiting(
        proposal=Proposal.model_validate(fields(row, caller.now)), will_be_held=holdings(held)
    )
    return JSONResponse(waiting.model_dump(mode="json"), status_code=HTTPStatus.ACCEPTED)


def holdings(held: Sequence[Held]) -> list[Holding]:
    return [Holding.model_validate(each) for each in held]


def fields(row: ProposalRow, now: datetime) -> dict[str, object]:
    fields = asdict(row)
    del fields["effect"], fields["effect_sha256"]
    standing = Standing(row.proposer, State(row.state), row.expires_at)
    return fields | {
        "state": standing.at(now),
        "sha256": row.sha256.hex(),
        "facts": json.loads(row.effect)["facts"],
    }
