"""Golden histories of registers: what each comes to, hour by hour, and what is held for review.

`epochs`: the first begins with the history, `at` in minutes after it. `readings`: minutes, value.
`hours`: number, quantity, estimated, readings present, held. `due`, where it is told: readings that
each of them owed, by the interval of then. `doubts`: reason, from and to in
minutes, readings, held.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from energy import consumption, courses, coverage, instants, intervals
from energy.periods import HOUR, Span
from energy.registers import Epoch, EpochReason, Kind, Side

FOLDER = Path(__file__).parent.parent / "golden" / "registers"
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = Span(START, START + timedelta(days=1))


def epoch(told: dict[str, Any]) -> Epoch:
    return Epoch(
        START + timedelta(minutes=told.pop("at", 0)),
        EpochReason(told.pop("reason", "installed")),
        side=Side(told.pop("side", "secondary")),
        **told,
    )


def minutes(instant: int) -> int:
    return (instant - instants.of(START)) // (60 * instants.SECOND)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_history_comes_to_its_golden_figures(path: Path) -> None:
    told = json.loads(path.read_text(encoding="utf-8"))
    epochs = [epoch(each) for each in told["epochs"]]
    readings = [
        (instants.of(START + timedelta(minutes=minute)), float(value))
        for minute, value in told["readings"]
    ]
    due = intervals.of(told["interval_s"], epochs)
    course = courses.course(Kind.REGISTER, readings, epochs, due)
    found = consumption.hours(Kind.REGISTER, readings, course, due, DAY)
    rows = [
        (hour.starts_at.hour, hour.quantity, hour.estimated_quantity, hour.readings_present,
         hour.held)
        for hour in found
    ]  # fmt: skip
    assert [row[3:] for row in rows] == [tuple(row[3:]) for row in told["hours"]]
    for row, golden in zip(rows, told["hours"], strict=True):
        assert row[:3] == pytest.approx(tuple(golden[:3]), abs=1e-9)
    if "due" in told:
        hours = [Span(hour.starts_at, hour.starts_at + HOUR) for hour in found]
        owed = [coverage.due_of(Kind.REGISTER, due, hour, DAY.ends_at) for hour in hours]
        assert owed == told["due"]
    assert [
        [doubt.reason, minutes(doubt.first_at), minutes(doubt.last_at), doubt.readings,
         doubt.is_held]
        for doubt in course.doubts
    ] == told["doubts"]  # fmt: skip
