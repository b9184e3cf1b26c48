"""Owns what we are measured against: the database's own COPY, a bare client, a user's own script.

The two clients are programs of their own: `python -m bench.baselines bare|naive NAME TOTAL`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime

import asyncpg
import psycopg
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from bench import load
from bench.load import Load
from bench.stage import session
from ingest import broker_url

COPY_ROWS = 20_000
COLUMNS = ["meter_id", "read_at", "raw_value", "quality", "received_at"]

Row = tuple[int, datetime, float, str, datetime]


def copy_per_s(url: str, work: Load) -> float:
    """Return how many readings a second asyncpg's binary COPY stores in the empty table."""
    return asyncio.run(_copy_per_s(url, work))


async def _copy_per_s(url: str, work: Load) -> float:
    connection = await asyncpg.connect(url)
    meters = {
        (row["unit"], row["meter"]): row["meter_id"]
        for row in await connection.fetch(
            "SELECT unit, meter, meter_id FROM meters JOIN units USING (unit_id)"
        )
    }
    rows = _rows(meters, work)
    begun = time.monotonic()
    for first in range(0, len(rows), COPY_ROWS):
        some = rows[first : first + COPY_ROWS]
        await connection.copy_records_to_table("readings", records=some, columns=COLUMNS)
    taken_s = time.monotonic() - begun
    await connection.close()
    return len(rows) / taken_s


def _rows(meters: dict[tuple[str, str], int], work: Load) -> list[Row]:
    now = datetime.now(UTC)
    rows: list[Row] = []
    for number in range(load.UNITS):
        unit = load.unit_code(number)
        for _, payload in work.batches(number):
            rows += [
                (
                    meters[unit, reading["meter"]],
                    datetime.fromisoformat(reading["time"]),
                    reading["value"],
                    "good",
                    now,
                )
                for reading in json.loads(payload)["readings"]
            ]
    return rows


def main(kind: str, name: str, total: str) -> None:
    """Run a client until it has taken `total` messages; print messages per second."""
    broker = broker_url.parse(os.environ["NENGHAO_MQTT_URL"])
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=name,
        protocol=MQTTProtocolVersion.MQTTv5,
        manual_ack=True,
    )
    client.username_pw_set(broker.username or "", broker.password)
    taken, begun = 0, 0.0
    take = _inserting(os.environ["NENGHAO_DATABASE_URL"]) if kind == "naive" else None

    def on_message(client: Client, _userdata: object, message: MQTTMessage) -> None:
        nonlocal taken, begun
        begun = begun or time.monotonic()
        if take is not None:
            take(message)
        client.ack(message.mid, 1)
        taken += 1
        if taken == int(total):
            print(taken / (time.monotonic() - begun))
            client.disconnect()

    client.on_message = on_message
    client.connect(broker.host, broker.port, clean_start=False, properties=session())
    client.loop_forever()


class _inserting:  # reads as a verb where it is used
    """What a user would write: look up the meter, insert, commit."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url)
        self._meters = {
            (row[0], row[1]): row[2]
            for row in self._connection.execute(
                "SELECT unit, meter, meter_id FROM meters JOIN units USING (unit_id)"
            )
        }

    def __call__(self, message: MQTTMessage) -> None:
        unit = message.topic.split("/")[3]
        for reading in json.loads(message.payload)["readings"]:
            self._connection.execute(
                "INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at) "
                "VALUES (%s, %s, %s, 'good', now()) ON CONFLICT DO NOTHING",
                (self._meters[unit, reading["meter"]], reading["time"], reading["value"]),
            )
        self._connection.commit()


if __name__ == "__main__":
    main(*sys.argv[1:])
