"""Owns the tasks that a warning level asks of a region: which, of whom, by when, in which words.

Pure. A region at level 1 hands in, within 20 working days, the list of cities whose intensity rose,
and lets no energy review of two-high projects go on there (发改办环资〔2021〕629号).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from alerts.kinds.kind import Parameters
from alerts.kinds.region_level.parameters import RegionLevel
from alerts.reach import above
from db.figures import FigureRow
from db.tasks import TaskClock
from energy import levels, workdays
from energy.indicators import Indicator

REMIND_WORKDAYS = 5
"""So many working days are left when a region is reminded."""

STEP_WORKDAYS = 5
"""So many working days each region has before the next one up is written to."""


class TaskKind(StrEnum):
    """What a task asks for."""

    LEVEL_1_CITIES = "level_1_cities"


class TaskTurn(StrEnum):
    """What happens to a task because of its clock."""

    TASK_REMINDER = "task_reminder"  # it is due soon
    TASK_OVERDUE = "task_overdue"  # it was not done in time: the next region up is written to
    TASK_DATED = "task_dated"  # the days off of a year became known
    TASK_WITHDRAWN = "task_withdrawn"  # the alert that opened it had no reason


@dataclass(frozen=True, slots=True)
class TaskStep:
    """What is to happen to a task now: its clock, and the region that is written to, if one is."""

    turn: TaskTurn
    clock: TaskClock
    to: str | None


@dataclass(frozen=True, slots=True)
class Concerned:
    """Regions whose intensity rose, and cities of which that is not known."""

    rose: Sequence[str]
    untold: Sequence[str]


def asked(parameters: Parameters, level: int, measured: float) -> TaskKind | None:
    """Return which task an alert opens that measured a share, at a level; None: none.

    Level 1 is that energy per GDP rose, whatever a scheme of levels calls it.
    """
    is_first = (
        isinstance(parameters, RegionLevel)
        and parameters.indicator is Indicator.ENERGY_PER_GDP
        and level == levels.ROSE
        and measured > levels.TOLERANCE
    )
    return TaskKind.LEVEL_1_CITIES if is_first else None


def concerned(
    region: str, year: int, figures: Iterable[FigureRow], names: Mapping[str, str]
) -> Concerned:
    """Return the cities of a province whose intensity rose in a year; below it, the region itself.

    By the newest figures of the year. A city without them is named apart: nobody knows whether it
    rose.
    """
    if not region.endswith("0000"):
        return Concerned([region], [])
    cities = sorted(
        code
        for code in names
        if code[:2] == region[:2] and code.endswith("00") and not code.endswith("0000")
    )
    newest = {
        each.region: each
        for each in sorted(figures, key=lambda row: row.through_month)
        if each.year == year
    }
    rates = {city: _rate(newest.get(city)) for city in cities}
    return Concerned(
        [city for city, rate in rates.items() if rate is not None and rate > levels.TOLERANCE],
        [city for city, rate in rates.items() if rate is None],
    )


def clock(region: str, rule_region: str, opened_at: datetime) -> TaskClock:
    """Return by when a task is to be done that was told of at an instant, and its reminder."""
    due = workdays.deadline(opened_at, workdays.LIST_WORKDAYS)
    remind = workdays.deadline(opened_at, workdays.LIST_WORKDAYS - REMIND_WORKDAYS)
    return TaskClock(
        region=region,
        rule_region=rule_region,
        opened_at=opened_at,
        due_at=due.due_at,
        undated=due.reason,
        remind_at=None if due.due_at is None else remind.due_at,
        raise_at=due.due_at,
        raised_to=None,
    )


def next_step(task: TaskClock, now: datetime, staffed: Collection[str] = ()) -> TaskStep | None:
    """Return what is to happen to a task that is not done, or None if nothing is.

    `staffed`: regions that have contacts.
    """
    if task.undated is not None:
        known = clock(task.region, task.rule_region, task.opened_at)
        return TaskStep(TaskTurn.TASK_DATED, known, None) if known.undated is None else None
    if task.raise_at is not None and task.raise_at <= now:
        return _overdue(task, now, staffed)
    if task.remind_at is not None and task.remind_at <= now:
        return TaskStep(TaskTurn.TASK_REMINDER, replace(task, remind_at=None), task.region)
    return None


def _overdue(task: TaskClock, now: datetime, staffed: Collection[str]) -> TaskStep:
    """Return who is written to: the next region up, or where there is none the region itself."""
    to = above(task.raised_to or task.region, task.rule_region, staffed)
    goes_on = to is not None and above(to, task.rule_region) is not None
    raise_at = workdays.deadline(now, STEP_WORKDAYS).due_at if goes_on else None
    later = replace(task, remind_at=None, raise_at=raise_at, raised_to=to or task.raised_to)
    return TaskStep(TaskTurn.TASK_OVERDUE, later, to or task.region)


def text_zh(due_on: date | None) -> str:
    """Return what is asked, in Chinese.

    >>> text_zh(date(2026, 12, 18))[:28]
    '于2026年12月18日前（20个工作日内）报送能耗强度'
    >>> text_zh(None)[:13]
    '20个工作日内报送能耗强度'
    """
    by = within = f"{workdays.LIST_WORKDAYS}个工作日内"
    if due_on is not None:
        by = f"于{due_on.year}年{due_on.month}月{due_on.day}日前（{within}）"
    return (
        f"{by}报送能耗强度不降反升的市名单，并自即日起至年底暂停上述地区“两高”项目节能审查"
        "（国家规划布局的重大项目除外）。依据：发改办环资〔2021〕629号。"
    )


def text_en(due_on: date | None) -> str:
    """Return what is asked, in English.

    >>> text_en(date(2026, 12, 18))[:47]
    'Hand in, by 2026-12-18 (within 20 working days)'
    >>> text_en(None)[:41]
    'Hand in, within 20 working days, the list'
    """
    by = within = f"within {workdays.LIST_WORKDAYS} working days"
    if due_on is not None:
        by = f"by {due_on:%Y-%m-%d} ({within})"
    return (
        f"Hand in, {by}, the list of cities whose energy intensity rose, and suspend the energy "
        "review of two-high projects there for the rest of the year (nationally planned major "
        "projects excepted): NDRC 发改办环资〔2021〕629号."
    )


def _rate(figure: FigureRow | None) -> float | None:
    if figure is None or figure.energy_growth is None or figure.gdp_growth is None:
        return None
    return levels.intensity_rate(figure.energy_growth, figure.gdp_growth)
