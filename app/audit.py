"""Owns `nenghao audit`: the audit log as a list, and the copy of it that another host keeps."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

import db.audit
from app import audit_copy, session
from app.resolve import Refusal
from db.audit import Noted, Result, Wanted
from db.pool import Pool
from energy.periods import LOCAL, Span

DAYS = ["%Y-%m-%d"]

POLL_S = 1.0
"""How often the copy looks for more."""

console = Console()
audit_app = typer.Typer(
    invoke_without_command=True, help="Who asked for what; a copy of that for another host."
)


@audit_app.callback()
def audit_command(
    context: typer.Context,
    since: Annotated[
        datetime | None, typer.Option(formats=DAYS, help="from this day on; yesterday")
    ] = None,
    until: Annotated[datetime | None, typer.Option(formats=DAYS, help="before this day")] = None,
    identity: Annotated[
        str | None, typer.Option(help="who: 'key 17', 'login root', 'gateway 91…/gw1', a subject")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="named by a parameter (credit code)")] = None,
    result: Annotated[Result | None, typer.Option(help="what became of it")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="entries at most")] = 100,
) -> None:
    """List who asked for what, newest first. Chained, see `nenghao verify`."""
    if context.invoked_subcommand is not None:
        return
    now = datetime.now(UTC)
    starts_at = now - timedelta(days=1) if since is None else since.replace(tzinfo=LOCAL)
    ends_at = now + timedelta(days=1) if until is None else until.replace(tzinfo=LOCAL)
    if ends_at <= starts_at:
        raise Refusal("--until must be after --since")
    wanted = Wanted(Span(starts_at, ends_at), identity, unit, result)

    async def work(pool: Pool) -> list[Noted]:
        async with pool.acquire() as connection:
            return await db.audit.list_all(connection, wanted, limit)

    table = Table(
        session.key("entry"), session.key("noted (UTC)"), "identity", "label", "role", "scope",
        "source", session.key("what"), "parameters", "result", "code", "rows", "request",
    )  # fmt: skip
    for each in session.with_pool(context, work):
        told = each.entry
        result_told = told.result if told.status is None else f"{told.result} {told.status}"
        row = (each.entry_id, f"{each.noted_at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}",
               told.identity, told.label, told.role, told.scope, told.source,
               f"{told.method} {told.route}", told.parameters, result_told, told.code,
               told.row_count, told.request_id)  # fmt: skip
        table.add_row(*(Text(session.cell(one)) for one in row))
    session.show(console, table)


@audit_app.command("follow")
def follow_command(
    context: typer.Context,
    into: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="append to this file, after its last line; or stdout"),
    ] = None,
    after: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="begin after this link (`number`)")
    ] = 0,
    once: Annotated[bool, typer.Option("--once", help="end when all is copied")] = False,
) -> None:
    """Copy the audit log as it grows: a line of JSON for each entry, chained, for another host."""
    file = None if into is None else audit_copy.CopyFile(into)

    async def work(pool: Pool) -> None:
        told = asyncio.Event()
        for stop in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(stop, told.set)
        head = await audit_copy.beginning(pool, after, None if file is None else file.head())
        async for lines in audit_copy.turns(pool, head):
            if lines:
                _put(file, lines)
            elif once:
                return
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(told.wait(), POLL_S)
            if told.is_set():
                return

    try:
        session.with_pool(context, work)
    finally:
        if file is not None:
            file.close()


def _put(file: audit_copy.CopyFile | None, lines: Sequence[str]) -> None:
    if file is not None:
        file.add(lines)
        return
    try:
        print(*lines, sep="\n", flush=True)
    except BrokenPipeError as error:
        raise Refusal("nobody reads the copy any more") from error


@audit_app.command("verify")
def verify_command(
    file: Annotated[Path, typer.Argument(help="a copy", exists=True, dir_okay=False)],
) -> None:
    """Prove a copy without the database: that no line of it was changed, taken out or put in.

    Its head, beside one that `nenghao verify heads` printed, says that nothing was cut off.
    """
    with file.open("rb") as lines:
        found = audit_copy.check(lines)
    if found.entries:
        console.print(
            f"links {found.first:,} to {found.head.number:,} follow from one another; head "
            f"{found.head.number} {found.head.digest.hex()}",
            soft_wrap=True,
            highlight=False,
        )
    if found.fault is not None or not found.entries:
        console.print(found.fault or "the copy is empty", markup=False, soft_wrap=True)
        raise typer.Exit(1)
