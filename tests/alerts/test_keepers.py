"""Of several alerts that tell of the same, one is written about: never none, never two."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import keepers
from alerts.desks import Desks
from alerts.kinds.kind import Keeps, Rule, Same
from alerts.kinds.product_intensity.parameters import ProductIntensity
from alerts.kinds.region_level.parameters import RegionLevel
from db.kept import Standing
from tests import factories
from tests.alerts.conftest import HOUR, LAST_HOUR, NOW, Works, contact

CITYS = '{"clear_ratio": 0.9}'


def rule(
    rule_id: int,
    region: str = "450000",
    *keeps: int,
    same: Same = Same.SUBJECT,
    narrower: bool = True,
) -> Rule:
    """Return a rule that keeps letters of others back."""
    back = tuple(Keeps(rule_id=each, same=same) for each in keeps)
    return Rule(
        rule_id, "r", ProductIntensity(keeps_back=back, keeps_narrower_back=narrower), region
    )


def fires(rule_id: int, *, level: int = 1, subject: str = "u/p", unit_id: int = 1) -> Standing:
    return Standing(rule_id, rule_id, "450202", unit_id, subject, "firing", level)


def kept(rules: list[Rule], *alerts: Standing) -> list[int]:
    """Return the rules whose letters are kept back."""
    found = keepers.Keepers.of([], rules, alerts)
    return [each.rule_id for each in alerts if found.over(each) is not None]


def test_the_rule_of_the_wider_region_tells_of_what_both_found() -> None:
    rules = [rule(2, "450200"), rule(5, "450202"), rule(9)]
    assert kept(rules, fires(2), fires(5), fires(9)) == [2, 5]
    assert kept(rules, fires(2), fires(5)) == [5]
    assert kept(rules, fires(2), fires(9, subject="u/q")) == []


def test_what_is_worse_is_told_though_something_milder_was() -> None:
    assert kept([rule(1), rule(2, "450200")], fires(1, level=2), fires(2, level=1)) == []


def test_a_rule_keeps_back_only_letters_to_those_whom_it_tells_itself() -> None:
    rules = [rule(1, "450200", 2), rule(2, "450000", narrower=False)]
    assert kept(rules, fires(1), fires(2)) == []


def test_a_rule_may_be_told_to_go_before_others_of_its_region() -> None:
    rules = [rule(1), rule(2, "450000", 1)]
    assert kept(rules, fires(1), fires(2)) == [1]
    of_place = [rule(1), rule(2, "450000", 1, same=Same.PLACE)]
    assert kept(of_place, fires(1, subject="u/a"), fires(2, subject="u/b")) == [1]
    assert kept(of_place, fires(1, unit_id=7), fires(2)) == []


def test_an_amendment_is_let_go_though_nobody_would_be_told_of_a_beginning() -> None:
    """It goes to who was told before; a region has no hours to mark, so it is judged at once."""
    nobody = Desks({}, {1: "450000"})
    for owed, is_let_go in (((), False), (("amended",), True)):
        waits = replace(fires(1), silenced_by=1, owed_anew=owed)
        assert keepers.Keepers.of([], [rule(1)], [waits], nobody).let_go(1) is is_let_go


@pytest.mark.parametrize("firing", [(1, 2, 3), (1, 2), (2, 3), (1, 3)])
def test_rules_in_a_circle_leave_one_that_tells(firing: tuple[int, ...]) -> None:
    rules = [rule(1, "450000", 2), rule(2, "450000", 3), rule(3, "450000", 1)]
    for order in permutations(rules):
        silent = kept(list(order), *map(fires, firing))
        assert len(silent) < len(firing)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["450000", "450200", "450202"]),
            st.sets(st.integers(1, 7), max_size=4),
            st.booleans(),
        ),
        min_size=1,
        max_size=7,
    )
)
def test_whatever_rules_say_somebody_is_told(told: list[tuple[str, set[int], bool]]) -> None:
    rules = [
        rule(number, region, *keeps, narrower=narrower)
        for number, (region, keeps, narrower) in enumerate(told, start=1)
    ]
    alerts = [fires(each.rule_id) for each in rules]
    found = keepers.Keepers.of([], rules, alerts)
    by_rule = {each.rule_id: each for each in rules}
    free = {each.rule_id for each in alerts if found.over(each) is None}
    assert free
    for each in alerts:
        over = found.over(each)
        if over is not None:
            assert over.inhibited_by is not None
            keeper = by_rule[over.inhibited_by[0]]
            assert keeper.rule_id in free
            assert by_rule[each.rule_id].region.startswith(keeper.region.rstrip("0"))
    ordered = [each.rule_id for each in keepers.in_order(rules, found.edges)]
    assert sorted(ordered) == sorted(by_rule)


def test_a_rule_on_regions_and_one_on_units_have_nothing_to_do_with_each_other() -> None:
    rules = [Rule(1, "r", RegionLevel(), "450000"), rule(2, "450200")]
    region = Standing(1, 1, "450202", None, "450202/2026", "firing", 1)
    assert kept(rules, region, fires(2)) == []


@pytest.fixture
async def both(works: Works) -> int:
    """The city of the works has a rule of its own on what the province's rule watches."""
    await contact(works.pool, "450000", "province@desk.example")
    async with works.pool.acquire() as connection:
        return await factories.rule(connection, region="450200", parameters=CITYS)


async def test_province_and_city_watch_the_same_product_and_a_contact_gets_one_letter(
    works: Works, both: int
) -> None:
    await works.made(140.0)
    assert await works.evaluate() == 2
    addresses = sorted(address for address, _ in await works.letters())
    assert addresses == ["liuzhou@desk.example", "province@desk.example"]
    rows = await works.pool.fetch(
        "SELECT alert_id, rule_id, inhibited_by, owed FROM alerts ORDER BY rule_id"
    )
    assert [tuple(row)[1:] for row in rows] == [
        (1, None, None),
        (both, rows[0]["alert_id"], "first"),
    ]


async def test_the_letter_goes_out_when_what_kept_it_back_is_over_and_it_is_not(
    works: Works, both: int
) -> None:
    await works.made(140.0)
    await works.evaluate()
    await works.made(108.0, starts_at=LAST_HOUR + HOUR)  # in order for the province alone
    assert await works.evaluate(now=NOW + HOUR) == 1
    await works.made(140.0, starts_at=LAST_HOUR + 2 * HOUR)
    before = len(await works.letters())
    await works.pool.execute("UPDATE rule_versions SET parameters = NULL WHERE rule_id = 1")
    assert await works.evaluate(now=NOW + 2 * HOUR) == 1
    letters = await works.letters()
    assert [address for address, _ in letters[before:]] == ["liuzhou@desk.example"]
    assert await works.pool.fetchval("SELECT owed FROM alerts WHERE rule_id = $1", both) is None


async def test_what_keeps_letters_back_is_a_parameter_of_a_dated_rule(works: Works) -> None:
    async with works.pool.acquire() as connection:
        other = await factories.rule(connection, name="other")
    keeps = json.dumps({"keeps_back": [{"rule_id": 1, "same": "place"}]})
    await works.pool.execute(
        "UPDATE rule_versions SET parameters = $1 WHERE rule_id = $2", keeps, other
    )
    await works.made(140.0)
    await works.evaluate()
    assert len(await works.letters()) == 1
    shown = await works.pool.fetch("SELECT rule_id FROM alerts WHERE inhibited_by IS NOT NULL")
    assert [row["rule_id"] for row in shown] == [1]
