"""An evaluator as a process of its own, at an instant: URL, instant, patience with a silent one."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime

import db.pool
from alerts import cycle


async def run(url: str, now: datetime, silent_s: float) -> None:
    async with await db.pool.create_pool(url) as pool:
        await cycle.run(
            pool,
            instance=str(os.getpid()),
            pause_s=0.1,
            coverage_floor=0.75,
            public_url="https://nenghao.example",
            smtp_url=None,
            mail_from="desk@nenghao.example",
            clock=lambda: now,
            silent_s=silent_s,
        )


asyncio.run(run(sys.argv[1], datetime.fromisoformat(sys.argv[2]), float(sys.argv[3])))
