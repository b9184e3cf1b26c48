"""A batch is read whole, or each bad reading is named and the others are kept."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import instants, payload, wording
from ingest.payload import Reason

GOOD = {"meter": "E01", "time": "2026-11-23T08:00:00+08:00", "value": 120345.67}


def message(*readings: object, **fields: object) -> bytes:
    return json.dumps({"batch": "gw1-000123", "readings": readings, **fields}).encode()


def test_the_example_of_the_interface_is_read() -> None:
    batch = payload.decode(
        message({**GOOD, "quality": "uncertain"}, sent_at="2026-11-23T08:00:05+08:00", seq=7)
    )
    ((index, reading),) = zip(batch.indexes, batch.readings, strict=True)
    assert (batch.batch, index, reading.value, reading.quality) == (
        "gw1-000123",
        0,
        120345.67,
        "uncertain",
    )


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"value": float("nan")}, Reason.VALUE_NOT_FINITE),
        ({"value": float("-inf")}, Reason.VALUE_NOT_FINITE),
        ({"value": 10**400}, Reason.VALUE_NOT_FINITE),
        ({"value": -(10**400)}, Reason.VALUE_NOT_FINITE),
        ({"value": "12"}, Reason.INVALID_FIELD),
        ({"value": True}, Reason.INVALID_FIELD),
        ({"value": None}, Reason.INVALID_FIELD),
        ({"time": "2026-11-23T08:00:00"}, Reason.TIME_WITHOUT_OFFSET),
        ({"time": "yesterday"}, Reason.INVALID_FIELD),
        ({"time": 1_700_000_000}, Reason.INVALID_FIELD),
        ({"meter": ""}, Reason.INVALID_FIELD),
        ({"meter": "x" * 33}, Reason.INVALID_FIELD),
        ({"quality": "excellent"}, Reason.INVALID_FIELD),
        ({"surprise": 1}, Reason.INVALID_FIELD),
    ],
)
def test_a_bad_reading_is_named_and_the_rest_is_kept(
    wrong: dict[str, object], reason: Reason
) -> None:
    batch = payload.decode(message(GOOD, {**GOOD, **wrong}, GOOD))
    assert list(batch.indexes) == [0, 2]
    assert [(fault.index, fault.reason) for fault in batch.rejections] == [(1, reason)]


@pytest.mark.parametrize("again", ['"value":2', '"value" :2', '"value"\n:\t2', '"meter" : "E02"'])
def test_a_key_given_twice_is_refused_however_it_is_spaced(again: str) -> None:
    text = message(GOOD, GOOD).replace(b'"meter"', again.encode() + b',"meter"', 1)
    batch = payload.decode(text)
    assert list(batch.indexes) == [1]
    assert [(each.index, each.detail) for each in batch.rejections] == [(0, "a key is given twice")]


def test_a_number_beyond_a_double_is_not_finite() -> None:
    text = message(GOOD, GOOD).replace(b"120345.67", b"1e400", 1)
    (rejection,) = payload.decode(text).rejections
    assert rejection.reason is Reason.VALUE_NOT_FINITE


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", Reason.MALFORMED_JSON),
        (b"{", Reason.MALFORMED_JSON),
        (b"\xff\xfe", Reason.MALFORMED_JSON),
        (b"[" * 200_000, Reason.MALFORMED_JSON),
        (b"[]", Reason.INVALID_FIELD),
        (b'{"readings": []}', Reason.INVALID_FIELD),
        (b'{"batch": "", "readings": []}', Reason.INVALID_FIELD),
        (b" " * (payload.PAYLOAD_BYTES_MAX + 1), Reason.TOO_LARGE),
        (b'{"batch": "b", "readings": [' + b"1," * 5_000 + b"1]}", Reason.TOO_LARGE),
    ],
)
def test_a_message_nobody_can_read_is_one_rejection(text: bytes, reason: Reason) -> None:
    batch = payload.decode(text)
    assert not batch.readings
    assert [(fault.index, fault.reason) for fault in batch.rejections] == [(None, reason)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b'{"batch": "q"}', "q"),
        (b'{"batch": "q", "seq": "3", "readings": []}', "q"),
        (b'{"batch": "q", "seq": -3, "readings": []}', "q"),
        (b'{"batch": "q\\ud800", "boot": 1, "readings": []}', "q?"),
        (b'{"batch": "' + b"x" * 65 + b'", "readings": []}', None),
        (b'{"batch": 7, "readings": []}', None),
        (b'{"batch": "q", ', None),
    ],
)
def test_a_refused_message_keeps_the_name_that_can_be_read(text: bytes, name: str | None) -> None:
    assert payload.decode(text).batch == name


@pytest.mark.parametrize(
    ("wrong", "detail"),
    [
        ({"value": "12"}, "value is a number, without quotes"),
        ({"quality": "great"}, "quality is good, uncertain, bad or substituted"),
        ({"surprise": 1}, f"'surprise' is no key here: {wording.READING}"),
    ],
)
def test_a_gateway_is_told_what_to_write(wrong: dict[str, object], detail: str) -> None:
    (rejection,) = payload.decode(message({**GOOD, **wrong})).rejections
    assert rejection.detail == detail


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (b'{"batch": "q", ', f"it is no JSON from line 1, column 16 on; {wording.BATCH}"),
        (b'{"batch": "\xff"}', "byte 11 is no UTF-8; send JSON in UTF-8"),
        (b'{"batch": "q"}', "readings is missing: readings is a list of objects"),
        (b"3", wording.BATCH),
    ],
)
def test_the_sender_of_a_message_that_is_no_batch_is_told_so(text: bytes, detail: str) -> None:
    (rejection,) = payload.decode(text).rejections
    assert rejection.detail == detail


@given(st.binary(max_size=300))
def test_any_bytes_come_to_a_batch_or_a_reason(text: bytes) -> None:
    batch = payload.decode(text)
    assert batch.rejections or not batch.readings


def test_a_long_text_of_a_time_is_read_and_not_remembered() -> None:
    for number in range(10):
        time = f"2026-11-23T08:00:00.{number}{'0' * 250_000}Z"
        assert len(payload.decode(message({**GOOD, "time": time})).readings) == 1
    assert max(map(len, instants._remembered)) <= instants.TEXT_LENGTH_MAX
