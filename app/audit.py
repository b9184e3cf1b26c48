"""Owns `nenghao audit`: the audit log as a list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

import db.audit
from app import session
from app.resolve import Refusal
from db.audit import Noted, Result, Wanted
from db.pool import Pool
from energy.periods import LOCAL, Span

DAYS = ["%Y-%m-%d"]

console = Console()


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
