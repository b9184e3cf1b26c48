"""Owns running a program until it ends or is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress

import uvloop


def run(work: Coroutine[None, None, None]) -> None:
    """Run `work` until it ends; SIGINT and SIGTERM cancel it, and that is no error."""

    async def whole() -> None:
        task = asyncio.ensure_future(work)
        for stop in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(stop, task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    try:
        uvloop.run(whole())
    except BaseExceptionGroup as group:
        raise first_of(group) from group


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first thing that went wrong: it is what the user reads."""
    error = group.exceptions[0]
    return first_of(error) if isinstance(error, BaseExceptionGroup) else error
