"""Pending, firing, resolved: each branch of the decision once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.kinds.expression.parameters import ExpressionRule, Whose
from alerts.kinds.kind import Parameters
from alerts.kinds.product_intensity.parameters import ProductIntensity
from alerts.kinds.region_level.parameters import RegionLevel
from alerts.lifecycle import Reason, next_transition
from alerts.verdicts import State, Verdict
from db.alerts import About, AlertState, OpenAlert
from energy.periods import Span

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
AT_ONCE = ProductIntensity()
HELD = ProductIntensity(for_h=2)


def verdict(
    state: State,
    measured: float = 120.0,
    *,
    hours_later: int = 0,
    threshold: float = 100.0,
    level: int = 1,
) -> Verdict:
    ends_at = NOW + hours_later * HOUR
    return Verdict(
        state, Span(ends_at - HOUR, ends_at), "test", measured, threshold, "kgce/t", level, 1.0
    )


def alert(state: AlertState, level: int = 1) -> OpenAlert:
    return OpenAlert(1, "unit/product", "450202", state, level, Span(NOW - HOUR, NOW), NOW)


OVER, FINE, UNKNOWN = verdict(State.FIRING), verdict(State.OK, 98.0), verdict(State.UNKNOWN)
PENDING, FIRING = alert(AlertState.PENDING), alert(AlertState.FIRING)
TOLD = replace(FIRING, told_at=NOW - 24 * HOUR)
"""Written about a day ago, which is when one is reminded."""


@pytest.mark.parametrize(
    ("before", "found", "rule", "reason"),
    [
        (None, OVER, AT_ONCE, Reason.FIRST),
        (None, OVER, HELD, Reason.PENDING),
        (None, FINE, AT_ONCE, None),
        (None, UNKNOWN, AT_ONCE, None),
        (PENDING, OVER, HELD, None),
        (PENDING, verdict(State.FIRING, hours_later=1), HELD, None),
        (PENDING, verdict(State.FIRING, hours_later=2), HELD, Reason.FIRST),
        (PENDING, FINE, HELD, Reason.WITHDRAWN),
        (PENDING, UNKNOWN, HELD, None),
        (FIRING, OVER, AT_ONCE, None),
        (TOLD, OVER, AT_ONCE, Reason.REMINDER),
        (TOLD, OVER, ProductIntensity(remind_h=25), None),
        (TOLD, OVER, ProductIntensity(remind_h=0), None),
        (TOLD, UNKNOWN, AT_ONCE, None),
        (TOLD, FINE, AT_ONCE, Reason.RESOLVED),
        (replace(TOLD, is_acknowledged=True), OVER, AT_ONCE, None),
        (FIRING, FINE, AT_ONCE, Reason.RESOLVED),
        (FIRING, UNKNOWN, AT_ONCE, None),
        (FIRING, verdict(State.OK, 98.1), AT_ONCE, None),
        (FIRING, verdict(State.OK, 50.0, hours_later=-1), AT_ONCE, None),
        (alert(AlertState.FIRING, 2), OVER, AT_ONCE, Reason.ESCALATED),
        (FIRING, verdict(State.FIRING, level=2), AT_ONCE, Reason.EASED),
    ],
)
def test_what_becomes_of_an_alert(
    before: OpenAlert | None, found: Verdict, rule: Parameters, reason: Reason | None
) -> None:
    transition = next_transition(before, found, rule, NOW)
    assert (transition.reason if transition else None) == reason


def test_a_window_older_than_the_one_that_resolved_opens_nothing_again() -> None:
    older = verdict(State.FIRING, hours_later=-1)
    assert next_transition(None, older, AT_ONCE, NOW, resolved_by=NOW) is None
    again = next_transition(None, OVER, AT_ONCE, NOW, resolved_by=NOW)
    assert again is not None
    assert again.reason is Reason.FIRST


def test_one_window_judged_for_hours_has_not_held_for_hours() -> None:
    later = NOW + 5 * HOUR
    assert next_transition(PENDING, OVER, HELD, later) is None


@pytest.mark.parametrize(
    ("measured", "reason"), [(-10.1, None), (-10.2, Reason.RESOLVED), (-30.0, Reason.RESOLVED)]
)
def test_a_negative_threshold_is_cleared_below_it_too(
    measured: float, reason: Reason | None
) -> None:
    found = verdict(State.OK, measured, threshold=-10.0)
    transition = next_transition(FIRING, found, AT_ONCE, NOW)
    assert (transition.reason if transition else None) == reason


def test_a_region_that_leaves_its_level_is_clear_at_once() -> None:
    found = verdict(State.OK, 0.0, threshold=0.0, level=2)
    transition = next_transition(FIRING, found, RegionLevel(), NOW)
    assert transition is not None
    assert transition.reason is Reason.RESOLVED


def test_a_period_that_another_version_found_over_was_not_withdrawn() -> None:
    """[56] The rule changed, not the data: no letter may say that the data did."""
    told = replace(FIRING, opened_by=NOW)
    for version, reason in ((1, Reason.RETRACTED), (2, Reason.RESOLVED)):
        transition = next_transition(told, FINE, AT_ONCE, NOW, version=version)
        assert transition is not None
        assert transition.reason is reason


def test_a_notice_that_nothing_is_known_keeps_no_warning_back() -> None:
    """[56] What is known of a period from before the notice was written counts."""
    notice = replace(FIRING, about=About.UNKNOWN, period=Span(NOW - 9 * HOUR, NOW + 30 * HOUR))
    for found, reason in ((OVER, Reason.FIRST), (FINE, Reason.PASSED)):
        transition = next_transition(notice, found, AT_ONCE, NOW + 30 * HOUR)
        assert transition is not None
        assert transition.reason is reason
    assert next_transition(notice, OVER, AT_ONCE, NOW, resolved_by=NOW + HOUR) is None
    since_after = replace(notice, period=Span(NOW + HOUR, NOW + 30 * HOUR))
    assert next_transition(since_after, FINE, AT_ONCE, NOW) is None


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (RegionLevel(), Reason.PASSED),
        (ExpressionRule(of=Whose.REGION, expression="rate > 0"), Reason.PASSED),
        (ExpressionRule(of=Whose.UNIT, expression="energy_tce > 0"), None),
        (AT_ONCE, None),
    ],
)
def test_a_notice_ends_when_figures_are_there_and_silence_only_with_what_came_after_it(
    rule: Parameters, reason: Reason | None
) -> None:
    """[56] The figures of a region are of months that ended long before nothing was known."""
    notice = replace(FIRING, about=About.UNKNOWN, period=Span(NOW + HOUR, NOW + 30 * HOUR))
    transition = next_transition(notice, FINE, rule, NOW + 31 * HOUR)
    assert (transition.reason if transition else None) == reason
