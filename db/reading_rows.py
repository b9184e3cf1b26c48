"""Owns a reading as the bytes of a binary COPY row: made once, stored on whichever path.

A row is (meter_id, read_at, raw_value, quality, received_at) in the binary format of PostgreSQL's
COPY. Packing it here costs a fifth of what the driver needs to encode a tuple, and nothing is done
so often. Instants are those of `db.instants`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import datetime

from energy import instants

ReadingRow = tuple[int, datetime, float, str, datetime]
"""meter_id, read_at, raw_value, quality, received_at"""

FIELDS = 5
VALUE_BYTES = 8
MIDDLE = struct.Struct(">14sqid")
"""head(meter_id), instant, VALUE_BYTES, raw_value: then comes the tail."""

_FILE_BEGINS = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_FILE_ENDS = b"\xff\xff"
_HEAD = struct.Struct(">hiii")
_LENGTH = struct.Struct(">i")
_RECEIVED = struct.Struct(">iq")
_ORDINAL = struct.Struct(">hii")
_ID_BYTES, _INSTANT_BYTES = 4, 8


def head(meter_id: int) -> bytes:
    """Return how every row of a meter begins."""
    return _HEAD.pack(FIELDS, _ID_BYTES, meter_id, _INSTANT_BYTES)


def tail(quality: str, received_at: int) -> bytes:
    """Return how every row of one message and quality ends."""
    text = quality.encode()
    return _LENGTH.pack(len(text)) + text + _RECEIVED.pack(_INSTANT_BYTES, received_at)


def unpack(row: bytes) -> ReadingRow:
    start, instant, _, raw_value = MIDDLE.unpack_from(row)
    _, _, meter_id, _ = _HEAD.unpack(start)
    (length,) = _LENGTH.unpack_from(row, MIDDLE.size)
    at = MIDDLE.size + _LENGTH.size
    _, received_at = _RECEIVED.unpack_from(row, at + length)
    quality = row[at : at + length].decode()
    return meter_id, instants.moment(instant), raw_value, quality, instants.moment(received_at)


def file(rows: Sequence[bytes]) -> bytes:
    """Return what COPY reads for `rows`."""
    return b"".join((_FILE_BEGINS, *rows, _FILE_ENDS))


def numbered_file(rows: Iterable[tuple[int, bytes]]) -> bytes:
    """Return what COPY reads for rows with their ordinals as an additional first column."""
    numbered = (_ORDINAL.pack(FIELDS + 1, 4, ordinal) + row[2:] for ordinal, row in rows)
    return b"".join((_FILE_BEGINS, *numbered, _FILE_ENDS))
