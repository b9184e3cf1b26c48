"""Many that are silent at once are one incident: told of once, with all that it takes in."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

from alerts.kinds.outage import facts, verdict
from alerts.kinds.outage.facts import OutageFacts, Scale
from alerts.kinds.outage.parameters import Outage
from db.outages import Site
from db.pool import Pool
from tests import factories
from tests.alerts.conftest import NOW, Works, contact

MINUTE = timedelta(minutes=1)
SILENT = NOW - 90 * MINUTE
RULE = Outage()
NOBODY: frozenset[str] = frozenset()


def site(
    number: int, *, city: str = "450200", gateways: int = 1, silent: int = 1, meters: int = 4,
    mute: int = 0,
) -> Site:  # fmt: skip
    names = [f"gw{index}" for index in range(silent)]
    return Site(
        number, factories.unit_code(number), f"厂{number}", f"{city[:4]}02", city, gateways, names,
        SILENT, meters, mute,
    )  # fmt: skip


def found(
    sites: list[Site], gateways: dict[str, int], opened: frozenset[str] = NOBODY
) -> list[OutageFacts]:
    return facts.incidents(sites, gateways, RULE, "450000", opened, NOW)


def told(sites: list[Site], gateways: dict[str, int]) -> list[tuple[Scale, int, int]]:
    return [(each.scale, each.measured, len(each.sites)) for each in found(sites, gateways)]


def test_meters_behind_one_silent_gateway_are_one_incident() -> None:
    assert told([site(1)], {"450200": 9}) == [(Scale.UNIT, 4, 1)]
    assert told([site(1, meters=2)], {"450200": 9}) == []
    assert told([site(1, gateways=2)], {"450200": 9}) == []
    assert told([site(1, silent=0, mute=4)], {"450200": 9}) == [(Scale.UNIT, 4, 1)]
    assert told([site(1, silent=0, mute=3)], {"450200": 9}) == []


def test_gateways_of_one_city_are_one_incident_and_units_no_more() -> None:
    sites = [site(number) for number in range(1, 6)]
    assert told(sites, {"450200": 10, "450300": 90}) == [(Scale.CITY, 5, 5)]
    assert told(sites[:4], {"450200": 10}) == [(Scale.UNIT, 4, 1)] * 4


def test_all_that_is_silent_in_several_cities_is_one_incident_of_the_broker() -> None:
    sites = [site(number) for number in range(1, 5)]
    sites += [site(number, city="450300") for number in range(5, 9)]
    gateways = {"450200": 5, "450300": 5}
    assert told(sites, gateways) == [(Scale.BROKER, 8, 8)]
    assert told(sites[:4], {"450200": 5}) == [(Scale.CITY, 4, 4)]


def test_when_part_of_it_is_heard_again_the_rest_is_told_of() -> None:
    left = [site(1), site(2), site(3, meters=2)]
    opened = frozenset({"450200/gateways"})
    after = found(left, {"450200": 10}, opened)
    assert [(each.subject, each.is_incident) for each in after] == [
        ("450200/gateways", False),
        (f"{factories.unit_code(1)}/gateways", True),
        (f"{factories.unit_code(2)}/gateways", True),
    ]


def test_an_incident_names_some_of_what_it_takes_in_and_counts_the_rest() -> None:
    sites = [site(number) for number in range(1, 41)]
    (incident,) = found(sites, {"450200": 50})
    reason = verdict.judge(incident, RULE).reason
    assert reason.startswith("40 of 50 gateways are silent, an incident from 25: ")
    assert (reason.count("(gw0; 4 of 4 meters)"), incident.left_out) == (10, 30)
    assert reason.endswith("and 30 more")
    assert (incident.meters, len(incident.takes_in)) == (160, 40)


def test_a_region_is_told_its_own_part_and_who_has_all_of_it_everything() -> None:
    sites = [site(number, silent=2, gateways=2) for number in range(1, 5)]
    sites += [site(number, city="450300") for number in range(5, 9)]
    incident = found(sites, {"450202": 8, "450203": 1, "450302": 4})[0]
    assert (incident.scale, incident.part("45")) == (Scale.BROKER, None)
    part = incident.part("4502")
    assert part is not None
    assert isinstance(part.facts, OutageFacts)
    assert (part.facts.measured, part.facts.total, len(part.facts.sites)) == (8, 9, 4)
    assert (part.measured, part.threshold, part.facts.meters) == (8, 8, 16)
    assert part.reason.startswith("8 of 9 gateways here are silent, part of an incident: ")
    foreign = {each.unit for each in sites[4:]}
    assert not any(unit in part.reason for unit in foreign)
    nothing = incident.part("450203")
    assert nothing is not None
    assert isinstance(nothing.facts, OutageFacts)
    assert (nothing.is_empty, nothing.facts.measured, nothing.facts.total) == (True, 0, 1)


async def plants(pool: Pool, count: int) -> list[int]:
    """Plants of Liuzhou, with three meters behind a gateway each, heard a minute ago."""
    unit_ids = []
    async with pool.acquire() as connection:
        for number in range(1, count + 1):
            unit_id = await factories.unit(
                connection, factories.unit_code(number), name=f"厂{number}"
            )
            for code in ("E01", "E02", "E03"):
                await factories.meter(connection, unit_id, code)
            await factories.gateway(connection, unit_id)
            unit_ids.append(unit_id)
    await heard(pool, unit_ids, NOW - MINUTE)
    return unit_ids


async def heard(pool: Pool, unit_ids: list[int], at: datetime) -> None:
    await pool.execute(
        "UPDATE gateways SET last_seen_at = $2 WHERE unit_id = ANY ($1)", unit_ids, at
    )


@pytest.fixture
async def works(pool: Pool) -> Works:
    await contact(pool, "450200", "liuzhou@desk.example")
    async with pool.acquire() as connection:
        await factories.rule(connection, kind="outage", name="outages")
    return Works(pool, 0, 0, 0)


async def alerts(works: Works) -> list[tuple[str, str, str | None]]:
    """Return (what, state, what keeps it back) of each alert."""
    rows = await works.pool.fetch(
        """
        SELECT alerts.subject, alerts.state, keeper.subject AS keeper
          FROM alerts
          LEFT JOIN alerts AS keeper ON keeper.alert_id = alerts.inhibited_by
         ORDER BY alerts.alert_id
        """
    )
    return [(row["subject"][-15:], row["state"], row["keeper"]) for row in rows]


async def test_a_city_that_is_cut_off_is_one_letter_and_what_is_left_gets_its_own(
    works: Works,
) -> None:
    unit_ids = await plants(works.pool, 6)
    await heard(works.pool, unit_ids[:1], SILENT)
    await works.evaluate()
    assert len(await works.letters()) == 1  # of one plant
    await heard(works.pool, unit_ids, SILENT)
    assert await works.evaluate() == 1
    letters = await works.letters()
    assert letters[1:] == [("liuzhou@desk.example", "【预警】柳州市端设备：6 台中 6 台中断")]
    assert await alerts(works) == [
        ("00001K/gateways", "firing", "450200/gateways"),
        ("450200/gateways", "firing", None),
    ]
    later = NOW + 10 * MINUTE
    await heard(works.pool, unit_ids[2:], later)
    assert await works.evaluate(now=later) == 2
    subjects = [subject for _, subject in (await works.letters())[2:]]
    assert [subject.partition("】")[0] for subject in subjects] == ["【预警解除", "【预警"]
    await heard(works.pool, unit_ids, later)
    assert await works.evaluate(now=later + MINUTE) == 2
    assert {state for _, state, _ in await alerts(works)} == {"resolved"}


async def test_our_own_outage_accuses_no_plant_and_is_told_of_itself(works: Works) -> None:
    unit_ids = await plants(works.pool, 4)
    await heard(works.pool, unit_ids, SILENT)
    await works.pool.execute(
        "INSERT INTO heartbeats VALUES ('collect', 'collector', $1, 'no_broker')", SILENT
    )
    await works.evaluate()
    assert await works.letters() == [
        (
            "liuzhou@desk.example",
            "【预警】广西壮族自治区消息代理（平台自身未连接消息代理）："
            "柳州市端设备 4 台中 4 台中断",
        )
    ]
    back = NOW + 5 * MINUTE
    for minutes, letters in ((0, 2), (29, 2), (31, 3)):
        at = back + minutes * MINUTE
        await works.pool.execute("UPDATE heartbeats SET beat_at = $1, detail = 'ready'", at)
        await works.evaluate(now=at)
        assert len(await works.letters()) == letters, minutes
    assert [state for _, state, _ in await alerts(works)] == ["resolved", "firing"]


async def test_each_desk_is_told_of_the_plants_of_its_own_region(works: Works) -> None:
    for region in ("450000", "450202", "450203", "450300"):
        await contact(works.pool, region, f"{region}@desk.example")
    unit_ids = await plants(works.pool, 12)
    for region, some in (("450203", unit_ids[4:8]), ("450302", unit_ids[8:])):
        await works.pool.execute(
            "UPDATE units SET region = $1 WHERE unit_id = ANY ($2)", region, some
        )
    await heard(works.pool, unit_ids, SILENT)
    await works.evaluate()
    assert await named(works) == {
        "450000": {*range(1, 11)},  # and two more
        "liuzho": {*range(1, 9)},
        "450202": {*range(1, 5)},
        "450203": {*range(5, 9)},
        "450300": {*range(9, 13)},
    }
    rows = await works.pool.fetch("SELECT recipient_email AS email, subject, body FROM outbox")
    letters = {row["email"][:6]: row for row in rows}
    part = letters["450203"]
    assert part["subject"] == "【预警】广西壮族自治区消息代理：柳州市鱼峰区端设备 4 台中 4 台中断"
    assert "本通知发送至：柳州市、广西壮族自治区、鱼峰区。" in part["body"]
    await works.evaluate(now=NOW + timedelta(hours=30))
    assert len(await works.letters()) == 6  # only who may acknowledge it is reminded
    later = NOW + timedelta(hours=31)
    await heard(works.pool, unit_ids[:8], later)
    await works.evaluate(now=later)
    told = (await works.letters())[6:]
    assert sum("解除" in each for _, each in told) == 5
    last = await works.pool.fetchrow(
        "SELECT measured, reason FROM alert_parts WHERE region = '450203' ORDER BY event_id DESC"
    )
    assert last is not None
    assert tuple(last) == (0, "0 of 4 gateways here are silent, part of an incident")


async def named(works: Works) -> dict[str, set[int]]:
    """Return the plants that letters to each desk name."""
    rows = await works.pool.fetch("SELECT recipient_email AS email, body FROM outbox")
    return {
        row["email"][:6]: {int(each) for each in re.findall(r"：厂(\d+)（", row["body"])}
        for row in rows
    }
