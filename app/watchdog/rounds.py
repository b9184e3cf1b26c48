"""Owns a round of the watchdog: look, decide, tell, remember. It keeps its memory in a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from pathlib import Path

import structlog
from pydantic import ValidationError

from app.watchdog import parts, probes, telling
from app.watchdog.parts import Look, Memory
from app.watchdog.probes import Ways
from app.watchdog.telling import Routes

log = structlog.get_logger("watchdog")


class Code(IntEnum):
    """What a round ends with, for cron and systemd."""

    ALIVE = 0
    DEAD = 1
    NOT_TOLD = 2


@dataclass(frozen=True, slots=True)
class Round:
    """What was found, and whether people know."""

    looks: list[Look]
    memory: Memory
    code: Code


async def once(
    ways: Ways,
    routes: Routes,
    file: Path,
    now: datetime,
    *,
    daily: bool = False,
    database_at: datetime | None = None,
) -> Round:
    """Go once around. What could not be told is told by the next round; nothing is told twice."""
    before = recall(file)
    looks = await probes.look(ways, database_at)
    news = parts.news(looks, before, now, daily=daily)
    told = True
    heads = await probes.heads(ways, database_at or now) if news.daily else []
    for message in telling.messages(news, routes.place, now, heads):
        told = await telling.tell(routes, message, now) and told
    memory = news.memory if told else news.untold(before)
    remember(file, memory)
    dead = {part: death.trouble for part, death in memory.deaths.items()}
    if dead:
        log.warning("parts_dead", **dead)
    code = Code.NOT_TOLD if not told else Code.DEAD if dead else Code.ALIVE
    return Round(looks, memory, code)


def recall(file: Path) -> Memory:
    """Return what was remembered; one that cannot be read is begun anew: rather told twice."""
    try:
        return Memory.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return Memory()
    except (ValidationError, OSError) as error:
        log.error("watchdog_memory_lost", file=str(file), error=type(error).__name__)
        return Memory()


def remember(file: Path, memory: Memory) -> None:
    """Replace the file as a whole: who is killed in between leaves the old one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    made = file.with_suffix(".new")
    made.write_text(memory.model_dump_json(indent=1), encoding="utf-8")
    os.replace(made, file)
