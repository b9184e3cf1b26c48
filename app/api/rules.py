"""Owns /v1/rules: alert rules as dated versions, read and stated."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

import app.rules
import db.rules
from alerts.kinds.kind import Kind
from alerts.kinds.registry import KINDS
from app import cursor, rule_changes
from app.api import parameters, proposed
from app.api.answers import Answer, ListOf, LocalTime, problems
from app.api.parameters import NoParameters, Page, RegionCode
from app.api.proposed import waiting
from app.api.rule_bodies import AnyParameters, New, Reason, Stated, statement
from app.approval import OtherKind
from app.depends import AuthenticatedCaller, Caller, RegulatingCaller
from app.drafts import Submission
from app.errors import InvalidParameter, PreconditionRequired
from app.rule_changes import RuleChange
from db.changes import Author
from db.rules import RuleEntry, VersionRow

RULE_ID_MAX = 2**31 - 1

router = APIRouter(tags=["rules"])

RuleId = Annotated[int, Path(description="number of the rule", examples=[1], ge=1, le=RULE_ID_MAX)]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=40,
        description='the `version` that was read, in quotes: `"1"`',
        examples=['"1"'],
    ),
]


class Why(BaseModel):
    """Why a rule is ended."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason = Field(description="why", examples=["its limit is repealed"])


class RuleWhere(Page):
    """Which rules."""

    region: RegionCode | None = Field(
        default=None,
        description="GB/T 2260 code: rules written for it, or for what is within",
        examples=["450000"],
    )
    kind: Kind | None = Field(
        default=None, description="what they watch", examples=["product_intensity"]
    )


class Rule(Answer):
    """An alert rule, by its newest version."""

    rule_id: int = Field(examples=[1])
    kind: Kind = Field(description="what it watches", examples=["product_intensity"])
    region: str = Field(description="where it acts, and nowhere else", examples=["450000"])
    region_name: str = Field(examples=["广西壮族自治区"])
    version: int = Field(description="for If-Match", examples=[1])
    name: str = Field(examples=["产品单耗超限"])
    parameters: AnyParameters | None = Field(
        description="null: it watches nobody, as it is ended",
        examples=[{"window_h": 1, "against": "limit", "remind_h": 24}],
    )
    holds_from: LocalTime = Field(
        description="of its newest version", examples=["2026-11-23T08:00:00+08:00"]
    )


class Version(Answer):
    """What a rule says from `holds_from` on. It is never changed."""

    version: int = Field(examples=[1])
    name: str = Field(examples=["产品单耗超限"])
    parameters: AnyParameters | None = Field(
        description="null: from then on it watches nobody",
        examples=[{"letters_from_level": 1, "remind_h": 168}],
    )
    holds_from: LocalTime = Field(examples=["2026-11-23T08:00:00+08:00"])
    holds_to: LocalTime | None = Field(
        description="when another one took its place; null: not yet",
        examples=["2027-01-01T00:00:00+08:00"],
    )
    stated_at: LocalTime = Field(examples=["2026-11-23T08:00:00+08:00"])
    actor: str = Field(
        description="who stated it; empty: it came with the platform", examples=["desk of Liuzhou"]
    )
    reason: str = Field(description="why", examples=["桂能审〔2026〕17号"])


class RuleDetail(Rule):
    """A rule with all its versions, the oldest first."""

    versions: list[Version]


class Rules(ListOf[Rule]):
    """A page of rules, the oldest first."""


@router.get(
    "/v1/rules",
    operation_id="list_rules",
    summary="Alert rules that act on what one sees",
    responses=problems(401, 422, 503),
)
async def list_rules(where: Annotated[RuleWhere, Query()], caller: AuthenticatedCaller) -> Rules:
    """Return rules, also those of regions above and those that are ended."""
    rows = await db.rules.list_entries(
        caller.connection,
        caller.scope,
        region_prefix=await parameters.region_prefix(caller, where.region),
        kind=where.kind,
        limit=where.limit + 1,
        after_rule_id=_after(where.cursor),
    )
    page = rows[: where.limit]
    return Rules(
        items=[Rule.model_validate(_fields(row)) for row in page],
        next=cursor.encode(str(page[-1].rule_id)) if len(rows) > len(page) else None,
    )


