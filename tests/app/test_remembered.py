"""What the registry answered is remembered, and never one moment longer than it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

import db.scope
from app.remembered import Memory, Remembered
from db.pool import Connection
from db.scope import Scope
from tests import cast
from tests.app.conftest import Stage

MONTH = {"from_": "2026-11-01T00:00:00+08:00", "to": "2026-12-01T00:00:00+08:00"}
ASKED = {**MONTH, "bucket": "month", "group_by": "region"}
PATH = "/v1/consumption"

CHANGES = {
    "a meter more": "INSERT INTO meters (unit_id, meter, name, carrier, kind, uom, interval_s, "
    "role, installed_at) SELECT unit_id, 'E09', 'n', 'electricity', 'register', 'kWh', 900, "
    "'boundary', '2026-11-10Z' FROM meters LIMIT 1",
    "another role": "UPDATE meters SET role = 'sub' WHERE unit_id = (SELECT min(unit_id) "
    "FROM units)",
    "another interval": "INSERT INTO meter_epochs (meter_id, starts_at, reason, interval_s) "
    "SELECT min(meter_id), '2026-11-05Z', 'interval', 3600 FROM meters",
    "another place": "UPDATE units SET region = '450203'",
    "another name": "UPDATE regions SET name = '柳' WHERE region = '450202'",
    "a carrier accounted otherwise": "UPDATE carriers SET reference_uom = 'MWh' "
    "WHERE carrier = 'electricity'",
    "a factor in doubt": "UPDATE factors SET verified = NOT verified",
}


USED = """
INSERT INTO unit_consumption (unit_id, carrier, step, starts_at, quantity, estimated_quantity,
                              readings_present, held)
SELECT unit_id, 'electricity', 'month', '2026-10-31T16:00:00Z', 5, 0, 100, false FROM units
"""


@pytest.mark.parametrize("change", CHANGES)
async def test_what_was_remembered_is_forgotten_with_the_change(stage: Stage, change: str) -> None:
    """Asked before and after, the answer is what one who remembers nothing would give."""
    await stage.pool.execute(USED)
    asked = {**ASKED, "group_by": "region,unit,energy", "region_level": "county"}
    before = {who: (await stage.get(who, PATH, **asked)).content for who in ("zhao", "qian")}
    await stage.pool.execute(CHANGES[change])
    after = {who: (await stage.get(who, PATH, **asked)).content for who in before}
    stage.state["memory"].keep(uuid4(), "all else is forgotten", ())
    assert after == {who: (await stage.get(who, PATH, **asked)).content for who in before}
    assert after["zhao"] != before["zhao"]


async def test_what_is_remembered_is_not_read_again(stage: Stage) -> None:
    first = await stage.get("qian", PATH, **ASKED)
    async with stage.pool.acquire() as blocker, blocker.transaction():
        await blocker.execute("LOCK TABLE meters, factors IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(5):
            again = await stage.get("qian", PATH, **ASKED)
    assert (again.status_code, again.content) == (200, first.content)


async def test_nobody_is_answered_what_another_was(stage: Stage) -> None:
    """The same question: of each scope its own answer, and 404 of a unit that is foreign."""
    unit = {**ASKED, "group_by": "energy", "unit": cast.QIANS_UNIT}
    for who, status in (("li", 200), ("qian", 200), ("sun", 404), ("qian", 200), ("sun", 404)):
        assert (await stage.get(who, PATH, **unit)).status_code == status
    seen = {who: await stage.items(who, PATH, **ASKED) for who in ("zhao", "qian", "sun", "li")}
    for who, items in seen.items():
        stage.state["memory"].keep(uuid4(), "all else is forgotten", ())
        assert await stage.items(who, PATH, **ASKED) == items
    assert seen["sun"] != seen["qian"] != seen["zhao"]


STAMPED = {
    "regions": "name", "region_aliases": "alias", "industries": "name_zh", "carriers": "carrier",
    "units": "name", "meters": "name", "meter_epochs": "reason", "factors": "source",
    "calorific_values": "source",
}  # fmt: skip


async def test_every_change_of_what_is_registered_is_stamped(connection: Connection) -> None:
    stamps = [await db.scope.enter(connection, Scope("45"))]
    for table, column in STAMPED.items():
        await connection.execute(f"UPDATE {table} SET {column} = {column} WHERE false")
        stamps.append(await db.scope.enter(connection, Scope("45")))
    assert len({*stamps}) == 1 + len(STAMPED)


async def test_who_looks_since_before_a_change_is_told_what_held_before(stage: Stage) -> None:
    async with (
        stage.views.acquire() as old,
        old.transaction(isolation="repeatable_read", readonly=True),
    ):
        before = await db.scope.enter(old, Scope("45"))
        await stage.pool.execute("UPDATE units SET name = 'n'")
        async with stage.views.acquire() as new, new.transaction(readonly=True):
            after = await db.scope.enter(new, Scope("45"))
        assert await db.scope.enter(old, Scope("45")) == before != after


async def _asked(memory: Memory, stamp: UUID, question: str, rows: Sequence[int]) -> list[int]:
    async def fetch() -> Sequence[int]:
        return rows

    return [*await Remembered(memory, stamp).of(question, fetch)]


async def test_memory_is_bounded_and_of_one_stamp() -> None:
    memory, one, other = Memory(rows_max=10), uuid4(), uuid4()
    assert await _asked(memory, one, "a", [1] * 4) == [1] * 4
    assert await _asked(memory, one, "a", [2]) == [1] * 4
    assert await _asked(memory, one, "b", [3] * 8) == [3] * 8  # there is room for one of the two
    assert await _asked(memory, one, "a", [4]) == [4]
    assert await _asked(memory, other, "b", [5]) == [5]
    assert await _asked(memory, one, "b", [6]) == [6]
    assert await Remembered().one("a", _seven) == 7


async def _seven() -> int:
    return 7
