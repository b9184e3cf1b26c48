"""Owns keeping letters back: what does is read once a round, and shown with the alerts after it.

What it keeps back, and what becomes of that, is decided in `keepers` and `owed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

import db.alert_events
import db.contacts
import db.fresh
import db.kept
import db.silences
from alerts import amending, changes, grace, keepers, owed
from alerts.desks import Desks
from alerts.keepers import Keepers
from alerts.kinds.kind import Judged, Rule, Surroundings
from alerts.lifecycle import Reason, Transition
from alerts.verdicts import State
from db.alerts import AlertState, OpenAlert
from db.kept import NOTHING, Mark, Owed, Standing
from db.pool import Connection

log = structlog.get_logger("alert")


async def load(connection: Connection, rules: Sequence[Rule], now: datetime) -> Keepers:
    """Return what keeps letters back now."""
    holding = await db.silences.list_holding(connection, now)
    desks = Desks(
        await db.contacts.list_levels(connection), {rule.rule_id: rule.region for rule in rules}
    )
    return Keepers.of(holding, rules, await db.kept.list_standing(connection), desks)


def settled(
    transition: Transition | None,
    owes: Owed,
    judged: Judged,
    alert: OpenAlert | None,
    keeping: Keepers,
    now: datetime,
) -> Transition | None:
    """Return what happens to an alert once it is asked what keeps its letters back."""
    if transition is None and owes is NOTHING:
        return None
    standing = keepers.standing_of(judged, alert)
    if transition is not None and transition.state is AlertState.RESOLVED:
        kept = keeping.over(standing)  # who comes later is not told that it is over
    else:
        kept = keeping.before(standing, judged.facts.regions)
        if kept is not None and kept.is_nobody and transition is not None:
            log.warning("nobody_to_write_to", subject=standing.subject, region=standing.region)
    return owed.settled(transition, owes, kept, alert, judged, now)


def excused(rule: Rule, judged: Judged, around: Surroundings) -> Judged:
    """Return what was found; what rests on silence is not told while we ourselves were away."""
    if not rule.parameters.rests_on_silence or judged.facts.is_our_own:
        return judged
    return replace(judged, verdict=grace.excused(judged.verdict, around.grace))


async def tell_ends(
    connection: Connection,
    rule: Rule,
    found: dict[str, Judged],
    keeping: Keepers,
    around: Surroundings,
) -> int:
    """Write the letters on ends that were kept back, and are not any more; return how many ends.

    Where it is over again, the letters of the newer alert say so first.
    """
    told = 0
    for alert in await db.kept.list_owed_ends(connection, rule.rule_id):
        judged = found.get(alert.subject)
        if judged is None or judged.verdict.state is not State.OK:
            continue
        if keeping.over(keepers.standing_of(judged, alert)) is None:
            told += await _tell_end(connection, rule, judged, alert, around)
    return told


async def _tell_end(
    connection: Connection, rule: Rule, judged: Judged, alert: OpenAlert, around: Surroundings
) -> bool:
    transition = Transition(alert.state, Reason.RESOLVED, around.now)
    async with connection.transaction():
        if not await db.kept.take_owed(connection, alert.alert_id, around.now):
            return False
        event_id = await db.alert_events.insert(
            connection,
            alert.alert_id,
            at=around.now,
            kind=Reason.RELEASED,
            measured=judged.verdict.measured,
            reason="nothing keeps back any more that it is over",
            version=rule.version,
        )
        await changes.tell(
            connection, rule, judged, alert, transition, around, (alert.alert_id, event_id)
        )
    return True


async def show(connection: Connection, keeping: Keepers) -> None:
    """Let every alert say what keeps its letters back; what nothing does is looked at anew."""
    standing = await db.kept.list_standing(connection)
    numbers = {
        (each.rule_id, each.subject): each.alert_id
        for each in standing
        if each.state != AlertState.RESOLVED
    }
    marks = []
    for each in standing:
        kept = keeping.over(each)
        silence_id = None if kept is None else kept.silenced_by
        by = None if kept is None or kept.inhibited_by is None else numbers.get(kept.inhibited_by)
        nobody = _waits_for_somebody(each, keeping)
        if (silence_id, by, nobody) != (
            each.silenced_by,
            each.inhibited_by,
            each.nobody_to_tell,
        ):
            marks.append(Mark(each.alert_id, silence_id, by, nobody))
        if kept is None and each.owed_anew:
            await _look_anew(connection, each, is_nobody=nobody)
    if marks:
        await db.kept.mark(connection, marks)


async def _look_anew(connection: Connection, alert: Standing, *, is_nobody: bool) -> None:
    """Let what was kept back be found again by the next round, which tells it as it is then.

    `is_nobody`: that it is unknown waits for somebody to tell.
    """
    due = [kind for kind in alert.owed_anew if not (is_nobody and kind == Reason.UNKNOWN)]
    async with connection.transaction():
        for kind in due:
            await db.kept.let_go(connection, alert.alert_id, kind)
        if Reason.AMENDED in alert.owed_anew and alert.unit_id is not None:
            told = await db.kept.list_told_periods(connection, alert.alert_id, amending.TOLD)
            await db.fresh.mark(connection, alert.unit_id, told)
        if Reason.UNKNOWN in due:
            await db.kept.untell(connection, alert.alert_id)


def _waits_for_somebody(alert: Standing, keeping: Keepers) -> bool:
    """Return whether the letter that an alert owes waits only for a contact that it would go to."""
    owes = alert.owed is not None or Reason.UNKNOWN in alert.owed_anew
    if not owes or alert.state != AlertState.FIRING:
        return False
    kept = keeping.before(alert)
    return kept is not None and kept.is_nobody
