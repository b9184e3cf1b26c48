"""Whichever stored sums answer, the answer is the same: that of the hours of the meters."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

import db.area_sums
import db.consumption
from app.consumption import estimated_share, is_of_areas
from db.consumption import Group, Key, Selection, Sum, Tier
from db.pool import Connection
from db.scope import Scope
from db.settlement import Stale
from energy import periods
from energy.factors import Basis
from energy.periods import Span, Step
from ingest import rollups, settle
from tests import factories

SPAN = Span(datetime(2025, 11, 30, 16, tzinfo=UTC), datetime(2026, 2, 28, 16, tzinfo=UTC))
"""December to February, so two years."""

REGIONS = ("450202", "450203", "450302", "450100")
INDUSTRIES = ("C3120", "C3110", "D4411")
CARRIERS = ("electricity", "raw_coal", "natural_gas")
KGCE = {
    "electricity": (0.1229, 0.3),
    "raw_coal": (0.7143, 0.7143),
    "natural_gas": (None, None),
}
"""Calorific and equivalent."""


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour of a meter, and whose it is."""

    region: str
    division: str
    unit_id: int
    carrier: str
    role: str
    meter_id: int
    starts_at: datetime
    quantity: float | None
    estimated: float
    present: int
    held: bool
    calorific: float | None
    equivalent: float | None


async def live(connection: Connection, chance: random.Random) -> list[Hour]:
    """Give some units random hours; add them up as settlement does."""
    hours: list[Hour] = []
    for number in range(9):
        industry, region = chance.choice(INDUSTRIES), chance.choice(REGIONS)
        code = factories.unit_code(100 + number)
        unit_id = await factories.unit(connection, code, region=region, industry=industry)
        if chance.random() < 0.5:
            await own_factor(connection, unit_id)
        mine: list[Hour] = []
        for carrier in chance.sample(CARRIERS, 2):
            for role in chance.choice([["boundary"], ["boundary", "export"], ["boundary", "sub"]]):
                meter_id = await factories.meter(
                    connection, unit_id, f"{carrier}-{role}", carrier=carrier, role=role
                )
                mine += [
                    Hour(region, industry[:3], unit_id, carrier, role, meter_id, at,
                         *used(chance, KGCE[carrier]))
                    for at in sorted(moments(chance))
                ]  # fmt: skip
        await add_up(connection, unit_id, mine)
        hours += mine
    while await settle.settle_region(connection):
        pass
    return hours


def moments(chance: random.Random) -> set[datetime]:
    hours = int((SPAN.ends_at - SPAN.starts_at) / periods.HOUR)
    return {SPAN.starts_at + chance.randrange(hours) * periods.HOUR for _ in range(12)}


def used(
    chance: random.Random, kgce: Sequence[float | None]
) -> tuple[float | None, float, int, bool, float | None, float | None]:
    """Return quantity, estimated part, readings, held, tce (two) of an hour; some lack a factor."""
    if chance.random() < 0.1:
        return None, 0.0, chance.randrange(2), chance.random() < 0.5, None, None
    quantity = round(chance.uniform(0, 900), 3)
    calorific, equivalent = (
        None if each is None or chance.random() < 0.1 else quantity * each / 1000 for each in kgce
    )
    estimated = quantity * chance.choice([0, 0, 0.5, 1])
    return quantity, estimated, 4, False, calorific, equivalent


async def own_factor(connection: Connection, unit_id: int) -> None:
    await connection.execute(
        """
        INSERT INTO factors (carrier, basis, unit_id, kgce_per_uom, valid_from, edition, source,
                             verified)
        VALUES ('natural_gas', 'calorific', $1, 1.3, '2027-01-01', 'own', 'own', true)
        """,
        unit_id,
    )


async def add_up(connection: Connection, unit_id: int, hours: list[Hour]) -> None:
    await connection.executemany(
        "INSERT INTO meter_consumption VALUES ($1, 'hour', $2, $3, $4, $5, $6, $7, $8)",
        [
            (one.meter_id, one.starts_at, one.quantity, one.estimated, one.present, one.held,
             one.calorific, one.equivalent)
            for one in hours
        ],
    )  # fmt: skip
    await rollups.add_up_meters(
        connection, [Stale(meter_id, SPAN) for meter_id in sorted({one.meter_id for one in hours})]
    )
    await rollups.add_up_unit(connection, unit_id, {one.carrier: [SPAN] for one in hours})


