"""Owns the rows of GET /v1/accounts: what is shown of an account, of rules and of deductions."""

from __future__ import annotations

from datetime import date

from pydantic import Field

import app.accounts
import app.consumption
from app.account_facts import Facts, Question, YearFacts
from app.accounts import Accounts, Projects
from app.api.answers import Answer, LocalTime, Reckoned
from app.deductions import Deduction, Doubt, Kind
from energy import rulesets
from energy.balance import Absence, Origin
from energy.certificates import EnergyType
from energy.rulesets import Account, Extent, Gap, Measure, RuleSet

EVIDENCE_MAX = 200


class RuleSetRow(Answer):
    """The rules that every figure here goes by."""

    rule_set: str = Field(examples=["2024"])
    name_zh: str = Field(examples=["原料用能和全部非化石能源不纳入能耗总量和强度考核"])
    name_en: str = Field(examples=["feedstock; all non-fossil energy"])
    documents: list[str] = Field(examples=[["发改环资〔2022〕803号", "发改环资〔2024〕113号"]])
    in_force_from: date = Field(examples=["2024-01-27"])
    in_force_to: date | None = Field(examples=[None])
    first_year: int = Field(description="first assessment year", examples=[2024])
    last_year: int | None = Field(description="last assessment year", examples=[2025])
    feedstock_from: list[Measure] = Field(examples=[["intensity", "total"]])
    electricity_from: list[Measure] = Field(examples=[["intensity", "total"]])
    extent: Extent = Field(
        description="of the non-fossil electricity: all, or its increment over a base year",
        examples=["all"],
    )
    energy_types: list[EnergyType] = Field(examples=[["wind", "solar", "nuclear"]])
    increment_base_year: int | None = Field(examples=[2020])
    across_share_max: Reckoned | None = Field(
        description="share of the saving needed that certificates of other provinces may cover",
        examples=[0.5],
    )
    source: str = Field(examples=["townflea.com 2388"])


class MeasureRow(Answer):
    """The energy that counts for one measure."""

    measure: Measure = Field(examples=["intensity"])
    energy_tce: Reckoned | None = Field(description="null: see reason [tce]", examples=[94.0])
    feedstock_tce: Reckoned | None = Field(description="deducted [tce]", examples=[16.0])
    non_fossil_tce: Reckoned | None = Field(description="deducted [tce]", examples=[0.0])
    not_counted_tce: Reckoned = Field(
        description="of certificates from other provinces, beyond their bound [tce]", examples=[0.0]
    )
    reason: Gap | None = Field(description="why it is not known", examples=["feedstock_missing"])


class YearRow(Answer):
    """One year before and after deductions. Energy is what is known: see coverage and left_out."""

    year: int = Field(examples=[2024])
    starts_at: LocalTime = Field(examples=["2024-01-01T00:00:00+08:00"])
    ends_at: LocalTime = Field(examples=["2025-01-01T00:00:00+08:00"])
    consumption_tce: Reckoned | None = Field(
        description="as /v1/consumption: boundary meters less export meters [tce]", examples=[108.0]
    )
    own_generation_tce: Reckoned = Field(
        description="made from renewables behind the boundary meters [tce]", examples=[2.0]
    )
    projects_tce: Reckoned | None = Field(
        description="of projects counted apart [tce]; null: not known", examples=[0.0]
    )
    gross_tce: Reckoned | None = Field(
        description="consumption and own generation, less projects where they are excluded [tce]",
        examples=[110.0],
    )
    coverage: Reckoned | None = Field(examples=[0.995])
    estimated_share: Reckoned | None = Field(examples=[0.01])
    held: bool = Field(
        description="a step of a register could not be explained and waits for review",
        examples=[False],
    )
    left_out: list[str] = Field(
        description="carriers with a quantity and no factor", examples=[["natural_gas"]]
    )
    saving_needed_tce: Reckoned | None = Field(
        description="what the period's intensity target asks to be saved; bounds certificates of "
        "other provinces [tce]",
        examples=[12.4],
    )
    measures: list[MeasureRow]


class Change(Answer):
    """How a measure moved, both years by the same rules."""

    measure: Measure = Field(examples=["intensity"])
    rate: Reckoned | None = Field(
        description="of the total, or of energy per GDP; null: see reason", examples=[-0.0147]
    )
    reason: Gap | None = Field(description="why it is not known", examples=["gdp_missing"])
    reason_year: int | None = Field(description="the year that lacks it", examples=[2023])


class AccountRow(Answer):
    """The account of the region, with or without projects counted apart."""

    projects: Projects = Field(examples=["included"])
    gdp_ratio: Reckoned | None = Field(
        description="GDP of the year ÷ of the base year, constant prices", examples=[1.06]
    )
    changes: list[Change]
    target: YearRow
    base: YearRow


