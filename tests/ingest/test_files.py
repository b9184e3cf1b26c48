"""Readings of files come in batches like all others, on topics that no broker brings."""

from __future__ import annotations

from ingest import broker_url, files, payload
from ingest.client import Link
from ingest.files import Line
from ingest.payload import PAYLOAD_BYTES_MAX, READINGS_MAX
from ingest.wire import Publication
from tests import factories
from tests.ingest.conftest import NOW, Plant

UNIT = factories.unit_code()


async def test_a_topic_of_a_file_is_not_believed_of_a_broker(plant: Plant) -> None:
    """A unit that asks for signatures would be opened to whoever is believed to be a file."""
    topic = files.topic(UNIT, "0" * 64, "forged.csv")
    link = Link(
        broker_url.parse("mqtt://127.0.0.1:1883"), "c", [], receive_maximum=1, clock=lambda: NOW
    )
    link._deliver(1, [Publication(1, topic.encode(), b"{}", b"", is_retained=False)])
    (brought,) = await link.take(1, 1_000)
    assert brought.topic == files.of_broker(topic)
    message = [{"meter": "C01", "time": "2026-11-22T08:00:00+08:00", "value": 1}]
    flush = await plant.send(*message, topic=files.of_broker(topic))
    assert (flush.totals().stored, flush.totals().rejected) == (0, 1)
    believed = await plant.send(*message, topic=topic)
    assert believed.totals().stored == 1


def test_a_batch_is_never_too_large_to_be_read() -> None:
    short = b'{"meter":"C01","time":"2026-11-22T08:00:00+08:00","value":1}'
    lines = [Line(n, UNIT, short) for n in range(READINGS_MAX + 1)]
    lines += [Line(n, UNIT, short.replace(b"C01", b"C" * 3_000)) for n in range(200)]
    batches = files.batches(lines, "0", "f", NOW)
    sizes = [len(batch.delivery.payload) for batch in batches]
    assert max(sizes) <= PAYLOAD_BYTES_MAX < max(sizes) + 3_100
    said = [payload.decode(batch.delivery.payload) for batch in batches]
    assert [len(one.indexes) + len(one.rejections) for one in said] == [
        len(batch.lines) for batch in batches
    ]
    assert [n for batch in batches for n in batch.lines] == [each.number for each in lines]
