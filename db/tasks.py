"""Owns the tasks that warning levels open: what is asked of a region, until when, what was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record

from db.kept import Standing
from db.pool import Connection
from db.scope import Scope
from energy.workdays import NoDeadline

AT_ONCE = 500
"""Tasks that are gone through in one evaluation; the others come in the next."""


@dataclass(frozen=True, slots=True)
class TaskClock:
    """By when a task is to be done. `due_at` is the first instant that is too late.

    `remind_at` and `raise_at`: when its region is reminded, and the next one up written to; None:
    not (any more).
    """

    region: str
    rule_region: str
    opened_at: datetime
    due_at: datetime | None
    undated: NoDeadline | None
    remind_at: datetime | None
    raise_at: datetime | None
    raised_to: str | None


@dataclass(frozen=True, slots=True)
class DueTask:
    """A task of which something is due. What keeps letters of its alert back keeps its own back."""

    task_id: int
    alert: Standing
    cities: Sequence[str]
    untold: Sequence[str]
    clock: TaskClock


@dataclass(frozen=True, slots=True)
class Settled:
    """By whom a task was done, when, what and what proves it, as table or ledger know it."""

    at: datetime
    by: str
    text: str
    evidence: str


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task as callers see it. It is to be done while it is neither done nor withdrawn."""

    task_id: int
    alert_id: int
    kind: str
    region: str
    region_name: str
    opened_at: datetime
    cities: Sequence[str]
    untold: Sequence[str]
    due_at: datetime | None
    undated: str | None
    raised_to: str | None
    done_at: datetime | None
    done_by: str | None
    done_text: str | None
    evidence: str | None
    withdrawn_at: datetime | None


async def insert(
    connection: Connection,
    alert_id: int,
    kind: str,
    clock: TaskClock,
    *,
    cities: Sequence[str],
    untold: Sequence[str],
) -> int | None:
    """Open a task of an alert; return its task_id, or None if the alert has had it already."""
    task_id: int | None = await connection.fetchval(
        """
        INSERT INTO tasks (alert_id, kind, opened_at, cities, untold, due_at, undated, remind_at,
                           raise_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (alert_id, kind) DO NOTHING
        RETURNING task_id
        """,
        alert_id,
        kind,
        clock.opened_at,
        cities,
        untold,
        clock.due_at,
        clock.undated,
        clock.remind_at,
        clock.raise_at,
    )
    return task_id


async def list_due(connection: Connection, now: datetime) -> list[DueTask]:
    """Return tasks that are to be done and of which something is due, or not known yet."""
    rows = await connection.fetch(
        """
        SELECT task_id, alert_id, cities, untold, alerts.region, rules.region AS rule_region,
               rule_id, unit_id, subject, state, level, opened_at, due_at, undated, remind_at,
               raise_at, raised_to
          FROM tasks
          JOIN alerts USING (alert_id)
          JOIN rules USING (rule_id)
         WHERE done_at IS NULL
           AND withdrawn_at IS NULL
           AND (remind_at <= $1 OR raise_at <= $1 OR undated IS NOT NULL)
         ORDER BY task_id
         LIMIT $2
        """,
        now,
        AT_ONCE,
    )
    return [_due(row) for row in rows]


async def withdraw(connection: Connection, at: datetime) -> list[tuple[int, int]]:
    """Ask nobody any more for what alerts opened that had no reason; return (task_id, alert_id)."""
    rows = await connection.fetch(
        """
        UPDATE tasks
           SET withdrawn_at = $1, remind_at = NULL, raise_at = NULL
          FROM alerts
         WHERE alerts.alert_id = tasks.alert_id
           AND retracted_at IS NOT NULL
           AND done_at IS NULL
           AND withdrawn_at IS NULL
        RETURNING task_id, tasks.alert_id
        """,
        at,
    )
    return sorted((row["task_id"], row["alert_id"]) for row in rows)


async def change(connection: Connection, task: DueTask, clock: TaskClock) -> bool:
    """Let the clock of a task go on from how it was read; False: it is done, or somebody faster."""
    changed: int | None = await connection.fetchval(
        """
        UPDATE tasks
           SET due_at = $2, undated = $3, remind_at = $4, raise_at = $5, raised_to = $6
         WHERE task_id = $1
           AND done_at IS NULL
           AND withdrawn_at IS NULL
           AND remind_at IS NOT DISTINCT FROM $7
           AND raise_at IS NOT DISTINCT FROM $8
           AND raised_to IS NOT DISTINCT FROM $9
        RETURNING task_id
        """,
        task.task_id,
        clock.due_at,
        clock.undated,
        clock.remind_at,
        clock.raise_at,
        clock.raised_to,
        task.clock.remind_at,
        task.clock.raise_at,
        task.clock.raised_to,
    )
    return changed is not None


