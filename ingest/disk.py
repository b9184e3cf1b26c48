"""Owns whether a disk fills: an alarm while there is still time.

A full disk stops the database, and a broker that cannot write loses its sessions at the next
restart. Neither can be asked how much room it has: whoever collects on their machine looks.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

import structlog

STEPS = (0.75, 0.9)
"""Shares of a disk in use at which an alarm is due."""

SLACK = 0.05
"""A step is left only this far below it: a disk on the border is said once."""

PAUSE_S = 10.0

log = structlog.get_logger("collect")


def next_step(step: float, share: float) -> float:
    """Return the step reached with `share` of a disk in use, after `step`; 0: none.

    >>> next_step(0, 0.76), next_step(0.75, 0.72), next_step(0.75, 0.69)
    (0.75, 0.75, 0.0)
    """
    if step - SLACK <= share < step:
        return step
    return max((each for each in STEPS if share >= each), default=0.0)


class DiskHealth:
    """What was said of each folder's disk; None: it could not be looked at."""

    def __init__(self) -> None:
        self._steps: dict[Path, float | None] = {}

    def take(self, folder: Path, share: float | None) -> None:
        """Take the share of the disk under `folder` that is in use; raise the alarm if due."""
        before = self._steps.get(folder, 0.0)
        if share is None:
            if before is not None:
                log.warning("disk_unknown", folder=str(folder), help="mend NENGHAO_DISK_PATHS")
            self._steps[folder] = None
            return
        step = next_step(before or 0.0, share)
        if step > (before or 0.0):
            say = log.critical if step == STEPS[-1] else log.warning
            say(
                "disk_filling",
                folder=str(folder),
                percent=round(share * 100),
                help="make room or give it a larger disk: when it is full, readings wait in "
                "their gateways and the broker forgets its sessions at a restart",
            )
        self._steps[folder] = step


def share_used(folder: Path) -> float | None:
    """Return how much of the disk under `folder` is in use, as `df` counts, or None."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return usage.used / ((usage.used + usage.free) or 1)


async def watch(folders: Sequence[Path]) -> None:
    """Look at the disks under `folders` until cancelled."""
    health = DiskHealth()
    while folders:
        for folder in folders:
            health.take(folder, await asyncio.to_thread(share_used, folder))
        await asyncio.sleep(PAUSE_S)
