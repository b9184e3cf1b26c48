"""Owns what people do about an alert as it stands: whose it is, its contest, due dates, closing.

What was done, by whom and when, is in `db/alert_events.py`. What alerts themselves say is of
`db/alerts.py`: nothing here changes what the figures say.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from datetime import datetime
from enum import StrEnum

from asyncpg import Record

from db.pool import Connection
from energy.workdays import NoDeadline

AT_ONCE = 500
"""Cases that are gone through in one evaluation; the others come in the next."""


class Contest(StrEnum):
    """What became of a contest."""

    OPEN = "open"
    UPHELD = "upheld"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Dates:
    """By when an alert is to be acknowledged and remedied: the first instants that are too late.

    `raise_at`: when the next region up is written to, `remedy_raise_at`: when it is written about
    that it is not remedied. None: there is no such date, or (`undated`)
    it is not known. Working days count from `dated_at`, those of this step from `clock_from`.
    """

    dated_at: datetime
    clock_from: datetime
    acknowledge_by: datetime | None = None
    remedy_by: datetime | None = None
    raise_at: datetime | None = None
    remedy_raise_at: datetime | None = None
    undated: NoDeadline | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """The clock of an alert: its dates, the working days they are made of, and where it has got.

    `stopped_at`: since when it stands still. `raised_to`: the region that was written to last;
    `remedy_raised_to`: of what is not remedied. `is_kept`: something keeps its letters back, also
    those to the next region up. `is_over`: it is known to be over now; not: it is unknown, or
    within its threshold and not far enough to resolve.
    """

    alert_id: int
    region: str
    rule_region: str
    acknowledge_workdays: int | None
    remedy_workdays: int | None
    dates: Dates
    stopped_at: datetime | None
    raised_to: str | None
    remedy_raised_to: str | None = None
    is_acknowledged: bool = False
    is_kept: bool = False
    is_over: bool = True


@dataclass(frozen=True, slots=True)
class Undated:
    """An alert that people were told of at a level that its due dates are not for. `dated_level`
    None: it has no due dates yet; `parameters` are those of the rule as it judged; `told_at`: when
    it was written about last, which is when people were told of the level.
    """

    alert_id: int
    subject: str
    region: str
    rule_id: int
    rule_region: str
    kind: str
    version: int
    name: str
    parameters: str | None
    level: int
    measured: float
    told_at: datetime
    dated_level: int | None


async def list_to_date(connection: Connection) -> list[Undated]:
    """Return alerts that fire and have no due dates for the level they have now.

    A notice that something is near its threshold, or unknown, asks for no answer: it has none. Nor
    has what is kept back; but has what there is nobody to tell of, for it is raised.
    """
    rows = await connection.fetch(
        """
        SELECT alert_id, subject, alerts.region, alerts.rule_id, rules.region AS rule_region,
               rules.kind, version, said.name, said.parameters::text AS parameters, level, measured,
               coalesce(told_at, fired_at) AS told_at, dated_level
          FROM alerts
          JOIN rules USING (rule_id)
          JOIN rule_versions AS said
            ON said.rule_id = alerts.rule_id AND said.version = alerts.rule_version
          LEFT JOIN alert_cases USING (alert_id)
         WHERE state = 'firing'
           AND about = 'over'
           AND ((told_at IS NOT NULL AND owed IS NULL) OR nobody_to_tell)
           AND dated_level IS DISTINCT FROM level
         ORDER BY alert_id
         LIMIT $1
        """,
        AT_ONCE,
    )
    return [Undated(**row) for row in rows]


async def date(
    connection: Connection,
    alert_id: int,
    level: int,
    dates: Dates,
    *,
    acknowledge_workdays: int | None,
    remedy_workdays: int | None,
) -> None:
    """Give an alert its due dates for a level. What was done about a milder one does not count."""
    await connection.execute(
        """
        INSERT INTO alert_cases (alert_id, dated_level, acknowledge_workdays, remedy_workdays,
                                 dated_at, clock_from, acknowledge_by, remedy_by, raise_at,
                                 remedy_raise_at, undated)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            ON CONFLICT (alert_id)
            DO UPDATE SET dated_level          = excluded.dated_level,
                          dated_at             = excluded.dated_at,
                          acknowledge_workdays = excluded.acknowledge_workdays,
                          remedy_workdays      = excluded.remedy_workdays,
                          clock_from           = excluded.clock_from,
                          acknowledge_by       = excluded.acknowledge_by,
                          remedy_by            = excluded.remedy_by,
                          raise_at             = excluded.raise_at,
                          remedy_raise_at      = excluded.remedy_raise_at,
                          undated              = excluded.undated,
                          raised_to            = NULL,
                          remedy_raised_to     = NULL,
                          closed_at            = NULL,
                          contest              = nullif(alert_cases.contest, 'upheld'),
                          stopped_at           = CASE alert_cases.contest
                                                 WHEN 'open' THEN excluded.dated_at END
        """,
        alert_id,
        level,
        acknowledge_workdays,
        remedy_workdays,
        *_values(dates),
    )


async def note_level(connection: Connection, alert_id: int, level: int) -> None:
    """Let the due dates stand for a level that became milder."""
    await connection.execute(
        "UPDATE alert_cases SET dated_level = $2 WHERE alert_id = $1", alert_id, level
    )


async def list_due(connection: Connection, now: datetime, stopped_by: datetime) -> list[Case]:
    """Return cases of which something is due: nobody acknowledged in time, it is known not to be
    remedied in time, the clock has stood still since `stopped_by` or longer, or a date is not known
    yet. What keeps letters back keeps an alert from being raised, too.
    """
    rows = await connection.fetch(
        """
        SELECT alert_id, alerts.region, rules.region AS rule_region, acknowledge_workdays,
               remedy_workdays, dated_at, clock_from, acknowledge_by, remedy_by, raise_at,
               remedy_raise_at, undated, stopped_at, raised_to, remedy_raised_to,
               acknowledged_at IS NOT NULL AS is_acknowledged, is_kept, is_over
          FROM alert_cases AS cases
          JOIN alerts USING (alert_id)
          JOIN rules USING (rule_id)
         CROSS JOIN LATERAL (
               SELECT coalesce(silenced_by, inhibited_by) IS NOT NULL
                      OR (owed IS NOT NULL AND NOT nobody_to_tell) AS is_kept,
                      EXISTS (SELECT
                                FROM standings
                               WHERE standings.rule_id = alerts.rule_id
                                 AND standings.subject = alerts.subject
                                 AND standings.state = 'firing') AS is_over) AS known
         CROSS JOIN LATERAL (
               SELECT coalesce((raise_at <= $1 AND acknowledged_at IS NULL
                                OR remedy_raise_at <= $1 AND is_over)
                               AND stopped_at IS NULL
                               AND NOT is_kept, false) AS has_passed) AS clock
         WHERE state = 'firing'
           AND about = 'over'
           AND dated_level = level
           AND clock_from IS NOT NULL
           AND contest IS DISTINCT FROM 'upheld'
           AND (has_passed OR stopped_at <= $2 OR undated IS NOT NULL)
         ORDER BY has_passed DESC, alert_id
         LIMIT $3
        """,
        now,
        stopped_by,
        AT_ONCE,
    )
    return [_case(row) for row in rows]


async def change(
    connection: Connection,
    case: Case,
    dates: Dates,
    *,
    stopped_at: datetime | None,
    raised_to: str | None,
    remedy_raised_to: str | None = None,
    unless_acknowledged: bool = False,
) -> bool:
    """Let a clock go on from how it was read; False: somebody was faster."""
    changed: int | None = await connection.fetchval(
        """
        WITH held AS (
            SELECT alert_id
              FROM alerts
             WHERE alert_id = $1
               AND state = 'firing'
               AND NOT ($18 AND acknowledged_at IS NOT NULL)
               FOR NO KEY UPDATE
        )
        UPDATE alert_cases AS cases
           SET dated_at         = $2,
               clock_from       = $3,
               acknowledge_by   = $4,
               remedy_by        = $5,
               raise_at         = $6,
               remedy_raise_at  = $7,
               undated          = $8,
               stopped_at       = $9,
               raised_to        = $10,
               remedy_raised_to = $11
          FROM held
         WHERE cases.alert_id = held.alert_id
           AND dated_at = $12
           AND raise_at IS NOT DISTINCT FROM $13
           AND stopped_at IS NOT DISTINCT FROM $14
           AND raised_to IS NOT DISTINCT FROM $15
           AND remedy_raise_at IS NOT DISTINCT FROM $16
           AND remedy_raised_to IS NOT DISTINCT FROM $17
        RETURNING cases.alert_id
        """,
        case.alert_id,
        *_values(dates),
        stopped_at,
        raised_to,
        remedy_raised_to,
        case.dates.dated_at,
        case.dates.raise_at,
        case.stopped_at,
        case.raised_to,
        case.dates.remedy_raise_at,
        case.remedy_raised_to,
        unless_acknowledged,
    )
    return changed is not None


async def fetch_clock(connection: Connection, alert_id: int) -> Case | None:
    """Return the clock of an alert, which stays as it is in this transaction; None: it has none."""
    row = await connection.fetchrow(
        """
        SELECT alert_id, alerts.region, rules.region AS rule_region, acknowledge_workdays,
               remedy_workdays, dated_at, clock_from, acknowledge_by, remedy_by, raise_at,
               remedy_raise_at, undated, stopped_at, raised_to, remedy_raised_to,
               acknowledged_at IS NOT NULL AS is_acknowledged
          FROM alert_cases AS cases
          JOIN alerts USING (alert_id)
          JOIN rules USING (rule_id)
         WHERE alert_id = $1
           AND clock_from IS NOT NULL
           FOR UPDATE OF cases
        """,
        alert_id,
    )
    return None if row is None else _case(row)


async def assign(connection: Connection, alert_id: int, *, assignee: str, shown: str) -> None:
    await connection.execute(
        """
        INSERT INTO alert_cases (alert_id, assignee, assigned_to)
        VALUES ($1, $2, $3)
            ON CONFLICT (alert_id)
            DO UPDATE SET assignee = excluded.assignee, assigned_to = excluded.assigned_to
        """,
        alert_id,
        assignee,
        shown,
    )


async def contest(connection: Connection, alert_id: int, at: datetime) -> None:
    """Note that an alert is contested, and let its clock stand still."""
    await connection.execute(
        """
        INSERT INTO alert_cases (alert_id, contest, contests, stopped_at)
        VALUES ($1, 'open', 1, $2)
            ON CONFLICT (alert_id)
            DO UPDATE SET contest = 'open', contests = alert_cases.contests + 1, stopped_at = $2
        """,
        alert_id,
        at,
    )


async def decide(
    connection: Connection, alert_id: int, outcome: Contest, dates: Dates | None
) -> None:
    """Note what became of a contest; None: the alert has no due dates."""
    await connection.execute(
        """
        UPDATE alert_cases
           SET contest         = $2,
               stopped_at      = NULL,
               dated_at        = $3,
               clock_from      = $4,
               acknowledge_by  = $5,
               remedy_by       = $6,
               raise_at        = $7,
               remedy_raise_at = $8,
               undated         = $9
         WHERE alert_id = $1
        """,
        alert_id,
        outcome,
        *((None,) * 7 if dates is None else _values(dates)),
    )


async def close(connection: Connection, alert_id: int, at: datetime) -> None:
    await connection.execute(
        """
        INSERT INTO alert_cases (alert_id, closed_at)
        VALUES ($1, $2)
            ON CONFLICT (alert_id)
            DO UPDATE SET closed_at = excluded.closed_at
        """,
        alert_id,
        at,
    )


def _values(dates: Dates) -> tuple[datetime | str | None, ...]:
    """Return the values in the order of their columns, from dated_at to undated."""
    return astuple(dates)


def _case(row: Record) -> Case:
    values = dict(row)
    dated = {each.name: values.pop(each.name) for each in fields(Dates)}
    if dated["undated"] is not None:
        dated["undated"] = NoDeadline(dated["undated"])
    return Case(**values, dates=Dates(**dated))
