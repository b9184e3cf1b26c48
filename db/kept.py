"""Owns which letters of alerts are kept back, and by what; what decides is in `alerts/keepers.py`.

`owed` is why the letter would have been written. It stands until that letter went out, or nobody
has to be told any more. `owed_anew` are the events of letters that nobody can let go later, for
they tell of a period or a time: what they are about is looked at again when nothing keeps it back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from db.alerts import AlertState, OpenAlert
from db.pool import Connection
from db.scope import Scope
from energy.periods import Span


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert as far as it matters to what keeps its letters back, or those of others."""

    alert_id: int
    rule_id: int
    region: str
    unit_id: int | None
    subject: str
    state: str
    level: int
    silenced_by: int | None = None
    inhibited_by: int | None = None
    owed_anew: Sequence[str] = ()
    owed: str | None = None
    nobody_to_tell: bool = False


@dataclass(frozen=True, slots=True)
class Owed:
    """What is still to be told of an alert: `letter` is why one is kept back, None: none is.

    `told_regions`: whose contacts were written to besides those of its region and above.
    """

    letter: str | None = None
    told_regions: frozenset[str] = frozenset()


NOTHING = Owed()


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert that fired from when to when; `resolved_at` None: it still does."""

    standing: Standing
    fired_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Mark:
    """What keeps the letters of an alert back; None: no silence, no other alert. `nobody_to_tell`:
    no contact is there that the one it owes would go to.
    """

    alert_id: int
    silenced_by: int | None
    inhibited_by: int | None
    nobody_to_tell: bool


async def list_standing(connection: Connection) -> list[Standing]:
    """Return all alerts that are open, still marked as kept back, or owe a letter anew."""
    rows = await connection.fetch(
        """
        SELECT alert_id, rule_id, region, unit_id, subject, state, level, silenced_by, inhibited_by,
               owed_anew, owed, nobody_to_tell
          FROM alerts
         WHERE state <> 'resolved'
            OR nobody_to_tell
            OR silenced_by IS NOT NULL
            OR inhibited_by IS NOT NULL
            OR owed_anew <> '{}'
         ORDER BY alert_id
        """
    )
    return [Standing(**row) for row in rows]


async def list_fired(
    connection: Connection, scope: Scope, starts_at: datetime, ends_at: datetime
) -> list[Fired]:
    """Return the visible alerts that fired at some time in a period."""
    rows = await connection.fetch(
        """
        SELECT alert_id, rule_id, region, unit_id, subject, state, level, fired_at, resolved_at
          FROM visible_alerts($1, $2)
         WHERE fired_at < $4
           AND (resolved_at IS NULL OR resolved_at > $3)
         ORDER BY alert_id
        """,
        scope.region_prefix,
        scope.unit,
        starts_at,
        ends_at,
    )
    found = []
    for row in rows:
        values = dict(row)
        fired_at, resolved_at = values.pop("fired_at"), values.pop("resolved_at")
        found.append(Fired(Standing(**values), fired_at, resolved_at))
    return found


async def list_owed(connection: Connection, rule_id: int) -> dict[int, Owed]:
    """Return, by open alert of a rule, what is still to be told of it."""
    rows = await connection.fetch(
        """
        SELECT alert_id, owed, told_regions
          FROM alerts
         WHERE rule_id = $1
           AND (owed IS NOT NULL OR told_regions <> '{}')
           AND state <> 'resolved'
         ORDER BY alert_id
        """,
        rule_id,
    )
    return {row["alert_id"]: Owed(row["owed"], frozenset(row["told_regions"])) for row in rows}


async def add_regions(
    connection: Connection, alert_id: int, regions: Sequence[str]
) -> Sequence[str]:
    """Note that contacts of `regions` are written to; return all of which that holds."""
    told: Sequence[str] = await connection.fetchval(
        """
        UPDATE alerts
           SET told_regions = ARRAY(SELECT DISTINCT region
                                      FROM unnest(told_regions || $2::text[]) AS told (region)
                                     ORDER BY region)
         WHERE alert_id = $1
        RETURNING told_regions
        """,
        alert_id,
        regions,
    )
    return told


async def list_owed_ends(
    connection: Connection, rule_id: int, *, owed: str | None = None
) -> list[OpenAlert]:
    """Return the closed alerts of a rule of whose end nobody was told who knows of them.

    With `owed` those that owe a letter for this reason.
    """
    rows = await connection.fetch(
        """
        SELECT alert_id, subject, region, level, period_starts_at, period_ends_at, pending_at,
               told_at, unit_id
          FROM alerts
         WHERE rule_id = $1
           AND owed IS NOT NULL
           AND owed = coalesce($2, owed)
           AND state = 'resolved'
         ORDER BY alert_id
        """,
        rule_id,
        owed,
    )
    return [
        OpenAlert(
            alert_id=row["alert_id"],
            subject=row["subject"],
            region=row["region"],
            state=AlertState.RESOLVED,
            level=row["level"],
            period=Span(row["period_starts_at"], row["period_ends_at"]),
            pending_at=row["pending_at"],
            told_at=row["told_at"],
            unit_id=row["unit_id"],
        )
        for row in rows
    ]


async def owe(connection: Connection, alert_id: int, reason: str | None) -> None:
    """Note which letter of an alert is kept back; None: none is any more."""
    await connection.execute(
        "UPDATE alerts SET owed = $2 WHERE alert_id = $1 AND owed IS DISTINCT FROM $2",
        alert_id,
        reason,
    )


async def take_owed(connection: Connection, alert_id: int, at: datetime) -> bool:
    """Note that a letter that was kept back is written now; False: somebody was faster."""
    taken: int | None = await connection.fetchval(
        """
        UPDATE alerts
           SET owed = NULL, told_at = $2, updated_at = $2
         WHERE alert_id = $1
           AND owed IS NOT NULL
        RETURNING alert_id
        """,
        alert_id,
        at,
    )
    return taken is not None


async def owe_anew(connection: Connection, alert_id: int, kind: str) -> None:
    """Note that what an event is about is told anew as soon as nothing keeps it back."""
    await connection.execute(
        """
        UPDATE alerts
           SET owed_anew = owed_anew || $2
         WHERE alert_id = $1
           AND $2 <> ALL (owed_anew)
        """,
        alert_id,
        kind,
    )


async def let_go(connection: Connection, alert_id: int, kind: str) -> None:
    """Note that what an event is about is not owed any more: it is told, or looked at again."""
    await connection.execute(
        "UPDATE alerts SET owed_anew = array_remove(owed_anew, $2) WHERE alert_id = $1",
        alert_id,
        kind,
    )


async def list_told_periods(
    connection: Connection, alert_id: int, events: Collection[str]
) -> list[Span]:
    """Return the periods of an alert that led to some events."""
    rows = await connection.fetch(
        """
        SELECT starts_at, ends_at
          FROM judgements
         WHERE alert_id = $1
           AND led_to = ANY ($2::text[])
         ORDER BY ends_at, starts_at
        """,
        alert_id,
        list(events),
    )
    return [Span(**row) for row in rows]


async def untell(connection: Connection, alert_id: int) -> None:
    """Let what an open alert is about be told as unknown again, if it is."""
    await connection.execute(
        """
        UPDATE standings
           SET told_at = NULL
          FROM alerts
         WHERE alerts.alert_id = $1
           AND alerts.state <> 'resolved'
           AND standings.rule_id = alerts.rule_id
           AND standings.subject = alerts.subject
           AND standings.state = 'unknown'
        """,
        alert_id,
    )


async def mark(connection: Connection, marks: Sequence[Mark]) -> None:
    """Show what keeps letters of alerts back."""
    await connection.execute(
        """
        UPDATE alerts
           SET silenced_by = marked.silenced_by, inhibited_by = marked.inhibited_by,
               nobody_to_tell = marked.nobody_to_tell
          FROM unnest($1::bigint[], $2::integer[], $3::bigint[], $4::boolean[])
               AS marked (alert_id, silenced_by, inhibited_by, nobody_to_tell)
         WHERE alerts.alert_id = marked.alert_id
        """,
        [each.alert_id for each in marks],
        [each.silenced_by for each in marks],
        [each.inhibited_by for each in marks],
        [each.nobody_to_tell for each in marks],
    )
