"""Acknowledgements belong to the connection that brought the delivery."""

from __future__ import annotations

from datetime import UTC, datetime

from ingest import acks
from ingest.acks import Delivery


def delivery(generation: int, packet_id: int) -> Delivery:
    return Delivery(generation, packet_id, "t", b"", datetime(2026, 1, 1, tzinfo=UTC))


def test_deliveries_of_an_earlier_connection_are_never_acknowledged() -> None:
    waiting = [delivery(1, 4), delivery(1, 5), delivery(2, 1), delivery(2, 2)]
    assert acks.due(waiting, 2) == [1, 2]
    assert acks.due(waiting, 3) == []
