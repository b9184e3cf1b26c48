"""Sessions of an edge node: what a birth explains, what a death ends, when a rebirth is wanted."""

from __future__ import annotations

import pytest

from ingest.payload import Reason
from ingest.sparkplug import edge_node, readings, wire
from ingest.sparkplug.edge_node import EdgeNode, Event, Rebirth
from ingest.sparkplug.topics import MessageType
from tests.ingest.test_sparkplug import (
    AT_MS,
    GOLDEN_NBIRTH,
    METERS,
    bd_seq,
    born,
    double,
    pairs,
    payload,
)

FIRST, SECOND = (payload(0, double(name, alias=1)) for name in ("E01", "E02"))
DATA = payload(1, double(alias=1, value=5.0))
OTHER = payload(1, double(alias=1, value=6.0))
"""In the very millisecond of a birth."""


def test_seq_wraps_after_255_and_a_repeat_is_no_gap() -> None:
    node = born(seq=254)
    for seq in (255, 0, 0, 1):
        assert node.after(MessageType.NDATA, "", payload(seq)).rebirth is None


def test_a_gap_loses_no_reading_and_wants_a_rebirth_until_it_comes() -> None:
    node = born(double("E01", alias=7))
    later = payload(2, double(alias=7), sent_ms=AT_MS + 1)
    outcome = node.after(MessageType.NDATA, "", later)
    assert outcome.rebirth is Rebirth.SEQ_GAP
    assert len(pairs(readings.batch(outcome, METERS))) == 1
    assert node.after(MessageType.NDATA, "", payload(3)).rebirth is Rebirth.SEQ_GAP
    assert node.after(MessageType.NBIRTH, "", payload(0)).rebirth is None


def test_a_left_out_seq_is_zero() -> None:
    assert born(seq=255).after(MessageType.NDATA, "", payload(None)).rebirth is None


def test_a_death_of_an_earlier_session_changes_nothing() -> None:
    node = born(double("E01", alias=7), session=4)
    assert node.after(MessageType.NDEATH, "", payload(None, bd_seq(3))).event is Event.STALE_DEATH
    assert node.after(MessageType.NDATA, "", payload(1, double(alias=7))).rebirth is None


@pytest.mark.parametrize("death", [payload(None, bd_seq(4)), payload(None), b""])
def test_after_a_death_nothing_is_known(death: bytes) -> None:
    node = born(double("E01", alias=7), session=4)
    assert node.after(MessageType.NDEATH, "", death).event is Event.NODE_DIED
    outcome = node.after(MessageType.NDATA, "", payload(1, double(alias=7), double("E02")))
    batch = readings.batch(outcome, METERS)
    assert outcome.rebirth is Rebirth.NODE_NOT_BORN
    assert [reading.meter for _, reading in pairs(batch)] == ["E02"]
    assert [rejection.reason for rejection in batch.rejections] == [Reason.INVALID_FIELD]


def test_an_unknown_alias_wants_a_rebirth() -> None:
    outcome = born(double("E01", alias=7)).after(
        MessageType.NDATA, "", payload(1, double(alias=8), double(alias=7))
    )
    batch = readings.batch(outcome, METERS)
    assert outcome.rebirth is Rebirth.UNKNOWN_ALIAS
    assert [(r.index, r.meter) for r in batch.rejections] == [(0, None)]
    assert [index for index, _ in pairs(batch)] == [1]


@pytest.mark.parametrize("device", ["", "gas"])
def test_an_alias_of_an_earlier_birth_is_not_read_by_the_newest(device: str) -> None:
    birth, data = MessageType.NBIRTH, MessageType.NDATA
    node = born()
    if device:
        birth, data = MessageType.DBIRTH, MessageType.DDATA
    late = payload(1, double(alias=7), double("E02"), sent_ms=AT_MS + 1)
    for name, sent_ms in (("E02", AT_MS), ("E01", AT_MS + 2)):
        node.after(birth, device, payload(0, double(name, alias=7), sent_ms=sent_ms))
    outcome = node.after(data, device, late)
    batch = readings.batch(outcome, METERS)
    assert [(r.index, r.meter, r.reason) for r in batch.rejections] == [
        (0, None, Reason.INVALID_FIELD)
    ]
    assert "earlier birth" in batch.rejections[0].detail
    assert outcome.rebirth is not None  # a clock that was set back is mended by it


def test_an_alias_belongs_to_the_device_that_was_born_with_it() -> None:
    node = born(double("E01", alias=1))
    node.after(MessageType.DBIRTH, "gas", payload(1, double("flow", alias=1)))
    outcome = node.after(MessageType.DDATA, "gas", payload(2, double(alias=1)))
    assert pairs(readings.batch(outcome, METERS))[0][1].meter == "gas.flow"


def test_a_device_is_to_be_born_again_after_its_death_and_after_a_birth_of_its_node() -> None:
    node = born()
    node.after(MessageType.DBIRTH, "gas", payload(1, double("flow", alias=1)))
    assert node.after(MessageType.DDEATH, "gas", payload(2)).event is Event.DEVICE_DIED
    outcome = node.after(MessageType.DDATA, "gas", payload(3, double(alias=1)))
    assert outcome.rebirth is Rebirth.DEVICE_NOT_BORN
    node.after(MessageType.NBIRTH, "", payload(0))
    outcome = node.after(MessageType.DDATA, "gas", payload(1, double(alias=1)))
    assert outcome.rebirth is Rebirth.DEVICE_NOT_BORN