def questions(chance: random.Random) -> Iterable[Selection]:
    """Yield questions that areas can answer: every step, and groups and filters at random."""
    for bucket in [*Step] * 4:
        groups = [Group.REGION, Group.INDUSTRY, Group.ENERGY]
        yield Selection(
            span=SPAN,
            bucket=bucket,
            basis=chance.choice([*Basis]),
            groups=frozenset(chance.sample(groups, chance.randrange(4))),
            tier=chance.choice([*Tier]),
            region_prefix=chance.choice(["", "", "4502", "450302"]),
            industry=chance.choice(["", "", "C", "C31"]),
            energy=chance.choice([None, None, "electricity"]),
        )


def comparable(sums: Iterable[Sum]) -> list[tuple[object, ...]]:
    """Return what a sum says, in an order of its own; floats are compared to 1e-9."""
    return [
        tuple(
            pytest.approx(part, rel=1e-9, abs=1e-9) if isinstance(part, float) else part
            for part in astuple(one)
        )
        for one in sums
    ]


def of_hours(hours: Iterable[Hour], asked: Selection, scope: Scope) -> list[Sum]:
    """Return what the hours come to, without any stored sum."""
    within: dict[tuple[datetime, Key], list[Hour]] = defaultdict(list)
    for one in hours:
        if (
            one.role in ("boundary", "export")
            and one.region.startswith(scope.region_prefix)
            and one.region.startswith(asked.region_prefix)
            and one.division.startswith(asked.industry)
            and asked.energy in (None, one.carrier)
        ):
            key = Key(
                place(one.region, asked.tier) if Group.REGION in asked.groups else None,
                one.division if Group.INDUSTRY in asked.groups else None,
                None,
                one.carrier if Group.ENERGY in asked.groups else None,
                None,
            )
            within[periods.floor(one.starts_at, asked.bucket), key].append(one)
    order = sorted(within, key=lambda each: (each[0], tuple(part or "" for part in each[1])))
    return [told(*each, within[each], asked.basis) for each in order]


def place(region: str, tier: Tier) -> str:
    return {Tier.PROVINCE: region[:2] + "0000", Tier.CITY: region[:4] + "00"}.get(tier, region)


def told(starts_at: datetime, key: Key, hours: list[Hour], basis: Basis) -> Sum:
    def total(name: str) -> float | None:
        signed = [
            -value if one.role == "export" else value
            for one in hours
            if (value := getattr(one, name)) is not None
        ]
        return sum(signed) if signed else None

    lacking = {
        one.carrier for one in hours if one.quantity is not None and getattr(one, basis) is None
    }
    return Sum(
        starts_at, key, total(basis), total("quantity"), None, None, 0.0, None,
        sum(one.present for one in hours), any(one.held for one in hours), sorted(lacking),
    )  # fmt: skip


def unexplained(sums: Iterable[Sum]) -> list[tuple[object, ...]]:
    """Leave out which units lack a factor."""
    return comparable([replace(one, unvalued=()) for one in sums])