class DeductionRow(Answer):
    """One thing that is deducted or counted apart, and what proves it."""

    kind: Kind = Field(examples=["feedstock"])
    year: int = Field(examples=[2024])
    unit: str | None = Field(examples=["91450200MA5KF5XJ00"])
    energy: str | None = Field(examples=["natural_gas"])
    project: str | None = Field(examples=["XM-001"])
    energy_type: EnergyType | None = Field(examples=["wind"])
    is_across: bool | None = Field(description="certificates of another province", examples=[False])
    quantity: Reckoned | None = Field(examples=[12000.0])
    uom: str | None = Field(examples=["m3"])
    tce: Reckoned | None = Field(description="null: not known, see reason", examples=[16.0])
    origin: Origin | None = Field(examples=["metered"])
    reason: Absence | Doubt | None = Field(examples=["not_stated"])
    evidence: list[str] = Field(
        description=f"documents, meters, certificates; the first {EVIDENCE_MAX}",
        examples=[["utilisation report 2024, table 2-1"]],
    )
    evidence_count: int = Field(examples=[1])


def account(accounts: Accounts, facts: Facts, projects: Projects) -> AccountRow:
    question = facts.question
    target = accounts.account(question.year, projects)
    base = accounts.account(question.base_year, projects)
    gdp_ratio = accounts.gdp_ratio(question.base_year, question.year)
    return AccountRow(
        projects=projects,
        gdp_ratio=gdp_ratio,
        changes=[_change(base, target, question, measure, gdp_ratio) for measure in Measure],
        target=_year(facts.years[question.year], target, accounts, question.rules),
        base=_year(facts.years[question.base_year], base, accounts, question.rules),
    )


def _change(
    base: Account, target: Account, question: Question, measure: Measure, gdp_ratio: float | None
) -> Change:
    found = rulesets.movement(base, target, question.rules, measure, gdp_ratio=gdp_ratio)
    year = question.base_year if found.gap_in_base else question.year
    return Change(
        measure=measure,
        rate=found.rate,
        reason=found.gap,
        reason_year=None if found.gap is None else year,
    )


def _year(facts: YearFacts, of: Account, accounts: Accounts, rules: RuleSet) -> YearRow:
    used = None if facts.total is None else facts.total.used
    return YearRow(
        year=facts.year,
        starts_at=facts.span.starts_at,
        ends_at=facts.span.ends_at,
        consumption_tce=app.accounts.consumption_tce(facts),
        own_generation_tce=app.accounts.own_generation_tce(facts),
        projects_tce=accounts.projects_tce(facts.year),
        gross_tce=of.energy_tce,
        coverage=None if facts.total is None else facts.total.coverage,
        estimated_share=app.consumption.estimated_share(used),
        held=used is not None and used.held,
        left_out=[] if used is None else used.left_out,
        saving_needed_tce=of.saving_needed_tce,
        measures=[_measure(of, rules, measure) for measure in Measure],
    )


def _measure(of: Account, rules: RuleSet, measure: Measure) -> MeasureRow:
    found = rulesets.assessed(of, rules, measure)
    return MeasureRow(
        measure=measure,
        energy_tce=found.energy_tce,
        feedstock_tce=found.feedstock_tce,
        non_fossil_tce=found.non_fossil_tce,
        not_counted_tce=found.not_counted_tce,
        reason=found.gap,
    )


def rule_set(rules: RuleSet) -> RuleSetRow:
    return RuleSetRow(
        rule_set=rules.rule_set,
        name_zh=rules.name_zh,
        name_en=rules.name_en,
        documents=list(rules.documents),
        in_force_from=rules.in_force_from,
        in_force_to=rules.in_force_to,
        first_year=rules.first_year,
        last_year=rules.last_year,
        feedstock_from=sorted(rules.feedstock_from),
        electricity_from=sorted(rules.electricity_from),
        extent=rules.extent,
        energy_types=sorted(rules.energy_types),
        increment_base_year=rules.increment_base_year,
        across_share_max=rules.across_share_max,
        source=rules.source,
    )


def deduction(found: Deduction) -> DeductionRow:
    source = found.source
    return DeductionRow(
        kind=found.kind,
        year=found.year,
        unit=found.unit,
        energy=found.carrier,
        project=found.project,
        energy_type=None if source is None else source.energy_type,
        is_across=None if source is None else source.is_across,
        quantity=found.quantity,
        uom=found.uom,
        tce=found.tce,
        origin=found.origin,
        reason=found.reason,
        evidence=list(found.evidence[:EVIDENCE_MAX]),
        evidence_count=len(found.evidence),
    )
