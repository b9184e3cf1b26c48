"""Owns POST /v1/rules/{rule_id}/backtest and POST /v1/rules/backtest: what a rule would have done,
or one would that nobody made yet, over a past period."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field

import app.rules
import db.regions
import db.rules
from alerts import backtest, rules
from alerts.backtest import Backtest, Move, Tally
from alerts.kinds.kind import Judged, Kind, Rule, Surroundings
from alerts.kinds.past import OutOfBoundsError
from alerts.kinds.words import Language
from alerts.lifecycle import Reason
from alerts.past_notes import Unknown
from alerts.verdicts import State, Verdict
from app import audit_gate, state
from app.api import backtest_mails, parameters
from app.api.answers import Answer, LocalTime, problems
from app.api.backtest_mails import MAILS_MAX, SentMail
from app.api.backtest_questions import Asked, NewQuestion, Question
from app.api.parameters import NoParameters
from app.api.rule_bodies import Proposed
from app.api.rules import RuleId
from app.depends import AuthenticatedCaller, Caller
from app.errors import ApiError, InvalidParameter, NotFound, Unavailable

NOT_MADE = 0
"""Number of a rule that nobody made yet."""

router = APIRouter(tags=["rules"])


class Letter(Answer):
    """A letter that would have been written, in one language."""

    language: Language = Field(examples=["zh"])
    subject: str = Field(examples=["【预警】水泥厂：clinker 单耗 140 kgce/t，超过基准水平 117"])
    recipients: dict[str, int] = Field(
        description="contacts by region, as far as the key sees regions as a whole",
        examples=[{"450200": 2}],
    )


class Finding(Answer):
    """What was found of a subject in one period."""

    period_starts_at: LocalTime = Field(examples=["2026-11-23T07:00:00+08:00"])
    period_ends_at: LocalTime = Field(examples=["2026-11-23T08:00:00+08:00"])
    state: State = Field(examples=["firing"])
    level: int | None = Field(description="1 is the worst", examples=[1])
    measured: float | None = Field(description="in uom", examples=[140.0])
    threshold: float | None = Field(description="in uom", examples=[117.0])
    uom: str = Field(examples=["kgce/t"])
    coverage: float = Field(
        description="share of the readings due that are there", examples=[0.995]
    )
    estimated_share: float = Field(
        description="share that was spread over gaps between readings", examples=[0.01]
    )
    reason: str = Field(
        description="a sentence", examples=["140 kgce/t, over the baseline of 117 (edition 2023)"]
    )


class Change(Answer):
    """What would have become of an alert, and the letters about it."""

    at: LocalTime = Field(examples=["2026-11-23T08:00:00+08:00"])
    kind: Reason = Field(description="as in the history of an alert", examples=["first"])
    region: str = Field(examples=["450202"])
    unit: str | None = Field(
        description="null: it is about the region", examples=["91450200MA5KF5XJ00"]
    )
    unit_name: str | None = Field(examples=["柳州某水泥厂"])
    subject: str = Field(examples=["91450200MA5KF5XJ00/clinker"])
    found: Finding
    letters: list[Letter]
    is_late: bool = Field(
        description="the platform could know of it only later, as its data came late",
        examples=[False],
    )
    kept_back: str | None = Field(
        description="why no letter would have told of it; null: one would, or none was due",
        examples=["no letter: rule 1 tells of it with 91450200MA5KF5XJ00/clinker"],
    )


class _Counts(Answer):
    """How often what was found, and what would have followed."""

    ok: int = Field(description="evaluations that found it in order", examples=[700])
    warn: int = Field(description="evaluations that found it near its threshold", examples=[9])
    firing: int = Field(description="evaluations that found it over", examples=[20])
    unknown: int = Field(description="evaluations that could not tell", examples=[0])
    alerts: int = Field(description="alerts that would have fired", examples=[3])
    letters: int = Field(
        description="letters that would have been written; `mails` says as what they leave",
        examples=[6],
    )
    kept_back: int = Field(
        description="times that none did, as an alert of another rule that really fired told of it",
        examples=[0],
    )


class City(_Counts):
    """The sum of a city, or of the province."""

    city: str = Field(examples=["450200"])
    city_name: str = Field(examples=["柳州市"])
    subjects: int = Field(description="products of units, or regions by year", examples=[2])


class Subject(_Counts):
    """What was found of one product of a unit, or of one region and year."""

    region: str = Field(examples=["450202"])
    unit: str | None = Field(examples=["91450200MA5KF5XJ00"])
    unit_name: str | None = Field(examples=["柳州某水泥厂"])
    subject: str = Field(examples=["91450200MA5KF5XJ00/clinker"])
    worst: Finding | None = Field(description="the highest value that was over")
    newest: Finding


class NotKnown(Answer):
    """What cannot be known of the past, and what follows."""

    code: Unknown = Field(examples=["heard_by_stored_readings"])
    detail: str = Field(
        description="a sentence",
        examples=["An outage of a wider region than is asked about may have kept letters back; "
                  "it is not seen."],
    )  # fmt: skip


class BacktestAnswer(Answer):
    """What the rule would have done, of what is known now; nobody acknowledged anything."""

    rule_id: int | None = Field(description="null: nobody made it yet", examples=[1])
    version: int | None = Field(description="null: the one that was proposed", examples=[1])
    kind: Kind = Field(examples=["product_intensity"])
    period_starts_at: LocalTime = Field(examples=["2026-11-01T00:00:00+08:00"])
    period_ends_at: LocalTime = Field(examples=["2026-12-01T00:00:00+08:00"])
    applies_silences: Literal[False] = Field(
        default=False,
        description="silences are not applied: it is what the rule finds, whatever somebody did "
        "not want to hear of",
        examples=[False],
    )
    cities: list[City]
    subjects: list[Subject]
    changes: list[Change]
    changes_left_out: int = Field(
        description="changes beyond the first 1,000, which are counted and not told", examples=[0]
    )
    notes: list[NotKnown] = Field(description="what cannot be known of the past")
    mails: list[SentMail] = Field(
        description="what would have been sent, letters gathered into digests as ever"
    )
    mails_total: int = Field(
        description="mails, once for each recipient, those that are not told one by one included",
        examples=[2],
    )
    mails_left_out: int = Field(
        description="beyond the first 50, which are counted and not told", examples=[0]
    )


@router.post(
    "/v1/rules/{rule_id}/backtest",
    operation_id="backtest_rule",
    summary="What an alert rule would have done over a past period",
    responses=problems(401, 404, 422, 503),
)
async def backtest_rule(
    rule_id: RuleId,
    question: Question,
    _: Annotated[NoParameters, Query()],
    request: Request,
    caller: AuthenticatedCaller,
) -> BacktestAnswer:
    """Judge a past period by a rule, or by a version that is proposed; nothing is written.

    A rule on hours of products is judged at each full hour (92 days at most), one on outages each
    time that something fell silent or came back (31 days at most), others each day (400 days at
    most), where the key and the rule both reach.
    """
    audit_gate.of(request).of_body |= question.told()
    rule, version = await _rule(caller, rule_id, question.proposed)
    return await _tried(request, caller, question, rule, version)


@router.post(
    "/v1/rules/backtest",
    operation_id="backtest_new_rule",
    summary="What an alert rule that nobody made yet would have done over a past period",
    responses=problems(401, 404, 422, 503),
)
async def backtest_new_rule(
    question: NewQuestion,
    _: Annotated[NoParameters, Query()],
    request: Request,
    caller: AuthenticatedCaller,
) -> BacktestAnswer:
    """Judge a past period by a rule as it would be made; nothing is written.

    It is bound as the backtest of a rule that is there.
    """
    audit_gate.of(request).of_body |= question.told()
    region = await parameters.known_region(caller, question.acts_in)
    assert region is not None
    await app.rules.refuse_faults(caller, question.rule.parameters)
    rule = Rule(NOT_MADE, question.name, question.rule.parameters, region, version=0)
    return await _tried(request, caller, question, rule, None)


async def _tried(
    request: Request, caller: Caller, question: Asked, rule: Rule, version: int | None
) -> BacktestAnswer:
    held, span = state.of(request), question.span()
    if span.ends_at > caller.now:
        raise InvalidParameter("to", "is in the future: a backtest is of what is over")
    prefix = await parameters.region_prefix(caller, question.region)
    scope = backtest.reach(rule, caller.scope, prefix)
    if scope is None:
        raise NotFound("region")
    regions = await db.regions.list_regions(caller.connection)
    names = {each.region: each.name for each in regions}
    around = Surroundings(caller.now, held["coverage_floor"], "", names, caller.unverified)
    if held["files"].locked():  # they keep their connections as long
        raise Unavailable("busy", "Others are given files or backtests. Try again later.")
    async with held["files"]:
        try:
            found = await backtest.run(caller.connection, rule, scope, span, around)
        except OutOfBoundsError as error:
            raise ApiError("too_many_rows", str(error)) from error
    mails = found.preview.mails()
    shown = mails[:MAILS_MAX]
    return BacktestAnswer(
        rule_id=rule.rule_id or None,
        version=version,
        kind=rule.kind,
        period_starts_at=span.starts_at,
        period_ends_at=span.ends_at,
        cities=_cities(found, names),
        subjects=[_subject(judged, tally) for judged, tally in found.subjects.values()],
        changes=[_change(move) for move in found.moves],
        changes_left_out=found.left_out,
        notes=[NotKnown(code=each.code, detail=each.detail) for each in found.notes],
        mails=list(backtest_mails.told(shown, found.preview, rule, names, question.language)),
        mails_total=sum(sum(each.recipients.values()) for each in mails),
        mails_left_out=len(mails) - len(shown),
    )


async def _rule(caller: Caller, rule_id: int, proposed: Proposed | None) -> tuple[Rule, int | None]:
    """Return the rule that is asked for, and the version that it is of; None: it is proposed."""
    await app.rules.visible(caller, rule_id)
    row = await db.rules.fetch_newest(caller.connection, rule_id)
    assert row is not None  # the first version of a rule watches somebody
    if proposed is not None:
        if proposed.kind != row.kind:
            raise InvalidParameter("kind", f"is {row.kind} for this rule: propose one of that kind")
        await app.rules.refuse_faults(caller, proposed.parameters)
        return Rule(rule_id, row.name, proposed.parameters, row.region, version=0), None
    try:
        return rules.parse(row), row.version
    except ValueError as error:
        raise ApiError(
            "rule_unreadable",
            "What this rule says cannot be read, and it watches nobody. Give it a new version: "
            f"PUT /v1/rules/{rule_id}.",
        ) from error


def _cities(found: Backtest, names: dict[str, str]) -> list[City]:
    return [
        City(
            city=city,
            city_name=names.get(city, city),
            subjects=subjects,
            **_counts(tally),
        )
        for city, (subjects, tally) in found.cities().items()
    ]


def _subject(judged: Judged, tally: Tally) -> Subject:
    return Subject(
        region=judged.watched.region,
        unit=_unit(judged)[0],
        unit_name=_unit(judged)[1],
        subject=judged.watched.subject,
        worst=None if tally.worst is None else _finding(tally.worst),
        newest=_finding(judged.verdict),
        **_counts(tally),
    )


def _change(move: Move) -> Change:
    judged = move.judged
    return Change(
        at=move.transition.at,
        kind=move.transition.reason,
        region=judged.watched.region,
        unit=_unit(judged)[0],
        unit_name=_unit(judged)[1],
        subject=judged.watched.subject,
        found=_finding(judged.verdict),
        letters=[
            Letter(language=each.language, subject=each.subject, recipients=dict(each.recipients))
            for each in move.letters
        ],
        is_late=move.is_late,
        kept_back=move.transition.kept,
    )


def _finding(verdict: Verdict) -> Finding:
    return Finding(
        period_starts_at=verdict.period.starts_at,
        period_ends_at=verdict.period.ends_at,
        state=verdict.state,
        level=verdict.level,
        measured=verdict.measured,
        threshold=verdict.threshold,
        uom=verdict.uom,
        coverage=verdict.coverage,
        estimated_share=verdict.estimated_share,
        reason=verdict.reason,
    )


def _counts(tally: Tally) -> dict[str, int]:
    return {
        "ok": tally.ok,
        "warn": tally.warn,
        "firing": tally.firing,
        "unknown": tally.unknown,
        "alerts": tally.alerts,
        "letters": tally.letters,
        "kept_back": tally.kept_back,
    }


def _unit(judged: Judged) -> tuple[str | None, str | None]:
    """Return code and name of the unit that was judged, if it was one."""
    unit = judged.facts.about_unit
    return (None, None) if unit is None else (unit.unit, unit.name)
