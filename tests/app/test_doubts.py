"""Whoever reads the list of doubts is told what to do about each."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app import doubts
from db.doubts import DoubtEntry
from energy.registers import DoubtReason

AT = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reason", "held"),
    [*((each, True) for each in DoubtReason), (DoubtReason.FELL, False),
     (DoubtReason.TOO_FAST, False)],
)  # fmt: skip
def test_each_doubt_says_what_to_do(reason: DoubtReason, held: bool) -> None:
    assert doubts.advice(DoubtEntry("91", "E01", AT, AT, reason, 1, held))
