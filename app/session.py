"""Owns how a command of an administrator runs: a pool for its work, cells for its tables.

Nothing begins before the audit log says that it does, and its result is noted, too.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

import db.audit
import db.patience
import db.pool
from app import auditing
from app.auditing import Asked
from app.resolve import Addresses, Refusal
from db.audit import Entry, Result
from db.pool import Pool
from db.scope import Scope
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
    """Return what `work` does with a pool on the database of the settings.

    It stands in the audit log as refused where it raises Refusal or returns False.
    """
    url = addresses(context).service()
    begun = _begun(context)

    async def run() -> T:
        async with await db.pool.create_pool(url, timeout_s=statement_s) as pool:
            await _note(pool, begun)
            try:
                done = await work(pool)
            except BaseException as error:
                result = Result.REFUSED if isinstance(error, Refusal) else Result.FAILED
                await _note_end(pool, replace(begun, result=result, code=type(error).__name__))
                raise
            result = Result.REFUSED if done is False else Result.DONE
            await _note(pool, replace(begun, result=result))
            return done

    return asyncio.run(run())


def _begun(context: typer.Context) -> Entry:
    """Return the entry of a command that begins: the login that runs it, on which machine."""
    asked = Asked(secrets.token_hex(8), socket.gethostname(), auditing.COMMAND)
    asked.identity = f"login {_login()}"
    words = context.command_path.split()[1:]
    named = {name.rstrip("_"): value for name, value in context.params.items()}  # from_: --from
    given = [(name, value) for name, value in named.items() if value not in (None, False)]
    unit = named.get("unit")
    return asked.entry(
        " ".join(["nenghao", *words]),
        auditing.parameters(given, named.keys()),
        auditing.plain(unit) if isinstance(unit, str) else None,
        None,
    )


def _login() -> str:
    """Return whose process it is; the variables of the environment could say anything."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


async def _note(pool: Pool, entry: Entry) -> None:
    async with pool.acquire() as connection:
        await db.audit.note(connection, [entry])


async def _note_end(pool: Pool, entry: Entry) -> None:
    """Note that a command failed, unless that is because the database is away."""
    try:
        await _note(pool, entry)
    except Exception as error:
        if not db.patience.is_retryable(error):
            raise


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


def scope(region: str) -> Scope:
    """Return what lies within a region that was named. Raises Refusal if it is no code of one."""
    try:
        return Scope.of_region(region)
    except ValueError as error:
        raise Refusal(f"{region} is not a region code") from error
