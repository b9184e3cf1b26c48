"""Owns how a command of an administrator runs: a pool for its work, cells for its tables."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import typer
from rich.table import Column

import db.pool
from app.resolve import Addresses
from db.pool import Pool
from energy import codes

STATEMENT_S = 300
"""An import of a whole province is one long transaction."""

T = TypeVar("T")


def addresses(context: typer.Context) -> Addresses:
    found = context.obj
    assert isinstance(found, Addresses)
    return found


def with_pool(
    context: typer.Context,
    work: Callable[[Pool], Awaitable[T]],
    *,
    statement_s: float = STATEMENT_S,
) -> T:
    """Return what `work` does with a pool on the database of the settings."""
    url = addresses(context).database()

    async def run() -> T:
        async with await db.pool.create_pool(url, timeout_s=statement_s) as pool:
            return await work(pool)

    return asyncio.run(run())


def unit_column() -> Column:
    return Column("unit", no_wrap=True, min_width=codes.CREDIT_CODE_LENGTH)


def cell(value: object) -> str:
    """Return a cell of a list: instants to the minute, in UTC; nothing for None."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%MZ}"
    return "" if value is None else str(value)
