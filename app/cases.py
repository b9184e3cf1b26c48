"""Owns what people do about an alert: assign, contest, decide on that, close; tasks that are done.

Each is an event of the alert's history with its actor, in the ledger, in the caller's transaction.
None changes what the figures say: only corrections do. What is foreign is missing.
"""

from __future__ import annotations

import db.alert_cases
import db.alert_events
import db.changes
import db.contacts
import db.keys
import db.outbox
import db.tasks
from alerts import dues
from alerts.reach import upward
from app import alerting
from app.depends import Caller
from app.errors import Conflict, InvalidParameter, NotFound
from db.alert_cases import Contest
from db.alert_events import ASSIGNED, CLOSED, CONTESTED, REJECTED, TASK_DONE, UPHELD
from db.alert_rows import AlertRow
from db.alerts import AlertState
from db.tasks import TaskRow

ASSIGNMENTS_MAX = 100
"""Assignments of one alert."""

CONTESTS_MAX = 3
"""Contests of one alert: each of them stops its clock for a while."""


async def assign(caller: Caller, alert_id: int, to: str, reason: str) -> None:
    """Give an alert to a contact of its region, or to who holds a key there.

    Raises NotFound, InvalidParameter for whoever is not known, Conflict where it is closed.
    """
    found = await _changeable(caller, alert_id)
    shown = await _named(caller, found, to)
    if shown == found.assigned_to:
        return
    assigned = await db.alert_events.count(caller.connection, alert_id, ASSIGNED)
    if assigned >= ASSIGNMENTS_MAX:
        raise Conflict(
            "too_many_assignments",
            f"This alert was assigned {ASSIGNMENTS_MAX} times, and stays where it is. Say in a "
            f"comment whose it is: POST /v1/alerts/{alert_id}/comments.",
        )
    await db.alert_cases.assign(caller.connection, alert_id, assignee=to, shown=shown)
    await alerting.say(caller, alert_id, ASSIGNED, reason, assignee=shown, holder=to)


async def contest(caller: Caller, alert_id: int, text: str, evidence: str) -> None:
    """Contest an alert with evidence, and let its clock stand still until somebody decides.

    Raises NotFound, and Conflict where it does not fire, or was contested before.
    """
    found = await _changeable(caller, alert_id)
    if found.state is not AlertState.FIRING:
        raise Conflict(
            "not_firing",
            f"This alert is {found.state}, there is nothing to contest. What is to be said of it "
            f"can be a comment: POST /v1/alerts/{alert_id}/comments.",
        )
    if found.contest in (Contest.OPEN, Contest.UPHELD):
        is_open = found.contest is Contest.OPEN
        raise Conflict(
            "contested_already",
            f"This alert is contested {'and waits for a decision' if is_open else 'with success'}. "
            f"More can be said in a comment: POST /v1/alerts/{alert_id}/comments.",
        )
    if found.contests >= CONTESTS_MAX:
        raise Conflict(
            "too_many_contests",
            f"This alert was contested {CONTESTS_MAX} times. If a reading is wrong, state what "
            "holds in its place: POST /v1/corrections.",
        )
    await db.alert_cases.contest(caller.connection, alert_id, caller.now)
    await alerting.say(caller, alert_id, CONTESTED, text, evidence=evidence)


async def decide(caller: Caller, alert_id: int, outcome: Contest, reason: str) -> None:
    """Decide on a contest; the same again changes nothing. Its clock goes on.

    Where it is upheld, whoever decides takes care of the alert: nobody is reminded of it, unless it
    becomes worse. Raises NotFound, and Conflict if there is none to decide on.
    """
    found = await _changeable(caller, alert_id)
    if found.contest is outcome:
        return
    if found.contest is not Contest.OPEN:
        raise Conflict(
            "no_contest",
            "There is no contest that waits for a decision. GET /v1/alerts?contested=true has "
            "those that do.",
        )
    is_upheld = outcome is Contest.UPHELD
    if is_upheld:  # the alert first, then its case: as the evaluator does
        await db.alert_events.acknowledge(
            caller.connection, caller.scope, alert_id, caller.actor, caller.now
        )
        await db.outbox.drop_reminders(caller.connection, alert_id)
    clock = await db.alert_cases.fetch_clock(caller.connection, alert_id)
    dates = None if clock is None else dues.resumed(clock, caller.now)
    await db.alert_cases.decide(caller.connection, alert_id, outcome, dates)
    await alerting.say(caller, alert_id, UPHELD if is_upheld else REJECTED, reason)