async def list_tasks(
    connection: Connection,
    scope: Scope,
    *,
    now: datetime,
    is_done: bool | None,
    is_overdue: bool | None,
    region_prefix: str,
    limit: int,
    after_task_id: int,
) -> list[TaskRow]:
    """Return tasks of alerts within the scope, the oldest first."""
    rows = await connection.fetch(
        """
        SELECT task_id, alert_id, tasks.kind, alerts.region, regions.name AS region_name, opened_at,
               cities, untold, due_at, undated, raised_to, done_at, done_by, done_text, evidence,
               withdrawn_at
          FROM tasks
          JOIN visible_alerts($1, $2) AS alerts USING (alert_id)
          JOIN regions ON regions.region = alerts.region
         WHERE ($3::boolean IS NULL
                OR CASE WHEN $3 THEN done_at IS NOT NULL
                        ELSE done_at IS NULL AND withdrawn_at IS NULL END)
           AND ($4::boolean IS NULL
                OR coalesce(done_at IS NULL AND withdrawn_at IS NULL AND due_at <= $5, false) = $4)
           AND alerts.region LIKE $6 || '%'
           AND task_id > $7
         ORDER BY task_id
         LIMIT $8
        """,
        scope.region_prefix,
        scope.unit,
        is_done,
        is_overdue,
        now,
        region_prefix,
        after_task_id,
        limit,
    )
    return [TaskRow(**row) for row in rows]


async def fetch_task(connection: Connection, scope: Scope, task_id: int) -> TaskRow | None:
    """Return a task; None: there is none, or not for this scope."""
    row = await connection.fetchrow(
        """
        SELECT task_id, alert_id, tasks.kind, alerts.region, regions.name AS region_name, opened_at,
               cities, untold, due_at, undated, raised_to, done_at, done_by, done_text, evidence,
               withdrawn_at
          FROM tasks
          JOIN visible_alerts($1, $2) AS alerts USING (alert_id)
          JOIN regions ON regions.region = alerts.region
         WHERE task_id = $3
        """,
        scope.region_prefix,
        scope.unit,
        task_id,
    )
    return None if row is None else TaskRow(**row)


async def has_open(connection: Connection, alert_id: int) -> bool:
    """Return whether an alert that the caller was allowed to fetch has a task to be done."""
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (SELECT
                         FROM tasks
                        WHERE alert_id = $1
                          AND done_at IS NULL
                          AND withdrawn_at IS NULL)
        """,
        alert_id,
    )
    return found


async def settle(
    connection: Connection, task_id: int, *, at: datetime, by: str, text: str, evidence: str
) -> bool:
    """Note that a task is done, and by what; False: it was already, or is withdrawn."""
    changed: int | None = await connection.fetchval(
        """
        UPDATE tasks
           SET done_at = $2, done_by = $3, done_text = $4, evidence = $5
         WHERE task_id = $1
           AND done_at IS NULL
           AND withdrawn_at IS NULL
        RETURNING task_id
        """,
        task_id,
        at,
        by,
        text,
        evidence,
    )
    return changed is not None


async def list_settled(connection: Connection) -> dict[str, Settled]:
    """Return the tasks that are done, by the alert that opened them."""
    rows = await connection.fetch(
        """
        SELECT alert_id::text AS subject, done_at AS at, done_by AS by, done_text AS text, evidence
          FROM tasks
         WHERE done_at IS NOT NULL
         ORDER BY alert_id
        """
    )
    return _by_subject(rows)


async def list_known(connection: Connection) -> dict[str, Settled]:
    """Return the tasks that are done as the ledger of changes knows it."""
    rows = await connection.fetch(
        """
        SELECT split_part(subject, '/', 1) AS subject, (content::jsonb->>'at')::timestamptz AS at,
               actor AS by, content::jsonb->>'text' AS text,
               content::jsonb->>'evidence' AS evidence
          FROM changes
         WHERE noun = 'alert_events'
           AND content IS NOT NULL
           AND content::jsonb->>'kind' = 'task_done'
         ORDER BY change_id
        """
    )
    return _by_subject(rows)


def _by_subject(rows: Sequence[Record]) -> dict[str, Settled]:
    return {
        row["subject"]: Settled(row["at"], row["by"], row["text"], row["evidence"]) for row in rows
    }


def _due(row: Record) -> DueTask:
    values = dict(row)
    if values["undated"] is not None:
        values["undated"] = NoDeadline(values["undated"])
    own = {name: values.pop(name) for name in ("task_id", "cities", "untold")}
    about = ("alert_id", "rule_id", "unit_id", "subject", "state", "level")
    alert = Standing(region=values["region"], **{name: values.pop(name) for name in about})
    return DueTask(**own, alert=alert, clock=TaskClock(**values))
