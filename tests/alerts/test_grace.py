"""Our own outage accuses nobody: while we were deaf, and a while after, silence is UNKNOWN."""

from __future__ import annotations

from datetime import timedelta

import pytest

import ingest.readiness
from alerts import cycle, grace
from alerts.grace import Grace
from alerts.verdicts import State, Verdict
from db.downtimes import Downtime
from db.metrics import Heartbeat
from energy.periods import Span
from tests.alerts.conftest import NOW

MINUTE = timedelta(minutes=1)
LASTS = 30 * MINUTE
READY = "ready"


def beat(program: str, minutes_ago: float, detail: str = READY, instance: str = "i") -> Heartbeat:
    return Heartbeat(program, instance, NOW - minutes_ago * MINUTE, detail)


def test_collectors_are_asked_in_their_own_words() -> None:
    assert grace.READY == ingest.readiness.Readiness.READY
    assert grace.ENDED == ingest.readiness.Readiness.ENDED
    assert grace.COLLECT == ingest.readiness.PROGRAM
    assert grace.SILENT_AFTER == ingest.readiness.SILENT_AFTER
    assert grace.EVALUATE == cycle.PROGRAM
    assert ingest.readiness.standby_name("c", "h").partition(grace.STANDBY_MARK) == ("c", "@", "h")


@pytest.mark.parametrize(
    ("beats", "away"),
    [
        ([], []),
        ([beat("collect", 0), beat("settle", 1), beat("alert", 1)], []),
        ([beat("collect", 5)], ["collect"]),
        ([beat("collect", 0, "no_broker")], ["collect"]),
        ([beat("collect", 0), beat("collect", 3, instance="other")], ["collect"]),
        ([beat("collect", 0), beat("collect", 3000, instance="given up")], []),
        ([beat("collect", 3000)], ["collect"]),
        ([beat("collect", 5, "ended")], ["collect"]),
        ([beat("collect", 5, "ended"), beat("collect", 0, instance="new")], []),
        ([beat("collect", 0), beat("collect", 9, "standby", "i@host")], []),
        ([beat("settle", 11)], ["settle"]),
        ([beat("alert", 11)], ["alert"]),
    ],
)
def test_who_gave_no_sign_of_life_was_away(beats: list[Heartbeat], away: list[str]) -> None:
    found = grace.noticed(beats, [], NOW)
    assert [each.program for each in found] == away
    assert not grace.noticed(beats, found, NOW)


def test_who_is_back_is_noticed_once() -> None:
    went = Downtime("collect", NOW - 10 * MINUTE, None)
    assert grace.noticed([beat("collect", 0)], [went], NOW) == [
        Downtime("collect", went.went_at, NOW)
    ]


@pytest.mark.parametrize(
    ("went", "back", "is_excused"),
    [
        (60, None, True),
        (60, 29, True),
        (60, 31, False),
        (1, None, False),  # a restart
        (20, 19, False),
    ],
)
def test_grace_lasts_while_we_are_away_and_a_while_after(
    went: float, back: float | None, is_excused: bool
) -> None:
    away = Downtime("collect", NOW - went * MINUTE, None if back is None else NOW - back * MINUTE)
    assert (grace.over([away], NOW, LASTS) is not None) == is_excused


def test_only_what_accuses_is_excused() -> None:
    away = Grace("collect", NOW - 60 * MINUTE, NOW - MINUTE, NOW + LASTS)
    firing = Verdict(State.FIRING, Span(NOW - MINUTE, NOW), "silent", 3.0, 2.0, "h", 1)
    excused = grace.excused(firing, away)
    assert (excused.state, excused.level, excused.measured) == (State.UNKNOWN, None, 3.0)
    assert "our own `nenghao collect` was away from 2026-11-23 07:05Z" in excused.reason
    assert grace.excused(firing, None) is firing
    fine = Verdict(State.OK, firing.period, "heard")
    assert grace.excused(fine, away) is fine
