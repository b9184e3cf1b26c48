"""Owns what answers share: local times, and the problems every call can answer with."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from app.errors import Problem
from energy.periods import LOCAL


def local_text(instant: datetime) -> str:
    """Return `instant` as RFC 3339 with the offset of Asia/Shanghai."""
    return instant.astimezone(LOCAL).isoformat()


LocalTime = Annotated[
    datetime,
    PlainSerializer(local_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class Answer(BaseModel):
    """Base of what is answered; can be made of a row that has all its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)


T = TypeVar("T")


class ListOf(Answer, Generic[T]):
    """Base of a list."""

    items: list[T]
    next: str | None = Field(
        default=None,
        description="`cursor` of the next page; null: this was the last",
        examples=["WyI5MTQ1MDIwME1BNUtGNVhKMEIiXQ"],
    )


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:  # the type FastAPI asks for
    """Return the OpenAPI responses for `statuses`, all problems."""
    named = {
        401: "No API key, or one that is unknown, revoked or expired",
        403: "This key may not do this",
        409: "It does not go with what has become of it by now",
        413: "The body is larger than this call takes",
        404: "It does not exist, or this key may not see it",
        422: "A parameter is missing, unknown or cannot be used; `errors` says which and why",
        503: "The platform cannot answer now",
    }
    return {status: {"description": named[status], "model": Problem} for status in statuses}
