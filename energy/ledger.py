"""Owns the chain of the ledger: each link holds the hash of the one before and of its own content.

Who changes, removes, puts in or moves anything breaks the chain at that place; who cuts its end
off is found by a head that somebody else has kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

GENESIS = bytes(32)
"""What the first link follows."""


@dataclass(frozen=True, slots=True)
class Link:
    """One link: its `number` counts 1, 2, 3 …; `digest` is the hash it was stored with. [32 bytes]

    `content` are the fields that it vouches for, as `canonical` writes them.
    """

    number: int
    content: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The newest link of a chain: its `number` and hash. [32 bytes] Number 0: none yet."""

    number: int = 0
    digest: bytes = GENESIS


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where a chain does not hold; `number` is that of the link."""

    number: int
    fault: str


def canonical(content: object) -> str:
    """Return `content` as the one JSON text that stands for it.

    >>> canonical({"b": 1.0, "a": "能耗"})
    '{"a":"能耗","b":1.0}'
    """
    return json.dumps(
        content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )


def digest(previous: bytes, content: str) -> bytes:
    """Return the hash of a link with `content` that follows `previous`. [32 bytes, SHA-256]"""
    return hashlib.sha256(previous + content.encode()).digest()


def first_break(links: Iterable[Link], previous: bytes = GENESIS, number: int = 0) -> Break | None:
    """Return the first place where `links`, in order, do not follow from one another, or None.

    `previous` and `number` are those of the link before the first of them.
    """
    for link in links:
        number += 1
        if link.number != number:
            return Break(number, f"link {number} is missing, {link.number} comes instead")
        if digest(previous, link.content) != link.digest:
            return Break(number, f"link {number} does not follow from the one before")
        previous = link.digest
    return None
