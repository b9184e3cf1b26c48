"""Who sees which alert: the unit's own region and those above it, the enterprise its own."""

from __future__ import annotations

from datetime import timedelta

import pytest

import db.alert_rows
import db.alerts
from db.alert_rows import Which
from db.alerts import AlertState, Finding, Watched
from db.pool import Connection
from db.scope import Scope
from energy.periods import Span
from tests import factories
from tests.alerts.conftest import NOW

OWN, OTHER = factories.unit_code(1), factories.unit_code(2)
FINDING = Finding(1, Span(NOW - timedelta(hours=1), NOW), 140.0, 117.0, "kgce/t", 1.0, 0.0, "over")


@pytest.fixture
async def alerts(connection: Connection) -> dict[str, int]:
    """Alerts by name: of two units in Liuzhou, of the city, of the province."""
    made = {}
    for name, region, code in (
        ("own", "450202", OWN),
        ("other", "450203", OTHER),
        ("city", "450200", None),
        ("province", "450000", None),
    ):
        unit_id = None if code is None else await factories.unit(connection, code, region=region)
        watched = Watched(1, region, unit_id, name)
        alert_id = await db.alerts.insert_alert(
            connection, watched, FINDING, AlertState.FIRING, NOW
        )
        assert alert_id is not None
        made[name] = alert_id
    return made


@pytest.mark.parametrize(
    ("scope", "visible"),
    [
        (Scope("45"), ["province", "city", "other", "own"]),
        (Scope("4502"), ["city", "other", "own"]),
        (Scope("450202"), ["own"]),
        (Scope("450202", OWN), ["own"]),
        (Scope("45", OWN), ["own"]),
        (Scope("4503"), []),
    ],
)
async def test_a_scope_sees_what_it_answers_for(
    connection: Connection, alerts: dict[str, int], scope: Scope, visible: list[str]
) -> None:
    rows = await db.alert_rows.list_alerts(
        connection, scope, Which(), now=NOW, limit=10, before_alert_id=None
    )
    assert [row.subject for row in rows] == visible
    for name, alert_id in alerts.items():
        found = await db.alert_rows.fetch_alert(connection, scope, alert_id, NOW)
        assert (found is not None) == (name in visible)


async def test_an_alert_says_whose_it_is(connection: Connection, alerts: dict[str, int]) -> None:
    found = await db.alert_rows.fetch_alert(connection, Scope("45"), alerts["own"], NOW)
    assert found is not None
    assert (found.unit, found.kind, found.region_name) == (OWN, "product_intensity", "城中区")
    assert (found.state, found.period, found.fired_at) == ("firing", FINDING.period, NOW)


@pytest.mark.parametrize(
    ("state", "region", "unit", "subjects"),
    [
        ("firing", "450200", None, ["city", "other", "own"]),
        ("firing", "450203", None, ["other"]),
        (None, None, OWN, ["own"]),
        ("resolved", None, None, []),
    ],
)
async def test_alerts_are_filtered(
    connection: Connection,
    alerts: dict[str, int],
    state: str | None,
    region: str | None,
    unit: str | None,
    subjects: list[str],
) -> None:
    which = Which(state=state, region=region, unit=unit)
    rows = await db.alert_rows.list_alerts(
        connection, Scope("45"), which, now=NOW, limit=10, before_alert_id=None
    )
    assert [row.subject for row in rows] == subjects


async def test_pages_follow_each_other(connection: Connection, alerts: dict[str, int]) -> None:
    rows = await db.alert_rows.list_alerts(
        connection,
        Scope("45"),
        Which(),
        now=NOW,
        limit=2,
        before_alert_id=alerts["province"],
    )
    assert [row.subject for row in rows] == ["city", "other"]
    assert len(alerts) == 4
