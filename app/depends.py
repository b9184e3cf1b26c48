"""Owns what every call gets: an authenticated scope and one transaction.

It is read-only, so that the whole answer comes from one snapshot, and it is of a login that sees
what is in scope and nothing else; unless the call changes something: then its facts are committed
together before the answer, on the platform's own login; or it asks what was known on an earlier
day: then all that it makes for that, on the same login, is rolled back. The connection goes back
before the answer is sent, so that a slow client holds none. What was changed stands in the audit
log when it is committed, by the same transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import asyncpg
import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

import app.auth
import db.audit
import db.keys
import db.scope
from app import audit_gate, state
from app.auth import Holder
from app.errors import (
    AS_KNOWN_ON,
    Forbidden,
    InvalidParameter,
    NotNoted,
    Unauthorized,
    Unavailable,
    is_outage,
)
from app.roles import Act
from db.pool import Connection, Pool
from db.scope import Scope
from energy.factors import Unverified

CONNECTION_WITHIN_S = 5
"""How long a request waits for a connection before it is told that the platform is busy."""

EARLIER_DAYS_AT_ONCE = 2
"""Calls as known on an earlier day at a time: each may hold its connection for many seconds."""

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="api_key",
    bearerFormat="nh_…",
    description="An API key, made with `nenghao keys create`, or an access token of the OpenID "
    "provider that the operator trusts. It sees one region or one unit.",
)


log = structlog.get_logger("serve")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: what they may see, the transaction that answers, when, and under which label.

    `unverified` is what becomes of factors that nobody verified. `known_at`: what was known at that
    instant answers, see `app/known_tables.py`; None: what is known now.
    """

    connection: Connection
    scope: Scope
    now: datetime
    actor: str
    unverified: Unverified = Unverified.NOTE
    known_at: datetime | None = None


def plain_query(request: Request) -> None:
    """Refuse what would otherwise be ignored or upset the database: repeats and NUL characters."""
    seen: set[str] = set()
    for name, value in request.query_params.multi_items():
        if name in seen:
            raise InvalidParameter(name, "is given twice", code="repeated_parameter")
        if "\0" in name or "\0" in value:
            raise InvalidParameter(name.replace("\0", ""), "has a NUL character in it")
        seen.add(name)
    if "\0" in request.url.path or "%00" in request.url.path:
        raise InvalidParameter("path", "has a NUL character in it")


MAY_NOT = {
    Act.READ: "see data",
    Act.STATE: "state facts",
    Act.ACKNOWLEDGE: "acknowledge alerts",
    Act.AUDIT: "see the audit log",
    Act.ADMINISTER: "administer the platform",
}