async def close(caller: Caller, alert_id: int, reason: str) -> None:
    """Close the file of an alert that is over or was contested with success; the first one counts.

    Raises NotFound, and Conflict while something is still to be done.
    """
    await db.changes.lock(caller.connection)
    found = await alerting.visible(caller, alert_id)
    if found.closed_at is not None:
        return
    if found.contest is Contest.OPEN:
        raise Conflict(
            "contest_open",
            "A contest of this alert waits for a decision. Decide first: "
            f"POST /v1/alerts/{alert_id}/contest/decide.",
        )
    if found.state is not AlertState.RESOLVED and found.contest is not Contest.UPHELD:
        raise Conflict(
            "alert_open",
            f"This alert is {found.state}: its file is closed once its figures are in order, or a "
            "contest of it was upheld.",
        )
    if await db.tasks.has_open(caller.connection, alert_id):
        raise Conflict(
            "task_open",
            "This alert opened a task that is not done: see GET /v1/tasks?done=false, and "
            "POST /v1/tasks/{task_id}/done.",
        )
    await db.alert_cases.close(caller.connection, alert_id, caller.now)
    await alerting.say(caller, alert_id, CLOSED, reason)


async def visible_task(caller: Caller, task_id: int) -> TaskRow:
    """Return a task of an alert of the caller's. Raises NotFound."""
    found = await db.tasks.fetch_task(caller.connection, caller.scope, task_id)
    if found is None:
        raise NotFound("task")
    return found


async def settle_task(caller: Caller, task_id: int, text: str, evidence: str) -> None:
    """Note that a task is done, and what proves it; the first one counts.

    Raises NotFound, and Conflict where it is withdrawn.
    """
    await db.changes.lock(caller.connection)
    found = await visible_task(caller, task_id)
    if found.withdrawn_at is not None:
        raise Conflict(
            "task_withdrawn",
            "There was no reason for the alert that opened this task: it is asked of nobody. What "
            f"was done already can be a comment: POST /v1/alerts/{found.alert_id}/comments.",
        )
    if await db.tasks.settle(
        caller.connection, task_id, at=caller.now, by=caller.actor, text=text, evidence=evidence
    ):
        await alerting.say(caller, found.alert_id, TASK_DONE, text, evidence=evidence)


async def _changeable(caller: Caller, alert_id: int) -> AlertRow:
    """Return an alert whose file is not closed; nobody else changes it in this transaction."""
    await db.changes.lock(caller.connection)
    found = await alerting.visible(caller, alert_id)
    if found.closed_at is not None:
        raise Conflict(
            "file_closed",
            "The file of this alert is closed. What is to be said of it can be a comment: "
            f"POST /v1/alerts/{alert_id}/comments.",
        )
    return found


async def _named(caller: Caller, found: AlertRow, to: str) -> str:
    """Return how whoever is named is shown, if they are of the alert's region or above it.

    As far up as the caller sees.
    """
    prefix = caller.scope.region_prefix
    regions = [each for each in upward(found.region) if each.startswith(prefix)]
    if "@" in to:
        name = await db.contacts.find_name(caller.connection, regions, to)
    else:
        is_known = await db.keys.is_label(caller.connection, to, regions, found.unit, caller.now)
        name = to if is_known else None
    if name is None:
        raise InvalidParameter(
            "to",
            f"is neither the address of a contact nor the label of a key of {' or '.join(regions)}"
            "; contacts are imported with `nenghao import contacts`",
        )
    return name
