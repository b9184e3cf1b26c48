"""Owns seeing to it that alerts are taken care of in time: due dates, raised alerts, tasks.

It works beside the evaluation, under its lock. Each step is one transaction: what becomes of the
clock, the event, the letters. What is to happen is decided by `alerts/dues.py`, `alerts/tasks.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

import db.alert_cases
import db.alert_events
import db.contests
import db.figures
import db.heads
import db.matters
import db.outbox
import db.products
import db.tasks
from alerts import digest, dues, notices, outbox, rules, tasks
from alerts.dues import Step, Turn
from alerts.keepers import Keepers
from alerts.kinds import subjects
from alerts.kinds.kind import Parameters, Surroundings
from alerts.kinds.words import Language
from alerts.notices import Notice
from alerts.reach import full_name
from alerts.tasks import TaskStep, TaskTurn
from db.alert_cases import Case, Undated
from db.alert_events import CONTESTED
from db.contests import OpenContest
from db.pool import Connection
from db.rules import RuleRow
from db.tasks import DueTask
from energy import workdays

log = structlog.get_logger("alert")


async def look_after(connection: Connection, around: Surroundings, keeping: Keepers) -> int:
    """Do what is due about alerts and tasks; return how many were raised or reminded of.

    What keeps letters of an alert back keeps these back: they are due as soon as nothing does.
    """
    for alert in await db.alert_cases.list_to_date(connection):
        await _date(connection, alert, around)
    stopped_by = around.now - dues.CONTEST_STOPS_FOR
    staffed = () if keeping.desks is None else keeping.desks.levels.keys()
    done = [
        await _go_on(connection, case, step, around, staffed)
        for case in await db.alert_cases.list_due(connection, around.now, stopped_by)
        if (step := dues.next_step(case, around.now, staffed)) is not None
    ]
    await _withdraw(connection, around.now)
    for contest in await db.contests.list_untold(connection):
        done.append(await _tell_contest(connection, contest, keeping, around))
    for task in await db.tasks.list_due(connection, around.now):
        turn = tasks.next_step(task.clock, around.now, staffed)
        if turn is not None and (turn.to is None or keeping.over(task.alert) is None):
            done.append(await _go_on_with(connection, task, turn, around))
    return sum(done)


async def _withdraw(connection: Connection, now: datetime) -> None:
    """Withdraw the tasks of alerts that were retracted since; what was done stays done."""
    async with connection.transaction():
        for task_id, alert_id in await db.tasks.withdraw(connection, now):
            reason = (
                f"task {task_id} is asked of nobody any more: there was no reason for the alert"
            )
            await _note(connection, alert_id, now, TaskTurn.TASK_WITHDRAWN, reason)


async def _date(connection: Connection, alert: Undated, around: Surroundings) -> None:
    """Give an alert its due dates, and open what its level asks for: since people were told."""
    if alert.dated_level is not None and alert.level > alert.dated_level:
        await db.alert_cases.note_level(connection, alert.alert_id, alert.level)
        return
    at = alert.told_at
    parameters = _parameters(alert)
    due = parameters.due_workdays
    dates = dues.dated(
        alert.region, alert.rule_region, acknowledge=due.acknowledge, remedy=due.remedy, at=at
    )
    async with connection.transaction():
        await db.alert_cases.date(
            connection,
            alert.alert_id,
            alert.level,
            dates,
            acknowledge_workdays=due.acknowledge,
            remedy_workdays=due.remedy,
        )
        await _open_task(connection, alert, parameters, at, around)


async def _open_task(
    connection: Connection,
    alert: Undated,
    parameters: Parameters,
    at: datetime,
    around: Surroundings,
) -> None:
    kind = tasks.asked(parameters, alert.level, alert.measured)
    if kind is None:
        return
    year = int(alert.subject.rpartition("/")[2])
    figures = await db.figures.list_figures(connection)
    found = tasks.concerned(alert.region, year, figures, around.region_names)
    clock = tasks.clock(alert.region, alert.rule_region, at)
    task_id = await db.tasks.insert(
        connection, alert.alert_id, kind, clock, cities=found.rose, untold=found.untold
    )
    if task_id is not None:
        log.info("task_opened", task_id=task_id, alert_id=alert.alert_id, due_at=clock.due_at)


async def _go_on(
    connection: Connection,
    case: Case,
    step: Step,
    around: Surroundings,
    staffed: Collection[str],
) -> bool:
    """Let the clock of an alert go on; False: somebody was faster, or nobody needs to know."""
    is_raised, names = step.turn is Turn.RAISED_TO, around.region_names
    async with connection.transaction():
        if not await db.alert_cases.change(
            connection,
            case,
            step.dates,
            stopped_at=None,
            raised_to=step.raised_to,
            remedy_raised_to=step.remedy_raised_to,
            unless_acknowledged=is_raised,
        ):
            return False
        if step.turn is Turn.CLOCK_RESUMED:
            days = dues.CONTEST_STOPS_FOR.days
            reason = f"nobody decided on the contest within {days} days: its clock goes on"
            await _note(connection, case.alert_id, around.now, step.turn, reason)
        regions = dues.written_to(case, step)
        if not regions:
            return False
        late = case.dates.raise_at if is_raised else case.dates.remedy_by
        assert late is not None
        due_on = workdays.last_day(late)
        there = [each for each in regions if each in staffed]
        told = ", ".join(f"{names.get(each, each)} ({each})" for each in there or regions)
        missed = "nobody acknowledged it" if is_raised else "not remedied"
        nobody = "" if there else ", and no contact is there to write to"
        reason = f"{missed} by {due_on}{nobody}: {'raised to ' if is_raised else ''}{told}"
        matter = await db.matters.fetch_newest(connection, case.alert_id)
        event_id = await _note(
            connection, case.alert_id, around.now, step.turn, reason, matter.measured
        )
        link = outbox.link_to(around.public_url, case.alert_id)
        for region in regions:
            notice = Notice(step.turn, matter, full_name(region, names), due_on, link)
            await _write(connection, notice, region, event_id, around.now, reminds=is_raised)
    return True


async def _tell_contest(
    connection: Connection, contest: OpenContest, keeping: Keepers, around: Surroundings
) -> bool:
    """Tell the desk that is to decide on a contest; False: there is nobody, until there is one.

    The letter tells the event of the contest: so it is written once.
    """
    desks = keeping.desks
    region = None if desks is None else desks.nearest(contest.rule_id, contest.region)
    if region is None:
        return False
    async with connection.transaction():
        notice = Notice(
            CONTESTED,
            await db.matters.fetch_told(connection, contest.alert_id),
            full_name(region, around.region_names),
            workdays.last_day(contest.stopped_at + dues.CONTEST_STOPS_FOR),
            outbox.link_to(around.public_url, contest.alert_id),
            said=contest.text,
        )
        await _write(connection, notice, region, contest.event_id, around.now, reminds=False)
    return True


async def _go_on_with(
    connection: Connection, task: DueTask, step: TaskStep, around: Surroundings
) -> bool:
    """Let the clock of a task go on; False: somebody was faster, or nobody needs to know."""
    names = around.region_names
    async with connection.transaction():
        if not await db.tasks.change(connection, task, step.clock):
            return False
        if step.to is None:
            return False
        assert task.clock.due_at is not None
        due_on = workdays.last_day(task.clock.due_at)
        desk = names.get(step.to, step.to)
        is_overdue = step.turn is TaskTurn.TASK_OVERDUE
        reason = f"task {task.task_id} {'was' if is_overdue else 'is'} due by {due_on}: {desk}"
        matter = await db.matters.fetch_told(connection, task.alert.alert_id)
        event_id = await _note(
            connection, task.alert.alert_id, around.now, step.turn, reason, matter.measured
        )
        notice = Notice(
            step.turn,
            matter,
            full_name(step.to, names),
            due_on,
            outbox.link_to(around.public_url, task.alert.alert_id),
            cities=_named(task.cities, names),
            untold=_named(task.untold, names),
            task_id=task.task_id,
        )
        await _write(connection, notice, step.to, event_id, around.now, reminds=False)
    return True


async def _write(
    connection: Connection,
    notice: Notice,
    region: str,
    event_id: int,
    at: datetime,
    *,
    reminds: bool,
) -> None:
    """Put a letter to each contact of one region into the outbox, in the thread of the alert."""
    matter, city = notice.matter, digest.city_of(notice.matter.region)
    notice = replace(
        notice,
        heads=await db.heads.list_newest(connection, at),
        product=await db.products.fetch_product(connection, subjects.tail(matter.subject)),
    )
    letters = [
        outbox.addressed(
            recipient,
            notices.compose(notice, Language(recipient.language)),
            alert_id=matter.alert_id,
            opened_at=matter.pending_at,
            event_id=event_id,
            link=notice.link,
            city=city,
            reminds=reminds,
        )
        for recipient in await db.outbox.list_recipients(connection, [region], outbox.EVERY_LEVEL)
    ]
    await outbox.put(connection, letters, city, at)
    if not letters:
        log.warning("nobody_to_write_to", alert_id=matter.alert_id, region=region)


async def _note(
    connection: Connection,
    alert_id: int,
    at: datetime,
    kind: str,
    reason: str,
    measured: float | None = None,
) -> int:
    event_id = await db.alert_events.insert(
        connection, alert_id, at=at, kind=kind, reason=reason, measured=measured
    )
    log.info("alert_cared_for", alert_id=alert_id, kind=kind, reason=reason)
    return event_id


def _parameters(alert: Undated) -> Parameters:
    """Return what the version that judged asks for; nothing, where it cannot be read any more."""
    if alert.parameters is None:
        return Parameters()
    row = RuleRow(
        alert.rule_id, alert.kind, alert.rule_region, alert.version, alert.name, alert.parameters
    )
    try:
        return rules.parse(row).parameters
    except ValueError:
        return Parameters()


def _named(regions: Sequence[str], names: dict[str, str]) -> list[str]:
    return [names.get(region, region) for region in regions]
