"""Owns `nenghao proposals`: what waits for a second person, and the second person's word."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import db.proposals
from app import session
from app.approval import Standing, State
from app.resolve import Refusal
from db.pool import Pool
from db.proposals import ProposalRow

LISTED_MAX = 1_000
WOULD_WAIT = "propose this: it holds once another person approved it"

console = Console()
proposals_app = typer.Typer(no_args_is_help=True, help="Changes that wait for a second person.")

NumberArgument = Annotated[
    int, typer.Argument(min=1, max=2**63 - 1, help="see `nenghao proposals list`")
]
NameOption = Annotated[str, typer.Option("--as", help="who decides: not who proposed it")]


@proposals_app.command("list")
def list_command(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="also what was decided on")] = False,
) -> None:
    """List what waits for a second person, the newest first."""
    now = datetime.now(UTC)

    async def work(pool: Pool) -> list[ProposalRow]:
        async with pool.acquire() as connection:
            return await db.proposals.list_all(
                connection, limit=LISTED_MAX, open_at=None if everything else now
            )

    table = Table(session.key("id"), "state", "change", "name", "facts", "proposed", "by",
                  "reason", "expires", "decided by")  # fmt: skip
    for row in session.with_pool(context, work):
        state = state_of(row, now)
        cells = (row.proposal_id, state, f"{row.deed} of {row.kind}", row.name,
                 json.loads(row.effect)["facts"], row.proposed_at, row.proposer, row.reason,
                 row.expires_at, row.decider)  # fmt: skip
        table.add_row(*map(session.cell, cells))
    session.show(console, table)


@proposals_app.command("show")
def show_command(context: typer.Context, proposal_id: NumberArgument) -> None:
    """Show what a proposal changes: who approves, approves this and nothing else."""

    async def work(pool: Pool) -> ProposalRow | None:
        async with pool.acquire() as connection, connection.transaction():
            found = await db.proposals.fetch_locked(connection, proposal_id)
            return None if found is None else found[0]

    row = session.with_pool(context, work)
    if row is None:
        raise Refusal(f"there is no proposal {proposal_id}; see `nenghao proposals list`")
    console.print(
        f"{row.deed} of {row.kind}: {row.name}, sha256 {row.sha256.hex()}\n"
        f"by {row.proposer}: {row.reason} {row.evidence}",
        markup=False,
        soft_wrap=True,
    )
    effect = json.loads(row.effect)
    table = Table(session.key("fact"), "column", "before", "after")
    for each in effect["shown"]:
        for column, (before, after) in each["columns"].items():
            table.add_row(*map(session.cell, (each["subject"], column, before, after)))
    session.show(console, table)
    if (more := effect["facts"] - len(effect["shown"])) > 0:
        console.print(f"and {more} facts more")


@proposals_app.command("approve")
def approve_command(
    context: typer.Context,
    proposal_id: NumberArgument,
    decider: NameOption,
    reason: Annotated[str | None, typer.Option(help="for the ledger of changes")] = None,
) -> None:
    """Let a proposal hold. Its payload is checked anew, and nothing is written half."""
    _decide(context, proposal_id, State.APPROVED, decider, reason)


@proposals_app.command("reject")
def reject_command(
    context: typer.Context,
    proposal_id: NumberArgument,
    decider: NameOption,
    reason: Annotated[str, typer.Option(help="why, for the ledger of changes")],
) -> None:
    """Let a proposal never hold; who proposed it may take it back so, too."""
    _decide(context, proposal_id, State.REJECTED, decider, reason)


def _decide(
    context: typer.Context, proposal_id: int, to: State, decider: str, reason: str | None
) -> None:
    from app import proposing  # here: it needs every kind of file

    name, why = decider.strip(), (proposing.NO_REASON if reason is None else reason.strip())
    if not name or not why:
        raise Refusal("--as and --reason must say something")

    async def work(pool: Pool) -> ProposalRow:
        async with pool.acquire() as connection, connection.transaction():
            return await proposing.decide(connection, proposal_id, to, name, why, datetime.now(UTC))

    row = session.with_pool(context, work)
    console.print(f"{row.state}: {row.deed} of {row.kind} {row.name}", markup=False)


def state_of(row: ProposalRow, now: datetime) -> State:
    return Standing(row.proposer, State(row.state), row.expires_at).at(now)


def waiting(row: ProposalRow) -> str:
    """Return what whoever proposed something is told."""
    return (
        f"proposed as {row.proposal_id}, nothing holds yet: another person than {row.proposer} "
        f"approves it until {session.cell(row.expires_at)} with `nenghao proposals approve "
        f"{row.proposal_id} --as NAME`"
    )
