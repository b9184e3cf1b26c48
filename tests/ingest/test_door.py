"""What a register may show next, by its newest reading alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from db.metering import MeterEntry
from energy import instants
from energy.registers import RESOLUTION, Epoch, EpochReason, Kind
from ingest.payload import Quality
from ingest.validate import Meter, Validator

START = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("limit", [3_900.0, 14_000.0, 86_600.0])
def test_a_last_digit_of_a_megawatt_hour_does_not_exceed_the_rated_power(limit: float) -> None:
    """The CT and PT of DOMAIN 5.2, under nearly all their power; one digit more does."""
    epoch = Epoch(START, EpochReason.INSTALLED, 100_000.0, 1_000_000.0, rate_max=limit)
    meter = Meter(MeterEntry(1, 1, "E01", Kind.REGISTER, START, (epoch,), None, None, None))
    window = Validator(timedelta(days=400)).window(START + timedelta(days=3))

    def fault(quarter: int, digits: int) -> object:
        read_at = instants.of(START + timedelta(minutes=15) * quarter)
        return meter.fault(read_at, digits * RESOLUTION, Quality.GOOD, window)

    shown = [int(123_450 + limit * 0.99 * n / 4 / 1_000) for n in range(192)]
    assert not any(fault(quarter, digits) for quarter, digits in enumerate(shown))
    assert fault(192, shown[-1] + int(limit / 4 / 1_000) + 2)
