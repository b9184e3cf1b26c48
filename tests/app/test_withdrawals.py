"""What was stated wrongly is withdrawn with its reason: it holds no longer, and stays known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import db.changes
import db.withdrawals
from app import importing, standing, withdrawing
from app.imports.kinds import Kind
from app.resolve import Refusal
from app.withdrawing import NOT_ALONE, WITHDRAWABLE
from db.changes import UNAPPROVED, Author
from db.pool import Connection, Pool
from energy import ledger
from tests import factories
from tests.app.test_epochs import INTERVAL, REPLACED, used
from tests.app.test_epochs import take as take_epoch
from tests.app.test_factor_imports import BATCH, GAS
from tests.app.test_importing import EXAMPLES, NOW, TARGET, Desk
from tests.app.test_partial import gas_meter
from tests.app.test_revaluation import Works
from tests.ingest.test_settlement import QUARTER, SINCE, settle_all, store, unit_with_register

AUTHOR = Author("zhao", "read from the wrong certificate", "桂能审〔2026〕17号")
LATER = NOW + timedelta(days=1)
CLINKER = "cement_clinker/标杆水平和基准水平（2023年版）/2023-01-01"
OWN_GAS = f"natural_gas/calorific/{GAS['unit']}/2026-01-01"


@pytest.fixture
async def desk(connection: Connection, tmp_path: Path) -> Desk:
    return Desk(connection, tmp_path)


async def withdraw(connection: Connection, kind: Kind, key: str) -> None:
    found = await withdrawing.find(connection, kind, key)
    await withdrawing.withdraw(connection, found, AUTHOR, LATER)


def test_a_kind_can_be_withdrawn_or_says_what_to_do_instead() -> None:
    assert {*WITHDRAWABLE} | {*NOT_ALONE} == {*Kind}
    assert {*db.withdrawals.DELETIONS} | {Kind.CORRECTIONS} == {*WITHDRAWABLE}


async def stated(connection: Connection) -> list[tuple[Kind, str]]:
    """Import all examples; return the facts that can be withdrawn, the last stated first."""
    found = list[tuple[Kind, str]]()
    for kind in Kind:
        path = EXAMPLES / f"{kind}.csv"
        if kind is Kind.CORRECTIONS:
            continue
        plan = await importing.plan(connection, kind, path, lambda done, total: None)
        assert plan.problems == [], kind
        await importing.apply(connection, plan, Author("zhao", "test"), NOW)
        found += [(kind, fact.subject) for fact in plan.facts if kind in WITHDRAWABLE]
    return found[::-1]


async def test_every_kind_of_fact_is_withdrawn_by_its_key_and_known_as_it_was(
    connection: Connection,
) -> None:
    facts = [*await stated(connection), (Kind.LIMITS, CLINKER)]
    assert {kind for kind, _ in facts} == {*WITHDRAWABLE} - {Kind.CORRECTIONS}
    for kind, subject in facts:
        await withdraw(connection, kind, subject)
    for kind in {kind for kind, _ in facts}:
        gone = {subject for of, subject in facts if of is kind}
        assert not gone & {*await db.changes.list_known(connection, kind, LATER)}
        assert gone <= {*await db.changes.list_known(connection, kind, NOW)}
    assert [each.unlike for each in await standing.of_all(connection) if each.unlike] == []
    assert ledger.first_break(await db.changes.list_links(connection)) is None


async def test_a_withdrawal_has_an_author_a_reason_and_evidence(desk: Desk) -> None:
    await factories.unit(desk.connection)
    await desk.take(Kind.FACTORS, GAS)
    await withdraw(desk.connection, Kind.FACTORS, OWN_GAS)
    first, second = await db.changes.list_history(desk.connection, "factors", OWN_GAS)
    assert (second.author, second.fact.content) == (replace(AUTHOR, approver=UNAPPROVED), None)
    assert first.fact.content is not None
    with pytest.raises(Refusal, match="was withdrawn already, on 2026-11-24 by zhao"):
        await withdrawing.find(desk.connection, Kind.FACTORS, OWN_GAS)
    await desk.take(Kind.FACTORS, {**GAS, "kgce_per_uom": "1.3"})
    again = await withdrawing.find(desk.connection, Kind.FACTORS, OWN_GAS)
    assert (again.fact.content or {})["kgce_per_uom"] == 1.3


async def test_what_stood_before_the_ledger_is_known_on_every_day_before_its_withdrawal(
    connection: Connection,
) -> None:
    """Reference rows come with a release: nobody stated them."""
    key = "diesel/calorific/everyone/2021-04-01"
    await withdraw(connection, Kind.FACTORS, key)
    long_ago = datetime(2022, 1, 1, tzinfo=UTC)
    known = await db.changes.list_known(connection, "factors", long_ago)
    assert known[key]["kgce_per_uom"] == 1.4571
    assert key not in await db.changes.list_known(connection, "factors", LATER)


@pytest.mark.tampers("a withdrawn row that is put back")
async def test_a_reference_row_that_was_withdrawn_and_is_there_again_is_a_finding(
    connection: Connection,
) -> None:
    await withdraw(connection, Kind.FACTORS, "diesel/calorific/everyone/2021-04-01")
    assert [one for one in await standing.of_all(connection) if one.findings] == []
    await connection.execute(
        "INSERT INTO factors (carrier, basis, kgce_per_uom, valid_from, edition, source, verified) "
        "VALUES ('diesel', 'calorific', 1.4571, '2021-04-01', 'GB/T 2589-2020', 'x', true)"
    )
    (found,) = [one for one in await standing.of_all(connection) if one.findings]
    assert found.kind == "factors"


async def test_what_an_import_replaces_is_known_on_every_day_before(desk: Desk) -> None:
    row = {**GAS, "carrier": "diesel", "unit": "", "valid_from": "2021-04-01",
           "kgce_per_uom": "1.5"}  # fmt: skip
    await desk.take(Kind.FACTORS, row)
    known = await db.changes.list_known(desk.connection, "factors", NOW - timedelta(days=900))
    assert known["diesel/calorific/everyone/2021-04-01"]["kgce_per_uom"] == 1.4571


@pytest.mark.parametrize(
    ("kind", "key", "told"),
    [
        (Kind.METERS, f"{factories.unit_code()}/E01", "import it again as it should be"),
        (Kind.LEVELS, "x/y", "choose another scheme"),
        (Kind.FACTORS, "diesel/calorific/everyone/2021-04-02", "no fact of factors holds under"),
        (Kind.TARGETS, "", "no fact of targets"),
        (Kind.PRODUCTION, "/", "no fact of production"),
    ],
)
async def test_what_cannot_be_withdrawn_says_why(
    connection: Connection, kind: Kind, key: str, told: str
) -> None:
    with pytest.raises(Refusal, match=told):
        await withdrawing.find(connection, kind, key)


async def test_a_key_that_is_mistaken_is_answered_with_those_that_are_alike(desk: Desk) -> None:
    await factories.unit(desk.connection)
    await desk.take(Kind.FACTORS, GAS)
    with pytest.raises(Refusal, match=f"there are .*{OWN_GAS}"):
        await withdrawing.find(desk.connection, Kind.FACTORS, "natural_gas/calorific")


async def test_a_key_of_nothing_is_answered_with_those_that_hold_and_begin_most_alike(
    desk: Desk,
) -> None:
    for region in ("450200", "450300", "450400", "450500", "450600", "450700", "450800"):
        await desk.take(Kind.TARGETS, {**TARGET, "region": region})
    await withdraw(desk.connection, Kind.TARGETS, "450400/2026")
    with pytest.raises(Refusal, match="there are 450300/2026, ") as told:
        await withdrawing.find(desk.connection, Kind.TARGETS, "4503O0/2026")
    assert str(told.value).count("/2026") == 1 + withdrawing.NAMED_MAX
    assert "450400" not in str(told.value)
    with pytest.raises(Refusal, match="nor under any other"):
        await withdrawing.find(desk.connection, Kind.BUDGETS, "city/450200")


@pytest.mark.parametrize(
    "instant",
    [
        "2026-06-01T01:00:00+00:00",
        "2026-06-01 01:00:00+00:00",
        "2026-06-01T09:00:00+08:00",
        "2026-06-01t01:00:00.000z",
    ],
)
async def test_an_instant_in_a_key_is_taken_in_any_form(desk: Desk, instant: str) -> None:
    unit_id = await factories.unit(desk.connection)
    await factories.meter(desk.connection, unit_id, "E01")
    unit = factories.unit_code()
    await desk.take(Kind.EPOCHS, {**REPLACED, "starts_at": "2026-06-01T09:00:00+08:00"})
    with pytest.raises(Refusal, match=rf"there are {unit}/E01/2026-06-01T01:00:00\+00:00$"):
        await withdrawing.find(desk.connection, Kind.EPOCHS, unit)
    await withdraw(desk.connection, Kind.EPOCHS, f"{unit}/E01/{instant}")
    with pytest.raises(Refusal, match="was withdrawn already"):
        await withdrawing.find(desk.connection, Kind.EPOCHS, f"{unit}/E01/{instant}")


async def test_what_others_stand_on_is_kept(connection: Connection) -> None:
    facts = dict(await stated(connection))
    for kind, told in ((Kind.PROJECTS, "certificates"), (Kind.PARKS, "energy budget")):
        found = await withdrawing.find(connection, kind, facts[kind])
        with pytest.raises(Refusal, match=f"{told}.*: withdraw that first"):
            async with connection.transaction():
                await withdrawing.withdraw(connection, found, AUTHOR, LATER)


@pytest.mark.parametrize(
    ("kind", "row", "key", "carrier"),
    [
        (Kind.FACTORS, GAS, OWN_GAS, "natural_gas"),
        (Kind.CALORIFIC_VALUES, BATCH, f"{BATCH['unit']}/raw_coal/B1", "raw_coal"),
    ],
)
async def test_what_was_valued_with_a_factor_is_valued_without_it(
    pool: Pool, tmp_path: Path, kind: Kind, row: Mapping[str, str], key: str, carrier: str
) -> None:
    async with pool.acquire() as connection:
        unit_id = await factories.unit(connection)
        gas_id = await gas_meter(connection, unit_id)
        coal_id = await factories.meter(
            connection, unit_id, "C01", carrier="raw_coal", kind="interval", uom="kg"
        )
    works = Works(pool, tmp_path, unit_id, coal_id, gas_id)
    await works.read(gas_id if carrier == "natural_gas" else coal_id, "2026-10-05", days=2)
    await works.settle()
    before = await works.days(carrier)
    await works.take(kind, row)
    await works.settle()
    assert await works.days(carrier) != before
    async with pool.acquire() as connection, connection.transaction():
        await withdraw(connection, kind, key)
    await works.settle()
    assert await works.days(carrier) == before


async def test_a_withdrawn_epoch_gives_back_the_doubt_and_the_interval_of_before(
    pool: Pool, tmp_path: Path
) -> None:
    unit_id, meter_id = await unit_with_register(pool)
    shown = [99_950.0, 99_980.0, 52.0, 60.0, 70.0]
    await store(pool, unit_id, [(meter_id, SINCE + QUARTER * n, v) for n, v in enumerate(shown)])
    await take_epoch(pool, tmp_path, REPLACED)
    await take_epoch(pool, tmp_path, INTERVAL)
    await settle_all(pool)
    assert await used(pool) == pytest.approx(41.5 + 30)
    for row in (REPLACED, INTERVAL):
        at = datetime.fromisoformat(row["starts_at"])
        async with pool.acquire() as connection, connection.transaction():
            await withdraw(connection, Kind.EPOCHS, f"{row['unit']}/E01/{at}")
    await settle_all(pool)
    assert await pool.fetchval("SELECT count(*) FROM doubts") == 1
    assert await pool.fetchval("SELECT interval_s FROM dated_meters") == 900
    assert await pool.fetchval("SELECT max(readings_present) FROM meter_consumption") == 4
