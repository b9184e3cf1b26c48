"""Owns `POST /v1/readings/…`: a batch over HTTPS; the receipt is the answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Request, Response

from app import audit_gate, state
from app.api.answers import problems
from app.errors import TooLarge
from ingest.payload import PAYLOAD_BYTES_MAX
from ingest.topics import Address, Leaf

router = APIRouter(tags=["readings"])

RECEIPT = {
    "batch": "gw1-000123",
    "committed_at": "2026-11-23T00:00:06Z",
    "received": 3,
    "stored": 1,
    "duplicate": 1,
    "conflicting": 0,
    "rejected": [{"index": 2, "meter": "E99", "reason": "unknown_meter", "detail": "…"}],
    "rejected_total": 1,
}


@router.post(
    "/v1/readings/{city}/{unit}/{gateway}",
    responses=problems(401, 413, 422, 503)
    | {200: {"content": {"application/json": {"example": RECEIPT}}}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
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
            examples=["91450200MA5KF5XJ0B"],
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
            examples=["6b1a…64 hex digits…"],
        ),
    ] = None,
) -> Response:
    """Take a batch, the same as over MQTT. The answer comes after the commit and is the receipt.

    The signature is the identity: no API key is needed, and none helps.
    """
    payload = await _body(request)
    asked = audit_gate.of(request)
    asked.claim(city, unit, gateway)
    await state.of(request)["audit"].note(audit_gate.entry(request.scope, asked, None))
    topic = Address(city, unit, gateway).topic(Leaf.READINGS)
    receipt = await state.of(request)["uploads"].take(topic, payload, signature)
    return Response(receipt, media_type="application/json")


async def _body(request: Request) -> bytes:
    """Return the body; stop reading as soon as it is too large."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > PAYLOAD_BYTES_MAX:
            raise TooLarge(f"A batch has at most {PAYLOAD_BYTES_MAX} bytes. Split it.")
        parts.append(part)
    return b"".join(parts)
