"""Owns `nenghao withdraw`: taking back what was stated, with reason and evidence; dry run first."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from app import proposals, session
from app.approval import Deed
from app.imports.kinds import Kind
from app.resolve import Refusal
from db.changes import Author
from db.pool import Pool

if TYPE_CHECKING:
    from app.withdrawing import Standing

console = Console()


def withdraw_command(
    context: typer.Context,
    kind: Annotated[Kind, typer.Argument(help="what was stated, as in `nenghao import`")],
    key: Annotated[str, typer.Argument(help="of the fact, its columns joined by /")],
    reason: Annotated[str, typer.Option(help="why")],
    evidence: Annotated[str, typer.Option(help="what proves it: a document number, a file")] = "",
    actor: Annotated[str | None, typer.Option(help="who states this; the login's name")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="write it; without: a dry run")] = False,
) -> None:
    """Let a fact hold no longer. What was stated stays in the ledger; what follows is recomputed.

    The key is that of the ledger, as in 91…/E01/2026-06-01T09:00:00+08:00 of an epoch.
    """
    if not reason.strip():
        raise Refusal("--reason is empty: say why")
    author = Author(actor or getpass.getuser(), reason.strip(), evidence.strip())

    from app import drafts, proposing, withdrawing  # here: it needs every kind of file

    rule = session.addresses(context).rule

    async def work(pool: Pool) -> tuple[withdrawing.Standing, str]:
        now = datetime.now(UTC)
        async with pool.acquire() as connection, connection.transaction():
            standing = await withdrawing.find(connection, kind, key)
            asks = rule.asks(Deed.WITHDRAWAL, kind)
            if not apply:
                outcome = proposals.WOULD_WAIT if asks else "withdraw this"
                return standing, f"a dry run: add --apply to {outcome}"
            if asks:
                wanted = drafts.Submission(Deed.WITHDRAWAL, kind, key, key.encode(), author)
                drafted = drafts.of_standing(connection, standing)
                row = await proposing.propose(connection, rule, wanted, drafted, now)
                return standing, proposals.waiting(row)
            await withdrawing.withdraw(connection, standing, author, now)
            return standing, "withdrawn"

    standing, outcome = session.with_pool(context, work)
    _show(standing)
    console.print(outcome, markup=False, soft_wrap=True)


def _show(standing: Standing) -> None:
    from app import withdrawing  # here: as above

    console.print(
        f"{standing.kind} {withdrawing.pasted(standing.fact.subject)}", markup=False, soft_wrap=True
    )
    table = Table("column", "holds")
    for column, told in (standing.fact.content or {}).items():
        table.add_row(column, session.cell(told))
    console.print(table)
    for change in standing.history:
        console.print(
            f"stated {session.cell(change.changed_at)} by {change.author.actor or 'nobody'}"
            f"{_approved(change.author)}: {change.author.reason} {change.author.evidence}",
            markup=False,
        )


def _approved(author: Author) -> str:
    """Return who approved, as it is told after the actor; nothing where nobody had to."""
    if author.approver is None:
        return ""
    return f", approved by {author.approver or 'nobody'}"
