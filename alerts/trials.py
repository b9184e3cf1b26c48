"""Owns tests of rules as files: facts over time, and what a rule is to say and do about them.

Pure: it runs without a database. Verdicts and transitions are those of the evaluator; where its
facts come from is for the tests of each kind. The form is that of docs/examples/rules/.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import MISSING, dataclass, fields, replace
from datetime import datetime
from functools import partial
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from alerts.backtest import Course
from alerts.kinds import stated
from alerts.kinds.budget_pace import verdict as budgets
from alerts.kinds.budget_pace.facts import BudgetFacts
from alerts.kinds.data_quality import verdict as quality
from alerts.kinds.data_quality.facts import QualityFacts
from alerts.kinds.expression import verdict as expressions
from alerts.kinds.expression.facts import ExpressionFacts
from alerts.kinds.kind import Facts, Judged, Kind, Rule
from alerts.kinds.not_connected import verdict as connections
from alerts.kinds.not_connected.facts import ConnectionFacts
from alerts.kinds.outage import verdict as outages
from alerts.kinds.outage.facts import Silence, incidents
from alerts.kinds.product_intensity import verdict as products
from alerts.kinds.product_intensity.facts import ProductFacts
from alerts.kinds.region_level import verdict as regions
from alerts.kinds.region_level.facts import RegionFacts
from alerts.kinds.registry import KINDS
from alerts.kinds.two_high import verdict as two_high
from alerts.kinds.two_high.facts import TwoHighFacts
from alerts.kinds.value_intensity import verdict as values
from alerts.kinds.value_intensity.facts import ValueFacts
from alerts.lifecycle import Reason
from alerts.verdicts import State, Verdict
from db.alerts import Watched
from energy import periods
from energy.periods import HOUR, Step

BYTES_MAX = 1_000_000
STEPS_MAX = 1_000
"""Instants of one file."""

TOLERANCE = 1e-9
"""Numbers this near to each other are the same, as a share of them."""

Parameters = Any
"""Those of the rule's kind: each kind's verdict takes its own."""


class TrialError(ValueError):
    """A file is no test of a rule. The message says where and why."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How a kind is tried: its facts, what it says of them, and the subject of its alerts."""

    facts: type[Facts]
    judge: Callable[[Any, Parameters, float], Verdict | None]
    subject: Callable[[Any], tuple[str, str]]
    """Return the region and the subject of facts."""

    several: Callable[[Any, Parameters, Set[str], datetime], Sequence[Facts]] | None = None
    """Return what facts are about, where that is no one thing, by the subjects that are open."""


TRIALS: Mapping[Kind, Trial] = {
    Kind.PRODUCT_INTENSITY: Trial(
        ProductFacts,
        lambda facts, rule, floor: products.product(facts, floor),
        lambda facts: (facts.subject.region, facts.subject.name),
    ),
    Kind.REGION_LEVEL: Trial(
        RegionFacts,
        lambda facts, rule, floor: regions.region(facts, rule),
        lambda facts: (facts.region, facts.subject),
    ),
    Kind.VALUE_INTENSITY: Trial(
        ValueFacts, values.unit, lambda facts: (facts.region, facts.subject)
    ),
    Kind.BUDGET_PACE: Trial(
        BudgetFacts,
        lambda facts, rule, floor: budgets.budget(facts, rule),
        lambda facts: (facts.region, facts.subject),
    ),
    Kind.TWO_HIGH: Trial(
        TwoHighFacts,
        lambda facts, rule, floor: two_high.region(facts),
        lambda facts: (facts.region.region, facts.region.subject),
    ),
    Kind.DATA_QUALITY: Trial(
        QualityFacts, quality.judge, lambda facts: (facts.region, facts.key)
    ),
    Kind.NOT_CONNECTED: Trial(
        ConnectionFacts,
        lambda facts, rule, floor: connections.judge(facts, rule),
        lambda facts: (facts.region, facts.unit.unit),
    ),
    Kind.OUTAGE: Trial(
        Silence,
        lambda facts, rule, floor: outages.judge(facts, rule),
        lambda facts: (facts.region, facts.subject),
        lambda facts, rule, opened, at: incidents(
            facts.sites, facts.gateways, rule, facts.region, opened, at
        ),
    ),
    Kind.EXPRESSION: Trial(
        ExpressionFacts, expressions.judge, lambda facts: (facts.region, facts.key)
    ),
}  # fmt: skip


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RuleUnderTest(_Strict):
    """The rule: as POST /v1/rules takes it."""

    kind: Kind
    name: str = "rule"
    region: str = Field(default="450000", pattern=r"^[0-9]{6}$")
    parameters: dict[str, Any] = {}


