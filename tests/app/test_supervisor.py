"""A program that dies is started again; a group that is cancelled leaves no process behind."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from app import supervisor
from app.supervisor import Program


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
