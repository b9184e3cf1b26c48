"""Owns when a part of the platform counts as dead, and what is told of it: once at its beginning,
once at its end.

Pure. What cannot be looked at, because the way there leads through a part that is dead itself, is
neither: it stays what it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from db.watch import Signs

SILENT_AFTER = timedelta(seconds=90)
"""A program that says nothing for so long is dead: each says so every five seconds."""

STUCK_AFTER = timedelta(minutes=3)
"""A letter that nobody takes up for so long: who should send it is dead, whatever it says."""

BEHIND_AFTER = timedelta(minutes=30)
"""Settlement is dead, whatever it says, when hours have waited for so long."""

ROUNDS = 2
"""A part is told of when it was found dead in so many rounds: one answer may be lost."""

DAILY = timedelta(hours=24)


class Part(StrEnum):
    """What is watched."""

    DATABASE = "database"
    BROKER = "broker"
    MAIL = "mail"
    WEB = "web"
    COLLECTOR = "collector"
    SETTLEMENT = "settlement"
    EVALUATOR = "evaluator"
    SENDER = "sender"


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a part found. `trouble`: a sentence; None: it lives."""

    part: Part
    trouble: str | None = None


class Death(BaseModel):
    """A part that was found dead, as it is remembered between rounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: datetime
    trouble: str
    rounds: int = 1
    told: bool = False


class Memory(BaseModel):
    """What is remembered between rounds: deaths by part, and when the daily letter went."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    deaths: dict[Part, Death] = Field(default_factory=dict)
    daily_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told now, and what will be remembered when it was.

    `begun`, `over`: parts with their deaths. `daily`: the letter that says the watchdog lives.
    """

    memory: Memory
    begun: Mapping[Part, Death] = field(default_factory=dict)
    over: Mapping[Part, Death] = field(default_factory=dict)
    daily: bool = False

    @property
    def is_any(self) -> bool:
        return bool(self.begun or self.over or self.daily)

    def untold(self, before: Memory) -> Memory:
        """Return what is remembered when nobody could be told: the deaths, and that none knows."""
        begun = {part: replace_told(death, told=False) for part, death in self.begun.items()}
        ended = {part: before.deaths[part] for part in self.over}
        deaths = {**self.memory.deaths, **begun, **ended}
        return Memory(deaths=deaths, daily_at=before.daily_at)


def replace_told(death: Death, *, told: bool) -> Death:
    return death.model_copy(update={"told": told})


def of_signs(signs: Signs, collectors: Sequence[tuple[str, str]] | None) -> list[Look]:
    """Return what the database's signs of life say of the programs.

    `collectors`: names and states of those that should collect and are not ready; None: there is
    none that should.
    """
    return [
        Look(Part.EVALUATOR, _silent("no rule was judged", signs.evaluated_at, signs.now)),
        Look(Part.SENDER, _sender(signs)),
        Look(Part.SETTLEMENT, _settlement(signs)),
        Look(Part.COLLECTOR, _collectors(collectors)),
    ]


def news(
    looks: Iterable[Look], before: Memory, now: datetime, *, daily: bool, rounds: int = ROUNDS
) -> News:
    """Return what is to be told after a round in which these parts could be looked at."""
    deaths = dict(before.deaths)
    begun, over = dict[Part, Death](), dict[Part, Death]()
    for look in looks:
        was = deaths.pop(look.part, None)
        if look.trouble is None:
            if was is not None and was.told:
                over[look.part] = was
            continue
        death = Death(since=now, trouble=look.trouble) if was is None else _longer(was, look)
        if death.rounds >= rounds and not death.told:
            death = replace_told(death, told=True)
            begun[look.part] = death
        deaths[look.part] = death
    is_daily = daily and (before.daily_at is None or now - before.daily_at >= DAILY)
    daily_at = now if is_daily else before.daily_at
    return News(Memory(deaths=deaths, daily_at=daily_at), begun, over, is_daily)


def _longer(death: Death, look: Look) -> Death:
    return death.model_copy(update={"rounds": death.rounds + 1, "trouble": look.trouble})


def _silent(what: str, heard_at: datetime | None, now: datetime) -> str | None:
    if heard_at is None:
        return f"{what}, never yet"
    silent = now - heard_at
    return None if silent <= SILENT_AFTER else f"{what} for {_minutes(silent)}"


def _sender(signs: Signs) -> str | None:
    if (silent := _silent("the sender said nothing", signs.sender_at, signs.now)) is not None:
        return silent
    if signs.letter_due_at is not None and signs.now - signs.letter_due_at > STUCK_AFTER:
        waits = _minutes(signs.now - signs.letter_due_at)
        return f"a letter has waited for {waits}, and nobody takes it up"
    return None


def _settlement(signs: Signs) -> str | None:
    if (silent := _silent("settlement said nothing", signs.settler_at, signs.now)) is not None:
        return silent
    if signs.stale_since is not None and signs.now - signs.stale_since > BEHIND_AFTER:
        return f"hours have waited for settlement for {_minutes(signs.now - signs.stale_since)}"
    return None


def _collectors(unready: Sequence[tuple[str, str]] | None) -> str | None:
    """Return what keeps collectors from collecting. Who should collect is known for a day after its
    last sign of life (`ingest.readiness.FORGOTTEN_AFTER`), unless it was told to stop.
    """
    if unready is None:
        return (
            "nobody collects: each collector was told to stop, was silent for over a day, or never "
            "began"
        )
    if unready:
        return "not collecting: " + ", ".join(f"{name} ({state})" for name, state in unready)
    return None


def _minutes(span: timedelta) -> str:
    """Return a span as people say it.

    >>> _minutes(timedelta(seconds=95)), _minutes(timedelta(hours=3, minutes=5))
    ('1 min', '3 h 5 min')
    """
    hours, minutes = divmod(round(span.total_seconds()) // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
