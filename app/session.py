"""Owns how a command of an administrator runs: a pool for its work, cells for its tables."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

import db.pool
from app.resolve import Addresses
from db.pool import Pool
from energy import codes

STATEMENT_S = 300
"""An import of a whole province is one long transaction."""

WORD_WIDTH_MAX = 20
"""A longer word, an address, is broken where it is no key."""

BORDER = 3
"""Of a column of a table: a line and a blank on each side."""

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
    url = addresses(context).service()

    async def run() -> T:
        async with await db.pool.create_pool(url, timeout_s=statement_s) as pool:
            return await work(pool)

    return asyncio.run(run())


def unit_column() -> Column:
    return Column("unit", no_wrap=True, min_width=codes.CREDIT_CODE_LENGTH)


def key(header: str) -> Column:
    """Return a column of what somebody would copy: it is never broken or cut."""
    return Column(header, no_wrap=True)


def show(console: Console, table: Table) -> None:
    """Print a table of texts; row by row, a line for each cell, where it is wider than the console.

    It is at least as wide as its keys and the longest words of the rest.
    """
    for column in table.columns:
        texts = [str(column.header), *map(str, column.cells)]
        if column.no_wrap:
            column.min_width = max(map(cell_len, texts))
        else:
            words = [cell_len(word) for text in texts for word in text.split()]
            column.min_width, column.overflow = min(max(words), WORD_WIDTH_MAX), "fold"
    if sum((column.min_width or 0) + BORDER for column in table.columns) < console.width:
        console.print(table)
        return
    headers = [str(column.header) for column in table.columns]
    widest = max(map(cell_len, headers))
    for cells in zip(*(column.cells for column in table.columns), strict=True):
        for header, text in zip(headers, cells, strict=True):
            if text:
                console.print(Text(f"{header:<{widest}}  {text}"), soft_wrap=True)
        console.print()


def cell(value: object) -> str:
    """Return a cell of a list: instants to the minute, in UTC; nothing for None."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%MZ}"
    return "" if value is None else str(value)
