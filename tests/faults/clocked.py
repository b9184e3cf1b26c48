"""A collector on a clock that a test may set: `python -m tests.faults.clocked SHARD CLOCK`.

The file CLOCK says by how many seconds it is ahead; all else is as with `nenghao collect`.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import db.pool
from app import logs, running
from ingest import broker_url, collect, shards
from settings import Settings


def main(shard: str, clock: Path) -> None:
    def now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(clock.read_text() or 0))

    async def work() -> None:
        settings = Settings()
        assert settings.database_url is not None
        assert settings.mqtt_url is not None
        url = settings.database_url.get_secret_value()
        async with await db.pool.create_pool(url) as pool:
            await collect.run(
                pool,
                broker_url.parse(settings.mqtt_url.get_secret_value()),
                shards.parse(settings.collector, shard),
                receive_maximum=settings.receive_maximum,
                oldest=timedelta(days=settings.oldest_reading_days),
                clock=now,
            )

    logs.configure()
    running.run(work())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
