"""Owns the real steel plant: its year of intervals as the readings of a cumulative register.

The traps of the file: day/month/year, labels at the end of the interval, and midnight written
with the date of the day that it closes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import resources

INTERVAL = timedelta(minutes=15)
ROLLOVER_KWH = 1_000_000
START_KWH = 500_000
HUNDREDTHS = 100


def intervals() -> Iterator[tuple[datetime, int]]:
    """Yield (end of the interval in the plant's local time, use in hundredths of a kWh)."""
    path = resources.files("ingest.simulator") / "data" / "steel_industry_2018.csv"
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            ends_at = datetime.strptime(row["date"], "%d/%m/%Y %H:%M")  # noqa: DTZ007  # local
            if ends_at.hour == 0 and ends_at.minute == 0:
                ends_at += timedelta(days=1)
            yield ends_at, round(float(row["Usage_kWh"]) * HUNDREDTHS)


def register(ends_at: datetime) -> Iterator[tuple[datetime, float]]:
    """Yield (instant, register in kWh) of the year, shifted so that it ends at `ends_at`.

    The first reading is the start of the register; it wraps once at `ROLLOVER_KWH`.
    """
    rows = list(intervals())
    shift = ends_at - rows[-1][0].replace(tzinfo=ends_at.tzinfo)
    count = START_KWH * HUNDREDTHS
    yield rows[0][0].replace(tzinfo=ends_at.tzinfo) + shift - INTERVAL, count / HUNDREDTHS
    for end, used in rows:
        count = (count + used) % (ROLLOVER_KWH * HUNDREDTHS)
        yield end.replace(tzinfo=ends_at.tzinfo) + shift, count / HUNDREDTHS
