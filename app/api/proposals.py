"""Owns /v1/proposals: changes that wait for a second person, and the second person's word."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

import db.proposals
from app import cursor, proposing
from app.api import proposed
from app.api.answers import Answer, ListOf, problems
from app.api.corrections import Body, Text
from app.api.parameters import NoParameters, Page
from app.api.proposed import Proposal
from app.approval import State
from app.depends import ApprovingCaller, AuthenticatedCaller, Caller
from app.errors import Conflict, NotFound
from app.proposing import ObstructedError
from db.proposals import ProposalRow

PROPOSAL_ID_MAX = 2**63 - 1

router = APIRouter(tags=["proposals"])

ProposalId = Annotated[
    int, Path(description="number of the proposal", examples=[12], ge=1, le=PROPOSAL_ID_MAX)
]


class Difference(Answer):
    """What a column of a fact says before, and would say after."""

    column: str = Field(examples=["required_rate"])
    before: str | None = Field(description="null: not there", examples=["-0.0275"])
    after: str | None = Field(description="null: not there", examples=["-0.03"])


class ChangedFact(Answer):
    """A fact that a proposal changes."""

    subject: str = Field(description="key of the fact", examples=["450200/2026"])
    differences: list[Difference]


class ProposalDetail(Proposal):
    """A proposal with what it changes, of the first 200 facts."""

    changes: list[ChangedFact]


class Proposals(ListOf[Proposal]):
    """A page of proposals, the newest first."""


class ProposalWhere(Page):
    """Which proposals."""

    waiting: bool | None = Field(
        default=None,
        description="true: those that wait for a second person; false: the others",
        examples=[True],
    )


class Approval(Body):
    """Why a proposal is approved."""

    reason: Text = Field(default="", description="why", examples=["checked against the document"])


class Rejection(Body):
    """Why a proposal is rejected."""

    reason: Annotated[Text, Field(min_length=1)] = Field(
        description="why", examples=["the document says 2027"]
    )


@router.get(
    "/v1/proposals",
    operation_id="list_proposals",
    summary="Changes that wait for a second person",
    responses=problems(401, 422, 503),
)
async def list_proposals(
    where: Annotated[ProposalWhere, Query()], caller: AuthenticatedCaller
) -> Proposals:
    """Return proposals about what lies in the scope of the key; those about all: to a province."""
    rows = await db.proposals.list_visible(
        caller.connection,
        caller.scope,
        is_open=where.waiting,
        now=caller.now,
        before=_before(where.cursor),
        limit=where.limit + 1,
    )
    page = rows[: where.limit]
    return Proposals(
        items=[Proposal.model_validate(proposed.fields(row, caller.now)) for row in page],
        next=cursor.encode(str(page[-1].proposal_id)) if len(rows) > len(page) else None,
    )


@router.get(
    "/v1/proposals/{proposal_id}",
    operation_id="fetch_proposal",
    summary="One proposal with what it changes",
    responses=problems(401, 404, 422, 503),
)
async def fetch_proposal(
    proposal_id: ProposalId, _: Annotated[NoParameters, Query()], caller: AuthenticatedCaller
) -> ProposalDetail:
    """Return a proposal: who proposed it, why, what it changes, and what became of it."""
    return _detail(await _visible(caller, proposal_id), caller.now)


@router.post(
    "/v1/proposals/{proposal_id}/approve",
    operation_id="approve_proposal",
    summary="Let a proposal hold",
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def approve_proposal(
    proposal_id: ProposalId,
    body: Approval,
    _: Annotated[NoParameters, Query()],
    caller: ApprovingCaller,
) -> ProposalDetail:
    """Approve what another person proposed. It is checked anew, and then holds as a whole.

    If it would change anything else by now than what was proposed, it is refused and stays.
    """
    reason = body.reason or proposing.NO_REASON
    return await _decide(caller, proposal_id, State.APPROVED, reason)


@router.post(
    "/v1/proposals/{proposal_id}/reject",
    operation_id="reject_proposal",
    summary="Let a proposal never hold",
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def reject_proposal(
    proposal_id: ProposalId,
    body: Rejection,
    _: Annotated[NoParameters, Query()],
    caller: ApprovingCaller,
) -> ProposalDetail:
    """Reject a proposal; who proposed it may take it back so, too."""
    return await _decide(caller, proposal_id, State.REJECTED, body.reason)


async def _decide(caller: Caller, proposal_id: int, to: State, reason: str) -> ProposalDetail:
    await _visible(caller, proposal_id)
    try:
        row = await proposing.decide(
            caller.connection, proposal_id, to, caller.actor, reason, caller.now
        )
    except ObstructedError as error:
        raise Conflict(error.code, f"{error}.") from error
    return _detail(row, caller.now)


async def _visible(caller: Caller, proposal_id: int) -> ProposalRow:
    row = await db.proposals.fetch_visible(caller.connection, caller.scope, proposal_id)
    if row is None:
        raise NotFound("proposal")
    return row


def _before(text: str | None) -> int | None:
    (part,) = cursor.decode(text, 1)
    return None if text is None else cursor.number(part, PROPOSAL_ID_MAX)


def _detail(row: ProposalRow, now: datetime) -> ProposalDetail:
    changes = [
        ChangedFact(
            subject=each["subject"],
            differences=[
                Difference(column=column, before=before, after=after)
                for column, (before, after) in each["columns"].items()
            ],
        )
        for each in json.loads(row.effect)["shown"]
    ]
    return ProposalDetail.model_validate(proposed.fields(row, now) | {"changes": changes})
