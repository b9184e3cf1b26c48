"""Owns what is done about an alert under /v1/alerts/{alert_id}: assign, contest, decide, close."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field, StringConstraints

from app import cases
from app.api.alerts import TO_LENGTH_MAX, AlertDetail, AlertId, Text, detail
from app.api.answers import problems
from app.api.parameters import PLAIN, NoParameters, Sent
from app.depends import AcknowledgingCaller, ContestingCaller
from db.alert_cases import Contest

router = APIRouter(tags=["alerts"])

Said = Annotated[Text, StringConstraints(min_length=1)]
Evidence = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=PLAIN),
]


class Assignment(Sent):
    """Whose an alert becomes."""

    to: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, min_length=1, max_length=TO_LENGTH_MAX, pattern=PLAIN
        ),
    ] = Field(
        description="the address of a contact of its region or of one above, or the label of a "
        "key there",
        examples=["desk of Liuzhou"],
    )
    reason: Said = Field(description="why", examples=["辖区内企业，由其现场核查"])


class Objection(Sent):
    """What an enterprise has against an alert."""

    text: Said = Field(description="why it does not hold", examples=["喂煤秤故障，数据失真"])
    evidence: Evidence = Field(
        description="what proves it: a document number, a file with its hash",
        examples=["检定证书 2026-118 sha256:9f86d081884c7d65"],
    )


class Decision(Sent):
    """What becomes of a contest."""

    decision: Literal["upheld", "rejected"] = Field(examples=["upheld"])
    reason: Said = Field(description="why", examples=["证书属实，待更正读数"])


class Closing(Sent):
    """Why the file of an alert is closed."""

    reason: Said = Field(description="why", examples=["已整改，复核属实"])


@router.post(
    "/v1/alerts/{alert_id}/assign",
    operation_id="assign_alert",
    summary="Give an early warning to somebody",
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def assign_alert(
    alert_id: AlertId,
    body: Assignment,
    _: Annotated[NoParameters, Query()],
    caller: AcknowledgingCaller,
) -> AlertDetail:
    """Let an alert be somebody's. To whose it is already changes nothing; to another gives it on.

    Nobody is written to about that, and it is acknowledged by whoever acknowledges it.
    """
    await cases.assign(caller, alert_id, body.to, body.reason)
    return await detail(caller, alert_id)


@router.post(
    "/v1/alerts/{alert_id}/contest",
    operation_id="contest_alert",
    summary="Contest an early warning",
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def contest_alert(
    alert_id: AlertId,
    body: Objection,
    _: Annotated[NoParameters, Query()],
    caller: ContestingCaller,
) -> AlertDetail:
    """Say, as the enterprise it is about, that an alert does not hold, and what proves that.

    It goes on firing, for its figures say so: what is wrong with them is stated as a correction.
    Its due dates stand still until the region decides, for 15 days at most; three times at most.
    """
    await cases.contest(caller, alert_id, body.text, body.evidence)
    return await detail(caller, alert_id)


@router.post(
    "/v1/alerts/{alert_id}/contest/decide",
    operation_id="decide_contest",
    summary="Decide on a contest",
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def decide_contest(
    alert_id: AlertId,
    body: Decision,
    _: Annotated[NoParameters, Query()],
    caller: AcknowledgingCaller,
) -> AlertDetail:
    """Uphold a contest or reject it. The same again changes nothing.

    One that is upheld settles the alert as it is: nothing is owed, and nobody is reminded of it,
    unless it becomes worse. One that is rejected lets the working days that were left go on.
    """
    await cases.decide(caller, alert_id, Contest(body.decision), body.reason)
    return await detail(caller, alert_id)


@router.post(
    "/v1/alerts/{alert_id}/close",
    operation_id="close_alert",
    summary="Close the file of an early warning",
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def close_alert(
    alert_id: AlertId,
    body: Closing,
    _: Annotated[NoParameters, Query()],
    caller: AcknowledgingCaller,
) -> AlertDetail:
    """Close what is over, or was contested with success. The first one is kept.

    Once its figures are in order, a new overrun is a new alert.
    """
    await cases.close(caller, alert_id, body.reason)
    return await detail(caller, alert_id)
