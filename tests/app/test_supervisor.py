"""A program that dies is started again; a group that is cancelled leaves no process behind."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app import supervisor
from app.supervisor import Program
from tests.app.test_watchdog import DEAD_DATABASE, NOWHERE

GROUP_OF_ONE = """
import os, pathlib, sys
from app import running, supervisor
words = ["watchdog", "--every-s", "60"]
log = pathlib.Path(sys.argv[1])
running.run(supervisor.supervise([supervisor.Program("w", words, dict(os.environ), log)]))
"""


async def test_a_program_that_ends_is_started_again(tmp_path: Path) -> None:
    log = tmp_path / "settings.log"
    group = asyncio.create_task(
        supervisor.supervise([Program("settings", ["settings"], dict(os.environ), log)])
    )
    async with asyncio.timeout(60):
        while not log.exists() or log.read_text(encoding="utf-8").count("variable") < 2:
            await asyncio.sleep(0.1)
    group.cancel()
    with pytest.raises(asyncio.CancelledError):
        await group


def test_no_program_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    """Orphans kept the port from the next `nenghao all`, and worked beside its programs."""
    log = tmp_path / "watchdog.log"
    settings = {
        "NENGHAO_DATABASE_URL": DEAD_DATABASE,
        "NENGHAO_STATE_DIR": str(tmp_path),
        "NENGHAO_WATCHDOG_WEBHOOK_URL": f"http://{NOWHERE}",
    }
    group = subprocess.Popen([sys.executable, "-c", GROUP_OF_ONE, log], env=os.environ | settings)
    try:
        until = time.monotonic() + 60
        while not (log.exists() and "parts_dead" in log.read_text(encoding="utf-8")):
            assert time.monotonic() < until
            time.sleep(0.1)
        child = int(Path(f"/proc/{group.pid}/task/{group.pid}/children").read_text())
        its_end = os.pidfd_open(child)
    finally:
        group.kill()
        group.wait()
    ended = select.select([its_end], [], [], 20)[0]
    if not ended:
        signal.pidfd_send_signal(its_end, signal.SIGKILL)
    os.close(its_end)
    assert ended


def test_a_program_whose_supervisor_died_before_it_was_on_the_leash_does_not_begin() -> None:
    done = subprocess.run([sys.executable, "-m", "app.leash", "1", "settings"], stdout=-1)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, b"")
