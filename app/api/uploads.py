"""Owns `POST /v1/readings/…`: a batch over HTTPS; the receipt is the answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import Field
from starlette.requests import ClientDisconnect

from app import audit_gate, depends, state
from app.admission import network
from app.api.answers import Answer, problems
from app.errors import ApiError, TooLarge, Unauthorized
from ingest.payload import (
    BATCH_LENGTH_MAX,
    PAYLOAD_BYTES_MAX,
    READINGS_MAX,
    Quality,
    Reason,
)
from ingest.topics import Address, Leaf

router = APIRouter(tags=["readings"])

BATCH = {
    "type": "object",
    "description": "A batch, the same as over MQTT",
    "required": ["batch", "readings"],
    "properties": {
        "batch": {
            "type": "string",
            "minLength": 1,
            "maxLength": BATCH_LENGTH_MAX,
            "description": "name of the batch, unique per gateway; a re-send keeps it",
            "examples": ["gw1-000123"],
        },
        "sent_at": {"type": "string", "examples": ["2026-11-23T08:00:05+08:00"]},
        "boot": {"type": "string", "maxLength": 64, "examples": ["b1"]},
        "seq": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1, "examples": [123]},
        "readings": {
            "type": "array",
            "maxItems": READINGS_MAX,
            "items": {
                "type": "object",
                "required": ["meter", "time", "value"],
                "properties": {
                    "meter": {"type": "string", "examples": ["E01"]},
                    "time": {"type": "string", "examples": ["2026-11-23T08:00:00+08:00"]},
                    "value": {"type": "number", "examples": [120345.67]},
                    "quality": {"enum": [*Quality], "examples": ["good"]},
                },
            },
        },
    },
}
"""What FastAPI is told of the body, which it does not read: it is judged as it arrived."""


class RejectedReading(Answer):
    """A reading that was not stored, and why."""

    index: int | None = Field(
        description="of the reading in the batch, from 0; null: the whole message", examples=[2]
    )
    meter: str | None = Field(examples=["E99"])
    reason: Reason = Field(examples=["unknown_meter"])
    detail: str = Field(examples=["no meter E99 is registered for this unit"])


class Receipt(Answer):
    """What became of a batch: received = stored + duplicate + conflicting + rejected_total."""

    batch: str | None = Field(
        description="null: the message could not be decoded", examples=["gw1-000123"]
    )
    committed_at: datetime = Field(examples=["2026-11-23T00:00:06Z"])
    received: int = Field(examples=[3])
    stored: int = Field(examples=[1])
    duplicate: int = Field(examples=[1])
    conflicting: int = Field(description="the first value stands", examples=[0])
    rejected: list[RejectedReading] = Field(description="the first of them")
    rejected_total: int = Field(examples=[1])


@router.post(
    "/v1/readings/{city}/{unit}/{gateway}",
    operation_id="upload_readings",
    summary="A batch of readings over HTTPS",
    responses={200: {"model": Receipt}, **problems(401, 413, 422, 503)},
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": BATCH}}}
    },
)
async def upload_readings(
    request: Request,
    city: Annotated[
        str, Path(pattern="^[0-9]{6}$", description="city of the unit", examples=["450200"])
    ],
    unit: Annotated[
        str,
        Path(
            pattern="^[0-9A-Z]{18}$",
            description="unified social credit code",
            examples=["91450200MA5KF5XJ00"],
        ),
    ],
    gateway: Annotated[
        str,
        Path(
            pattern="^[A-Za-z0-9_-]{1,32}$",
            description="the gateway, as enrolled",
            examples=["gw1"],
        ),
    ],
    signature: Annotated[
        str | None,
        Header(
            alias="Nenghao-Signature",
            description="hex HMAC-SHA-256 with the gateway's key over "
            "nenghao/v1/{city}/{unit}/{gateway}/readings, newline, body",
            examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
        ),
    ] = None,
) -> Response:
    """Take a batch, the same as over MQTT. The answer comes after the commit and is the receipt.

    The signature is the identity: no API key is needed, and none helps.
    """
    receipt = await _taken(request, Address(city, unit, gateway), signature)
    return Response(receipt, media_type="application/json")


async def _taken(request: Request, at: Address, signature: str | None) -> bytes:
    """Return the receipt of a batch that is let in and noted before it is stored.

    Until its signature held it is a stranger's, whoever it says it is: whatever ends it before, too
    large, broken off or too slow, counts against its address.
    """
    held, address = state.of(request), depends.address(request)
    topic = at.topic(Leaf.READINGS)
    shown = f"{network(address)} {topic}".encode()  # a topic is no secret
    held["gate"].look(address, shown)
    try:
        payload = await _body(request)
    except BaseException:
        held["gate"].refuse(address, shown)
        raise

    async def admit() -> None:
        audit_gate.of(request).claim(at.city, at.unit, at.gateway)
        held["gate"].admit(shown, topic)
        begun = audit_gate.entry(request.scope, audit_gate.of(request), None)
        await held["audit"].note(begun)

    try:
        return await held["uploads"].take(topic, payload, signature, admit)
    except Unauthorized:
        held["gate"].refuse(address, shown)
        raise


async def _body(request: Request) -> bytes:
    """Return the body; stop reading as soon as it is too large, or breaks off: no fault of ours."""
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > PAYLOAD_BYTES_MAX:
                raise TooLarge(f"A batch has at most {PAYLOAD_BYTES_MAX} bytes. Split it.")
            parts.append(part)
    except ClientDisconnect as error:
        raise ApiError("malformed_body", "The batch broke off. Send the same again.") from error
    return b"".join(parts)
