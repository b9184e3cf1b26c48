"""Owns the text of a reading's time: RFC 3339 with an offset, to an instant (`energy.instants`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

import energy.instants

TEXTS_REMEMBERED_MAX = 20_000
"""Texts whose instant is remembered: the gateways of a province report the same few instants."""

TEXT_LENGTH_MAX = 40
"""Longer texts, of more digits than anybody measures, are read and not remembered."""


class InstantError(ValueError):
    """The text names no instant; `is_naive` when it only lacks its offset."""

    def __init__(self, sentence: str, *, is_naive: bool = False) -> None:
        super().__init__(sentence)
        self.is_naive = is_naive


_remembered: dict[str, int] = {}


def parse_all(texts: Sequence[str]) -> list[int]:
    """Return the instants that `texts` name. [µs since 2000] Raises InstantError."""
    found = [_remembered.get(text) for text in texts]
    if None not in found:
        return found  # type: ignore[return-value]  # mypy does not see what `in` says
    return [parse(text) for text in texts]


def parse(text: str) -> int:
    """Return the instant that `text` names. [µs since 2000]

    >>> parse("2000-01-01T08:00:01+08:00")
    1000000
    """
    instant = _remembered.get(text)
    if instant is None:
        instant = _parse(text)
        if len(_remembered) >= TEXTS_REMEMBERED_MAX:
            _remembered.clear()
        if len(text) <= TEXT_LENGTH_MAX:
            _remembered[text] = instant
    return instant


def _parse(text: str) -> int:
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        raise InstantError("is not RFC 3339, such as 2026-11-23T08:00:00+08:00") from None
    if moment.tzinfo is None:
        raise InstantError("has no offset; write +08:00 behind it", is_naive=True)
    try:
        return energy.instants.of(moment.astimezone(UTC))
    except OverflowError:
        raise InstantError("lies beyond the calendar") from None
