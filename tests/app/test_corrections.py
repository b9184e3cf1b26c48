"""A correction is a fact beside the reading: who, why, on what evidence, and known since when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app import correcting, foreseen
from app.main import create_app
from db import corrections
from db.changes import Author
from db.corrections import CorrectionRow, Target
from energy import instants
from energy.registers import Epoch, EpochReason
from ingest import settle
from settings import Settings
from tests import cast, factories
from tests.app.conftest import NOW, Stage
from tests.ingest.conftest import Plant, reading
from tests.ingest.conftest import plant as plant

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
SPAN = {"from_": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z"}
METER = {"unit": cast.QIANS_UNIT, "meter": "E01"}
THEN = Author("zhao", "misread")


@pytest.fixture
async def meter_id(stage: Stage) -> int:
    """Qian's meter has five readings, one each quarter of an hour; Qian's key may state facts."""
    found: int = await stage.pool.fetchval(
        "SELECT meter_id FROM meters JOIN units USING (unit_id) WHERE unit = $1", cast.QIANS_UNIT
    )
    await stage.pool.executemany(
        "INSERT INTO readings VALUES ($1, $2, $3, 'good', $2)",
        [(found, FIRST + timedelta(minutes=15 * n), 100.0 + n) for n in range(5)],
    )
    await stage.pool.execute("UPDATE api_keys SET may_state = label IN ('qian', 'sun', 'li')")
    return found


async def post(stage: Stage, name: str, *stated: dict[str, Any], **more: Any) -> httpx.Response:
    key = stage.cast.key(name)
    body = {"reason": "misread", "evidence": "No. 17", "corrections": list(stated)} | more
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return await stage.client.post("/v1/corrections", json=body, headers=headers)


def correction(number: int = 1, value: float | None = 90.5, **more: Any) -> dict[str, Any]:
    time = (FIRST + timedelta(minutes=15 * number)).isoformat()
    return METER | {"time": time, "value": value} | more


# -- over HTTP -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("meter_id")
async def test_a_correction_stands_beside_the_reading_with_who_and_why(stage: Stage) -> None:
    answer = await post(stage, "qian", correction())
    assert answer.json() == {
        "stated_at": "2026-11-23T16:00:00+08:00",
        "actor": "qian",
        "stated": 1,
        "repeated": 0,
        "will_be_held": [],
    }
    items = await stage.items("li", "/v1/readings", **METER, **SPAN)
    assert [item["value"] for item in items] == [100, 101, 102, 103, 104]
    assert [item["correction"] for item in items if item["correction"]] == [
        {
            "value": 90.5,
            "actor": "qian",
            "approver": None,
            "reason": "misread",
            "evidence": "No. 17",
            "stated_at": "2026-11-23T16:00:00+08:00",
        }
    ]


@pytest.mark.usefixtures("meter_id")
async def test_who_states_what_a_register_cannot_have_done_is_told_what_will_be_held(
    stage: Stage,
) -> None:
    answer = await post(stage, "qian", correction(4, 90.5))
    span = {"starts_at": "2026-11-01T08:45:00+08:00", "ends_at": "2026-11-01T09:00:00+08:00"}
    assert answer.json()["will_be_held"] == [METER | span]


@pytest.mark.usefixtures("meter_id")
async def test_a_request_that_is_sent_twice_is_one_fact(stage: Stage) -> None:
    await post(stage, "qian", correction())
    again = await post(stage, "qian", correction(), correction(2, None))
    assert (again.json()["stated"], again.json()["repeated"]) == (1, 1)
    assert await stage.pool.fetchval("SELECT count(*) FROM changes") == 2


@pytest.mark.usefixtures("meter_id")
async def test_what_was_known_on_a_day_is_answered_as_it_was(stage: Stage) -> None:
    """[31] Corrected, corrected again, withdrawn: every day has its answer."""
    days = [NOW - timedelta(days=n) for n in (6, 4, 2)]
    async with stage.pool.acquire() as connection, connection.transaction():
        for at, value in zip(days, (90.5, 90.75, None), strict=True):
            row = CorrectionRow(**METER, time=FIRST + timedelta(minutes=15), value=value)
            target = (await corrections.list_targets(connection, [row]))[row.subject]
            if value is None:
                assert await correcting.withdraw(connection, THEN, row, target, at)
            else:
                assert await correcting.state(connection, THEN, [(row, target)], at) == 1

    async def known(at: datetime) -> list[float | None]:
        items = await stage.items("li", "/v1/readings", **METER, **SPAN, as_known_on=at.isoformat())
        return [item["correction"]["value"] for item in items if item["correction"]]

    hour = timedelta(hours=1)
    assert [await known(day + hour) for day in (NOW - timedelta(days=7), *days)] == [
        [], [90.5], [90.75], [],
    ]  # fmt: skip


@pytest.mark.tampers("when readings and links were stored")
async def test_a_reading_that_came_later_was_not_known(stage: Stage, meter_id: int) -> None:
    """It had come before and was rejected: its link tells when it was stored."""
    await stage.pool.execute(
        "INSERT INTO links VALUES ('replay', 1, 7, $1, $1, 1, sha256(''), sha256(''))", NOW
    )
    await stage.pool.execute(
        "INSERT INTO readings VALUES ($1, $2, 7, 'good', $2, 7)",
        meter_id,
        FIRST + timedelta(minutes=7),
    )

    async def values(at: datetime) -> list[float]:
        items = await stage.items("li", "/v1/readings", **METER, **SPAN, as_known_on=at.isoformat())
        return [item["value"] for item in items]

    assert await values(FIRST + timedelta(minutes=16)) == [100, 101]
    assert await values(NOW - timedelta(days=1)) == [100, 101, 102, 103, 104]
    assert await values(NOW) == [100, 7, 101, 102, 103, 104]


# -- who may ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("meter_id")
@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("zhou", 401, "unauthenticated"),
        ("zhao", 403, "may_not_state"),
        ("sun", 404, "not_found"),
    ],
)
async def test_who_may_not_state_a_fact_is_told_so_and_nothing_is_stored(
    stage: Stage, name: str, status: int, code: str
) -> None:
    answer = await post(stage, name, correction())
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await stage.pool.fetchval("SELECT count(*) FROM changes") == 0


@pytest.mark.usefixtures("meter_id")
async def test_what_is_foreign_is_answered_like_what_is_missing(stage: Stage) -> None:
    foreign = await post(stage, "sun", correction())
    missing = await post(stage, "qian", correction(99))
    assert foreign.content == missing.content


@pytest.mark.usefixtures("meter_id")
async def test_a_statement_is_taken_as_a_whole_or_not_at_all(stage: Stage) -> None:
    answer = await post(stage, "qian", correction(1), correction(99))
    assert answer.status_code == 404
    assert await stage.pool.fetchval("SELECT count(*) FROM corrections") == 0
    assert await stage.pool.fetchval("SELECT count(*) FROM stale_ranges") == 0


@pytest.mark.usefixtures("meter_id")
@pytest.mark.parametrize(
    ("stated", "more", "parameter"),
    [
        ({**correction(), "value": "90"}, {}, "value"),
        (METER | {"time": FIRST.isoformat()}, {}, "value"),
        (correction(time="2026-11-01T00:00:00"), {}, "time"),
        (correction(more=1), {}, "more"),
        (correction(), {"reason": "  "}, "reason"),
        (correction(), {"reason": "a\x00b"}, "reason"),
        (correction(), {"actor": "zhao"}, "actor"),
        (correction(), {"corrections": []}, "corrections"),
    ],
)
async def test_what_is_wrong_with_a_statement_is_named(
    stage: Stage, stated: dict[str, Any], more: dict[str, Any], parameter: str
) -> None:
    answer = await post(stage, "qian", stated, **more)
    assert answer.status_code == 422, answer.text
    assert [fault["parameter"] for fault in answer.json()["errors"]] == [parameter]


@pytest.mark.usefixtures("meter_id")
async def test_a_reading_that_is_named_twice_is_refused(stage: Stage) -> None:
    answer = await post(stage, "qian", correction(1), correction(1, 5))
    assert answer.json()["errors"][0]["parameter"] == "corrections"


def test_the_call_is_described_with_what_it_may_refuse() -> None:
    described = create_app(Settings(), "postgresql://nowhere").openapi()
    responses = described["paths"]["/v1/corrections"]["post"]["responses"]
    assert responses.keys() == {
        "200", "202", "401", "403", "404", "409", "422", "429", "503"
    }  # fmt: skip


# -- what is computed ------------------------------------------------------------------------------


async def day(plant: Plant) -> float | None:
    """Return the energy of the day after all that is stale is settled. [kWh]"""
    async with plant.pool.acquire() as connection:
        while await settle.settle_one(connection):
            pass
    energy: float | None = await plant.pool.fetchval(
        "SELECT quantity FROM unit_consumption WHERE step = 'day' AND carrier = 'electricity'"
    )
    return energy


async def target(plant: Plant, row: CorrectionRow) -> Target:
    async with plant.pool.acquire() as connection:
        return (await corrections.list_targets(connection, [row]))[row.subject]


def row(minutes: int, value: float | None) -> CorrectionRow:
    time = datetime.fromisoformat(str(reading(minutes, 0)["time"]))
    return CorrectionRow(factories.unit_code(), "E01", time, value)


async def correct(plant: Plant, minutes: int, value: float | None) -> None:
    stated = row(minutes, value)
    found = await target(plant, stated)
    async with plant.pool.acquire() as connection, connection.transaction():
        await correcting.state(connection, THEN, [(stated, found)], NOW)


async def test_a_correction_repairs_the_numbers_above_it(plant: Plant) -> None:
    await plant.send(reading(0, 100), reading(30, 130), reading(60, 160))
    assert await day(plant) == 60
    await correct(plant, 60, 150)
    assert await day(plant) == 50
    await correct(plant, 60, 155)
    assert await day(plant) == 55
    assert await plant.pool.fetchval("SELECT max(raw_value) FROM readings") == 160


async def test_a_reading_that_is_set_aside_does_not_count(plant: Plant) -> None:
    await plant.send(reading(0, 100), reading(30, 130), reading(60, 160))
    await correct(plant, 60, None)
    assert await day(plant) == 30


async def test_what_is_withdrawn_counts_again_as_it_was_read(plant: Plant) -> None:
    await plant.send(reading(0, 100), reading(60, 160))
    await correct(plant, 60, None)
    assert await day(plant) is None
    found = await target(plant, row(60, None))
    async with plant.pool.acquire() as connection, connection.transaction():
        assert await correcting.withdraw(connection, THEN, row(60, None), found, NOW)
        assert not await correcting.withdraw(connection, THEN, row(60, None), found, NOW)
    assert await day(plant) == 60


async def test_a_bad_reading_counts_once_it_is_corrected(plant: Plant) -> None:
    await plant.send(reading(0, 100), {**reading(60, 7), "quality": "bad"})
    assert await day(plant) is None
    await correct(plant, 60, 160)
    assert await day(plant) == 60


async def test_what_is_told_to_be_held_is_what_settlement_then_holds(plant: Plant) -> None:
    await plant.send(*(reading(15 * n, 100.0 + n) for n in range(5)))
    stated = row(60, 90)
    found = await target(plant, stated)
    async with plant.pool.acquire() as connection:
        told = await foreseen.list_held(connection, [(stated, found)])
    await correct(plant, 60, 90)
    await day(plant)
    held = await plant.pool.fetch(
        "SELECT starts_at FROM meter_consumption WHERE step = 'hour' AND held"
    )
    hour = timedelta(hours=1)
    assert [(each.starts_at, each.ends_at) for each in told] == [(NOW - hour / 4, NOW)]
    assert [each["starts_at"] for each in held] == [NOW - hour]


def test_what_is_held_anyway_is_not_told() -> None:
    quarter = instants.HOUR // 4
    fell = [(quarter * n, value) for n, value in enumerate((100.0, 101.0, 5.0))]
    meter = [Epoch(datetime(2020, 1, 1, tzinfo=UTC), EpochReason.INSTALLED)]
    assert foreseen.newly_held(fell, {quarter: 100.5}, meter) == []
    assert len(foreseen.newly_held(fell[:2], {quarter: 5.0}, meter)) == 1
    assert len(foreseen.newly_held(fell[:2], {quarter * 2: 5.0}, meter)) == 1
    assert foreseen.newly_held(fell[:2], {quarter: None}, meter) == []
    assert foreseen.newly_held([], {quarter: 5.0}, meter) == []
