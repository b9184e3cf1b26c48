"""What waits for the collector is bounded, whatever its QoS, and what is dropped is said."""

from __future__ import annotations

from structlog.testing import capture_logs

from ingest.acks import Delivery
from ingest.inbox import OVERHEAD_BYTES, Inbox
from tests.ingest.conftest import NOW

ONE = 100 + OVERHEAD_BYTES


def delivery(packet_id: int = 0) -> Delivery:
    return Delivery(1, packet_id, "t", bytes(100), NOW)


def test_of_qos_0_no_more_waits_than_there_is_room_for() -> None:
    inbox = Inbox(3 * ONE)
    with capture_logs() as logs:
        for _ in range(10):
            inbox.put([delivery(), delivery()])
        assert len(inbox.take(100, 10_000)) == 3
        inbox.put([delivery()])
    assert len(inbox.take(100, 10_000)) == 1
    assert [(log["event"], log.get("dropped")) for log in logs] == [
        ("qos_0_dropped", None),
        ("qos_0_taken_again", 17),
    ]


def test_what_the_broker_would_deliver_again_is_never_dropped() -> None:
    inbox = Inbox(0)
    inbox.put(delivery(packet_id) for packet_id in range(1, 11))
    assert [each.packet_id for each in inbox.take(100, 10_000)] == list(range(1, 11))


def test_what_is_taken_is_bounded_by_number_and_by_size() -> None:
    inbox = Inbox()
    inbox.put(delivery() for _ in range(9))
    assert [len(inbox.take(4, 10_000)), len(inbox.take(4, 150)), len(inbox.take(4, 1))] == [4, 2, 1]
