"""Owns what an alert is about, as letters about what people do tell it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection
from energy.periods import Span


@dataclass(frozen=True, slots=True)
class Matter:
    """What an alert is about; `measured` and `threshold` in `uom`, of `period`.

    `region_name` of a county has that of its city before it.
    """

    alert_id: int
    rule: str
    region: str
    region_name: str
    unit: str | None
    unit_name: str | None
    subject: str
    level: int
    measured: float
    threshold: float
    uom: str
    period: Span
    pending_at: datetime
    fired_at: datetime


async def fetch_newest(connection: Connection, alert_id: int) -> Matter:
    """Return what an alert is about that fires, with its newest figures that are over."""
    return await _fetch(connection, alert_id, is_newest=True)


async def fetch_told(connection: Connection, alert_id: int) -> Matter:
    """Return what an alert is about that fired, with the figures of its own period."""
    return await _fetch(connection, alert_id, is_newest=False)


async def _fetch(connection: Connection, alert_id: int, *, is_newest: bool) -> Matter:
    row = await connection.fetchrow(
        """
        SELECT alert_id, said.name AS rule, alerts.region,
               concat(city.name, regions.name) AS region_name, units.unit, units.name AS unit_name,
               subject, level, pending_at, fired_at, figures.measured, figures.threshold,
               figures.uom, starts_at, ends_at
          FROM alerts
          JOIN rule_versions AS said
            ON said.rule_id = alerts.rule_id AND said.version = alerts.rule_version
          JOIN regions ON regions.region = alerts.region
          LEFT JOIN regions AS city ON city.region = regions.parent AND regions.tier = 'county'
          LEFT JOIN units USING (unit_id)
         CROSS JOIN LATERAL (
               SELECT measured, threshold, uom, starts_at, ends_at
                 FROM standings
                WHERE $2
                  AND standings.rule_id = alerts.rule_id
                  AND standings.subject = alerts.subject
                  AND standings.state = 'firing'
                UNION ALL
               SELECT alerts.measured, alerts.threshold, alerts.uom, period_starts_at,
                      period_ends_at
                LIMIT 1) AS figures
         WHERE alert_id = $1
        """,
        alert_id,
        is_newest,
    )
    assert row is not None
    values = dict(row)
    period = Span(values.pop("starts_at"), values.pop("ends_at"))
    return Matter(**values, period=period)
