"""Owns which letters go at once and which are gathered into a digest. Pure.

The first letter about a city goes to its recipient at once. Those that follow within WINDOW are
held, and leave as one digest. Nobody gets more than LETTERS_PER_HOUR_MAX letters in an hour: the
last of them holds everything that is held, of all cities. No letter is ever left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=15)
"""Between two letters to one recipient about one city."""

HOUR = timedelta(hours=1)
HELD_MAX = HOUR + WINDOW
"""Longest that a letter is held; one to be held longer was written by a clock that was ahead."""

LETTERS_PER_HOUR_MAX = 40
"""To one recipient: a province of 14 cities gets first letters and two digests of each."""


@dataclass(frozen=True, slots=True)
class Told:
    """A letter that a recipient was written; `city` None: it told of several cities."""

    city: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """A letter that waits to be gathered."""

    letter_id: int
    city: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """Letters that leave as one; `city` None: they are about several."""

    city: str | None
    letter_ids: Sequence[int]


def city_of(region: str) -> str:
    """Return what letters about a region are gathered by: its city, or the province itself.

    >>> city_of("450202"), city_of("450200"), city_of("450000")
    ('450200', '450200', '450000')
    """
    return f"{region[:4]}00"


def earliest(city: str, told: Iterable[Told], now: datetime) -> datetime:
    """Return from when on a recipient of `told` may be written to about `city`.

    Not before the window is over, and not while the hour holds all the letters it may. The last
    letter of the hour waits for the window after any letter, and not only after one about `city`.

    >>> at = datetime(2026, 11, 23, 8, 0)
    >>> earliest("450200", [], at) == at
    True
    >>> str(earliest("450200", [Told("450200", at)], at))
    '2026-11-23 08:15:00'
    """
    recent = _recent(told, now)
    is_full = len(recent) >= LETTERS_PER_HOUR_MAX
    is_last = len(recent) >= LETTERS_PER_HOUR_MAX - 1
    about = [each.at for each in recent if is_last or each.city in (city, None)]
    found = max([now, *(at + WINDOW for at in about[-1:])])
    return max(found, recent[-LETTERS_PER_HOUR_MAX].at + HOUR) if is_full else found


def gather(held: Iterable[Held], told: Iterable[Told], now: datetime) -> list[Bundle]:
    """Return the bundles of one recipient that may leave now; what is in none goes on waiting."""
    left, known, bundles = list(held), list(told), []
    for city in dict.fromkeys(each.city for each in left):
        if earliest(city, known, now) > now:
            continue
        is_last = len(_recent(known, now)) >= LETTERS_PER_HOUR_MAX - 1
        taken = [each for each in left if is_last or each.city == city]
        left = [each for each in left if each.city != city]
        cities = {each.city for each in taken}
        bundle = Bundle(
            city=cities.pop() if len(cities) == 1 else None,
            letter_ids=[each.letter_id for each in taken],
        )
        bundles.append(bundle)
        known.append(Told(bundle.city, now))
    return bundles


def _recent(told: Iterable[Told], now: datetime) -> list[Told]:
    """Return what was told within the hour, oldest first.

    Evaluator and gatherer look at the clock at different moments, so what is told may lie ahead a
    little. What lies further ahead was dated by a clock that was wrong: nobody waits for that day.
    """
    recent = (each for each in told if now - HOUR < each.at < now + WINDOW)
    return sorted(recent, key=lambda each: each.at)