async def authenticated(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> AsyncIterator[Caller]:
    lent = read_only(state.of(request)["views"])
    async with _reading(request, credentials, lent) as caller:
        yield caller


async def auditing(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> AsyncIterator[Caller]:
    """Lend a transaction that shows the audit log, to those who may see it."""
    lent = read_only(state.of(request)["views"])
    async with _reading(request, credentials, lent, Act.AUDIT, Act.ADMINISTER) as caller:
        await db.audit.open_to(caller.connection)
        yield caller


async def knowing(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> AsyncIterator[Caller]:
    """Lend a transaction that may make the known tables, if they are asked for; else as ever.

    They are made from the tables themselves, so on the platform's own login.
    """
    held = state.of(request)
    async with AsyncExitStack() as stack:
        lent = read_only(held["views"])
        if AS_KNOWN_ON in request.query_params:
            if held["earlier_days"].locked():
                detail = "Others are asking what was known on earlier days. Try again later."
                raise Unavailable("busy", detail)
            await stack.enter_async_context(held["earlier_days"])
            lent = rolled_back(held["pool"])
        yield await stack.enter_async_context(_reading(request, credentials, lent))


@asynccontextmanager
async def _reading(
    request: Request,
    credentials: HTTPAuthorizationCredentials | None,
    lent: AbstractAsyncContextManager[Connection],
    *acts: Act,
) -> AsyncIterator[Caller]:
    """Return who may read, with a transaction that shows what is in their scope.

    With `acts`, only who may do one of them.
    """
    held = state.of(request)
    now = held["clock"]()
    person = await _person(request, credentials, now)
    async with lent as connection:
        holder = person or await _key_holder(request, connection, credentials, now)
        _admit(holder, *(acts or (Act.READ,)))
        if holder.use_is_news(now):
            async with _lent(held["pool"]) as own:
                await _note_use(own, holder, now)
        await db.scope.enter(connection, holder.scope)
        yield Caller(connection, holder.scope, now, holder.label, held["unverified"])


def changing(act: Act) -> Callable[..., AsyncIterator[Caller]]:
    """Return what lends a transaction to a caller who may do `act`.

    It is committed before the answer.
    """

    async def lent(
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> AsyncIterator[Caller]:
        held = state.of(request)
        now = held["clock"]()
        person = await _person(request, credentials, now)
        async with _lent(held["pool"]) as connection, connection.transaction():
            holder = person or await _key_holder(request, connection, credentials, now)
            _admit(holder, act)
            if holder.use_is_news(now):
                await _note_use(connection, holder, now)
            yield Caller(connection, holder.scope, now, holder.label, held["unverified"])
            await _note_change(request, connection)

    return lent


def _admit(holder: Holder, *acts: Act) -> None:
    """Raise Forbidden unless the holder may do one of `acts`; what is said is of the first."""
    if not holder.acts & {*acts}:
        raise Forbidden(
            f"may_not_{acts[0]}",
            f"Who asks is here as {holder.role} and may not {MAY_NOT[acts[0]]}. An operator makes "
            "a key that may: `nenghao keys create --may-state`, or with another `--role`.",
        )


async def _note_use(connection: Connection, holder: Holder, now: datetime) -> None:
    """Note that a key is used, unless the database takes no writes: who looks may look."""
    assert holder.key_id is not None
    with suppress(asyncpg.ReadOnlySQLTransactionError):
        await db.keys.mark_used(connection, holder.key_id, now, within=app.auth.USE_NOTED_WITHIN)


async def _note_change(request: Request, connection: Connection) -> None:
    """Note what was changed by the transaction that changes it: neither stands without the other.

    Raises NotNoted, so that the change is undone.
    """
    asked = audit_gate.of(request)
    entry = audit_gate.entry(request.scope, asked, audit_gate.promised(request.scope))
    try:
        await db.audit.note(connection, [entry])
    except asyncpg.PostgresError as error:
        if is_outage(error):
            raise
        log.error("not_noted", error=repr(error))
        raise NotNoted from error
    asked.noted = entry.status


async def _person(
    request: Request, credentials: HTTPAuthorizationCredentials | None, now: datetime
) -> Holder | None:
    """Return who holds an access token; None: what was sent must be an API key.

    It is asked before a connection is lent: the provider may be slow.
    """
    if credentials is None:
        raise Unauthorized(
            "unauthenticated", "Send an API key: `Authorization: Bearer nh_…`. Operators make them."
        )
    tokens, text = state.of(request)["tokens"], credentials.credentials
    if tokens is None or text.startswith(app.auth.PREFIX):
        return None
    holder = await tokens.fetch_holder(text, now)
    audit_gate.of(request).know(holder)
    return holder


async def _key_holder(
    request: Request,
    connection: Connection,
    credentials: HTTPAuthorizationCredentials | None,
    now: datetime,
) -> Holder:
    assert credentials is not None  # _person has refused
    meet = audit_gate.of(request).know
    return await app.auth.fetch_holder(connection, credentials.credentials, now, meet)


@asynccontextmanager
async def read_only(pool: Pool) -> AsyncIterator[Connection]:
    """Lend a connection inside a read-only transaction with one snapshot."""
    async with (
        _lent(pool) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield connection


@asynccontextmanager
async def rolled_back(pool: Pool) -> AsyncIterator[Connection]:
    """Lend a connection inside a transaction with one snapshot, of which nothing stays."""
    async with _lent(pool) as connection:
        transaction = connection.transaction(isolation="repeatable_read")
        await transaction.start()
        try:
            yield connection
        finally:
            await transaction.rollback()


@asynccontextmanager
async def _lent(pool: Pool) -> AsyncIterator[Connection]:
    try:
        connection = await pool.acquire(timeout=CONNECTION_WITHIN_S)
    except TimeoutError as error:
        raise Unavailable("busy", "All connections are in use. Try again later.") from error
    try:
        yield connection
    finally:
        await pool.release(connection)


AuthenticatedCaller = Annotated[Caller, Depends(authenticated, scope="function")]
AuditingCaller = Annotated[Caller, Depends(auditing, scope="function")]
KnowingCaller = Annotated[Caller, Depends(knowing, scope="function")]
StatingCaller = Annotated[Caller, Depends(changing(Act.STATE), scope="function")]
