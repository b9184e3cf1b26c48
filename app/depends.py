"""Owns what every call gets: an authenticated scope and one transaction.

It is read-only, so that the whole answer comes from one snapshot, and it is of a login that sees
what is in scope and nothing else; unless the call changes something: then its facts are committed
together before the answer, on the platform's own login; or it asks what was known on an earlier
day: then all that it makes for that, on the same login, is rolled back. The connection goes back
before the answer is sent, so that a slow client holds none. What was changed stands in the audit
log when it is committed, by the same transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from dataclasses import dataclass, field, replace
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
from app import audit_gate, downloads, roles, state
from app.approval import APPROVED_BY_NONE, Rule
from app.auditing import Asked
from app.auth import Holder
from app.errors import (
    AS_KNOWN_ON,
    Forbidden,
    NotNoted,
    Unauthorized,
    Unavailable,
    is_outage,
)
from app.lending import in_turn, lent, read_only, rolled_back
from app.remembered import NOTHING, Remembered
from app.roles import Act
from app.state import State
from db.pool import Connection, Pool
from db.scope import Scope
from energy.factors import Unverified

CHANGES_AT_ONCE = 4
"""Calls that change something at a time: half of the connections that can."""

SPARED = 2
"""Questions that files and backtests, which take long, leave room for."""

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

    `unverified` is what becomes of factors that nobody verified; `rule` which changes wait for a
    second person; `asked` what the audit log is to say. `known_at`: what was known at that instant
    answers, see `app/known_tables.py`; None: what is known now. `identity` tells them from all
    others; `remembered` spares them what the registry has answered before.
    """

    connection: Connection
    scope: Scope
    now: datetime
    actor: str
    unverified: Unverified = Unverified.NOTE
    known_at: datetime | None = None
    identity: str = ""
    rule: Rule = APPROVED_BY_NONE
    asked: Asked | None = None
    remembered: Remembered = NOTHING


@dataclass(frozen=True, slots=True)
class Shown:
    """What somebody shows to be let in, and where they are."""

    text: str
    address: str
    meet: Callable[[Holder], None] = field(compare=False)
    """Is told who they are, even when they may not come in: the audit log is to know."""

    @property
    def digest(self) -> bytes:
        return app.auth.digest(self.text)


def shown_by(request: Request, credentials: HTTPAuthorizationCredentials | None) -> Shown:
    """Return what is shown. Raises Unauthorized if it is nothing, TooMany at a locked door."""
    door = state.of(request)["door"]
    if credentials is None:
        door.look(address(request), b"")
        door.refuse(address(request))
        raise Unauthorized(
            "unauthenticated", "Send an API key: `Authorization: Bearer nh_…`. Operators make them."
        )
    shown = Shown(credentials.credentials, address(request), audit_gate.of(request).know)
    door.look(shown.address, shown.digest)
    return shown


def address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


MAY_NOT = {
    Act.READ: "see data",
    Act.STATE: "state facts",
    Act.ACKNOWLEDGE: "take care of alerts",
    Act.CONTEST: "contest alerts",
    Act.REGULATE: "write rules and silences",
    Act.APPROVE: "approve proposals",
    Act.AUDIT: "see the audit log",
    Act.ADMINISTER: "administer the platform",
}


