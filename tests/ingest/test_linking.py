"""What is hashed is what is stored, in an order that the database can make again."""

from __future__ import annotations

import hashlib
import itertools
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db import reading_rows
from db.pool import Connection
from db.reading_rows import MIDDLE, VALUE_BYTES, Part
from energy import instants
from energy.ledger import Head
from ingest import linking
from ingest.linking import Linker
from ingest.payload import Quality
from tests.ingest.conftest import NOW

EARLIEST, LATEST = datetime(2015, 1, 1, tzinfo=UTC), datetime(2099, 12, 31, tzinfo=UTC)
KEYS = st.tuples(
    st.integers(1, 2**31 - 1),
    st.integers(instants.of(EARLIEST), instants.of(LATEST)),
)
VALUES = st.floats(allow_nan=False, allow_infinity=False)
READINGS = st.lists(
    st.tuples(KEYS, VALUES, st.sampled_from(Quality)),
    min_size=1,
    max_size=30,
    unique_by=lambda each: each[0],
)


def row(meter_id: int, instant: int, value: float = 1.0, quality: str = "good") -> bytes:
    head, tail = reading_rows.head(meter_id), reading_rows.tail(quality, instants.of(NOW))
    return MIDDLE.pack(head, instant, VALUE_BYTES, value) + tail


def hours(rows: list[bytes]) -> dict[tuple[int, int], set[int]]:
    found: dict[tuple[int, int], set[int]] = {}
    for each in rows:
        meter_id, read_at, *_ = reading_rows.unpack(each)
        found.setdefault((1, meter_id), set()).add(instants.of(read_at) // instants.HOUR)
    return found


@given(READINGS)
def test_rows_sort_by_meter_and_instant(
    readings: list[tuple[tuple[int, int], float, Quality]],
) -> None:
    rows = sorted(row(*key, value, quality) for key, value, quality in readings)
    in_order = [reading_rows.unpack(each)[:2] for each in rows]
    assert in_order == sorted(in_order)


@given(READINGS)
def test_every_row_is_in_one_week_and_that_week_holds_it(
    readings: list[tuple[tuple[int, int], float, Quality]],
) -> None:
    rows = [row(*key, value, quality) for key, value, quality in readings]
    weeks = linking.weeks(rows, hours(rows))
    assert sorted(each for _, some in weeks for each in some) == sorted(rows)
    for week, some in weeks:
        starts_at = instants.moment(instants.week_start(week))
        assert starts_at.weekday() == 3
        for each in some:
            read_at = reading_rows.unpack(each)[1]
            assert starts_at <= read_at < starts_at + timedelta(days=7)


@given(st.lists(st.lists(KEYS, min_size=1, max_size=5, unique=True), min_size=1, max_size=3))
def test_links_follow_from_one_another_whatever_is_stored(
    flushes: list[list[tuple[int, int]]],
) -> None:
    head, ids = Head(), itertools.count(1)
    for keys in flushes:
        rows = [row(*key) for key in keys]
        linker = Linker("collector", head, ids, NOW)
        bodies = list(linker.bodies(linking.weeks(rows, hours(rows))))
        assert [each.number for each in linker.links] == list(
            range(head.number + 1, head.number + 1 + len(bodies))
        )
        assert sum(each.readings for each in linker.links) == len(keys)
        assert [each.content for each in linker.links] == [
            hashlib.sha256(body).digest() for body in bodies
        ]
        head = linker.links[-1].head


def test_only_what_is_new_is_vouched_for() -> None:
    rows = [row(1, instants.of(NOW) + n) for n in range(4)]
    linker = Linker("collector", Head(), itertools.count(7), NOW)
    ids = linker.ids(linking.weeks(rows, hours(rows)))
    linker.link(ids, rows, {3, 1})
    (link,) = linker.links
    body = Part(7, linking.by_week(rows)[0][0], [rows[1], rows[3]]).body()
    assert (link.link_id, link.readings, link.content) == (7, 2, hashlib.sha256(body).digest())


@pytest.mark.parametrize("table", ["links", "heads"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET sha256 = ''", "DELETE FROM {}", "TRUNCATE {}"]
)
async def test_a_login_cannot_rewrite_the_ledger(
    connection: Connection, table: str, statement: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await connection.execute(statement.format(table))
