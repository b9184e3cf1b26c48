"""Owns the `certificates` and `non_fossil` files: the evidence of non-fossil electricity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import db.certificates
import db.projects
import db.registry
from app.imports import places
from app.imports.fields import (
    Code,
    CreditCode,
    Day,
    Line,
    Month,
    NotNegative,
    Positive,
    RegionCode,
    Source,
    Year,
)
from app.imports.kinds import Kind
from app.imports.places import ANYWHERE, Places
from app.imports.sheet import Change, Findings, Sheet
from app.tables import Row
from db.certificates import CertificateRow, NonFossilRow
from db.pool import Connection
from db.projects import ProjectRow
from db.scope import Scope
from energy import certificates
from energy.certificates import MWH_PER_CERTIFICATE, EnergyType


class CertificateLine(Line):
    certificate: Code
    energy_type: EnergyType
    mwh: Positive = MWH_PER_CERTIFICATE
    generated_in: Month
    province: RegionCode
    unit: CreditCode | None = None
    region: RegionCode | None = None
    acquired_on: Day
    retired_for_year: Year | None = None
    retired_for_region: RegionCode | None = None
    project: Code | None = None
    source: Source


class NonFossilLine(Line):
    region: RegionCode
    year: Year
    energy_type: EnergyType
    mwh: NotNegative
    source: Source


class CertificateSheet(Sheet[CertificateLine, CertificateRow]):
    """Certificates by number; each is used up once."""

    kind = Kind.CERTIFICATES
    key = ("certificate",)
    line = CertificateLine

    def __init__(
        self, regions: Places, units: Mapping[str, str], projects: Mapping[str, ProjectRow]
    ) -> None:
        self._regions = regions
        self._units = units
        self._projects = projects

    def record(self, line: CertificateLine, row: Row, findings: Findings) -> CertificateRow:
        if not line.province.endswith("0000"):
            findings.problem(row, "province", "is the code of a province, as in 450000")
        if line.mwh != MWH_PER_CERTIFICATE:
            text = f"one certificate usually stands for {MWH_PER_CERTIFICATE:g} MWh"
            findings.note(row, "mwh", text)
        record = CertificateRow(
            certificate=line.certificate,
            energy_type=line.energy_type,
            mwh=line.mwh,
            generated_in=line.generated_in,
            province=line.province,
            unit=line.unit,
            region=self._region(line.region, row, findings),
            acquired_on=line.acquired_on,
            retired_for_year=line.retired_for_year,
            retired_for_region=self._region(line.retired_for_region, row, findings),
            project=line.project,
            source=line.source,
        )
        self._check_holder(record, row, findings)
        self._check_project(record, row, findings)
        fault = certificates.refusal(None, record.as_evidence)
        if fault is not None:
            findings.problem(row, "certificate", fault)
        return record

    def _region(self, code: str | None, row: Row, findings: Findings) -> str | None:
        return None if code is None else self._regions.resolve(code, row, findings, ANYWHERE)

    def _check_holder(self, record: CertificateRow, row: Row, findings: Findings) -> None:
        if (record.unit is None) == (record.region is None):
            findings.problem(row, "unit", "is held by a unit or by a region: give one of them")
            return
        holder = record.region if record.unit is None else self._units.get(record.unit)
        if holder is None:
            findings.problem(row, "unit", "is not registered; import the unit first")
        elif record.retired_for_region is not None:
            within = Scope.of_region(record.retired_for_region).region_prefix
            if not holder.startswith(within):
                fault = f"is not a region of the holder, which is in {holder}"
                findings.problem(row, "retired_for_region", fault)

    def _check_project(self, record: CertificateRow, row: Row, findings: Findings) -> None:
        if record.project is None:
            return
        project = self._projects.get(record.project)
        if project is None:
            findings.problem(row, "project", "is not known; import the project first")
        elif project.unit != record.unit:
            findings.problem(row, "project", "is of another unit than the holder")

    async def stored(
        self, connection: Connection, records: Sequence[CertificateRow]
    ) -> list[CertificateRow]:
        numbers = [record.certificate for record in records]
        return await db.certificates.list_by_number(connection, numbers)

    async def standing(self, connection: Connection, units: Sequence[str]) -> list[CertificateRow]:
        return await db.certificates.list_all(connection)

    async def review(
        self,
        connection: Connection,
        changes: Sequence[Change[CertificateRow]],
        findings: Findings,
    ) -> None:
        """Refuse a second use, here and by the same rule as everywhere."""
        for change in changes:
            fault = certificates.refusal(change.old.as_evidence, change.new.as_evidence)
            if fault is not None:
                findings.problem(change.row, "certificate", fault)

    async def store(
        self,
        connection: Connection,
        new: Sequence[CertificateRow],
        changes: Sequence[Change[CertificateRow]],
    ) -> None:
        rows = [*new, *(change.new for change in changes)]
        await db.certificates.upsert_certificates(connection, rows)


class NonFossilSheet(Sheet[NonFossilLine, NonFossilRow]):
    """Non-fossil electricity of regions by year and kind, where there are no certificates."""

    kind = Kind.NON_FOSSIL
    key = ("region", "year", "energy_type")
    line = NonFossilLine

    def __init__(self, regions: Places) -> None:
        self._regions = regions

    def record(self, line: NonFossilLine, row: Row, findings: Findings) -> NonFossilRow:
        return NonFossilRow(
            region=self._regions.resolve(line.region, row, findings, ANYWHERE),
            year=line.year,
            energy_type=line.energy_type,
            mwh=line.mwh,
            source=line.source,
        )

    async def stored(
        self, connection: Connection, records: Sequence[NonFossilRow]
    ) -> list[NonFossilRow]:
        return await db.certificates.list_non_fossil(connection)

    async def store(
        self,
        connection: Connection,
        new: Sequence[NonFossilRow],
        changes: Sequence[Change[NonFossilRow]],
    ) -> None:
        rows = [*new, *(change.new for change in changes)]
        await db.certificates.upsert_non_fossil(connection, rows)


async def sheet(connection: Connection) -> CertificateSheet:
    codes = await db.registry.list_unit_codes(connection)
    units = await db.registry.list_units_by_code(connection, codes)
    projects = await db.projects.list_all(connection)
    return CertificateSheet(
        await places.fetch(connection),
        {unit.unit: unit.region for unit in units},
        {project.project: project for project in projects},
    )


async def non_fossil_sheet(connection: Connection) -> NonFossilSheet:
    return NonFossilSheet(await places.fetch(connection))
