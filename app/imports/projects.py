"""Owns the `projects` file: major projects whose energy is counted apart (能耗单列)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated

from pydantic import Field

import db.projects
import db.registry
from app.imports import places
from app.imports.fields import Code, CreditCode, Day, Line, Name, RegionCode, Source
from app.imports.kinds import Kind
from app.imports.places import PLANTS, Places
from app.imports.sheet import Change, Findings, Sheet
from app.tables import Row
from db.pool import Connection
from db.projects import LIST_SEPARATOR, ProjectRow
from db.registry import MeterRow, UnitRow
from energy.roles import Role

METERS_LENGTH_MAX = 2_000
SHARE_TOLERANCE = 1e-9


class ProjectLine(Line):
    project: Code
    unit: CreditCode
    name: Name
    region: RegionCode
    approval: Source
    counted_apart_from: Day
    counted_apart_to: Day | None = None
    share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    meters: Annotated[str, Field(max_length=METERS_LENGTH_MAX)] | None = None


class ProjectSheet(Sheet[ProjectLine, ProjectRow]):
    """Projects by code. What two projects both claim would be counted apart twice."""

    kind = Kind.PROJECTS
    key = ("project",)
    line = ProjectLine

    def __init__(self, regions: Places, units: Mapping[str, UnitRow]) -> None:
        self._regions = regions
        self._units = units
        self._rows: dict[str, Row] = {}
        self._records: list[ProjectRow] = []
        self._stored: list[ProjectRow] = []

    def record(self, line: ProjectLine, row: Row, findings: Findings) -> ProjectRow:
        region = self._regions.resolve(line.region, row, findings, PLANTS)
        unit = self._units.get(line.unit)
        if unit is None:
            findings.problem(row, "unit", "is not registered; import the unit first")
        elif unit.region[:4] != region[:4]:
            findings.problem(row, "region", f"is another city than that of the unit, {unit.region}")
        if line.counted_apart_to is not None and line.counted_apart_to <= line.counted_apart_from:
            findings.problem(row, "counted_apart_to", "must be after counted_apart_from")
        if (line.share is None) == (line.meters is None):
            findings.problem(row, "share", "give either share or meters")
        self._rows.setdefault(line.project, row)
        return ProjectRow(
            project=line.project,
            unit=line.unit,
            name=line.name,
            region=region,
            approval=line.approval,
            counted_apart_from=line.counted_apart_from,
            counted_apart_to=line.counted_apart_to,
            share=line.share,
            meters=None if line.meters is None else _joined(line.meters),
        )

    async def stored(
        self, connection: Connection, records: Sequence[ProjectRow]
    ) -> list[ProjectRow]:
        self._records = list(records)
        self._stored = await db.projects.list_all(connection)
        return self._stored

    async def review(
        self, connection: Connection, changes: Sequence[Change[ProjectRow]], findings: Findings
    ) -> None:
        merged = {row.project: row for row in [*self._stored, *self._records]}
        units = sorted({row.unit for row in self._records})
        stored = await db.registry.list_meters_by_unit(connection, units)
        meters = {(each.row.unit, each.row.meter): each.row for each in stored}
        for project in self._records:
            row = self._rows[project.project]
            for fault in _meter_faults(project, meters):
                findings.problem(row, "meters", fault)
            others = [each for each in merged.values() if _may_claim_alike(each, project)]
            for column, fault in _claimed_twice(project, others):
                findings.problem(row, column, fault)

    async def store(
        self,
        connection: Connection,
        new: Sequence[ProjectRow],
        changes: Sequence[Change[ProjectRow]],
    ) -> None:
        projects = [*new, *(change.new for change in changes)]
        await db.projects.upsert_projects(connection, projects)


def _joined(text: str) -> str:
    """Return the meter codes of a cell in one form: in order, each once."""
    codes = {code.strip() for code in text.replace("；", LIST_SEPARATOR).split(LIST_SEPARATOR)}
    return LIST_SEPARATOR.join(sorted(codes - {""}))


def _meter_faults(project: ProjectRow, meters: Mapping[tuple[str, str], MeterRow]) -> list[str]:
    faults = []
    for code in project.meter_codes:
        meter = meters.get((project.unit, code))
        if meter is None:
            faults.append(f"{code} is no meter of the unit; import the meter first")
        elif meter.role == Role.OUTPUT:
            faults.append(f"{code} counts a product and no energy")
    if project.meters is not None and not project.meter_codes:
        faults.append("names no meter")
    return faults


def _may_claim_alike(one: ProjectRow, other: ProjectRow) -> bool:
    """Return whether two projects are of one unit and counted apart at one time."""
    return (
        one.project != other.project
        and one.unit == other.unit
        and (one.counted_apart_from < (other.counted_apart_to or date.max))
        and (other.counted_apart_from < (one.counted_apart_to or date.max))
    )


def _claimed_twice(project: ProjectRow, others: Sequence[ProjectRow]) -> list[tuple[str, str]]:
    """Return the column and the fault of what `project` and `others` claim together."""
    faults = []
    for other in others:
        shared = sorted({*project.meter_codes} & {*other.meter_codes})
        if shared:
            faults.append(("meters", f"{shared[0]} belongs to project {other.project} already"))
        if (project.share is None) != (other.share is None):
            text = f"project {other.project} of the same unit has the other of share and meters"
            faults.append(("share", f"{text}: what both claim would count twice"))
    shares = sum(each.share or 0.0 for each in [project, *others])
    if shares > 1 + SHARE_TOLERANCE:
        faults.append(("share", f"the projects of the unit claim {shares:g} of it, more than all"))
    return faults


async def sheet(connection: Connection) -> ProjectSheet:
    codes = await db.registry.list_unit_codes(connection)
    units = await db.registry.list_units_by_code(connection, codes)
    return ProjectSheet(await places.fetch(connection), {unit.unit: unit for unit in units})
