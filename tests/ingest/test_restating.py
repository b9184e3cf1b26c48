"""Energy restates what was final, not what still waited for readings, a review or a factor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from db.metering import MeterSpec
from db.restatements import Counted, Energy
from energy import intervals
from energy.periods import Span
from energy.registers import Epoch, EpochReason, Kind
from ingest import restating

DAY = Span(datetime(2026, 10, 1, 16, tzinfo=UTC), datetime(2026, 10, 2, 16, tzinfo=UTC))


def spec(carrier: str, installed_at: datetime, interval_s: int) -> MeterSpec:
    epochs = (Epoch(installed_at, EpochReason.INSTALLED),)
    every = intervals.plain(interval_s)
    return MeterSpec(1, carrier, "kWh", Kind.REGISTER, "kWh", "boundary", epochs, every)


def test_what_was_due_is_due_since_a_meter_is_there_and_of_what_a_figure_counts() -> None:
    before, noon = DAY.starts_at - timedelta(days=9), DAY.starts_at + timedelta(hours=12)
    meters = [spec("electricity", before, 900), spec("raw_coal", noon, 3600)]
    meters.append(spec("electricity", DAY.ends_at, 900))
    assert restating.due(meters, DAY, Counted.TOTAL) == 96 + 12
    assert restating.due(meters, DAY, Counted.ELECTRICITY) == 96


@pytest.mark.parametrize(
    ("used", "final"),
    [
        (Energy(5.0, 9, held=False), True),
        (Energy(5.0, 8, held=False), False),
        (Energy(5.0, 10, held=True), False),
        (Energy(None, 10, held=False), False),
    ],
)
def test_energy_is_final_where_a_stated_figure_waits_for_nothing(used: Energy, final: bool) -> None:
    assert restating.is_final(used, due=10) is final


@pytest.mark.parametrize(
    ("amount", "other"), [(0.1 + 0.2, False), (0.3001, True), (-0.3, True), (None, True)]
)
def test_the_order_of_a_sum_is_no_difference(amount: float | None, other: bool) -> None:
    assert restating.differs(Energy(0.3, 9, held=False), Energy(amount, 9, held=False)) is other
    assert restating.differs(Energy(0.3, 9, held=False), None)
