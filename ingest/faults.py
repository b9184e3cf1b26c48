"""Owns the places where a test may break this process: each gap between two side effects.

A point does nothing unless the environment names it: `FAULT=after_commit:3` ends the process, as a
power cut would, the third time it gets there. It is passed once per flush.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from enum import StrEnum


class Point(StrEnum):
    """A gap in the path of a flush."""

    BEFORE_PARSE = "before_parse"
    AFTER_PARSE = "after_parse"
    BEFORE_COPY = "before_copy"
    AFTER_COPY = "after_copy"
    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"
    AFTER_RECEIPT = "after_receipt"
    AFTER_ACK = "after_ack"
    IN_CALLBACK_RAISE = "in_callback_raise"
    IN_CALLBACK_BLOCK = "in_callback_block"


BLOCK_S = 60.0

_named, _, _times = os.environ.get("FAULT", "").partition(":")
_passed = itertools.count(1)


def reach(point: Point) -> None:
    """Die, break or hang here if the environment says so."""
    if point == _named and next(_passed) == int(_times or 1):
        if point is Point.IN_CALLBACK_RAISE:
            raise RuntimeError("a fault was asked for")
        if point is Point.IN_CALLBACK_BLOCK:
            time.sleep(BLOCK_S)
        os.kill(os.getpid(), signal.SIGKILL)
