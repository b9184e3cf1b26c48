"""Sparkplug B: the bytes, and which metric reads which meter."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import energy.instants
from ingest import instants
from ingest.payload import PAYLOAD_BYTES_MAX, Batch, Quality, Reason, WireReading
from ingest.sparkplug import readings, topics, wire
from ingest.sparkplug.datatypes import Datatype
from ingest.sparkplug.edge_node import EdgeNode, Event, Outcome
from ingest.sparkplug.sparkplug_b_pb2 import Metric, Payload
from ingest.sparkplug.topics import MessageType

AT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
AT_MS = 1_700_000_000_000
METERS = {"E01", "E02", "gas.flow"}

# Written from the wire format of protobuf and the field table of the specification, not by a
# library: these bytes hold our .proto to its numbers.
GOLDEN_NBIRTH = bytes.fromhex(
    "08 80d095ffbc31"  # 1 timestamp
    "12 0b 0a05 6264536571 2004 5803"  # 2 metric: 1 name bdSeq, 4 Int64, 11 long_value 3
    "12 19 0a03 453031 1007 18 80d095ffbc31 200a 69 85eb51b89a61fd40"  # E01, alias 7, 13 double
    "12 1a 0a14 4e6f646520436f6e74726f6c2f52656269727468 200b 7000"  # Node Control/Rebirth, 14 bool
    "18 00"  # 3 seq
)
GOLDEN_NDATA = bytes.fromhex(
    "08 a0c7ccffbc31"
    "12 26 1007 18 a0c7ccffbc31 2801"  # 2 alias 7, 3 timestamp, 5 is_historical
    "4a 10 0a07 5175616c697479 12 05 0803 18f403"  # 9 properties: Quality, Int32, 500
    "69 000000000865fd40"  # 13 double_value
    "18 01"
)


def metric(
    name: str = "", alias: int | None = None, at_ms: int | None = AT_MS, **fields: object
) -> Metric:
    one = Metric(timestamp=at_ms, alias=alias, **fields)  # type: ignore[arg-type]
    if name:
        one.name = name
    return one


def held(datatype: int | None, fields: dict[str, object]) -> Metric:
    """Return the metric E01 with just these fields."""
    return Metric(name="E01", timestamp=AT_MS, datatype=datatype, **fields)  # type: ignore[arg-type]


def double(name: str = "", value: float = 1.0, alias: int | None = None) -> Metric:
    return metric(name, alias, datatype=Datatype.DOUBLE, double_value=value)


def payload(seq: int | None, *metrics: Metric, sent_ms: int | None = AT_MS) -> bytes:
    return Payload(timestamp=sent_ms, seq=seq, metrics=metrics).SerializeToString()


def pairs(batch: Batch) -> list[tuple[int, WireReading]]:
    return list(zip(batch.indexes, batch.readings, strict=True))


def at(reading: WireReading) -> datetime:
    return energy.instants.moment(instants.parse(reading.time))


def bd_seq(number: int) -> Metric:
    return metric("bdSeq", datatype=Datatype.INT64, long_value=number)


def born(*metrics: Metric, session: int = 3, seq: int = 0) -> EdgeNode:
    node = EdgeNode()
    outcome = node.after(MessageType.NBIRTH, "", payload(seq, bd_seq(session), *metrics))
    assert outcome.event is Event.NODE_BORN
    return node


def said(one: Metric) -> Outcome:
    """Return what a live metric of the edge node comes to."""
    return born().after(MessageType.NDATA, "", payload(1, one))


def rejected(one: Metric) -> Reason:
    (rejection,) = readings.batch(said(one), METERS).rejections
    return rejection.reason


def test_the_golden_birth_is_a_reading_and_an_alias() -> None:
    node = EdgeNode()
    birth = readings.batch(node.after(MessageType.NBIRTH, "", GOLDEN_NBIRTH), METERS)
    assert birth.batch == "spb-3-0"
    ((index, reading),) = pairs(birth)
    assert (index, reading.meter, at(reading), reading.value) == (1, "E01", AT, 120345.67)
    assert birth.rejections == []


def test_golden_data_is_read_by_the_alias_and_datatype_of_its_birth() -> None:
    node = EdgeNode()
    node.after(MessageType.NBIRTH, "", GOLDEN_NBIRTH)
    outcome = node.after(MessageType.NDATA, "", GOLDEN_NDATA)
    ((index, reading),) = pairs(readings.batch(outcome, METERS))
    assert (outcome.batch, outcome.rebirth, index) == ("spb-3-1", None, 0)
    assert (reading.meter, reading.value, reading.quality) == ("E01", 120400.5, "uncertain")
    assert at(reading) == AT + timedelta(minutes=15)


def test_our_schema_writes_the_golden_bytes() -> None:
    for golden in (GOLDEN_NBIRTH, GOLDEN_NDATA):
        assert Payload.FromString(golden).SerializeToString() == golden


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
@given(data=st.data())
def test_a_signed_integer_survives_every_way_to_write_it(bits: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(-(1 << bits - 1), (1 << bits - 1) - 1))
    width = data.draw(st.sampled_from([w for w in (bits, 32, 64) if w >= bits]))
    raw = value & (1 << width) - 1
    field = "int_value" if raw < 1 << 32 else "long_value"
    one = held(Datatype[f"INT{bits}"], {field: raw})
    ((_, reading),) = pairs(readings.batch(said(one), METERS))
    assert reading.value == float(value)


@pytest.mark.parametrize(
    ("datatype", "fields", "value"),
    [
        (Datatype.UINT8, {"int_value": 255}, 255.0),
        (Datatype.UINT16, {"int_value": 65_535}, 65_535.0),
        (Datatype.UINT32, {"int_value": 2**32 - 1}, 4_294_967_295.0),
        (Datatype.UINT32, {"long_value": 2**32 - 1}, 4_294_967_295.0),
        (Datatype.UINT64, {"long_value": 2**53}, 2.0**53),
        (Datatype.FLOAT, {"float_value": 12.5}, 12.5),
        (Datatype.FLOAT, {"double_value": -12.5}, -12.5),
        (Datatype.DOUBLE, {"double_value": 0.1}, 0.1),
        (None, {"double_value": 0.1}, 0.1),
    ],
)
def test_a_number_is_read(datatype: int | None, fields: dict[str, object], value: float) -> None:
    outcome = said(held(datatype, fields))
    ((_, reading),) = pairs(readings.batch(outcome, METERS))
    assert reading.value == value


@pytest.mark.parametrize(
    ("datatype", "fields", "reason"),
    [
        (Datatype.INT8, {"int_value": 300}, Reason.INVALID_FIELD),
        (Datatype.INT8, {"int_value": 0xFFFF_FF01}, Reason.INVALID_FIELD),
        (Datatype.UINT16, {"int_value": 65_536}, Reason.INVALID_FIELD),
        (Datatype.INT32, {"double_value": 1.0}, Reason.INVALID_FIELD),
        (Datatype.DOUBLE, {"int_value": 1}, Reason.INVALID_FIELD),
        (Datatype.BOOLEAN, {"boolean_value": True}, Reason.INVALID_FIELD),
        (Datatype.STRING, {"string_value": "12"}, Reason.INVALID_FIELD),
        (Datatype.DATETIME, {"long_value": AT_MS}, Reason.INVALID_FIELD),
        (Datatype.TEXT, {"string_value": "12"}, Reason.INVALID_FIELD),
        (Datatype.UUID, {"string_value": "12"}, Reason.INVALID_FIELD),
        (Datatype.BYTES, {"bytes_value": b"12"}, Reason.INVALID_FIELD),
        (Datatype.FILE, {"bytes_value": b"12"}, Reason.INVALID_FIELD),
        (Datatype.DATASET, {"dataset_value": {}}, Reason.INVALID_FIELD),
        (Datatype.TEMPLATE, {"template_value": {}}, Reason.INVALID_FIELD),
        (Datatype.DOUBLE, {"template_value": {}}, Reason.INVALID_FIELD),
        (22, {"bytes_value": b"12"}, Reason.INVALID_FIELD),
        (99, {"double_value": 1.0}, Reason.INVALID_FIELD),
        (None, {"int_value": 1}, Reason.INVALID_FIELD),
        (None, {"boolean_value": True}, Reason.INVALID_FIELD),
        (Datatype.DOUBLE, {}, Reason.INVALID_FIELD),
        (Datatype.DOUBLE, {"is_null": True, "double_value": 1.0}, Reason.INVALID_FIELD),
        (Datatype.DOUBLE, {"double_value": math.nan}, Reason.VALUE_NOT_FINITE),
        (Datatype.FLOAT, {"float_value": -math.inf}, Reason.VALUE_NOT_FINITE),
    ],
)
def test_what_is_no_number_is_rejected(
    datatype: int | None, fields: dict[str, object], reason: Reason
) -> None:
    assert rejected(held(datatype, fields)) is reason


@pytest.mark.parametrize(
    ("code", "quality"),
    [(192, Quality.GOOD), (0, Quality.BAD), (500, Quality.UNCERTAIN), (64, Quality.UNCERTAIN)],
)
def test_the_property_quality_is_the_quality(code: int, quality: Quality) -> None:
    one = double("E01")
    one.properties.keys.extend(["Engineering Unit", "Quality"])
    one.properties.values.add(string_value="kWh")
    one.properties.values.add(type=Datatype.INT32, int_value=code)
    ((_, reading),) = pairs(readings.batch(said(one), METERS))
    assert reading.quality is quality


def test_a_metric_without_a_time_has_that_of_its_payload_or_is_rejected() -> None:
    one = metric("E01", at_ms=None, datatype=Datatype.DOUBLE, double_value=1)
    ((_, reading),) = pairs(readings.batch(said(one), METERS))
    assert at(reading) == AT
    timeless = born().after(MessageType.NDATA, "", payload(1, one, sent_ms=None))
    (rejection,) = readings.batch(timeless, METERS).rejections
    assert (rejection.meter, rejection.reason) == ("E01", Reason.INVALID_FIELD)


def test_a_time_in_nanoseconds_is_rejected() -> None:
    one = metric("E01", at_ms=AT_MS * 10**6, datatype=Datatype.DOUBLE, double_value=1)
    assert rejected(one) is Reason.INVALID_FIELD


@pytest.mark.parametrize(
    ("device", "name", "meters", "meter"),
    [
        ("gas", "flow", {"gas.flow", "flow", "gas"}, "gas.flow"),
        ("gas", "flow", {"flow", "gas"}, "flow"),
        ("gas", "flow", {"gas"}, None),
        ("E01", "Value", {"E01"}, "E01"),
        ("E01", "reading", {"E01", "reading"}, "reading"),
        ("", "E01", {"E01"}, "E01"),
    ],
)
def test_the_first_registered_code_is_the_meter(
    device: str, name: str, meters: set[str], meter: str | None
) -> None:
    node = born()
    node.after(MessageType.DBIRTH, device or "x", payload(1))
    kind = MessageType.DDATA if device else MessageType.NDATA
    batch = readings.batch(node.after(kind, device, payload(2, double(name))), meters)
    assert [reading.meter for _, reading in pairs(batch)] == ([meter] if meter else [])
    assert [r.reason for r in batch.rejections] == ([] if meter else [Reason.UNKNOWN_METER])


def test_an_unknown_meter_names_what_could_be_registered() -> None:
    node = born()
    outcome = node.after(MessageType.DBIRTH, "gas", payload(1, double("value")))
    (rejection,) = readings.batch(outcome, METERS).rejections
    assert (rejection.index, rejection.meter) == (0, "gas.value")
    assert "gas.value or value or gas" in rejection.detail


def test_names_of_control_are_no_readings() -> None:
    names = ["bdSeq", "Node Control/Scan Rate", "Device Control/Reboot", "Properties/Rated Power"]
    outcome = born().after(MessageType.NDATA, "", payload(1, *map(double, names)))
    assert outcome.samples == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"\xff", Reason.INVALID_FIELD),
        (b"{}", Reason.INVALID_FIELD),
        (GOLDEN_NBIRTH[:-3], Reason.INVALID_FIELD),
        (Payload(uuid=wire.COMPRESSED, body=b"x").SerializeToString(), Reason.INVALID_FIELD),
        (b"\x12\x00" * (wire.METRICS_MAX + 1), Reason.TOO_LARGE),
        (b"\x22" * (PAYLOAD_BYTES_MAX + 1), Reason.TOO_LARGE),
    ],
)
def test_a_message_nobody_can_read_is_one_rejection(message: bytes, reason: Reason) -> None:
    outcome = born().after(MessageType.NDATA, "", message)
    (rejection,) = readings.batch(outcome, METERS).rejections
    assert (outcome.event, rejection.index, rejection.reason) == (Event.REFUSED, None, reason)


def test_a_name_that_is_not_utf8_costs_its_metric_alone() -> None:
    foreign = "电表".encode("gbk")
    message = payload(1, double("xxxx"), double("E01")).replace(b"xxxx", foreign)
    batch = readings.batch(born().after(MessageType.NDATA, "", message), METERS)
    assert [rejection.reason for rejection in batch.rejections] == [Reason.UNKNOWN_METER]
    assert [index for index, _ in pairs(batch)] == [1]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(topics.OF_A_NODE | topics.OF_A_DEVICE)),
            st.sampled_from(["", "gas", "\x00"]),
            st.binary(max_size=60) | st.sampled_from([GOLDEN_NBIRTH, GOLDEN_NDATA]),
            st.integers(0, 120),
            st.binary(max_size=3),
        ),
        max_size=8,
    )
)
def test_any_bytes_in_any_order_come_to_readings_and_rejections(
    messages: list[tuple[MessageType, str, bytes, int, bytes]],
) -> None:
    node = EdgeNode()
    for kind, device, message, place, noise in messages:
        nasty = message[:place] + noise + message[place + len(noise) :]
        outcome = node.after(kind, device, nasty)
        batch = readings.batch(outcome, METERS)
        if outcome.fault is None:
            assert len(batch.readings) + len(batch.rejections) == len(outcome.samples)
        else:
            assert sum(rejection.count for rejection in batch.rejections) >= 1
