"""Owns cursors: where a list goes on, opaque to callers, checked when it comes back."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence

from app.errors import InvalidParameter

PART_LENGTH_MAX = 200
REFUSAL = "is not one this call gave out; start again without it"


def encode(*parts: str) -> str:
    """Return the cursor of the list that goes on after `parts`.

    >>> decode(encode("450200", "E01"), 2)
    ('450200', 'E01')
    """
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str | None, count: int) -> tuple[str, ...]:
    """Return the `count` parts of `cursor`; of None, empty ones: the list starts at its start."""
    if cursor is None:
        return ("",) * count
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeError, ValueError, RecursionError) as error:
        raise InvalidParameter("cursor", REFUSAL) from error
    if not isinstance(parts, list) or len(parts) != count or not _are_texts(parts):
        raise InvalidParameter("cursor", REFUSAL)
    return tuple(parts)


def number(part: str, most: int) -> int:
    """Return the number in a part of a cursor, from 1 to `most`. Raises InvalidParameter."""
    if not (part.isascii() and part.isdigit() and 1 <= int(part) <= most):
        raise InvalidParameter("cursor", REFUSAL)
    return int(part)


def _are_texts(parts: Sequence[object]) -> bool:
    return all(isinstance(part, str) and _is_text(part) for part in parts)


def _is_text(part: str) -> bool:
    """Return whether the database would take `part`: no NUL, no half of a character."""
    if len(part) > PART_LENGTH_MAX or "\0" in part:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in part)
