"""Silences are stated with reason and end, by whom they concern, and never changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app import auth, standing
from settings import Settings
from tests.app.conftest import UNBOUNDED, Stage, staged
from tests.cast import QIANS_UNIT, SUNS_UNIT

PATH = "/v1/silences"
UNTIL = "2026-11-25T00:00:00+08:00"

REQUIRED = Settings(
    second_approver="required",
    requests_per_minute=UNBOUNDED,
    uploads_per_minute=UNBOUNDED,
    refusals_per_minute=UNBOUNDED,
)


async def keys_of(stage: Stage) -> dict[str, str]:
    """Keys of two people of Qian's desk, one of Sun's and one of the province."""
    places = {"qian": "450200", "qian2": "450200", "sun": "450300", "zhao": "450000"}
    async with stage.pool.acquire() as connection:
        return {
            name: await auth.create_key(
                connection, label=name, region=region, unit=None, expires_at=None, may_state=True
            )
            for name, region in places.items()
        }


@pytest.fixture
async def keys(stage: Stage) -> dict[str, str]:
    return await keys_of(stage)


@pytest.fixture
async def strict(database_url: str) -> AsyncIterator[Stage]:
    """A stage that asks for a second person."""
    async with staged(database_url, settings=REQUIRED) as made:
        yield made


async def make(stage: Stage, key: str, **told: object) -> httpx.Response:
    body = {"region": "450200", "ends_at": UNTIL, "reason": "停产检修"} | told
    return await stage.ask(key, PATH, method="POST", body=body)


async def end(stage: Stage, key: str, silence_id: int) -> httpx.Response:
    return await stage.ask(
        key, f"{PATH}/{silence_id}", method="DELETE", query={"reason": "done early"}
    )


def problem(answer: httpx.Response) -> tuple[int, str, str | None]:
    told: dict[str, Any] = answer.json()
    errors = told.get("errors") or [{"parameter": None}]
    return answer.status_code, told["code"], errors[0]["parameter"]


async def test_a_silence_says_who_why_and_until_when_and_its_end_does_too(
    stage: Stage, keys: dict[str, str]
) -> None:
    made = await make(stage, keys["qian"], unit=QIANS_UNIT, rule_id=1)
    assert made.status_code == 200, made.text
    told = made.json()
    assert (told["state"], told["actor"], told["reason"]) == ("holding", "qian", "停产检修")
    assert (told["ends_at"], told["hides_level_1"]) == (UNTIL, False)
    ended = (await end(stage, keys["qian"], told["silence_id"])).json()
    assert (ended["state"], ended["ended_by"], ended["end_reason"], ended["ends_at"]) == (
        "over",
        "qian",
        "done early",
        UNTIL,
    )
    again = await end(stage, keys["qian"], told["silence_id"])
    assert problem(again)[:2] == (409, "silence_over")
    rows = await stage.pool.fetch("SELECT actor, noun, subject FROM changes ORDER BY change_id")
    assert [tuple(row) for row in rows] == [
        ("qian", "silences", "1"),
        ("qian", "silence_events", "1/ended"),
    ]
    assert [each["silence_id"] for each in await stage.items("li", PATH, over="true")] == [1]
    assert await stage.items("li", PATH, over="false") == []
    assert await stage.items("sun", PATH) == []


@pytest.mark.parametrize(
    ("told", "refused"),
    [
        ({"ends_at": "2026-12-25T00:00:00+08:00"}, (422, "invalid_parameter", "ends_at")),
        ({"ends_at": "2026-11-23T15:00:00+08:00"}, (422, "invalid_parameter", "ends_at")),
        ({"ends_at": None}, (422, "invalid_parameter", "ends_at")),
        ({"reason": " "}, (422, "invalid_parameter", "reason")),
        (
            {"starts_at": "2026-11-23T15:00:00+08:00"},
            (422, "invalid_parameter", "starts_at"),
        ),
        (
            {"starts_at": "2027-06-01T00:00:00+08:00", "ends_at": "2027-06-02T00:00:00+08:00"},
            (422, "invalid_parameter", "starts_at"),
        ),
        ({"region": "450300"}, (404, "not_found", None)),
        ({"region": "450000"}, (404, "not_found", None)),
        ({"unit": SUNS_UNIT}, (404, "not_found", None)),
        ({"subject": f"{SUNS_UNIT}/steel"}, (404, "not_found", None)),
        ({"subject": f"{SUNS_UNIT}/a", "unit": QIANS_UNIT}, (422, "invalid_parameter", "subject")),
        ({"subject": f"unit/{SUNS_UNIT}/2026-01-01"}, (404, "not_found", None)),
        ({"subject": "450300/2026"}, (404, "not_found", None)),
        ({"subject": "park/none/2026-01-01"}, (404, "not_found", None)),
        ({"subject": "whatever"}, (422, "invalid_parameter", "subject")),
        ({"subject": "450203/2026", "region": "450202"}, (422, "invalid_parameter", "subject")),
        ({"subject": "450200/2026", "unit": QIANS_UNIT}, (422, "invalid_parameter", "subject")),
        ({"unit": QIANS_UNIT, "region": "450203"}, (422, "invalid_parameter", "unit")),
        ({"rule_id": 99}, (404, "not_found", None)),
    ],
)
async def test_what_no_silence_can_be_is_refused(
    silent_stage: tuple[Stage, dict[str, str]],
    told: dict[str, object],
    refused: tuple[int, str, str | None],
) -> None:
    stage, keys = silent_stage
    assert problem(await make(stage, keys["qian"], **told)) == refused


@pytest.fixture(scope="module")
async def silent_stage(possessed_stage: Stage) -> tuple[Stage, dict[str, str]]:
    return possessed_stage, await keys_of(possessed_stage)


@pytest.mark.puts_in("parks", "rules")
async def test_what_is_silenced_elsewhere_is_for_nobody_to_see(
    stage: Stage, keys: dict[str, str]
) -> None:
    """The province states it for all of itself, and in every form it is about Sun's city only."""
    await stage.pool.execute(
        """
        INSERT INTO parks VALUES ('p', 'n');
        INSERT INTO park_units SELECT 'p', unit_id FROM units WHERE left(region, 4) = '4503';
        INSERT INTO rules (kind, region) VALUES ('product_intensity', '450300');
        INSERT INTO rule_versions
        SELECT rule_id, 1, 'r', '{}', '2026-01-01Z', '2026-01-01Z', 'a', 'r'
          FROM rules
         WHERE region = '450300'
        """
    )
    of_units = [SUNS_UNIT, f"{SUNS_UNIT}/steel", f"unit/{SUNS_UNIT}/2026-01-01"]
    regions = ["450300/2026", "450300/gateways", "city/450300/2026-01-01", "park/p/2026-01-01"]
    told: list[dict[str, object]] = [{"subject": each} for each in (*of_units, *regions)]
    told.append({"rule_id": 3})
    for each in told:
        made = await make(stage, keys["zhao"], region="450000", **each)
        assert made.status_code == 200, (each, made.text)
        is_of_unit = each.get("subject") in of_units
        assert made.json()["unit"] == (SUNS_UNIT if is_of_unit else None), each
    assert await stage.items("qian", PATH) == await stage.items("li", PATH) == []
    seen = await stage.items("sun", PATH)
    assert [each["silence_id"] for each in seen] == list(range(len(told), 0, -1))


