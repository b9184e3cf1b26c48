"""Owns answering the questions of the HTTP interface without it: as a file, to an operator.

What is asked is answered by the call itself, as a key of the province would be answered, in one
snapshot; only how many items a page has is no question here: all there are.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.responses import Response

import db.registry
import db.scope
from app import exports, faults, lending
from app.api import alerts, consumption, intensity, readings
from app.api.answers import ListOf
from app.api.consumption_query import ConsumptionQuery
from app.api.parameters import LIMIT_MAX
from app.depends import Caller
from app.errors import AS_KNOWN_ON, ApiError, NotFound
from app.exports import Format
from app.resolve import Refusal
from db.pool import Connection, Pool
from db.scope import Scope
from energy.factors import Unverified

OPERATOR = "operator"
"""Stands for the label of a key, which nothing that is read here shows."""

Q = TypeVar("Q", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Call(Generic[Q]):
    """A call of the HTTP interface: what it can be asked, and what answers.

    `leaves_out`: what was not set is no field of an item.
    """

    about: str
    query: type[Q]
    ask: Callable[[Q, Caller], Awaitable[ListOf[Any] | Response]]
    leaves_out: bool = False


CALLS: dict[str, Call[Any]] = {
    "readings": Call(
        "Readings of a meter as they arrived, with what corrects and contradicts them.",
        readings.ReadingsQuery,
        readings.list_readings,
    ),
    "consumption": Call(
        "Energy used, by time and group.",
        ConsumptionQuery,
        consumption.list_consumption,
        leaves_out=True,
    ),
    "intensity": Call(
        "Energy per unit of product and per 10,000 yuan, with the limits that apply.",
        intensity.IntensityQuery,
        intensity.list_intensity,
    ),
    "alerts": Call("Early warnings, newest first.", alerts.AlertWhere, alerts.list_alerts),
}
"""Those that also answer with files."""


def asked(call: Call[Q], given: dict[str, str], form: Format) -> Q:
    """Return the question that was asked with options. Raises Refusal with what is wrong with it.

    >>> asked(CALLS["alerts"], {"state": "ringing"}, Format.CSV)
    Traceback (most recent call last):
    app.resolve.Refusal: --state: should be 'pending', 'firing' or 'resolved'
    """
    try:
        return call.query.model_validate({**given, "format": form})
    except ValidationError as error:
        raise Refusal(
            "; ".join(
                _of_option(
                    "_".join(map(str, each["loc"])),
                    faults.words(each["type"], each["msg"], each.get("ctx", {})),
                )
                for each in error.errors()
            )
        ) from None


def _of_option(parameter: str, detail: str) -> str:
    """Return what is wrong with a parameter, as the option is called."""
    return f"--{parameter.replace('_', '-')}: {detail}"


async def answered(
    pool: Pool, call: Call[Q], query: Q, unverified: Unverified, now: datetime
) -> BinaryIO:
    """Return a file with the whole answer. Raises Refusal where the call would refuse."""
    is_of_then = getattr(query, AS_KNOWN_ON, None) is not None
    lent = lending.rolled_back(pool) if is_of_then else lending.read_only(pool)
    with _refusals():
        async with lent as connection:
            scope = await _scope(connection, query)
            await db.scope.enter(connection, scope)
            caller = Caller(connection, scope, now, OPERATOR, unverified)
            if getattr(query, "format", None) is Format.JSON:
                return await _as_json(call, query, caller)
            answer = await call.ask(query, caller)
        assert isinstance(answer, exports.Sheet | exports.Download)
        return await answer.whole()


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise Refusal(f"there is no such {error.noun}") from error
    except ApiError as error:
        told = [_of_option(each.parameter, each.detail) for each in error.errors or ()]
        raise Refusal("; ".join(told) or error.detail) from error


async def _scope(connection: Connection, query: BaseModel) -> Scope:
    """Return the province that is asked about: that of the region, the unit, or of all units."""
    region, unit = getattr(query, "region", None), getattr(query, "unit", None)
    if region is not None:
        return Scope(region[:2])
    provinces = await db.registry.list_provinces(connection, unit)
    if not provinces:
        raise Refusal("no unit is registered" if unit is None else f"there is no unit {unit}")
    if len(provinces) > 1:
        named = ", ".join(f"{each}0000" for each in provinces)
        raise Refusal(f"units of several provinces are registered: name one, --region {named}")
    return Scope(provinces[0])


async def _as_json(call: Call[Q], query: Q, caller: Caller) -> BinaryIO:
    """Return the answer as the call gives it, all pages as one."""
    if "limit" in call.query.model_fields:
        query = query.model_copy(update={"limit": LIMIT_MAX})
    file, is_first = exports.opened(), True
    try:
        while True:
            page = await call.ask(query, caller)
            assert isinstance(page, ListOf)
            if is_first:
                head = page.model_dump(mode="json", exclude={"items", "next"})
                file.write(_text(head)[:-1] + (b"," if head else b"") + b'"items":[')
            for item in page.items:
                said = item.model_dump(mode="json", exclude_unset=call.leaves_out)
                file.write((b"\n" if is_first else b",\n") + _text(said))
                is_first = False
            if page.next is None:
                file.write(b'\n],"next":null}\n')
                return file
            query = query.model_copy(update={"cursor": page.next})
    except BaseException:
        file.close()
        raise


def _text(said: object) -> bytes:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
