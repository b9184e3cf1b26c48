"""Owns the gate through which answers leave: not before their entry of the audit log is committed.

What cannot be noted is answered 503 instead. Entries of changes are written by the transactions
of the changes (`app/depends.py`). Probes and the documentation hold no data and are not noted.
"""

from __future__ import annotations

import functools
import secrets
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import parse_qsl

import msgspec
from fastapi import Request
from fastapi.dependencies.utils import get_dependant, get_flat_params
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import auditing
from app.admission import network
from app.auditing import Asked
from app.errors import NotNoted
from app.metrics import UNKNOWN_ROUTE, Metrics
from app.pace import Pace
from db.audit import Entry, Result

ASKED = "nenghao.asked"
REQUEST_ID = "X-Request-Id"
REQUEST_ID_BYTES = 8
OPEN = {"/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"}
API = "/v1/"
"""What is asked for below it is noted even where there is nothing."""


class _List(msgspec.Struct):
    """What an entry tells of an answer: how many items are in it."""

    items: list[msgspec.Raw]


class _Problem(msgspec.Struct):
    """What it tells of a refusal."""

    code: str


ANSWER = msgspec.json.Decoder(_List)
REFUSAL = msgspec.json.Decoder(_Problem)


STRANGERS_PER_MINUTE = 60
"""Refusals and failures of one address that nobody known has asked for and that are noted one by
one: the log is kept for years, and grows no faster than that with what anybody may send."""


class AuditGate:
    """ASGI middleware that holds each answer back until it is noted."""

    def __init__(
        self, app: ASGIApp, metrics: Metrics, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._clock_s = clock_s
        self._strangers = Pace("strangers", STRANGERS_PER_MINUTE)

    def is_one_too_many(self, asked: Asked) -> bool:
        """Whether no answer to it is noted, only counted: its address was, too often, unknown."""
        if asked.identity or self._strangers.take(network(asked.source), self._clock_s()) == 0:
            return False
        self._metrics.count_unnoted()
        return True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = scope.get("client") or ("", 0)
        asked = Asked(secrets.token_hex(REQUEST_ID_BYTES), client[0], scope["method"])
        scope[ASKED] = asked
        gate = _Gate(self, scope, asked, send)
        try:
            await self._app(scope, receive, gate.send)
        except Exception:
            await gate.fail()
            raise


class _Gate:
    """The gate for one answer: closed until its first bytes are there and its entry is written."""

    def __init__(self, gate: AuditGate, scope: Scope, asked: Asked, send: Send) -> None:
        self._gate = gate
        self._scope = scope
        self._asked = asked
        self._send = send
        self._start: Message | None = None
        self._is_shut = False

    async def send(self, message: Message) -> None:
        if self._is_shut:
            return
        if message["type"] == "http.response.start":
            self._start = message
            return
        if self._start is not None:
            start, self._start = self._start, None
            MutableHeaders(raw=start["headers"])[REQUEST_ID] = self._asked.request_id
            try:
                await self._note(start, message)
            except NotNoted as refusal:
                if start["status"] < HTTPStatus.INTERNAL_SERVER_ERROR:  # which gives nothing away
                    self._is_shut = True
                    await refusal.response()(self._scope, _nothing, self._send)
                    return
            await self._send(start)
        await self._send(message)

    async def fail(self) -> None:
        """Note that the platform failed; the answer to that leaves by another way."""
        entry = self._entry(int(HTTPStatus.INTERNAL_SERVER_ERROR), b"")
        if entry is not None:
            try:
                await self._scope["state"]["audit"].note(entry)
            except NotNoted:
                return  # it was logged, and nothing was answered

    async def _note(self, start: Message, first: Message) -> None:
        whole = b"" if first.get("more_body") else first.get("body", b"")
        entry = self._entry(start["status"], whole)
        if entry is not None:
            await self._scope["state"]["audit"].note(entry)

    def _entry(self, status: int, body: bytes) -> Entry | None:
        """Return what is to be noted; None: nothing is, or it is already."""
        if not _is_noted(self._scope):
            return None
        match auditing.result_of(status):
            case Result.DONE if self._asked.noted is not None:
                return None
            case Result.DONE:
                return entry(self._scope, self._asked, status, rows=_count(body))
            case _ if self._gate.is_one_too_many(self._asked):
                return None
            case _:
                return entry(self._scope, self._asked, status, code=_code(body))


def of(request: Request) -> Asked:
    """Return what is known of a request so far."""
    asked = request.scope[ASKED]
    assert isinstance(asked, Asked)
    return asked


def promised(scope: Scope) -> int:
    """Return the status of the answer that a call gives when all goes well."""
    return getattr(scope.get("route"), "status_code", None) or int(HTTPStatus.OK)


def entry(
    scope: Scope,
    asked: Asked,
    status: int | None,
    *,
    code: str | None = None,
    rows: int | None = None,
) -> Entry:
    """Return the entry of a request; `status` None: it begins."""
    route = scope.get("route")
    path = getattr(route, "path", UNKNOWN_ROUTE)
    given: list[tuple[str, object]] = [*scope.get("path_params", {}).items()]
    query = scope["query_string"].decode(errors="replace")
    given += parse_qsl(query, keep_blank_values=True, max_num_fields=None)
    known = frozenset[str]()
    if isinstance(route, APIRoute):
        known = _names(route.path_format, route.endpoint)
    if path == UNKNOWN_ROUTE:
        given, known = [("path", scope["path"])], frozenset({"path"})
    given += asked.of_body.items()
    known |= asked.of_body.keys()
    units = [str(value) for name, value in given if name == "unit" and name in known]
    return asked.entry(
        path,
        auditing.parameters(given, known),
        auditing.plain(units[0]) if units else None,
        status,
        code=code,
        rows=rows,
    )


@functools.lru_cache(maxsize=512)
def _names(path: str, endpoint: Callable[..., object]) -> frozenset[str]:
    """Return the names of the parameters of a call."""
    dependant = get_dependant(path=path, call=endpoint)
    return frozenset(field.alias for field in get_flat_params(dependant))


def _is_noted(scope: Scope) -> bool:
    path = getattr(scope.get("route"), "path", None)
    return scope["path"].startswith(API) if path is None else path not in OPEN


def _count(body: bytes) -> int | None:
    """Return how many items an answer has; None: it is no list, or comes in parts."""
    try:
        return len(ANSWER.decode(body).items)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _code(body: bytes) -> str | None:
    try:
        return REFUSAL.decode(body).code
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