@router.post(
    "/v1/rules",
    operation_id="make_rule",
    summary="Make an alert rule",
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def make_rule(
    body: New, _: Annotated[NoParameters, Query()], caller: RegulatingCaller
) -> RuleDetail:
    """Make a rule of a region within what the key sees. It acts there and nowhere else."""
    region = await parameters.known_region(caller, body.region)
    assert region is not None
    return await _detail(caller, await app.rules.make(caller, region, statement(body)))


@router.get(
    "/v1/rules/{rule_id}",
    operation_id="fetch_rule",
    summary="One alert rule with all its versions",
    responses=problems(401, 404, 422, 503),
)
async def fetch_rule(
    rule_id: RuleId, _: Annotated[NoParameters, Query()], caller: AuthenticatedCaller
) -> RuleDetail:
    """Return a rule that acts on something the key sees, with who stated each version and why."""
    return await _detail(caller, rule_id)


@router.put(
    "/v1/rules/{rule_id}",
    operation_id="change_rule",
    summary="Give an alert rule a new version",
    responses=waiting() | problems(401, 403, 404, 409, 412, 422, 428, 503),
    response_model=RuleDetail,
)
async def change_rule(
    rule_id: RuleId,
    body: Stated,
    _: Annotated[NoParameters, Query()],
    caller: RegulatingCaller,
    if_match: IfMatch = None,
) -> RuleDetail | JSONResponse:
    """Let a rule say something else. What it said stays, with who said so, why and when.

    Where the platform asks for a second person the answer is 202: it holds once one approved.
    """
    await app.rules.visible(caller, rule_id)
    change = await app.rules.changed(caller, rule_id, _seen(if_match), statement(body))
    return await _stated(caller, change, body.reason)


@router.delete(
    "/v1/rules/{rule_id}",
    operation_id="end_rule",
    summary="End an alert rule",
    responses=waiting() | problems(401, 403, 404, 409, 412, 422, 428, 503),
    response_model=RuleDetail,
)
async def end_rule(
    rule_id: RuleId,
    why: Annotated[Why, Query()],
    caller: RegulatingCaller,
    if_match: IfMatch = None,
) -> RuleDetail | JSONResponse:
    """Let a rule watch nobody from now on. It stays, and its open alerts are closed as such.

    Where the platform asks for a second person the answer is 202: it ends once one approved.
    """
    await app.rules.visible(caller, rule_id)
    change = await app.rules.ended(caller, rule_id, _seen(if_match))
    return await _stated(caller, change, why.reason)


async def _stated(caller: Caller, change: RuleChange, reason: str) -> RuleDetail | JSONResponse:
    """Let a change hold, or wait for a second person where one is asked for."""
    author = Author(caller.actor, reason)
    if caller.rule.asks(change.deed, OtherKind.RULES):
        name = f"{change.rule_id}/{change.version}"
        payload = rule_changes.written(change)
        wanted = Submission(change.deed, OtherKind.RULES, name, payload, author)
        return await proposed.answer(caller, wanted)
    await rule_changes.state(caller.connection, change, author, caller.now)
    return await _detail(caller, change.rule_id)


def _seen(if_match: str | None) -> int:
    """Return the version that the caller read."""
    match = re.fullmatch(r'"?([1-9][0-9]{0,8})"?', (if_match or "").strip())
    if match is not None:
        return int(match[1])
    if if_match is None or if_match.strip() == "*":
        raise PreconditionRequired(
            'Send the version that you read, as in `If-Match: "1"`: whoever changed the rule '
            "since then is not overwritten unread."
        )
    raise InvalidParameter("If-Match", 'is the version of the rule in quotes, as in "1"')


def _after(text: str | None) -> int:
    (part,) = cursor.decode(text, 1)
    return 0 if text is None else cursor.number(part, RULE_ID_MAX)


async def _detail(caller: Caller, rule_id: int) -> RuleDetail:
    row = await app.rules.visible(caller, rule_id)
    versions = await db.rules.list_versions(caller.connection, rule_id)
    told = [
        {
            "version": each.version,
            "name": each.name,
            "parameters": _parsed(row.kind, each.parameters),
            "holds_from": each.holds_from,
            "holds_to": _holds_to(each, versions),
            "stated_at": each.stated_at,
            "actor": each.actor,
            "reason": each.reason,
        }
        for each in versions
    ]
    return RuleDetail.model_validate(_fields(row) | {"versions": told})


def _holds_to(version: VersionRow, versions: list[VersionRow]) -> datetime | None:
    """Return when a later version takes the place of one; at once: it never held."""
    later = [each.holds_from for each in versions if each.version > version.version]
    return max(version.holds_from, min(later)) if later else None


def _fields(row: RuleEntry) -> dict[str, object]:
    return {
        "rule_id": row.rule_id,
        "kind": Kind(row.kind),
        "region": row.region,
        "region_name": row.region_name,
        "version": row.version,
        "name": row.name,
        "parameters": _parsed(row.kind, row.parameters),
        "holds_from": row.holds_from,
    }


def _parsed(kind: str, text: str | None) -> object:
    """Return parameters with what they leave out; None where none can be read."""
    if text is None:
        return None
    try:
        return KINDS[Kind(kind)].parameters.model_validate_json(text)
    except ValueError:
        return None
