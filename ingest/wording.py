"""Owns the sentences that tell a gateway what to write, where what it wrote cannot be read.

Pure. Only of messages that were refused: what the decoder says names types and paths, not remedies.
"""

from __future__ import annotations

import json
import re

WANTED = {
    "batch": "batch is a text of 1 to 64 characters",
    "sent_at": "sent_at is a text, such as 2026-11-23T08:00:05+08:00",
    "boot": "boot is a text of at most 64 characters",
    "seq": "seq is a whole number from 0 up to 9223372036854775806, without quotes",
    "readings": "readings is a list of objects",
    "meter": "meter is a text of 1 to 32 characters, the code that is registered",
    "time": "time is a text with an offset, such as 2026-11-23T08:00:00+08:00",
    "value": "value is a number, without quotes",
    "quality": "quality is good, uncertain, bad or substituted",
}
READING = "a reading is an object with meter, time, value and, if need be, quality"
BATCH = "a batch is an object with batch and readings"
KEY_SHOWN = 40

_PATH = re.compile(r"`\$(?P<path>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(\w+)`")
_UNKNOWN = re.compile(r"contains unknown field `(.*)`", re.DOTALL)
_LAST_KEY = re.compile(r"\.(\w+)$")


def of_field(error: Exception, whole: str) -> str:
    """Return what to write instead of what `error`, of msgspec, is about; `whole`: READING, BATCH.

    >>> of_field(ValueError("Expected `float`, got `str` - at `$.value`"), READING)
    'value is a number, without quotes'
    """
    text = str(error)
    if missing := _MISSING.search(text):
        return f"{missing[1]} is missing: {WANTED[missing[1]]}"
    if unknown := _UNKNOWN.search(text):
        return f"{unknown[1][:KEY_SHOWN]!r} is no key here: {whole}"
    path = _PATH.search(text)
    key = _LAST_KEY.search(path["path"]) if path else None
    return whole if key is None else WANTED.get(key[1], whole)


def of_json(error: Exception) -> str:
    """Return why a message is no JSON, and where."""
    match error:
        case json.JSONDecodeError():
            where = f"line {error.lineno}, column {error.colno}"
            return f"it is no JSON from {where} on; {BATCH}"
        case UnicodeDecodeError():
            return f"byte {error.start} is no UTF-8; send JSON in UTF-8"
        case RecursionError():
            return f"it is nested too deeply; {BATCH}"
        case _:
            return f"a number has too many digits; {WANTED['value']}"
