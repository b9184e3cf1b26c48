"""The bytes of a connection to the broker."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

import pytest

from ingest.wire import Publication, Wire

SILENT_S_MAX = 0.2
PINGRESP = b"\xd0\x00"


def test_a_broker_that_says_nothing_any_more_is_given_up() -> None:
    def deliver(_generation: int, _publications: Sequence[Publication]) -> None:
        raise AssertionError("nothing is published")

    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        wire = Wire(ours, 1, deliver, lambda refused: None, SILENT_S_MAX)
        with pytest.raises(BlockingIOError):
            wire.recv(1)
        time.sleep(SILENT_S_MAX)
        theirs.sendall(PINGRESP)
        assert wire.recv(2) == PINGRESP  # late, but heard
        assert wire.pending() == 0
        time.sleep(SILENT_S_MAX)
        assert wire.pending() == 1  # so that paho asks, and learns it
        with pytest.raises(TimeoutError):
            wire.recv(1)