async def authenticated(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> AsyncIterator[Caller]:
    held = state.of(request)
    shown = shown_by(request, credentials)
    async with (
        _turn(held, request, shown) as known,
        _reading(held, shown, read_only(held["views"]), known=known) as caller,
    ):
        yield caller


async def auditing(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> AsyncIterator[Caller]:
    """Lend a transaction that shows the audit log, to those who may see it."""
    held = state.of(request)
    lent = read_only(held["views"])
    shown = shown_by(request, credentials)
    async with _reading(held, shown, lent, Act.AUDIT, Act.ADMINISTER) as caller:
        await db.audit.open_to(caller.connection)
        yield caller


@asynccontextmanager
async def reading(held: State, shown: Shown) -> AsyncIterator[Caller]:
    """Return who may read, with a transaction of a login that only looks."""
    async with _reading(held, shown, read_only(held["views"])) as caller:
        yield caller


async def knowing(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> AsyncIterator[Caller]:
    """Lend a transaction that may make the known tables, if they are asked for; else as ever.

    They are made from the tables themselves, so on the platform's own login.
    """
    held = state.of(request)
    shown = shown_by(request, credentials)
    async with AsyncExitStack() as stack:
        lent_to = read_only(held["views"])
        known = await stack.enter_async_context(_turn(held, request, shown))
        if AS_KNOWN_ON in request.query_params:
            known = known or await _let_in(held, held["views"], shown, Act.READ)
            if held["earlier_days"].locked():
                detail = "Others are asking what was known on earlier days. Try again later."
                raise Unavailable("busy", detail)
            await stack.enter_async_context(held["earlier_days"])
            lent_to = rolled_back(held["pool"])
        yield await stack.enter_async_context(_reading(held, shown, lent_to, known=known))


@asynccontextmanager
async def _turn(held: State, request: Request, shown: Shown) -> AsyncIterator[Holder | None]:
    """Wait for a turn to read for a file, if one is asked for; who does is known before.

    The turn is over when the file is whole, its place when it was taken. A key that does not hold
    takes no turn from those whose key does.
    """
    if request.query_params.get("format", "json") == "json":
        yield None
        return
    holder = await _let_in(held, held["views"], shown, Act.READ)
    async with in_turn(held["files"], "Others are being given files."):
        downloads.give_place(request.scope, held["downloads"], holder.identity)
        yield holder


async def _let_in(held: State, pool: Pool, shown: Shown, *acts: Act) -> Holder:
    """Return who holds what is shown and may do one of `acts`, before they wait for a turn."""
    holder = await _holder(held, pool, shown)
    _admit(held, shown, holder, *acts)
    return holder


@asynccontextmanager
async def _reading(
    held: State,
    shown: Shown,
    lent_to: AbstractAsyncContextManager[Connection],
    *acts: Act,
    known: Holder | None = None,
) -> AsyncIterator[Caller]:
    """Return who may read, with a transaction that shows what is in their scope.

    With `acts`, only who may do one of them. Who is `known` was let in already.
    """
    now = held["clock"]()
    person = known or await _person(held, shown, now)
    async with lent_to as connection:
        holder = person or await _key_holder(held, connection, shown, now)
        if known is None:
            _admit(held, shown, holder, *(acts or (Act.READ,)))
        if holder.use_is_news(now):
            async with lent(held["pool"]) as own:
                await _note_use(own, holder, now)
        stamp = await db.scope.enter(connection, holder.scope)
        caller = _caller(held, connection, holder, now)
        yield replace(caller, remembered=Remembered(held["memory"], stamp))


def changing(act: Act) -> Callable[..., AsyncIterator[Caller]]:
    """Return what lends a transaction to a caller who may do `act`.

    It is committed before the answer. A key is looked at before it waits for its turn, and once
    more by the transaction: one that was revoked meanwhile changes nothing.
    """

    async def changed(
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> AsyncIterator[Caller]:
        held = state.of(request)
        shown = shown_by(request, credentials)
        holder = await _let_in(held, held["pool"], shown, act)
        async with (
            in_turn(held["changes"], "Others are changing data."),
            lent(held["pool"]) as connection,
            connection.transaction(),
        ):
            now = held["clock"]()
            if holder.key_id is not None:
                holder = await _key_holder(held, connection, shown, now)
            if holder.use_is_news(now):
                await _note_use(connection, holder, now)
            asked = audit_gate.of(request)
            yield replace(_caller(held, connection, holder, now), asked=asked)
            await _note_change(request, connection)

    return changed


def _caller(held: State, connection: Connection, holder: Holder, now: datetime) -> Caller:
    return Caller(
        connection,
        holder.scope,
        now,
        holder.label,
        held["unverified"],
        identity=holder.identity,
        rule=held["rule"],
    )


def _admit(held: State, shown: Shown, holder: Holder, *acts: Act) -> None:
    """Raise TooMany where the holder asks too often, Forbidden where they may do none of `acts`.

    What is said is of the first.
    """
    held["door"].admit(shown.digest, holder.identity)
    if not holder.acts & {*acts}:
        raise Forbidden(
            f"may_not_{acts[0]}",
            f"Who asks is here as {holder.role} and may not {MAY_NOT[acts[0]]}. An operator makes "
            f"a key that may: `nenghao keys create {roles.options(acts[0])}`.",
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
    status = asked.promised or audit_gate.promised(request.scope)
    entry = audit_gate.entry(request.scope, asked, status)
    try:
        await db.audit.note(connection, [entry])
    except asyncpg.PostgresError as error:
        if is_outage(error):
            raise
        log.error("not_noted", error=repr(error))
        raise NotNoted from error
    asked.noted = entry.status


async def _person(held: State, shown: Shown, now: datetime) -> Holder | None:
    """Return who holds an access token; None: what was sent must be an API key.

    It is asked before a connection is lent: the provider may be slow.
    """
    tokens = held["tokens"]
    if tokens is None or shown.text.startswith(app.auth.PREFIX):
        return None
    with _at_the_door(held, shown):
        holder = await tokens.fetch_holder(shown.text, now)
    shown.meet(holder)
    return holder


async def _key_holder(held: State, connection: Connection, shown: Shown, now: datetime) -> Holder:
    with _at_the_door(held, shown):
        return await app.auth.fetch_holder(connection, shown.text, now, shown.meet)


@contextmanager
def _at_the_door(held: State, shown: Shown) -> Iterator[None]:
    try:
        yield
    except Unauthorized:
        held["door"].refuse(shown.address, shown.digest)
        raise


async def fetch_holder(held: State, shown: Shown) -> Holder:
    """Return who holds what is shown, now. It takes no request of theirs."""
    return await _holder(held, held["watch"], shown)


async def _holder(held: State, pool: Pool, shown: Shown) -> Holder:
    now = held["clock"]()
    person = await _person(held, shown, now)
    if person is not None:
        return person
    async with lent(pool) as connection:
        return await _key_holder(held, connection, shown, now)


AuthenticatedCaller = Annotated[Caller, Depends(authenticated, scope="function")]
AuditingCaller = Annotated[Caller, Depends(auditing, scope="function")]
KnowingCaller = Annotated[Caller, Depends(knowing, scope="function")]
StatingCaller = Annotated[Caller, Depends(changing(Act.STATE), scope="function")]
AcknowledgingCaller = Annotated[Caller, Depends(changing(Act.ACKNOWLEDGE), scope="function")]
ContestingCaller = Annotated[Caller, Depends(changing(Act.CONTEST), scope="function")]
RegulatingCaller = Annotated[Caller, Depends(changing(Act.REGULATE), scope="function")]
ApprovingCaller = Annotated[Caller, Depends(changing(Act.APPROVE), scope="function")]
