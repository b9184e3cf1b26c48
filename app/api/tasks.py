"""Owns /v1/tasks: what a warning level asks of a region, until when, and that it is done."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

import db.regions
import db.tasks
from alerts import dues, tasks
from alerts.tasks import TaskKind
from app import cases, cursor
from app.api import parameters
from app.api.answers import Answer, ListOf, LocalTime, problems
from app.api.cases import Evidence, Said
from app.api.parameters import NoParameters, Page, Sent, WithinRegion
from app.depends import AcknowledgingCaller, AuthenticatedCaller, Caller
from db.tasks import TaskRow

TASK_ID_MAX = 2**63 - 1

router = APIRouter(tags=["alerts"])

TaskId = Annotated[int, Path(description="number of the task", examples=[1], ge=1, le=TASK_ID_MAX)]


class TaskWhere(Page):
    """Which tasks."""

    region: WithinRegion = None
    done: bool | None = Field(
        default=None,
        description="false: those that are still to be done; withdrawn ones are neither",
        examples=[False],
    )
    overdue: bool | None = Field(
        default=None,
        description="true: not done by when they were due",
        examples=[True],
    )


class Place(Answer):
    """A region."""

    region: str = Field(examples=["450200"])
    region_name: str = Field(examples=["柳州市"])


class Task(Answer):
    """What a warning level asks of a region."""

    task_id: int = Field(examples=[1])
    alert_id: int = Field(description="the alert that opened it", examples=[17])
    kind: TaskKind = Field(examples=["level_1_cities"])
    region: str = Field(description="whose it is", examples=["450200"])
    region_name: str = Field(examples=["柳州市"])
    text_zh: str = Field(
        description="what is asked, in Chinese",
        examples=["于2026年12月21日前（20个工作日内）报送能耗强度不降反升的市名单 …"],
    )
    text_en: str = Field(
        description="the same in English",
        examples=["Hand in, by 2026-12-21 (within 20 working days), the list of cities …"],
    )
    cities: list[Place] = Field(
        description="regions whose intensity rose, by the figures of when it was opened"
    )
    untold: list[Place] = Field(description="cities without figures then: not known")
    opened_at: LocalTime = Field(examples=["2026-11-23T16:00:20+08:00"])
    due_on: date | None = Field(
        description="last day that is in time; null: not known, for due_reason",
        examples=["2026-12-21"],
    )
    due_reason: str | None = Field(
        description="calendar_unknown: the days off of a year are not published yet",
        examples=["calendar_unknown"],
    )
    overdue: bool = Field(examples=[False])
    raised_to: str | None = Field(
        description="region that was written to as it was not done in time", examples=["450000"]
    )
    done_at: LocalTime | None = Field(
        description="null: still to be done, unless it is withdrawn",
        examples=["2026-12-10T10:00:00+08:00"],
    )
    done_by: str | None = Field(examples=["desk of Liuzhou"])
    done_text: str | None = Field(description="what was done", examples=["已报送名单"])
    evidence: str | None = Field(description="what proves it", examples=["柳发改〔2026〕58号"])
    withdrawn_at: LocalTime | None = Field(
        description="since when it is asked of nobody, as there was no reason for its alert; the "
        "history of the alert says so; null: it is asked",
        examples=[None],
    )


class Tasks(ListOf[Task]):
    """A page of tasks, the oldest first."""


class Deed(Sent):
    """What was done."""

    text: Said = Field(
        description="what was done", examples=["已报送名单，暂停城中区两高项目节能审查"]
    )
    evidence: Evidence = Field(
        description="what proves it: a document number, a file with its hash",
        examples=["柳发改〔2026〕58号"],
    )


@router.get(
    "/v1/tasks",
    operation_id="list_tasks",
    summary="What warning levels ask for, and until when",
    responses=problems(401, 422, 503),
)
async def list_tasks(where: Annotated[TaskWhere, Query()], caller: AuthenticatedCaller) -> Tasks:
    """Return tasks of regions of which one answers for all, the oldest first.

    A region that enters level 1 hands in, within 20 working days, the list of cities whose energy
    intensity rose, and suspends the review of two-high projects there. A task stays until somebody
    says that it is done, or it is withdrawn as its alert had no reason.
    """
    (part,) = cursor.decode(where.cursor, 1)
    rows = await db.tasks.list_tasks(
        caller.connection,
        caller.scope,
        now=caller.now,
        is_done=where.done,
        is_overdue=where.overdue,
        region_prefix=await parameters.region_prefix(caller, where.region),
        limit=where.limit + 1,
        after_task_id=0 if where.cursor is None else cursor.number(part, TASK_ID_MAX),
    )
    page = rows[: where.limit]
    names = await _names(caller)
    return Tasks(
        items=[_task(row, caller, names) for row in page],
        next=cursor.encode(str(page[-1].task_id)) if len(rows) > len(page) else None,
    )


@router.post(
    "/v1/tasks/{task_id}/done",
    operation_id="settle_task",
    summary="Say that a task is done",
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def settle_task(
    task_id: TaskId,
    body: Deed,
    _: Annotated[NoParameters, Query()],
    caller: AcknowledgingCaller,
) -> Task:
    """Note what was done, and what proves it. The first one is kept, again changes nothing.

    What was withdrawn is asked of nobody.
    """
    await cases.settle_task(caller, task_id, body.text, body.evidence)
    return _task(await cases.visible_task(caller, task_id), caller, await _names(caller))


async def _names(caller: Caller) -> dict[str, str]:
    return {row.region: row.name for row in await db.regions.list_regions(caller.connection)}


def _task(row: TaskRow, caller: Caller, names: dict[str, str]) -> Task:
    due_on = dues.last_day(row.due_at)
    is_asked = row.done_at is None and row.withdrawn_at is None
    is_late = is_asked and row.due_at is not None and row.due_at <= caller.now
    return Task(
        task_id=row.task_id,
        alert_id=row.alert_id,
        kind=TaskKind(row.kind),
        region=row.region,
        region_name=row.region_name,
        text_zh=tasks.text_zh(due_on),
        text_en=tasks.text_en(due_on),
        cities=[Place(region=each, region_name=names.get(each, each)) for each in row.cities],
        untold=[Place(region=each, region_name=names.get(each, each)) for each in row.untold],
        opened_at=row.opened_at,
        due_on=due_on,
        due_reason=row.undated,
        overdue=is_late,
        raised_to=row.raised_to,
        done_at=row.done_at,
        done_by=row.done_by,
        done_text=row.done_text,
        evidence=row.evidence,
        withdrawn_at=row.withdrawn_at,
    )
