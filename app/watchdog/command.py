"""Owns `nenghao watchdog`: from another machine, whether each part of the platform lives."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from app import logs, session
from app.resolve import Refusal
from app.watchdog.watch import Watch, plain

if TYPE_CHECKING:
    from app.watchdog.probes import Ways
    from app.watchdog.rounds import Round
    from app.watchdog.telling import Routes

SET_BY = {
    "broker": "NENGHAO_MQTT_URL",
    "mail": "NENGHAO_SMTP_URL",
    "web": "NENGHAO_WATCHDOG_WEB_URL",
}
"""What each part is watched by that need not be watched."""

console = Console()


def watchdog_command(
    context: typer.Context,
    state: Annotated[
        Path | None, typer.Option(help="file that remembers what was told; watchdog.json there")
    ] = None,
    daily: Annotated[
        bool, typer.Option("--daily", help="a letter each day: that none comes is the alarm")
    ] = False,
    every_s: Annotated[
        float | None, typer.Option(min=5, max=100, help="go around for ever, so often [s]")
    ] = None,
) -> None:
    """Look at each part once, and tell who died or came back; 0 all live, 1 dead, 2 not told."""
    logs.configure()
    addresses = session.addresses(context)
    watch = addresses.watch
    if not watch.has_route:
        raise Refusal(
            "the watchdog could tell nobody: set NENGHAO_WATCHDOG_WEBHOOK_URL, or "
            "NENGHAO_WATCHDOG_SMTP_URL and NENGHAO_WATCHDOG_MAIL_TO; neither may be a way that the "
            "platform itself needs"
        )
    from app.watchdog import rounds  # a collector that starts need not load a web client
    from app.watchdog.probes import Ways

    ways = Ways(
        database=addresses.unasked(),
        broker=addresses.unasked_broker(),
        mail=plain(watch.platform_mail),
        web=watch.web,
    )
    routes = _routes(watch)
    file = state or addresses.state_dir / "watchdog.json"

    async def go() -> Round:
        while True:
            done = await rounds.once(ways, routes, file, datetime.now(UTC), daily=daily)
            if every_s is None:
                return done
            await asyncio.sleep(every_s)

    done = asyncio.run(go())
    console.print(_table(done, ways))
    if done.code:
        raise typer.Exit(int(done.code))


def _routes(watch: Watch) -> Routes:
    from alerts.webhook_messages import Channel, Webhook
    from app.watchdog.telling import Routes

    url = plain(watch.webhook)
    hook = url and Webhook("watchdog", Channel(watch.channel), url, plain(watch.secret) or "")
    return Routes(
        mail_url=plain(watch.mail_url),
        mail_from=watch.mail_from,
        recipients=watch.recipients,
        webhook=hook or None,
        place=watch.place,
    )


def _table(done: Round, ways: Ways) -> Table:
    table = Table("part", "state")
    for each in done.looks:
        table.add_row(each.part, "live" if each.trouble is None else each.trouble)
    for part, variable in SET_BY.items():
        if getattr(ways, part) is None:
            table.add_row(part, f"not watched: {variable} is not set")
    return table
