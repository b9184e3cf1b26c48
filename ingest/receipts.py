"""Owns what a gateway is told after the commit: counts, and the first rejections by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from ingest.payload import Rejection

REJECTED_LISTED_MAX = 100
"""A receipt names this many rejections; `rejected_total` counts them all."""


@dataclass(slots=True)
class Tally:
    """What became of one delivery. received = stored + duplicate + conflicting + rejected."""

    received: int = 0
    stored: int = 0
    duplicate: int = 0
    conflicting: int = 0
    rejected: int = 0


def encode(
    batch: str | None, tally: Tally, rejections: Sequence[Rejection], committed_at: datetime
) -> bytes:
    """Return the receipt of one delivery as JSON."""
    return msgspec.json.encode(
        {
            "batch": batch,
            "committed_at": committed_at,
            "received": tally.received,
            "stored": tally.stored,
            "duplicate": tally.duplicate,
            "conflicting": tally.conflicting,
            "rejected": [
                {
                    "index": rejection.index,
                    "meter": rejection.meter,
                    "reason": rejection.reason,
                    "detail": rejection.detail,
                }
                for rejection in rejections[:REJECTED_LISTED_MAX]
            ],
            "rejected_total": tally.rejected,
        }
    )
