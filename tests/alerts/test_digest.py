"""Which letters go at once and which are gathered: virtual time, no database."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import digest
from alerts.digest import HOUR, LETTERS_PER_HOUR_MAX, WINDOW, Bundle, Held, Told

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CITIES = [f"45{number:02}00" for number in range(1, 15)]


@dataclass
class Desk:
    """One recipient through virtual time: what was told, what is held, what left."""

    told: list[Told] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    left: list[tuple[datetime, Bundle]] = field(default_factory=list)
    written: int = 0

    def write(self, city: str, at: datetime) -> bool:
        """Write a letter; return whether it leaves at once."""
        self.written += 1
        holds = any(each.city == city for each in self.held)
        if not holds and digest.earliest(city, self.told, at) <= at:
            self._leave(Bundle(city, [self.written]), at)
            return True
        self.held.append(Held(self.written, city))
        return False

    def gather(self, at: datetime) -> list[Bundle]:
        bundles = digest.gather(self.held, self.told, at)
        for bundle in bundles:
            self._leave(bundle, at)
        return bundles

    def _leave(self, bundle: Bundle, at: datetime) -> None:
        self.held = [each for each in self.held if each.letter_id not in bundle.letter_ids]
        self.told.append(Told(bundle.city, at))
        self.left.append((at, bundle))

    def letters_left(self) -> Counter[int]:
        return Counter(number for _, bundle in self.left for number in bundle.letter_ids)


def test_the_first_letter_leaves_at_once_and_those_that_follow_are_one_digest() -> None:
    desk = Desk()
    at_once = [desk.write("450200", NOW + number * SECOND / 10) for number in range(600)]
    assert at_once == [True] + [False] * 599
    assert desk.gather(NOW + WINDOW - SECOND) == []
    (bundle,) = desk.gather(NOW + WINDOW)
    assert list(bundle.letter_ids) == list(range(2, 601))


def test_cities_are_gathered_apart() -> None:
    desk = Desk()
    for city in ("450200", "450300") * 3:
        desk.write(city, NOW)
    bundles = desk.gather(NOW + WINDOW)
    assert [(each.city, list(each.letter_ids)) for each in bundles] == [
        ("450200", [3, 5]),
        ("450300", [4, 6]),
    ]


def test_after_a_quiet_window_a_letter_leaves_at_once_again() -> None:
    desk = Desk()
    assert desk.write("450200", NOW)
    assert not desk.write("450200", NOW + WINDOW - SECOND)
    desk.gather(NOW + WINDOW)
    assert not desk.write("450200", NOW + 2 * WINDOW - SECOND)
    desk.gather(NOW + 2 * WINDOW)
    assert desk.write("450200", NOW + 3 * WINDOW)


def test_a_letter_does_not_overtake_one_that_is_still_held() -> None:
    desk = Desk()
    desk.write("450200", NOW)
    desk.write("450200", NOW + SECOND)
    assert not desk.write("450200", NOW + 2 * WINDOW)  # nobody gathered in the meantime
    assert len(desk.gather(NOW + 2 * WINDOW)) == 1


def test_the_last_letter_of_an_hour_holds_what_is_held_of_all_cities() -> None:
    desk = Desk(told=[Told("459900", NOW)] * (LETTERS_PER_HOUR_MAX - 3))
    desk.write(CITIES[0], NOW)
    desk.write(CITIES[1], NOW)
    for city in CITIES:
        assert not desk.write(city, NOW + SECOND)
    (bundle,) = desk.gather(NOW + WINDOW)
    assert (bundle.city, len(bundle.letter_ids)) == (None, len(CITIES))
    assert desk.gather(NOW + WINDOW + SECOND) == []


def test_a_full_hour_makes_letters_wait_for_its_end() -> None:
    desk = Desk(told=[Told("450200", NOW)] * LETTERS_PER_HOUR_MAX)
    assert not desk.write("450300", NOW + SECOND)
    assert desk.gather(NOW + HOUR - SECOND) == []
    assert len(desk.gather(NOW + HOUR)) == 1


def test_what_a_clock_that_was_ahead_dated_holds_nothing_back() -> None:
    desk = Desk(told=[Told("450200", NOW + 8 * HOUR)] * LETTERS_PER_HOUR_MAX)
    assert desk.write("450200", NOW)
    assert not desk.write("450200", NOW + SECOND)
    assert len(desk.gather(NOW + WINDOW)) == 1


@settings(max_examples=100)  # each is two hours, minute by minute
@given(
    st.lists(st.tuples(st.integers(0, 120), st.sampled_from(CITIES)), max_size=60),
    st.integers(1, 8),
)
def test_nothing_is_dropped_nothing_told_twice_and_no_hour_holds_more_than_it_may(
    letters: list[tuple[int, str]], often: int
) -> None:
    """[55] Whatever comes when: up to 480 letters within two hours, gathered every minute."""
    desk, by_minute = Desk(), Counter(letters)
    for minute in range(300):
        at = NOW + timedelta(minutes=minute)
        for (when, city), count in by_minute.items():
            if when == minute:
                for _ in range(count * often):
                    desk.write(city, at)
        desk.gather(at)
    assert desk.held == []
    assert desk.letters_left() == Counter(range(1, desk.written + 1))
    for at, _ in desk.left:
        assert sum(at - HOUR < other <= at for other, _ in desk.left) <= LETTERS_PER_HOUR_MAX


def test_a_storm_over_a_province_is_a_first_letter_and_a_digest_for_each_city() -> None:
    """[55] 2,000 letters in a minute to the desk of the province."""
    desk = Desk()
    for number in range(2_000):
        desk.write(CITIES[number % len(CITIES)], NOW + number * timedelta(milliseconds=30))
    for minute in range(30):
        desk.gather(NOW + timedelta(minutes=minute))
    assert sum(desk.letters_left().values()) == 2_000
    assert Counter(bundle.city for _, bundle in desk.left) == dict.fromkeys(CITIES, 2)
