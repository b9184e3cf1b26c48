"""Owns doing what a call of the HTTP interface does, as an operator, in somebody's name."""

from __future__ import annotations

import getpass
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import typer

from app import session
from app.depends import Caller
from app.errors import ApiError
from app.resolve import Refusal
from db.pool import Pool

T = TypeVar("T")


def do(
    context: typer.Context,
    region: str,
    actor: str | None,
    deed: Callable[[Caller], Awaitable[T]],
) -> T:
    """Do something within a region in one transaction. Raises Refusal where the call would refuse.

    `actor` None: in the name of the login.
    """
    now, rule = datetime.now(UTC), session.addresses(context).rule
    who = (actor or getpass.getuser()).strip()

    async def work(pool: Pool) -> T:
        async with pool.acquire() as connection, connection.transaction():
            try:
                return await deed(Caller(connection, session.scope(region), now, who, rule=rule))
            except ApiError as error:
                raise Refusal(error.detail) from error

    return session.with_pool(context, work)
