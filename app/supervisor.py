"""Owns running programs as one group: each in its own process, started again when it dies.

None outlives us: each is on a leash (`app/leash.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import structlog

RESTART_FIRST_S = 0.5
RESTART_LONGEST_S = 15.0
HEALTHY_AFTER_S = 30.0
"""A program that ran this long is started again at once, not after a growing pause."""

STOP_WITHIN_S = 15.0

log = structlog.get_logger("supervisor")


@dataclass(frozen=True, slots=True)
class Program:
    """A `nenghao` command to keep running; `log_path` None: it writes where we write."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    log_path: Path | None = None


async def supervise(programs: Sequence[Program]) -> None:
    """Keep `programs` running until cancelled; then stop each one and wait for it."""
    async with asyncio.TaskGroup() as tasks:
        for program in programs:
            tasks.create_task(_keep_running(program))


async def _keep_running(program: Program) -> None:
    loop = asyncio.get_running_loop()
    pause_s = RESTART_FIRST_S
    while True:
        started_at = loop.time()
        code = await _run_once(program)
        if loop.time() - started_at > HEALTHY_AFTER_S:
            pause_s = RESTART_FIRST_S
        log.error("program_ended", program=program.name, exit_code=code, restart_in_s=pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, RESTART_LONGEST_S)


async def _run_once(program: Program) -> int:
    with contextlib.ExitStack() as stack:
        output: IO[bytes] | None = None
        if program.log_path is not None:
            output = stack.enter_context(program.log_path.open("ab"))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "app.leash",
            str(os.getpid()),
            *program.arguments,
            env=dict(program.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            return await process.wait()
        except asyncio.CancelledError:
            await asyncio.shield(_stop(process))
            raise


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
