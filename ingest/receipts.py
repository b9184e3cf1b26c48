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

    @property
    def is_repeated(self) -> bool:
        """Return whether every reading of the delivery was here before."""
        return self.received > 0 and self.received == self.duplicate + self.conflicting


class _Rejected(msgspec.Struct, frozen=True):
    index: int | None
    meter: str | None
    reason: str
    detail: str


class _Receipt(msgspec.Struct, frozen=True):
    batch: str | None
    committed_at: datetime
    received: int
    stored: int
    duplicate: int
    conflicting: int
    rejected: list[_Rejected]
    rejected_total: int


_encode = msgspec.json.Encoder().encode


def encode(
    batch: str | None, tally: Tally, rejections: Sequence[Rejection], committed_at: datetime
) -> bytes:
    """Return the receipt of one delivery as JSON."""
    listed = rejections[:REJECTED_LISTED_MAX]
    return _encode(
        _Receipt(
            batch,
            committed_at,
            tally.received,
            tally.stored,
            tally.duplicate,
            tally.conflicting,
            [_Rejected(each.index, each.meter, each.reason, each.detail) for each in listed],
            tally.rejected,
        )
    )