async def test_a_desk_ends_no_silence_of_another_one(stage: Stage, keys: dict[str, str]) -> None:
    assert (await make(stage, keys["zhao"], region="450000")).status_code == 200
    assert problem(await end(stage, keys["qian"], 1))[:2] == (403, "silence_of_another_desk")
    assert (await make(stage, keys["qian"])).status_code == 200
    assert problem(await end(stage, keys["sun"], 2))[:2] == (404, "not_found")
    assert (await end(stage, keys["zhao"], 2)).status_code == 200


async def test_to_hide_level_1_of_a_region_takes_two_people_where_that_is_asked_for(
    strict: Stage,
) -> None:
    keys = await keys_of(strict)
    made = (await make(strict, keys["qian"], rule_id=2)).json()
    assert (made["state"], made["hides_level_1"]) == ("waiting", True)
    path = f"{PATH}/{made['silence_id']}/approve"
    own = await strict.ask(keys["qian"], path, method="POST", body={"reason": "r"})
    assert problem(own)[:2] == (409, "own_silence")
    approved = await strict.ask(keys["qian2"], path, method="POST", body={"reason": "r"})
    assert (approved.json()["state"], approved.json()["approved_by"]) == ("holding", "qian2")
    again = await strict.ask(keys["qian2"], path, method="POST", body={"reason": "r"})
    assert problem(again)[:2] == (409, "silence_acts")
    assert await strict.pool.fetchval(
        "SELECT approver FROM changes WHERE subject LIKE '%app%'"
    ) == ("qian2")
    of_units = (await make(strict, keys["qian"], rule_id=1)).json()
    assert (of_units["state"], of_units["hides_level_1"]) == ("holding", False)


async def test_where_no_second_person_is_asked_for_the_ledger_says_that_none_approved(
    stage: Stage, keys: dict[str, str]
) -> None:
    assert (await make(stage, keys["qian"])).json()["state"] == "holding"
    assert await stage.pool.fetchval("SELECT approver FROM changes") == ""


@pytest.mark.tampers("silences")
async def test_verify_finds_a_silence_that_nobody_stated_or_that_was_changed(
    stage: Stage, keys: dict[str, str]
) -> None:
    await make(stage, keys["qian"])
    await make(stage, keys["qian"])
    await stage.pool.execute(
        """
        UPDATE silences SET ends_at = ends_at + interval '1 day' WHERE silence_id = 1;
        INSERT INTO silence_events VALUES (2, 'ended', now(), 'x', 'r');
        INSERT INTO silences (region, starts_at, ends_at, is_grave, waits, stated_at, actor, reason)
        VALUES ('450200', now(), now() + interval '1 day', false, false, now(), 'x', 'r')
        """
    )
    async with stage.pool.acquire() as connection:
        found = [each for one in await standing.of_all(connection) for each in one.findings]
    faults = {(each.kind, each.subject): each.fault for each in found if "silence" in each.kind}
    assert faults.keys() == {
        ("silences", "1"),
        ("silences", "3"),
        ("silence_events", "2/ended"),
    }
    assert "ends_at is" in faults["silences", "1"]
