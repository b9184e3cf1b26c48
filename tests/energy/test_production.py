"""Two sources of one output are held against each other; days and months are those of the place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from energy import production
from energy.periods import Span
from energy.production import Source

OCTOBER = Span(datetime(2026, 9, 30, 16, tzinfo=UTC), datetime(2026, 10, 31, 16, tzinfo=UTC))
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("metered", "stated", "quantity", "source", "differs"),
    [
        (98.0, None, 98.0, Source.METERED, False),
        (None, 100.0, 100.0, Source.STATED, False),
        (95.0, 100.0, 100.0, Source.STATED, False),
        (105.0, 100.0, 100.0, Source.STATED, False),
        (94.9, 100.0, 100.0, Source.STATED, True),
        (105.1, 100.0, 100.0, Source.STATED, True),
        (1.0, 0.0, 0.0, Source.STATED, True),
        (0.0, 0.0, 0.0, Source.STATED, False),
        (None, None, None, None, False),
    ],
)
def test_the_stated_output_counts_and_the_metered_one_checks_it(
    metered: float | None,
    stated: float | None,
    quantity: float | None,
    source: Source | None,
    differs: bool,
) -> None:
    found = production.output(metered, stated)
    assert (found.quantity, found.source, found.differs) == (quantity, source, differs)


def test_a_month_does_not_say_what_was_made_on_a_day() -> None:
    day = Span(OCTOBER.starts_at, OCTOBER.starts_at + DAY)
    assert production.whole_sum([(OCTOBER, 100.0)], day) is None
    assert production.whole_sum([(OCTOBER, 100.0)], OCTOBER) == 100.0


def test_a_statement_that_crosses_the_month_belongs_to_neither() -> None:
    middle = OCTOBER.starts_at + 20 * DAY
    parts = [
        (Span(OCTOBER.starts_at, middle), 60.0),
        (Span(middle, OCTOBER.ends_at + 5 * DAY), 50.0),
    ]
    assert production.whole_sum(parts, OCTOBER) is None


@pytest.mark.parametrize(
    ("starts_after", "ends_after", "reason"),
    [
        (timedelta(0), DAY, None),
        (timedelta(hours=1), DAY, "from must be 00:00"),
        (timedelta(0), timedelta(hours=1), "to must be 00:00"),
        (timedelta(0), 366 * DAY, None),
        (timedelta(0), 367 * DAY, "a year at most"),
    ],
)
def test_output_is_stated_for_whole_days_of_the_place(
    starts_after: timedelta, ends_after: timedelta, reason: str | None
) -> None:
    start = OCTOBER.starts_at
    found = production.fault(Span(start + starts_after, start + ends_after))
    assert (found is None) if reason is None else (found is not None and reason in found)
