"""Owns what every call gets: an authenticated scope and one transaction.

It is read-only, so that the whole answer comes from one snapshot, and it is of a login that sees
what is in scope and nothing else; unless the call changes something: then its facts are committed
together before the answer, on the platform's own login; or it asks what was known on an earlier
day: then all that it makes for that, on the same login, is rolled back. The connection goes back
before the answer is sent, so that a slow client holds none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import asyncpg
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

import app.auth
import db.keys
import db.scope
from app import state
from app.approval import APPROVED_BY_NONE, Rule
from app.auth import Holder
from app.errors import AS_KNOWN_ON, Forbidden, InvalidParameter, Unauthorized, Unavailable
from app.roles import Act
from app.state import State
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


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: what they may see, the transaction that answers, when, and under which label.

    `unverified` is what becomes of factors that nobody verified; `rule` which changes wait for a
    second person. `known_at`: what was known at that
    instant answers, see `app/known_tables.py`; None: what is known now.
    """

    connection: Connection
    scope: Scope
    now: datetime
    actor: str
    unverified: Unverified = Unverified.NOTE
    known_at: datetime | None = None
    rule: Rule = APPROVED_BY_NONE


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
    Act.APPROVE: "approve proposals",
    Act.AUDIT: "see the audit log",
    Act.ADMINISTER: "administer the platform",
}


async def authenticated(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> AsyncIterator[Caller]:
    held = state.of(request)
    async with _reading(held, credentials, read_only(held["views"])) as caller:
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
        yield await stack.enter_async_context(_reading(held, credentials, lent))


@asynccontextmanager
async def _reading(
    held: State,
    credentials: HTTPAuthorizationCredentials | None,
    lent: AbstractAsyncContextManager[Connection],
) -> AsyncIterator[Caller]:
    """Return who may read, with a transaction that shows what is in their scope."""
    now = held["clock"]()
    person = await _person(held, credentials, now)
    async with lent as connection:
        holder = person or await _key_holder(connection, credentials, now)
        _admit(holder, Act.READ)
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
        person = await _person(held, credentials, now)
        async with _lent(held["pool"]) as connection, connection.transaction():
            holder = person or await _key_holder(connection, credentials, now)
            _admit(holder, act)
            if holder.use_is_news(now):
                await _note_use(connection, holder, now)
            yield Caller(
                connection, holder.scope, now, holder.label, held["unverified"], rule=held["rule"]
            )

    return lent


def _admit(holder: Holder, act: Act) -> None:
    if act not in holder.acts:
        raise Forbidden(
            f"may_not_{act}",
            f"Who asks is here as {holder.role} and may not {MAY_NOT[act]}. An operator makes a "
            "key that may: `nenghao keys create --may-state`, or with another `--role`.",
        )


async def _note_use(connection: Connection, holder: Holder, now: datetime) -> None:
    """Note that a key is used, unless the database takes no writes: who looks may look."""
    assert holder.key_id is not None
    with suppress(asyncpg.ReadOnlySQLTransactionError):
        await db.keys.mark_used(connection, holder.key_id, now, within=app.auth.USE_NOTED_WITHIN)


async def _person(
    held: State, credentials: HTTPAuthorizationCredentials | None, now: datetime
) -> Holder | None:
    """Return who holds an access token; None: what was sent must be an API key.

    It is asked before a connection is lent: the provider may be slow.
    """
    if credentials is None:
        raise Unauthorized(
            "unauthenticated", "Send an API key: `Authorization: Bearer nh_…`. Operators make them."
        )
    tokens, text = held["tokens"], credentials.credentials
    if tokens is None or text.startswith(app.auth.PREFIX):
        return None
    return await tokens.fetch_holder(text, now)


async def _key_holder(
    connection: Connection, credentials: HTTPAuthorizationCredentials | None, now: datetime
) -> Holder:
    assert credentials is not None  # _person has refused
    return await app.auth.fetch_holder(connection, credentials.credentials, now)


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
KnowingCaller = Annotated[Caller, Depends(knowing, scope="function")]
StatingCaller = Annotated[Caller, Depends(changing(Act.STATE), scope="function")]
ApprovingCaller = Annotated[Caller, Depends(changing(Act.APPROVE), scope="function")]
