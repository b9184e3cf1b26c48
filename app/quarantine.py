"""Owns `nenghao quarantine`: what was rejected, as it came, and replaying it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

import db.quarantine
from app import session
from app.resolve import Refusal
from db.pool import Pool
from db.quarantine import QuarantineEntry, QuarantineMessage
from ingest import payload, writer
from ingest.payload import Reason
from ingest.replay import Replayed, Replayer

LISTED = 50
REPLAYED_MAX = 10_000
"""Rejections looked at in one replay; what is left is said."""

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

    async def work(pool: Pool) -> tuple[QuarantineMessage | None, list[QuarantineEntry]]:
        async with pool.acquire() as connection:
            message = await db.quarantine.fetch_message(connection, quarantine_id)
            before = quarantine_id - 1
            entries = await db.quarantine.list_entries(
                connection, after=before, is_open=None, limit=1
            )
            return message, entries

    message, entries = session.with_pool(context, work)
    if message is None:
        raise Refusal(f"there is no rejection {quarantine_id}; see `nenghao quarantine list`")
    (entry,) = entries
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
    oldest_days: Annotated[int, typer.Option(min=1, help="as NENGHAO_OLDEST_READING_DAYS")] = 400,
) -> None:
    """Deliver rejected messages again, after the registry was mended.

    Those whose number another batch has used (replayed) only by id or with --reason replayed.
    """
    if not (ids or unit or reason or every):
        raise Refusal("say what to replay: ids, --unit, --reason, or --all")

    async def work(pool: Pool) -> tuple[list[Replayed], int]:
        holder = await writer.begin(pool, f"replay-{socket.gethostname()}", _now)
        replayer = Replayer(pool, holder, oldest=timedelta(days=oldest_days), clock=_now)
        left_out = 0 if ids or reason else await _count_disputed(pool, unit)
        messages = await list_messages(pool, ids or [], unit, reason)
        done = [
            await replayer.replay(message)
            for message in track(messages, "replaying", console=console, transient=True)
        ]
        return done, left_out

    done, left_out = session.with_pool(context, work)
    print(_told(done))
    if left_out:
        print(
            f"{left_out} messages left out: another batch has used their boot and seq (replayed), "
            "so two gateways may share an identity. Look at them with `nenghao quarantine list "
            "--reason replayed`; name ids, or --reason replayed, to store them all the same"
        )


def _now() -> datetime:
    return datetime.now(UTC)


def _told(done: Sequence[Replayed]) -> str:
    """Return the sentence on what became of the messages."""
    stored, duplicate = sum(each.stored for each in done), sum(each.duplicate for each in done)
    conflicting = sum(each.conflicting for each in done)
    rejected, closed = sum(each.rejected for each in done), sum(each.closed for each in done)
    return (
        f"{len(done)} messages replayed: {stored} readings stored, {duplicate} duplicate, "
        f"{conflicting} conflicting, {rejected} rejected again; {closed} rejections closed"
    )


async def _count_disputed(pool: Pool, unit: str | None) -> int:
    """Return how many messages wait whose number another batch has used."""
    async with pool.acquire() as connection:
        entries = await db.quarantine.list_entries(
            connection, unit=unit, reason=Reason.REPLAYED, limit=REPLAYED_MAX
        )
    return len({entry.sha256 for entry in entries})


async def list_messages(
    pool: Pool, ids: list[int], unit: str | None, reason: Reason | None
) -> list[QuarantineMessage]:
    """Return the messages to replay, each once, the oldest first.

    Those of which the number is disputed are left out unless `ids` or the reason name them.
    """
    without = None if reason is Reason.REPLAYED else Reason.REPLAYED
    async with pool.acquire() as connection:
        if not ids:
            entries = await db.quarantine.list_entries(
                connection, unit=unit, reason=reason, without=without, limit=REPLAYED_MAX
            )
            ids = [entry.quarantine_id for entry in entries]
        found: dict[bytes, QuarantineMessage] = {}
        for quarantine_id in ids:
            message = await db.quarantine.fetch_message(connection, quarantine_id)
            if message is None:
                raise Refusal(f"there is no rejection {quarantine_id}")
            found.setdefault(message.sha256, message)
        return list(found.values())
