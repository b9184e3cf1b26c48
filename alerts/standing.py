"""Owns how the subjects of a rule stand, and for how long: by what was found, or unknown.

Nobody reads that something is in order of which nobody can say so: whose meters say nothing is
unknown, and so are all subjects of a rule that cannot be judged, until it can.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import db.judgements
import db.silence
import db.standings
from alerts import lifecycle
from alerts.episodes import Episodes
from alerts.kinds.kind import Judged, Rule, Surroundings
from alerts.kinds.words import moment
from alerts.verdicts import State
from db.alerts import AlertState, OpenAlert
from db.pool import Connection
from db.standings import Standing

FAULT = (
    "nobody is judged by this rule: a fault of the platform, not of who is judged; whoever runs it "
    "finds rule_not_judged with rule_id {rule_id} in the log of nenghao alert"
)
SLOW = (
    "nobody is judged by this rule: it takes longer than the database may take; whoever runs it "
    "finds why by rule_id {rule_id}, and narrows its region or its window"
)
UNREADABLE = (
    "nobody is judged by this rule: nenghao alert cannot read it; whoever runs it updates that "
    "program, or states rule {rule_id} anew"
)

NOBODY = (
    "nobody judges the rules: none was judged {since}; whoever runs the platform starts "
    "`nenghao alert`, or finds in its log why it does not come to an end"
)
STALE_AFTER = timedelta(minutes=15)
"""Nobody judges where no evaluation came to its end for so long: the longest pause is 10 min."""


def nobody_judges(evaluated_at: datetime | None, now: datetime) -> str | None:
    """Return why what was found is no word on now; None: rules are judged.

    >>> from datetime import UTC
    >>> at = datetime(2026, 11, 23, 8, tzinfo=UTC)
    >>> nobody_judges(at, at + STALE_AFTER)
    >>> nobody_judges(at, at + 2 * STALE_AFTER)[:69]
    'nobody judges the rules: none was judged since 2026-11-23 16:00 (Asia'
    """
    if evaluated_at is not None and now - evaluated_at <= STALE_AFTER:
        return None
    since = "yet" if evaluated_at is None else f"since {moment(evaluated_at)} (Asia/Shanghai)"
    return NOBODY.format(since=since)


async def keep(
    connection: Connection,
    rule: Rule,
    newest: Sequence[Judged],
    all_of: Sequence[int] | None,
    around: Surroundings,
) -> None:
    """Keep how subjects stand; forget others of units of which these are all (None: of all)."""
    units = {judged.watched.unit_id for judged in newest} - {None}
    silent = await _silent(connection, rule, [each for each in units if each is not None], around)
    standings = [_standing(judged, silent) for judged in newest]
    if standings:
        await db.standings.upsert(connection, rule.rule_id, standings, around.now)
    if all_of is None or all_of:
        subjects = [each.subject for each in standings]
        await db.standings.delete_others(connection, rule.rule_id, subjects, all_of)


async def mark_silent(connection: Connection, rule: Rule, around: Surroundings) -> None:
    """Note whose meters have said nothing since they were judged."""
    if not rule.parameters.follows_hours:
        return
    units = await db.standings.list_known_units(connection, rule.rule_id)
    silent = await _silent(connection, rule, units, around)
    if silent:
        await db.standings.mark_silent(connection, rule.rule_id, silent, around.now)


async def mark_unjudged(connection: Connection, rule_id: int, why: str, at: datetime) -> None:
    """Note that a rule cannot be judged: `why` is FAULT, SLOW or UNREADABLE."""
    reason = why.format(rule_id=rule_id)
    await db.standings.mark_unjudged(connection, rule_id, reason, at)


async def held(
    connection: Connection, rule: Rule, judged: Judged, alert: OpenAlert | None
) -> timedelta | None:
    """Return how long it is known that a subject is over whose alert is pending.

    None: the rule keeps no judgements, for it looks at what is so now, and since when.
    """
    if not rule.parameters.follows_hours:
        return None
    if alert is None or alert.state is not AlertState.PENDING:
        return None
    over = await db.judgements.list_over(
        connection,
        rule.rule_id,
        alert.subject,
        alert.period.ends_at,
        judged.verdict.period.ends_at,
    )
    return lifecycle.held_for(over, rule.parameters.stride)


def note_unknown(rule: Rule, judged: Judged, episodes: Episodes) -> None:
    """Log that a subject is unknown when it becomes so, and when it is known again."""
    key = f"unknown {rule.rule_id} {judged.watched.subject}"
    about = {"rule": rule.name, "subject": judged.watched.subject}
    if judged.verdict.state is State.UNKNOWN:
        episodes.happened(key, "verdict_unknown", reason=judged.verdict.reason, **about)
    else:
        episodes.over(key, "verdict_known_again", **about)


async def _silent(
    connection: Connection, rule: Rule, units: Collection[int], around: Surroundings
) -> dict[int, str]:
    if not rule.parameters.follows_hours or not units:
        return {}
    silent = await db.silence.list_silent_units(connection, sorted(units), around.now)
    return {unit_id: f"no data from {meters}" for unit_id, meters in silent.items()}


def _standing(judged: Judged, silent: dict[int, str]) -> Standing:
    """Return how a subject stands: whose meters say nothing now is unknown, whatever was before."""
    watched, verdict = judged.watched, judged.verdict
    said = None if watched.unit_id is None else silent.get(watched.unit_id)
    is_silent = said is not None and verdict.state is not State.UNKNOWN
    return Standing(
        subject=watched.subject,
        unit_id=watched.unit_id,
        region=watched.region,
        state=State.UNKNOWN if is_silent else verdict.state,
        period=verdict.period,
        measured=verdict.measured,
        threshold=verdict.threshold,
        uom=verdict.uom,
        level=verdict.level,
        coverage=verdict.coverage,
        estimated_share=verdict.estimated_share,
        reason=said if is_silent and said is not None else verdict.reason,
        rule_version=watched.version,
    )