def test_a_birth_that_names_two_metrics_alike_is_refused_whole() -> None:
    node = EdgeNode()
    birth = payload(0, bd_seq(1), double("E01", alias=7), double("E02", alias=7))
    outcome = node.after(MessageType.NBIRTH, "", birth)
    (rejection,) = readings.batch(outcome, METERS).rejections
    assert (outcome.event, outcome.rebirth) == (Event.NODE_REFUSED, Rebirth.NODE_NOT_BORN)
    assert (rejection.index, rejection.reason, rejection.count) == (None, Reason.INVALID_FIELD, 2)


def test_a_birth_nobody_can_read_ends_the_meaning_of_aliases() -> None:
    node = born(double("E01", alias=7))
    assert node.after(MessageType.NBIRTH, "", b"\xff").event is Event.NODE_REFUSED
    outcome = node.after(MessageType.NDATA, "", payload(1, double(alias=7)))
    assert outcome.rebirth is Rebirth.NODE_NOT_BORN
    assert pairs(readings.batch(outcome, METERS)) == []


def read(node: EdgeNode, kind: MessageType, message: bytes, device: str = "") -> str | None:
    """Return the meter of the one reading of a message; None: it was rejected."""
    batch = readings.batch(node.after(kind, device, message), METERS)
    assert len(batch.readings) + len(batch.rejections) == 1
    return batch.readings[0].meter if batch.readings else None


def test_data_with_the_next_number_follow_a_birth_of_their_millisecond() -> None:
    node = EdgeNode()
    assert read(node, MessageType.NBIRTH, SECOND) == "E02"
    assert [read(node, MessageType.NDATA, DATA) for _ in range(2)] == ["E02", "E02"]


def test_data_that_came_before_a_rebirth_of_their_millisecond_are_not_read_by_it() -> None:
    node = EdgeNode()
    read(node, MessageType.NBIRTH, FIRST)
    assert read(node, MessageType.NDATA, DATA) == "E01"
    read(node, MessageType.NBIRTH, SECOND)
    assert read(node, MessageType.NDATA, DATA) is None  # though its number would be the next
    assert read(node, MessageType.NDATA, OTHER) == "E02"


def test_a_run_that_is_delivered_again_is_read_as_the_first_time() -> None:
    node = EdgeNode()
    run = [
        (MessageType.NBIRTH, FIRST),
        (MessageType.NDATA, DATA),
        (MessageType.NBIRTH, SECOND),
        (MessageType.NDATA, OTHER),
    ]
    meters = ["E01", "E01", "E02", "E02"]
    assert [[read(node, *each) for each in run] for _ in range(2)] == [meters, meters]


def test_a_number_out_of_turn_in_the_millisecond_of_a_birth_is_not_guessed() -> None:
    node = born(double("E01", alias=1))
    assert read(node, MessageType.NDATA, payload(7, double(alias=1))) is None


def test_after_a_restart_nobody_knows_what_came_first_in_one_millisecond() -> None:
    node = EdgeNode.restored({"": SECOND})
    assert read(node, MessageType.NDATA, DATA) is None
    assert read(node, MessageType.NDATA, payload(2, double("E01", alias=1))) == "E01"
    later = payload(3, double(alias=1), sent_ms=AT_MS + 1)
    assert read(node, MessageType.NDATA, later) == "E02"


def test_the_birth_of_another_device_does_not_make_data_late() -> None:
    node = born()
    flow = payload(1, double("flow", alias=1))
    read(node, MessageType.DBIRTH, flow, "gas")
    data = payload(2, double(alias=1))
    assert read(node, MessageType.DDATA, data, "gas") == "gas.flow"
    read(node, MessageType.DBIRTH, payload(3, double("E01")), "steam")
    assert read(node, MessageType.DDATA, data, "gas") == "gas.flow"


def test_births_are_kept_within_bounds() -> None:
    node = born()
    full = payload(1, *(double(f"m{n}") for n in range(wire.METRICS_MAX)))
    events = [node.after(MessageType.DBIRTH, f"d{n}", full).event for n in range(5)]
    assert events.count(Event.DEVICE_BORN) <= edge_node.METRICS_DEFINED_MAX // wire.METRICS_MAX
    assert events[-1] is Event.DEVICE_REFUSED
    assert node.after(MessageType.NBIRTH, "", payload(0)).event is Event.NODE_BORN


def test_kept_births_explain_aliases_after_a_restart() -> None:
    device = payload(1, double("flow", alias=1))
    node = EdgeNode.restored({"": GOLDEN_NBIRTH, "gas": device, "broken": b"\xff"})
    later = payload(77, double(alias=1), sent_ms=AT_MS + 1)
    outcome = node.after(MessageType.DDATA, "gas", later)
    assert pairs(readings.batch(outcome, METERS))[0][1].meter == "gas.flow"
    assert (outcome.batch, outcome.rebirth) == ("spb-3-77", Rebirth.RESTORED)
    assert node.after(MessageType.DDATA, "gas", payload(79)).rebirth is Rebirth.SEQ_GAP
    assert node.after(MessageType.NBIRTH, "", GOLDEN_NBIRTH).rebirth is None


def test_a_node_of_which_nothing_is_known_wants_a_rebirth() -> None:
    outcome = EdgeNode.restored({}).after(MessageType.NDATA, "", payload(9, double("E01")))
    assert (outcome.batch, outcome.rebirth) == ("spb-none-9", Rebirth.NODE_NOT_BORN)
    assert len(pairs(readings.batch(outcome, METERS))) == 1
