"""Owns a reading as the bytes of a binary COPY row: made once, stored on whichever path.

A row is (meter_id, read_at, raw_value, quality, received_at, link_id) in the binary format of
PostgreSQL's COPY, without its last field, which all rows of a `Part` share. Packing it here costs a
fifth of what the driver needs to encode a tuple, and nothing is done so often. Rows sort by meter
and instant. Instants are those of `energy.instants`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from energy import instants

ReadingRow = tuple[int, datetime, float, str, datetime]
"""meter_id, read_at, raw_value, quality, received_at"""

FIELDS = 6
VALUE_BYTES = 8
MIDDLE = struct.Struct(">14sqid")
"""head(meter_id), instant, VALUE_BYTES, raw_value: then comes the tail."""

_FILE_BEGINS = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_FILE_ENDS = b"\xff\xff"
_HEAD = struct.Struct(">hiii")
_LENGTH = struct.Struct(">i")
_RECEIVED = struct.Struct(">iq")
_ORDINAL = struct.Struct(">hii")
_LINK = struct.Struct(">iq")
_INSTANT = struct.Struct(">14xq")
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


def week(row: bytes) -> int:
    """Return the week (`energy.instants`) of the reading."""
    (instant,) = _INSTANT.unpack_from(row)
    return instants.week(instant)


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of a flush in one week, sorted: what one link vouches for."""

    link_id: int
    week: int
    rows: Sequence[bytes]

    def body(self) -> bytes:
        """Return the very bytes that COPY stores: what the link's hash is made of."""
        return _link_field(self.link_id).join((*self.rows, b""))


def pieces(bodies: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what COPY reads for the rows in `bodies`."""
    yield _FILE_BEGINS
    yield from bodies
    yield _FILE_ENDS


def numbered(rows: Iterable[tuple[int, bytes, int]]) -> bytes:
    """Return rows, given as (ordinal, row, link_id), with the ordinal as first column."""
    return b"".join(
        _ORDINAL.pack(FIELDS + 1, 4, ordinal) + row[2:] + _link_field(link_id)
        for ordinal, row, link_id in rows
    )


def _link_field(link_id: int) -> bytes:
    return _LINK.pack(8, link_id)
