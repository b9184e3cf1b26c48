"""Owns `nenghao quarantine`: what was rejected, as it came, and replaying it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import db.quarantine
from app import session
from app.resolve import Refusal
from db.pool import Pool
from db.quarantine import Choice, QuarantineEntry, QuarantineMessage
from ingest import payload, replay, writer
from ingest.payload import Reason
from ingest.replay import Replayed, Replayer

LISTED = 50
PAYLOAD_SHOWN_BYTES = 4_000

console = Console()
quarantine_app = typer.Typer(no_args_is_help=True, help="Messages that were rejected.")

UnitOption = Annotated[str | None, typer.Option(help="only of this unit (credit code)")]
ReasonOption = Annotated[Reason | None, typer.Option(help="only for this reason")]
IdArgument = Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="see `quarantine list`")]


@quarantine_app.command("list")
def list_command(
    context: typer.Context,
    unit: UnitOption = None,
    reason: ReasonOption = None,
    every: Annotated[bool, typer.Option("--all", help="also what was replayed")] = False,
    after: Annotated[int, typer.Option(min=0, help="begin behind this id")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = LISTED,
) -> None:
    """List rejections, the oldest first."""

    async def work(pool: Pool) -> list[QuarantineEntry]:
        async with pool.acquire() as connection:
            return await db.quarantine.list_entries(
                connection,
                after=after,
                unit=unit,
                reason=reason,
                is_open=None if every else True,
                limit=limit,
            )

    entries = session.with_pool(context, work)
    table = Table(session.key("id"), "received", session.key("topic"), "index",
                  session.key("meter"), session.key("reason"), "readings", "outcome")  # fmt: skip
    for each in entries:
        cells = (each.quarantine_id, each.received_at, each.topic, each.reading_index, each.meter,
                 each.reason, each.reading_count, each.outcome)  # fmt: skip
        table.add_row(*map(session.cell, cells))
    session.show(console, table)
    if len(entries) == limit:
        console.print(f"there may be more: --after {entries[-1].quarantine_id}")


@quarantine_app.command("show")
def show_command(context: typer.Context, quarantine_id: IdArgument) -> None:
    """Show one rejection and its message as it came."""

    async def work(pool: Pool) -> tuple[QuarantineEntry, QuarantineMessage] | None:
        async with pool.acquire() as connection:
            for entry in await db.quarantine.list_entries(
                connection, after=quarantine_id - 1, is_open=None, limit=1
            ):
                message = await db.quarantine.fetch_message(connection, entry.sha256)
                if message is not None and entry.quarantine_id == quarantine_id:
                    return entry, message
        return None

    found = session.with_pool(context, work)
    if found is None:
        raise Refusal(f"there is no rejection {quarantine_id}; see `nenghao quarantine list`")
    entry, message = found
    for name, value in (
        ("topic", message.topic),
        ("received", message.received_at.isoformat()),
        ("sha256", message.sha256.hex()),
        ("signature", message.signature),
        ("batch", entry.batch),
        ("index", entry.reading_index),
        ("meter", entry.meter),
        ("reason", f"{entry.reason}: {entry.detail}"),
        ("deliveries", entry.deliveries),
        ("outcome", entry.outcome),
    ):
        print(f"{name + ':':<12}{session.cell(value)}")
    shown = message.payload[:PAYLOAD_SHOWN_BYTES].decode("utf-8", "backslashreplace")
    print(f"{len(message.payload)} bytes:\n{payload.legible(shown)}")


@quarantine_app.command("replay")
def replay_command(
    context: typer.Context,
    ids: Annotated[list[int] | None, typer.Argument(help="see `quarantine list`")] = None,
    unit: UnitOption = None,
    reason: ReasonOption = None,
    every: Annotated[bool, typer.Option("--all", help="everything that is open")] = False,
    oldest_days: Annotated[
        int, typer.Option(min=1, envvar="NENGHAO_OLDEST_READING_DAYS", help="as collectors have it")
    ] = 400,
) -> None:
    """Deliver rejected messages again, after the registry was mended.

    Those whose number another batch has used (replayed) only by id or with --reason replayed.
    """
    if not (ids or unit or reason or every):
        raise Refusal("say what to replay: ids, --unit, --reason, or --all")

    async def work(pool: Pool) -> tuple[Sum, int]:
        choice = Choice(_now(), unit, reason, without=unasked(reason))
        named = await find_named(pool, ids or [])
        async with pool.acquire() as connection:
            total = len(named) or await db.quarantine.count_chosen(connection, choice)
            disputed = Choice(_now(), unit, Reason.REPLAYED)
            left_out = (
                0 if ids or reason else await db.quarantine.count_chosen(connection, disputed)
            )
        hashes = _each(named) if named else replay.list_chosen(pool, choice)
        holder = await writer.begin(pool, f"replay-{socket.gethostname()}", _now)
        replayer = Replayer(pool, holder, oldest=timedelta(days=oldest_days), clock=_now)
        done = Sum()
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("replaying", total=total)
            async for sha256 in hashes:
                done.add(await replayer.replay(sha256))
                progress.advance(task)
        return done, left_out

    done, left_out = session.with_pool(context, work)
    print(done)
    if left_out:
        print(
            f"{left_out} messages left out: another batch has used their boot and seq (replayed), "
            "so two gateways may share an identity. Look at them with `nenghao quarantine list "
            "--reason replayed`; name ids, or --reason replayed, to store them all the same"
        )


@dataclass(slots=True)
class Sum:
    """What became of all the messages, as a sentence; `gone`: what was no longer kept."""

    messages: int = 0
    gone: int = 0
    stored: int = 0
    duplicate: int = 0
    conflicting: int = 0
    rejected: int = 0
    closed: int = 0

    def add(self, replayed: Replayed | None) -> None:
        if replayed is None:
            self.gone += 1
            return
        self.messages += 1
        self.stored += replayed.stored
        self.duplicate += replayed.duplicate
        self.conflicting += replayed.conflicting
        self.rejected += replayed.rejected
        self.closed += replayed.closed

    def __str__(self) -> str:
        gone = f"; {self.gone} no longer kept (NENGHAO_QUARANTINE_DAYS)" if self.gone else ""
        return (
            f"{self.messages} messages replayed: {self.stored} readings stored, {self.duplicate} "
            f"duplicate, {self.conflicting} conflicting, {self.rejected} rejected again; "
            f"{self.closed} rejections closed{gone}"
        )


def _now() -> datetime:
    return datetime.now(UTC)


def unasked(reason: Reason | None) -> Reason | None:
    """Return of which messages none is replayed unasked: those of which the number is disputed."""
    return None if reason is Reason.REPLAYED else Reason.REPLAYED


async def find_named(pool: Pool, ids: Sequence[int]) -> list[bytes]:
    """Return the messages of the rejections that were named, each once."""
    async with pool.acquire() as connection:
        found = await db.quarantine.list_hashes(connection, ids)
    if unknown := [each for each in ids if each not in found]:
        raise Refusal(f"there is no rejection {', '.join(map(str, unknown))}")
    return list(dict.fromkeys(found[each] for each in ids))


async def _each(named: Sequence[bytes]) -> AsyncIterator[bytes]:
    for sha256 in named:
        yield sha256
