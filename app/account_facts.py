"""Owns fetching what the account of a region rests on: consumption, statements, certificates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import app.consumption
import db.certificates
import db.figures
import db.meter_sums
import db.projects
import db.registry
import db.statements
from app.consumption import Line
from app.depends import Caller
from app.errors import ApiError
from db.certificates import CertificateRow, NonFossilRow
from db.consumption import Group, Selection
from db.figures import FigureRow, TargetRow
from db.meter_sums import MeterSum, ProjectSum
from db.projects import ProjectRow
from db.scope import Scope
from db.statements import TradeRow
from energy.factors import Basis
from energy.periods import Span, Step
from energy.roles import Role
from energy.rulesets import RuleSet

CERTIFICATES_MAX = 200_000
"""Rows of certificates that one answer adds up; a row may stand for many MWh."""

METERED_ROLES = (Role.FEEDSTOCK, Role.RENEWABLE)


@dataclass(frozen=True, slots=True)
class Question:
    """January to `through_month` of `year` and of `base_year`, by one rule set and one basis."""

    region: str
    year: int
    base_year: int
    through_month: int
    basis: Basis
    rules: RuleSet

    @property
    def region_prefix(self) -> str:
        return Scope.of_region(self.region).region_prefix


@dataclass(frozen=True, slots=True)
class YearFacts:
    """What is known of the months of one year. `lines` are by unit and carrier."""

    year: int
    span: Span
    total: Line | None
    lines: Sequence[Line]
    meters: Sequence[MeterSum]
    project_sums: Sequence[ProjectSum]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything an account rests on. `is_whole`: the caller sees all units of the region."""

    question: Question
    is_whole: bool
    years: Mapping[int, YearFacts]
    trades: Sequence[TradeRow]
    projects: Mapping[str, ProjectRow]
    certificates: Sequence[CertificateRow]
    stated: Sequence[NonFossilRow]
    figures: Sequence[FigureRow]
    targets: Sequence[TargetRow]
    reference_uoms: Mapping[str, str]


async def fetch(caller: Caller, question: Question, spans: Mapping[int, Span]) -> Facts:
    """Return the facts of the years in `spans`; the period's base year only if it is asked for."""
    rules, prefix = question.rules, question.region_prefix
    evidence_years = {*spans, rules.period_base_year, rules.increment_base_year}
    certificates = await db.certificates.list_retired(
        caller.connection,
        caller.scope,
        region_prefix=prefix,
        years=sorted(year for year in evidence_years if year is not None),
        limit=CERTIFICATES_MAX + 1,
    )
    if len(certificates) > CERTIFICATES_MAX:
        raise ApiError(
            "too_many_rows",
            f"more than {CERTIFICATES_MAX:,} certificates prove the consumption of these years; "
            f"ask for a city or a county.",
        )
    projects = await db.projects.list_visible(caller.connection, caller.scope, region_prefix=prefix)
    return Facts(
        question=question,
        is_whole=caller.scope.unit is None,
        years={year: await _year(caller, question, year, spans[year]) for year in sorted(spans)},
        trades=await db.statements.list_trades(
            caller.connection, caller.scope, region_prefix=prefix, with_feedstock=True
        ),
        projects={row.project: row for row in projects},
        certificates=certificates,
        stated=[
            row
            for row in await db.certificates.list_non_fossil(caller.connection)
            if row.region == question.region
        ],
        figures=[
            row
            for row in await db.figures.list_figures(caller.connection)
            if row.region == question.region and row.through_month == question.through_month
        ],
        targets=[
            row
            for row in await db.figures.list_targets(caller.connection)
            if row.region == question.region
        ],
        reference_uoms=await db.registry.list_reference_uoms(caller.connection),
    )


def selection(caller: Caller, question: Question, span: Span) -> Selection:
    """Return the consumption of the region in one of the years."""
    return Selection(
        span=span,
        bucket=Step.YEAR,
        basis=question.basis,
        region_prefix=question.region_prefix,
    )


async def _year(caller: Caller, question: Question, year: int, span: Span) -> YearFacts:
    asked = selection(caller, question, span)
    by_carrier = replace(asked, groups=frozenset({Group.UNIT, Group.ENERGY}))
    total = await app.consumption.lines(caller, asked, [span])
    return YearFacts(
        year=year,
        span=span,
        total=total[0] if total else None,
        lines=await app.consumption.lines(caller, by_carrier, [span]),
        meters=await db.meter_sums.list_sums(
            caller.connection,
            caller.scope,
            region_prefix=question.region_prefix,
            roles=METERED_ROLES,
            span=span,
            step=Step.MONTH,
            basis=question.basis,
        ),
        project_sums=await db.meter_sums.list_project_sums(
            caller.connection,
            caller.scope,
            region_prefix=question.region_prefix,
            span=span,
            basis=question.basis,
        ),
    )
