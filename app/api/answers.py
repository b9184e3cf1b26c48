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


FIGURE_DIGITS = 13
"""Significant digits of a reckoned figure: one more than a register has, so that nothing it counted
is lost, and three less than a double: those differ by the order in which it was added up."""

FIGURE_DECIMALS = 6
"""Of a figure from 1 on, at most: a register of 120,345.67 kWh, times 100,000, knows no more."""


def rounded(figure: float) -> float:
    """Return a reckoned figure without the noise of adding up, and of taking away.

    >>> rounded(0.1 + 0.2), rounded(999_999_999_999.5), rounded((120346.5 - 120345.67) * 100_000)
    (0.3, 999999999999.5, 83000.0)
    """
    shown = float(f"{figure:.{FIGURE_DIGITS}g}")
    return shown if abs(shown) < 1 else round(shown, FIGURE_DECIMALS)


Reckoned = Annotated[float, PlainSerializer(rounded, return_type=float, when_used="json")]
"""What was reckoned. What arrived or was stated is a plain float, and leaves exactly as it is."""


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
        examples=["WyI5MTQ1MDIwME1BNUtGNVhKMDAiXQ"],
    )


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:  # the type FastAPI asks for
    """Return the OpenAPI responses for `statuses`, all problems; who is asked for a key can also
    be told that they ask too often.
    """
    named = {
        401: "No API key, or one that is unknown, revoked or expired",
        403: "Who asks may not do this; `code` says what they may not",
        413: "The body is larger than this call takes",
        404: "It does not exist, or this key may not see it",
        409: "It does not go with how things stand; `detail` says what does",
        412: "It was changed since it was read: read it again",
        428: "If-Match is missing: name the version that was read",
        429: "Asked too often; `Retry-After` says how long to wait",
        422: "A parameter is missing, unknown or cannot be used; `errors` says which and why",
        503: "The platform cannot answer now",
    }
    told = {*statuses, 429} if 401 in statuses else {*statuses}
    return {status: {"description": named[status], "model": Problem} for status in sorted(told)}