def additive(sums: Iterable[Sum]) -> list[Sum]:
    """Leave out what is not the same in hours and in months: shares of estimates, and whose."""
    return [
        replace(one, estimated_tce=None, absolute_tce=None, estimated_quantity=0.0,
                absolute_quantity=None, unvalued=())
        for one in sums
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
async def test_areas_units_and_hours_answer_alike(connection: Connection, seed: int) -> None:
    chance = random.Random(seed)
    hours = await live(connection, chance)
    for asked in questions(chance):
        for scope in (Scope("45"), Scope("4502")):
            assert is_of_areas(asked, scope)
            areas = await db.area_sums.list_sums(connection, scope, asked)
            units = await db.consumption.list_sums(connection, scope, asked)
            assert [astuple(one) for one in areas] == comparable(units), asked
            quick = await db.area_sums.list_unexplained_sums(connection, scope, asked)
            assert unexplained(quick) == unexplained(areas), asked
            assert any(one.unvalued for one in quick) == any(one.unvalued for one in areas)
            right = comparable(additive(of_hours(hours, asked, scope)))
            assert [astuple(one) for one in additive(areas)] == right, asked


async def test_hours_without_a_factor_are_not_looked_up_one_by_one(connection: Connection) -> None:
    """What is done again and again in the plan is done per unit and carrier, not per hour."""
    await live(connection, random.Random(1))
    asked = replace(WHOLE, bucket=Step.HOUR)
    sums = await db.area_sums.list_sums(connection, Scope("45"), asked)
    await connection.execute("ANALYZE")
    plan = await connection.fetchval(
        "EXPLAIN (ANALYZE, FORMAT JSON) "
        + db.area_sums.AREAS
        + db.area_sums.WITH_LACKING
        + db.consumption.TOTALS,
        "45",
        None,
        *db.consumption.asked(asked),
    )
    loops = [int(found) for found in re.findall(r'"Actual Loops": (\d+)', plan)]
    assert 0 < max(loops) * 3 < sum(bool(one.left_out) for one in sums)


async def test_whoever_sees_one_unit_sees_no_area(connection: Connection) -> None:
    await live(connection, random.Random(1))
    asked = Selection(SPAN, Step.MONTH, Basis.CALORIFIC)
    for scope in (Scope("45", factories.unit_code(100)), Scope("4501", factories.unit_code(999))):
        assert await db.area_sums.list_sums(connection, scope, asked) == []


WHOLE = Selection(SPAN, Step.MONTH, Basis.CALORIFIC, frozenset({Group.REGION}))


@pytest.mark.parametrize(
    ("asked", "scope", "answer"),
    [
        (WHOLE, Scope("45"), True),
        (replace(WHOLE, industry="C31", region_prefix="450202"), Scope("4502"), True),
        (replace(WHOLE, industry="C3120"), Scope("45"), False),
        (replace(WHOLE, unit=factories.unit_code(1)), Scope("45"), False),
        (replace(WHOLE, groups=frozenset({Group.UNIT})), Scope("45"), False),
        (WHOLE, Scope("45", factories.unit_code(1)), False),
        (replace(WHOLE, groups=frozenset({Group.UNIT, Group.METER})), Scope("45"), False),
    ],
)
def test_areas_answer_where_no_single_unit_is_asked_for(
    asked: Selection, scope: Scope, answer: bool
) -> None:
    assert is_of_areas(asked, scope) is answer


async def test_an_area_that_waits_to_be_added_up_still_says_what_it_leaves_out(
    connection: Connection,
) -> None:
    await live(connection, random.Random(2))
    asked = replace(WHOLE, span=Span(SPAN.starts_at, SPAN.starts_at + timedelta(days=31)))
    before = await db.area_sums.list_sums(connection, Scope("45"), asked)
    await connection.execute("DELETE FROM unit_consumption")
    after = await db.area_sums.list_sums(connection, Scope("45"), asked)
    assert any(one.left_out for one in before)
    assert [one.left_out for one in after] == [one.left_out for one in before]


async def test_what_is_estimated_is_unknown_while_a_part_waits_to_be_added_up(
    connection: Connection,
) -> None:
    await live(connection, random.Random(2))
    asked = replace(WHOLE, span=Span(SPAN.starts_at, SPAN.starts_at + timedelta(days=31)))
    found = await db.area_sums.list_sums(connection, Scope("45"), asked)
    assert any(estimated_share(one) is not None for one in found)
    await connection.execute(
        "UPDATE area_consumption "
        "SET absolute_quantity = NULL, calorific_absolute = NULL, equivalent_absolute = NULL "
        "WHERE region = (SELECT min(region) FROM area_consumption WHERE calorific_tce IS NOT NULL)"
    )
    left = await db.area_sums.list_sums(connection, Scope("45"), replace(asked, groups=frozenset()))
    assert [estimated_share(one) for one in left] == [None] * len(left)