class ExpectedVerdict(_Strict):
    """What is to be said of a subject; what is left out is not looked at."""

    subject: str
    state: State
    measured: float | None = None
    threshold: float | None = None
    level: int | None = None
    reason: str | None = Field(default=None, description="a part of it")


class ExpectedAlert(_Strict):
    """What is to become of an alert."""

    subject: str
    event: Reason


class At(_Strict):
    """An instant, the facts of then, and what is expected; null: it is not looked at."""

    at: AwareDatetime
    facts: list[dict[str, Any]] = []
    verdicts: list[ExpectedVerdict] | None = None
    alerts: list[ExpectedAlert] | None = None


class Case(_Strict):
    name: str = Field(min_length=1)
    steps: list[At] = Field(min_length=1)


class File(_Strict):
    """A file: a rule and its cases. `defaults` are facts that each step leaves out."""

    why: str = ""
    rule: RuleUnderTest
    coverage_floor: float = Field(default=0.75, ge=0, le=1)
    defaults: dict[str, Any] = {}
    cases: list[Case] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as expected at an instant of a case."""

    case: str
    at: datetime
    text: str


def read(text: str) -> File:
    """Return the test in a file. Raises TrialError."""
    if len(text.encode()) > BYTES_MAX:
        raise TrialError(f"is larger than {BYTES_MAX:,} bytes: make several files of it")
    try:
        file = File.model_validate_json(text)
    except ValidationError as error:
        raise TrialError(_told(error)) from None
    if sum(len(case.steps) for case in file.cases) > STEPS_MAX:
        raise TrialError(f"has more than {STEPS_MAX:,} steps: make several files of it")
    return file


def run(file: File) -> list[Difference]:
    """Return what is not as the file expects; nothing: it holds. Raises TrialError."""
    kind = file.rule.kind
    if kind not in TRIALS:
        raise TrialError(f"rule.kind: {kind} cannot be tested by a file; {_kinds()} can")
    rule = _rule(file.rule)
    found = []
    for case in file.cases:
        found += _differences(case, rule, file)
    return found


def rule_of(text: str) -> Rule:
    """Return the rule in a file that has nothing else, as nobody made it yet. Raises TrialError."""
    try:
        return replace(_rule(RuleUnderTest.model_validate_json(text)), rule_id=0, version=0)
    except ValidationError as error:
        raise TrialError(_told(error)) from None


def _rule(stated_as: RuleUnderTest) -> Rule:
    try:
        text = json.dumps(stated_as.parameters)
        parameters = KINDS[stated_as.kind].parameters.model_validate_json(text)
    except ValidationError as error:
        raise TrialError(f"rule.parameters: {_told(error)}") from None
    for fault in stated.faults(parameters):
        raise TrialError(f"rule.parameters: {fault.parameter}: {fault.detail}")
    return Rule(1, stated_as.name, parameters, stated_as.region)


def _differences(case: Case, rule: Rule, file: File) -> list[Difference]:
    course, found = Course(rule), []
    last = None
    for number, step in enumerate(case.steps):
        if last is not None and step.at <= last:
            raise TrialError(f"{case.name}: step {number} is not after the one before it")
        last = step.at
        where = f"{case.name}: step {number}"
        judged = [
            found_of
            for facts in step.facts
            for each in _about({**file.defaults, **facts}, rule, step.at, where, course)
            if (found_of := _judged(each, rule, file)) is not None
        ]
        events = [
            (each.watched.subject, moved[1].reason)
            for each in judged
            if (moved := course.follow(each, step.at)) is not None
        ]
        differ = partial(Difference, case.name, step.at)
        if step.verdicts is not None:
            found += [differ(text) for text in _verdicts(step.verdicts, judged)]
        if step.alerts is not None:
            found += [differ(text) for text in _alerts(step.alerts, events)]
    return found


def _about(
    given: Mapping[str, Any], rule: Rule, at: datetime, where: str, course: Course
) -> Sequence[Facts]:
    """Return what is judged of what is given."""
    trial = TRIALS[rule.kind]
    facts = _facts(trial.facts, given, rule, at, where)
    if trial.several is None:
        return [facts]
    return trial.several(facts, rule.parameters, course.opened.keys(), at)


def _judged(facts: Facts, rule: Rule, file: File) -> Judged | None:
    trial = TRIALS[rule.kind]
    verdict = trial.judge(facts, rule.parameters, file.coverage_floor)
    if verdict is None:
        return None
    region, subject = trial.subject(facts)
    unit = facts.about_unit
    watched = Watched(rule.rule_id, region, None if unit is None else unit.unit_id, subject)
    return Judged(watched, facts, verdict)


def _facts(
    kind: type[Facts], given: Mapping[str, Any], rule: Rule, at: datetime, where: str
) -> Facts:
    """Return facts as given. Their period, if it is left out, ends with the last full hour."""
    known = {each.name: each for each in fields(kind)}
    if unknown := sorted(given.keys() - known.keys()):
        raise TrialError(
            f"{where}: {', '.join(unknown)} is no fact of {rule.kind}; there are {', '.join(known)}"
        )
    ends_at = periods.floor(at, Step.HOUR)
    length = (getattr(rule.parameters, "window_h", None) or 1) * HOUR
    period = {"starts_at": (ends_at - length).isoformat(), "ends_at": ends_at.isoformat()}
    implied: dict[str, object] = {
        "period": period,
        "window": period,
        "unit": None,
        "check": None,
        "of": None,
    }
    implied |= {"text": "", "worlds": []}
    implied |= rule.parameters.model_dump(mode="json", include={"check", "of"})
    if "expression" in type(rule.parameters).model_fields:
        implied["text"] = rule.parameters.model_dump()["expression"]
    whole = {
        name: implied[name]
        for name, each in known.items()
        if name in implied and each.default is MISSING and each.default_factory is MISSING
    }
    try:
        found: Facts = TypeAdapter(kind).validate_json(json.dumps({**whole, **given}), strict=True)
    except (ValidationError, TypeError) as error:
        said = _told(error) if isinstance(error, ValidationError) else str(error)
        raise TrialError(f"{where}: facts: {said}") from None
    return found


def _verdicts(expected: Sequence[ExpectedVerdict], judged: Sequence[Judged]) -> list[str]:
    found = {each.watched.subject: each.verdict for each in judged}
    differences = [
        f"{subject}: nothing is expected, and it is {verdict.state} ({verdict.reason})"
        for subject, verdict in found.items()
        if subject not in {each.subject for each in expected}
    ]
    for each in expected:
        verdict = found.get(each.subject)
        if verdict is None:
            differences.append(f"{each.subject}: {each.state} is expected, and there are no facts")
            continue
        for name in each.model_fields_set - {"subject"}:
            wanted, said = getattr(each, name), getattr(verdict, name)
            if not _agrees(name, wanted, said):
                because = f" ({verdict.reason})" if name == "state" else ""
                differences.append(f"{each.subject}: {name} is {said}{because}, expected {wanted}")
    return sorted(differences)


def _agrees(name: str, wanted: object, said: object) -> bool:
    if name == "reason":
        return str(wanted) in str(said)
    if isinstance(wanted, float) and isinstance(said, float):
        return math.isclose(wanted, said, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return wanted == said


def _alerts(expected: Sequence[ExpectedAlert], events: Sequence[tuple[str, Reason]]) -> list[str]:
    wanted = [(each.subject, each.event) for each in expected]
    missing = [f"{subject}: {event} is expected, and did not happen"
               for subject, event in wanted if (subject, event) not in events]  # fmt: skip
    surplus = [f"{subject}: {event} happened, and is not expected"
               for subject, event in events if (subject, event) not in wanted]  # fmt: skip
    return [*missing, *surplus]


def _told(error: ValidationError) -> str:
    faults = error.errors(include_url=False)
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in faults[:5])


def _kinds() -> str:
    return ", ".join(sorted(TRIALS))
