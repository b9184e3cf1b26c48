"""A message that our own code breaks on is rejected and kept; the others go on."""

from __future__ import annotations

import json
from datetime import timedelta

import db.metering
from ingest import batches, decoding
from ingest.acks import Delivery
from ingest.batches import Flush
from ingest.sparkplug.nodes import Nodes
from ingest.validate import Validator
from tests import factories
from tests.ingest.conftest import NOW, Plant, reading, tally

UNIT = factories.unit_code()
OURS = f"nenghao/v1/450200/{UNIT}/gw1/readings"


def delivery(number: int, topic: str) -> Delivery:
    said = {"batch": f"b{number}", "readings": [reading(15 * number, 100.0 + number)]}
    return Delivery(1, number, topic, json.dumps(said).encode(), NOW)


async def test_what_breaks_where_it_is_judged_is_one_rejection_and_leaves_no_row(
    plant: Plant,
) -> None:
    async with plant.pool.acquire() as connection:
        entries = await db.metering.list_units(connection, [UNIT])
    flush = Flush([delivery(1, OURS)])
    untaught = Validator(timedelta(days=400))  # it knows no meters of the unit: that is our bug
    told = decoding.decode(flush.deliveries, Nodes())
    batches.add(flush, told, {entry.unit: entry for entry in entries}, untaught)
    (piece,) = flush.pieces
    assert (piece.tally.received, piece.tally.rejected, flush.rows) == (1, 1, [])
    assert "broke on it" in piece.rejections[0].detail
    assert piece.is_receipted


async def test_what_breaks_where_it_is_decoded_is_kept_and_the_others_are_stored(
    plant: Plant,
) -> None:
    deliveries = [delivery(1, OURS), delivery(2, "a/topic/of/nobody"), delivery(3, OURS)]
    flush = await plant.collector.store(deliveries)
    assert [tally(flush, number)[1] for number in range(3)] == [1, 0, 1]
    assert not flush.pieces[1].is_receipted
    kept = await plant.pool.fetchval("SELECT topic FROM quarantine_messages")
    assert kept == "a/topic/of/nobody"
