"""Readings put straight into the database, and assessed: what tests of data quality begin with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from db.pool import Connection
from energy.periods import LOCAL
from ingest import assess

DAY = datetime(2026, 11, 22, tzinfo=LOCAL)
"""A Sunday, over and closed at NOW."""

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=LOCAL)
EVERY = timedelta(hours=1)
SLOT = timedelta(minutes=15)


async def put(
    connection: Connection,
    meter_id: int,
    times: Iterable[datetime],
    *,
    values: Sequence[float] | None = None,
    quality: str = "good",
    lag: timedelta = timedelta(seconds=5),
) -> None:
    """Store a reading at each of `times`, received `lag` later."""
    moments = list(times)
    shown = values or [float(number) for number in range(len(moments))]
    await connection.executemany(
        "INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at) "
        "VALUES ($1, $2, $3, $4, $5)",
        [
            (meter_id, at, value, quality, at + lag)
            for at, value in zip(moments, shown, strict=True)
        ],
    )


def slots(day: datetime = DAY, count: int = 96) -> list[datetime]:
    """Return when the first `count` slots of a day close."""
    return [day + SLOT * number for number in range(1, count + 1)]


async def assess_all(connection: Connection, now: datetime = NOW) -> None:
    while await assess.assess_one(connection, now, EVERY):
        pass
