"""Owns the commands of administrators: import, API keys.

They get where the database and the broker are from the command line, which alone knows settings.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import db.keys
from app import proposals, roles, session
from app.approval import Deed
from app.imports.kinds import READINGS, Kind
from app.resolve import Refusal
from app.roles import Role
from db.pool import Pool

KEY_DAYS = 365

if TYPE_CHECKING:
    Imported: TypeAlias = Kind | Literal["readings"]
else:  # one enumeration, so that the help and a refusal name all there are
    Imported = StrEnum("Imported", {each.name: each for each in Kind} | {"READINGS": READINGS})

console = Console()
keys_app = typer.Typer(no_args_is_help=True, help="API keys.")


@dataclass(frozen=True, slots=True)
class Statement:
    """Who states what a file says, why, and what proves it beside the file."""

    actor: str | None
    reason: str | None
    evidence: str

    @property
    def name(self) -> str:
        return self.actor or getpass.getuser()


def import_command(
    context: typer.Context,
    kind: Annotated[Imported, typer.Argument(help="what the file holds")],
    file: Annotated[
        Path | None, typer.Argument(help="CSV or XLSX", exists=True, dir_okay=False)
    ] = None,
    columns: Annotated[
        bool, typer.Option("--columns", help="list the columns of such a file instead")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="write it; without: a dry run")] = False,
    actor: Annotated[str | None, typer.Option(help="who states this; the login's name")] = None,
    reason: Annotated[str | None, typer.Option(help="why, for the ledger of changes")] = None,
    evidence: Annotated[
        str, typer.Option(help="what proves it, beside the file: a document number")
    ] = "",
    offset: Annotated[
        str, typer.Option(help="of readings: of times that have none themselves, such as +08:00")
    ] = "",
    oldest_days: Annotated[
        int,
        typer.Option(
            min=1, max=36_500, envvar="NENGHAO_OLDEST_READING_DAYS", help="of readings: how old"
        ),
    ] = 400,
) -> None:
    """Load a file: facts of the registry, all or none of them, or readings, each for itself.

    A dry run shows what would become of it.
    """
    if columns:
        _list_columns(kind)
        return
    if file is None:
        raise Refusal(f"give a FILE; its columns: `nenghao import {kind} --columns`")
    statement = Statement(actor, reason, evidence)
    if kind == READINGS:
        is_well = _import_readings(context, file, statement, offset, oldest_days, apply=apply)
    elif offset:
        raise Refusal("--offset is for readings")
    else:
        is_well = _import_facts(context, Kind(kind), file, statement, apply=apply)
    if not is_well:
        raise typer.Exit(1)


def _list_columns(kind: Imported) -> None:
    from app import import_report

    session.show(console, import_report.columns(kind))
    console.print(import_report.columns_end(kind), soft_wrap=True, markup=False)


def _import_readings(
    context: typer.Context,
    file: Path,
    statement: Statement,
    offset: str,
    oldest_days: int,
    *,
    apply: bool,
) -> bool:
    """Return whether every row was taken."""
    from app import import_report, importing, readings_import, tables  # here: they take a while
    from app.imports import readings

    if offset and not readings.OFFSET.fullmatch(offset):
        raise Refusal(f"--offset: {offset} is none; write +08:00")
    terms = readings_import.Terms(offset, timedelta(oldest_days), lambda: datetime.now(UTC))

    async def work(pool: Pool) -> readings_import.Outcome:
        columns = {"required": readings.REQUIRED, "optional": readings.OPTIONAL}
        with tables.streamed(file, **columns) as stream, _shown(file.name) as show:
            if not apply:
                return await readings_import.rehearse(pool, stream, file.name, terms, show)
            author = importing.author_of(
                statement.name, statement.reason, file.name, stream.sha256, statement.evidence
            )
            return await readings_import.store(pool, stream, file.name, terms, author, show)

    done = session.with_pool(context, work)
    for line in (*done.listed, done.summary()):
        import_report.say(console, line)
    if not apply:
        is_news = done.tally.received > done.tally.duplicate
        _say_that_nothing_is_written(is_news, asks=False)
    return not done.tally.rejected


@contextmanager
def _shown(name: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar; lend what moves it."""
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task(name, total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


def _import_facts(
    context: typer.Context, kind: Kind, file: Path, statement: Statement, *, apply: bool
) -> bool:
    """Return whether all rows can be taken."""
    from app import drafts, import_report, importing, proposing, tables  # here: all kinds of file

    rule = session.addresses(context).rule

    async def work(pool: Pool) -> bool:
        content = tables.load(file)
        async with pool.acquire() as connection, connection.transaction():
            with _shown(file.name) as show:
                plan = await importing.plan_of(connection, kind, file.name, content, show)
            import_report.render(plan, console)
            if plan.problems:
                return False
            asks = rule.asks(Deed.IMPORT, kind)
            if not plan.facts or not apply:
                _say_that_nothing_is_written(bool(plan.facts), asks)
                return True
            author = importing.author(
                statement.name, statement.reason, file.name, content, statement.evidence
            )
            now = datetime.now(UTC)
            if asks:
                wanted = drafts.Submission(Deed.IMPORT, kind, file.name, content, author)
                drafted = drafts.of_plan(connection, plan)
                row = await proposing.propose(connection, rule, wanted, drafted, now)
                console.print(proposals.waiting(row), markup=False, soft_wrap=True)
            else:
                await importing.apply(connection, plan, author, now)
                console.print("imported")
            return True

    return session.with_pool(context, work)


def _say_that_nothing_is_written(is_news: bool, asks: bool) -> None:
    if not is_news:
        console.print("all of it holds already: there is nothing to write")
        return
    outcome = proposals.WOULD_WAIT if asks else "write this"
    console.print(f"a dry run: add --apply to {outcome}", soft_wrap=True)


@keys_app.command("create")
def keys_create(
    context: typer.Context,
    label: Annotated[str, typer.Option(help="whose key it is")],
    region: Annotated[str, typer.Option(help="GB/T 2260 code: all within may be seen")],
    unit: Annotated[str | None, typer.Option(help="only this unit (credit code)")] = None,
    days: Annotated[
        int, typer.Option(min=1, max=36_500, help="expires after so many days")
    ] = KEY_DAYS,
    role: Annotated[
        Role | None, typer.Option(help="what its holder is; that of the region or unit")
    ] = None,
    may_state: Annotated[
        bool, typer.Option("--may-state", help="may do all its role may, not only look")
    ] = False,
) -> None:
    """Make an API key; it is shown this once."""
    from app import auth  # here: it needs the web framework

    expires_at = datetime.now(UTC) + timedelta(days=days)

    async def work(pool: Pool) -> str:
        async with pool.acquire() as connection, connection.transaction():
            return await auth.create_key(
                connection,
                label=label,
                region=region,
                unit=unit,
                expires_at=expires_at,
                role=role,
                may_state=may_state,
            )

    print(session.with_pool(context, work))


@keys_app.command("list")
def keys_list(context: typer.Context) -> None:
    """List the keys, never what they are."""

    async def work(pool: Pool) -> Table:
        table = Table(
            session.key("id"), "label", "role", session.key("region"), session.unit_column(),
            "created", "expires", "revoked", "used", "may",
        )  # fmt: skip
        async with pool.acquire() as connection:
            for key in await db.keys.list_keys(connection):
                may = roles.acts(Role(key.role), may_state=key.may_state)
                row = (key.key_id, key.label, key.role, key.region, key.unit, key.created_at,
                       key.expires_at, key.revoked_at, key.last_used_at,
                       ", ".join(sorted(may)))  # fmt: skip
                table.add_row(*map(session.cell, row))
        return table

    session.show(console, session.with_pool(context, work))


@keys_app.command("revoke")
def keys_revoke(
    context: typer.Context,
    key_id: Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="see `nenghao keys list`")],
) -> None:
    """Make a key useless from now on."""

    async def work(pool: Pool) -> bool:
        async with pool.acquire() as connection:
            return await db.keys.revoke(connection, key_id)

    if not session.with_pool(context, work):
        raise Refusal(f"there is no key {key_id}; see `nenghao keys list`")
