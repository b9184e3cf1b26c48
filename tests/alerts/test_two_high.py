"""Two-high projects: named where energy intensity rose, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alerts.kinds.region_level.facts import RegionFacts
from alerts.kinds.two_high import facts, verdict
from alerts.kinds.two_high.parameters import TwoHigh
from alerts.verdicts import State
from db.two_high import TwoHighRow
from energy.two_high import ProjectState
from tests.alerts.conftest import Works
from tests.alerts.test_value_intensity import rule

ROSE = RegionFacts("450200", "柳州市", 2026, 9, 0.07, 0.06, -0.02747)
PROJECT = TwoHighRow(
    "P1", "电解铝", "某铝业", "450202", ProjectState.UNDER_REVIEW, 50_000.0, False, "list"
)


def judge(region: RegionFacts, *projects: TwoHighRow) -> tuple[State, float | None]:
    (found,) = facts.regions([region], projects, TwoHigh())
    made = verdict.region(found)
    return made.state, made.measured


@pytest.mark.parametrize(
    ("energy", "state"),
    [(0.07, State.FIRING), (0.06, State.OK), (0.03, State.OK), (None, State.UNKNOWN)],
)
def test_projects_under_review_matter_where_energy_intensity_rose(
    energy: float | None, state: State
) -> None:
    assert judge(replace(ROSE, energy_growth=energy), PROJECT)[0] is state


@pytest.mark.parametrize(
    "other",
    [
        replace(PROJECT, annual_tce=49_999.0),
        replace(PROJECT, national=True),
        replace(PROJECT, state=ProjectState.EXISTING),
        replace(PROJECT, state=ProjectState.UNDER_CONSTRUCTION),
        replace(PROJECT, region="450302"),
    ],
)
def test_small_national_finished_and_foreign_projects_do_not_count(other: TwoHighRow) -> None:
    assert judge(ROSE, other) == (State.OK, 0.0)
    assert judge(ROSE, other, replace(PROJECT, project="P2")) == (State.FIRING, 1.0)


def test_a_province_is_not_judged_as_if_it_were_a_city() -> None:
    province = replace(ROSE, region="450000")
    assert facts.regions([province], [PROJECT], TwoHigh()) == []


async def test_a_letter_names_the_projects_and_ends_with_their_review(works: Works) -> None:
    await rule(works, "{}", kind="two_high")
    await works.pool.execute("UPDATE rule_versions SET parameters = NULL WHERE rule_id = 2")
    await works.pool.execute("INSERT INTO region_targets VALUES ('450200', 2026, -0.02747, 'test')")
    await works.pool.execute(
        "INSERT INTO region_figures VALUES ('450200', 2026, 9, 0.07, 0.06, 'test')"
    )
    await works.pool.execute(
        """
        INSERT INTO two_high_projects
        VALUES ('P1', '电解铝', '某铝业', '450202', 'under_review', 812000, false, 'list')
        """
    )
    assert await works.evaluate() == 1
    body = await works.pool.fetchval("SELECT body FROM outbox")
    assert "电解铝（P1，某铝业）：812,000 tce/年" in body
    await works.pool.execute("UPDATE two_high_projects SET state = 'under_construction'")
    assert await works.evaluate() == 1
    assert await works.states() == ["resolved"]
    assert await works.events() == ["first", "resolved"], "what was asked was done: no retraction"
