"""Owns GET /v1/accounts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

import app.account_facts
import app.accounts
import db.rulesets
from app import known_tables
from app.account_facts import Facts, Question
from app.accounts import Accounts, Projects
from app.api import account_rows, consumption, parameters
from app.api.account_rows import AccountRow, DeductionRow, RuleSetRow
from app.api.answers import ListOf, problems
from app.api.consumption import Note
from app.api.parameters import AsKnown, RegionCode
from app.depends import Caller, KnowingCaller
from app.errors import InvalidParameter, NotFound
from db.scope import Scope
from energy import periods, rulesets
from energy.factors import Basis
from energy.periods import LOCAL, Span, Step
from energy.rulesets import RuleSet

router = APIRouter(tags=["balance"])


class AccountQuery(AsKnown):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    region: RegionCode = Field(
        description="GB/T 2260 code of a province, city or county", examples=["450200"]
    )
    year: int = Field(ge=2015, le=2099, description="assessment year", examples=[2024])
    base_year: int | None = Field(
        default=None,
        ge=2010,
        le=2098,
        description="year to compare with; without: the year before",
        examples=[2023],
    )
    through_month: int | None = Field(
        default=None,
        ge=1,
        le=12,
        description="January to this month, of both years; without: the whole year, or of a year "
        "that goes on its last full month",
        examples=[12],
    )
    rule_set: str | None = Field(
        default=None,
        pattern="^[a-z0-9_]{1,40}$",
        description="what is deducted; without: the rule set that applies to the year",
        examples=["2024"],
    )
    basis: Basis = Field(
        default=Basis.CALORIFIC,
        description="calorific value (当量值) or coal-equivalent value (等价值)",
        examples=["calorific"],
    )


class AccountAnswer(ListOf[AccountRow]):
    """Two rows: projects counted apart included, and excluded; next is always null."""

    region: str = Field(examples=["450200"])
    year: int = Field(examples=[2024])
    base_year: int = Field(examples=[2023])
    through_month: int = Field(examples=[12])
    basis: Basis = Field(examples=["calorific"])
    rule_set: RuleSetRow
    deductions: list[DeductionRow]
    notes: list[Note]


@router.get(
    "/v1/accounts",
    operation_id="list_accounts",
    summary="Energy of a region by a rule set: feedstock, non-fossil, projects counted apart",
    responses=problems(401, 404, 422, 503),
)
async def list_accounts(
    query: Annotated[AccountQuery, Query()], caller: KnowingCaller
) -> AccountAnswer:
    """Return the account of a region's key units, of a year beside a base year.

    Both years go by the same rule set. What is deducted is listed with its evidence; a deduction
    that is not known makes no figure. A key of one unit sees that unit's part, without GDP.
    """
    caller = await known_tables.facts(caller, query.as_known_on)
    question = await _question(caller, query)
    facts = await _facts(caller, question)
    accounts = Accounts(facts)
    return AccountAnswer(
        region=question.region,
        year=question.year,
        base_year=question.base_year,
        through_month=question.through_month,
        basis=question.basis,
        rule_set=account_rows.rule_set(question.rules),
        items=[account_rows.account(accounts, facts, projects) for projects in Projects],
        deductions=[account_rows.deduction(each) for each in accounts.deductions()],
        notes=[*_notes(facts), *await _factor_notes(caller, facts)],
        next=None,
    )


async def _question(caller: Caller, query: AccountQuery) -> Question:
    region = await parameters.known_region(caller, query.region)
    assert region is not None  # it was given
    if not Scope.of_region(region).region_prefix.startswith(caller.scope.region_prefix):
        raise NotFound("region")
    base_year = query.year - 1 if query.base_year is None else query.base_year
    if base_year >= query.year:
        raise InvalidParameter("base_year", "must be before year")
    today = caller.now.astimezone(LOCAL)
    if query.year > today.year:
        raise InvalidParameter("year", f"has not begun; the newest is {today.year}")
    through = query.through_month or (max(1, today.month - 1) if query.year == today.year else 12)
    return Question(
        region, query.year, base_year, through, query.basis, await _rules(caller, query)
    )


async def _rules(caller: Caller, query: AccountQuery) -> RuleSet:
    known = await db.rulesets.list_rule_sets(caller.connection)
    if query.rule_set is None:
        found = rulesets.applicable(known, query.year)
    else:
        found = next((each for each in known if each.rule_set == query.rule_set), None)
    if found is None:
        names = ", ".join(each.rule_set for each in known)
        which = f"there is none for {query.year}" if query.rule_set is None else "is not known"
        raise InvalidParameter("rule_set", f"{which}; name one of {names}")
    return found


async def _facts(caller: Caller, question: Question) -> Facts:
    """Fetch both years, and the period's base year where a bound on certificates hangs on it."""
    years = {question.base_year, question.year}
    if question.rules.across_share_max is not None:
        years.add(question.rules.period_base_year)
    spans = {year: _months(year, question.through_month) for year in years}
    await known_tables.sums(
        caller,
        list(spans.values()),
        {Step.DAY, Step.MONTH},
        region_prefix=question.region_prefix,
    )
    return await app.account_facts.fetch(caller, question, spans)


def _months(year: int, through_month: int) -> Span:
    starts_at = datetime(year, 1, 1, tzinfo=LOCAL).astimezone(UTC)
    last_at = datetime(year, through_month, 1, tzinfo=LOCAL)
    return Span(starts_at, periods.following(last_at, Step.MONTH))


def _notes(facts: Facts) -> list[Note]:
    question, notes = facts.question, []
    rules = question.rules
    if not rules.applies_to(question.year):
        until = f"to {rules.last_year}" if rules.last_year is not None else "onwards"
        detail = (
            f"Rule set {rules.rule_set} is for the assessment years {rules.first_year} {until}."
        )
        notes.append(Note(code="rule_set_of_other_years", energy=None, detail=detail))
    if not facts.is_whole:
        detail = "This key sees one unit: figures of the region (GDP, targets) are not applied."
        notes.append(Note(code="part_of_region", energy=None, detail=detail))
    for year in sorted({question.base_year, question.year}):
        names = [f"{meter.unit} {meter.meter}" for meter in app.accounts.silent(facts.years[year])]
        if names:
            detail = (
                f"Own generation of {year} is not (all) known of {len(names)} meters, "
                f"the first: {names[0]}."
            )
            notes.append(Note(code="own_generation_incomplete", energy=None, detail=detail))
    return notes


async def _factor_notes(caller: Caller, facts: Facts) -> list[Note]:
    """Return what is to be said of factors nobody verified, each thing once."""
    question, found = facts.question, dict[str, Note]()
    for year in sorted({question.base_year, question.year}):
        asked = app.account_facts.selection(caller, question, facts.years[year].span)
        for note in await consumption.notes(caller, asked):
            found.setdefault(note.detail, note)
    return list(found.values())
