"""Sparkplug B: the topics, and what the platform itself says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from ingest.sparkplug import commands, topics
from ingest.sparkplug.sparkplug_b_pb2 import Payload
from ingest.sparkplug.topics import Origin

UNIT = "91450200MA5K0000XA"
AT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
AT_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    ("topic", "origin"),
    [
        (f"spBv1.0/{UNIT}/NBIRTH/gw1", Origin(UNIT, "gw1")),
        (f"spBv1.0/{UNIT}/DDATA/gw1/E01", Origin(UNIT, "gw1", "E01")),
        (f"spBv1.0/{UNIT}/DDATA/gw1", None),
        (f"spBv1.0/{UNIT}/DDATA/gw1/", None),
        (f"spBv1.0/{UNIT}/NDATA/gw1/E01", None),
        (f"spBv1.0/{UNIT}/NCMD/gw1", None),
        ("spBv1.0/STATE/nenghao", None),
        (f"spAv1.0/{UNIT}/NBIRTH/gw1", None),
        ("spBv1.0//NBIRTH/gw1", None),
    ],
)
def test_a_topic_says_who_published(topic: str, origin: Origin | None) -> None:
    parsed = topics.parse(topic)
    assert (parsed and parsed[0]) == origin
    if parsed is not None:
        assert parsed[0].topic(parsed[1]) == topic


def test_a_rebirth_is_asked_for_in_the_words_of_the_specification() -> None:
    topic, command = commands.rebirth(UNIT, "gw1", AT)
    (asked,) = Payload.FromString(command).metrics
    assert topic == f"spBv1.0/{UNIT}/NCMD/gw1"
    assert (asked.name, asked.datatype, asked.boolean_value, asked.timestamp) == (
        "Node Control/Rebirth",
        11,
        True,
        AT_MS,
    )


def test_a_rebirth_is_asked_for_at_a_growing_pace_until_the_node_is_born() -> None:
    pace = commands.Pace(timedelta(seconds=30))
    asked = [second for second in range(300) if pace.may_ask(AT + timedelta(seconds=second))]
    assert asked == [0, 30, 90, 210]
    pace.born()
    assert pace.may_ask(AT + timedelta(seconds=450))
    assert pace.may_ask(AT + timedelta(seconds=480))


def test_the_state_of_a_host_is_json_with_the_time_of_its_connection() -> None:
    topic, message = commands.state("nenghao", AT, online=True)
    assert topic == "spBv1.0/STATE/nenghao"
    assert json.loads(message) == {"online": True, "timestamp": AT_MS}
