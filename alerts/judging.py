"""Owns the evaluation of one rule: look, tell anew what changed, let alerts go on, keep it all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import db.alerts
import db.changes
import db.fresh
import db.judgements
import db.kept
import db.silence
import db.standings
from alerts import amended, amending, changes, keeping, lifecycle, rejudging, unknown
from alerts.episodes import Episodes
from alerts.keepers import Keepers
from alerts.kinds.kind import Judged, Rule, Surroundings
from alerts.rejudging import Looked
from alerts.verdicts import State
from db.alerts import AlertState, OpenAlert
from db.fresh import Fresh
from db.kept import NOTHING
from db.pool import Connection
from db.standings import Standing
from energy import periods
from energy.periods import Step

SILENCE_EVERY = timedelta(minutes=5)
"""How often meters are looked at that say nothing: two intervals of 15 min are not to pass."""

HEEDED = frozenset(
    {
        "budgets", "calorific_values", "epochs", "factors", "figures", "levels", "limits", "meters",
        "monthly_filings", "parks", "quality_schemes", "repairs", "rules", "schemes",
        "silence_events", "silences", "targets", "two_high", "units", "verifications",
    }
)  # fmt: skip
"""Facts of the ledger that change what rules find at once. The others (what is done about alerts,
corrections, production) people state all day: they reach rules by settlement, or the hour."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

REMOVED_MAX = 10_000
"""Old judgements that are removed in one evaluation."""


@dataclass(slots=True)
class Progress:
    """What this process has looked at: the head of the ledger; by rule its version, and when.

    `holding`: the rules that held; `has_more`: marks of settlement are left to look at.

    One that has just begun has looked at nothing: it judges everybody once.
    """

    head: int = 0
    done: dict[int, tuple[datetime, int]] = field(default_factory=dict)
    silence: dict[int, datetime] = field(default_factory=dict)
    removed_at: datetime | None = None
    holding: Sequence[int] = ()
    has_more: bool = False

    def forget(self) -> None:
        """Somebody stated what rules heed: everybody is judged anew."""
        self.done.clear()


@dataclass(frozen=True, slots=True)
class Seen:
    """What is the same for all rules of an evaluation: the marks of settlement, what was done."""

    fresh: Sequence[Fresh]
    progress: Progress
    episodes: Episodes


async def begin(
    connection: Connection, progress: Progress, episodes: Episodes, around: Surroundings
) -> Seen:
    """Return what there is to look at."""
    if progress.done:
        progress.head, nouns = await db.changes.fetch_news(connection, progress.head)
        if nouns & HEEDED:
            progress.forget()
    else:  # nothing was looked at yet: whatever was stated, everybody is judged
        progress.head, _ = await db.changes.fetch_head(connection)
    since = around.now - around.amended_within
    await db.fresh.delete_old(connection, since, REMOVED_MAX)
    fresh = await db.fresh.list_oldest(connection, since, rejudging.MARKS_MAX)
    progress.has_more = len(fresh) == rejudging.MARKS_MAX
    return Seen(fresh, progress, episodes)


async def forget_ended(connection: Connection, holding: Sequence[int], progress: Progress) -> None:
    """Forget how things stood with rules that hold no more, when others hold than before."""
    if holding != progress.holding:
        await db.standings.delete_of_ended_rules(connection, holding)
        progress.holding = holding


async def end(connection: Connection, seen: Seen, around: Surroundings, *, is_whole: bool) -> None:
    """Remove the marks that all rules have looked at, and once an hour what is too old."""
    if is_whole and seen.fresh:
        await db.fresh.delete(connection, seen.fresh)
    hour = periods.floor(around.now, Step.HOUR)
    if seen.progress.removed_at != hour:
        before = around.now - around.amended_within
        left = await db.judgements.delete_old(connection, before, REMOVED_MAX)
        if left < REMOVED_MAX:
            seen.progress.removed_at = hour


async def judge(
    connection: Connection, rule: Rule, around: Surroundings, seen: Seen, keeps: Keepers
) -> tuple[int, bool]:
    """Return how many alerts changed, and whether nothing is left to look at.

    Everybody is looked at when nothing keeps letters back any more that were.
    """
    every = rule.parameters.judged_every
    due = (_floor(around.now, every), rule.version)
    is_due = not every or seen.progress.done.get(rule.rule_id) != due
    everybody = is_due or keeps.let_go(rule.rule_id)
    changed, looked = 0, Looked()
    if everybody or seen.fresh:
        opened = await db.alerts.list_open(connection, rule.rule_id)
        looked = await rejudging.look(
            connection,
            rule,
            around,
            seen.fresh,
            everybody=everybody,
            open_subjects={alert.subject for alert in opened},
        )
        if looked.again or looked.missed:
            told = await amended.apply(connection, rule, looked, seen.fresh, around)
            if told:
                opened = await db.alerts.list_open(connection, rule.rule_id)
            changed += told
        await _keep(connection, rule, looked.newest, around, everybody=everybody)
        newest = [keeping.excused(rule, judged, around) for judged in looked.newest]
        changed += await _go_on(connection, rule, newest, opened, around, seen.episodes, keeps)
    changed += await _look_for_silence(connection, rule, around, seen.progress)
    seen.progress.done[rule.rule_id] = due
    return changed, looked.is_whole


async def _go_on(
    connection: Connection,
    rule: Rule,
    newest: Sequence[Judged],
    opened: Iterable[OpenAlert],
    around: Surroundings,
    episodes: Episodes,
    keeps: Keepers,
) -> int:
    """Let each alert become what follows from what was found; return how many changed."""
    if not newest:
        return 0
    by_subject = {alert.subject: alert for alert in opened}
    resolved = await db.alerts.list_resolved(connection, rule.rule_id)
    owed = await db.kept.list_owed(connection, rule.rule_id)
    changed = 0
    for judged in newest:
        _note_unknown(rule, judged, episodes)
        subject = judged.watched.subject
        alert = by_subject.get(subject)
        transition = lifecycle.next_transition(
            alert,
            judged.verdict,
            rule.parameters,
            around.now,
            resolved.get(subject),
            rule.version,
            held=await _held(connection, rule, judged, alert),
        )
        keeps.see(judged)
        owes = NOTHING if alert is None else owed.get(alert.alert_id, NOTHING)
        transition = keeping.settled(transition, owes, judged, alert, keeps, around.now)
        if transition is not None and await changes.apply(
            connection, rule, judged, alert, transition, around
        ):
            changed += 1
            keeps.follow(judged, alert, transition)
    found = {judged.watched.subject: judged for judged in newest}
    return changed + await keeping.tell_ends(connection, rule, found, keeps, around)


async def _held(
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


async def _keep(
    connection: Connection,
    rule: Rule,
    newest: Sequence[Judged],
    around: Surroundings,
    *,
    everybody: bool,
) -> None:
    """Keep what was found of the newest periods, and how each subject stands."""
    if rule.parameters.follows_hours and newest:
        found = [amending.judgement(judged) for judged in newest]
        await db.judgements.upsert(connection, rule.rule_id, found, around.now)
    units = {judged.watched.unit_id for judged in newest} - {None}
    silent = await _silent(connection, rule, [each for each in units if each is not None], around)
    standings = [_standing(judged, silent) for judged in newest]
    if standings:
        await db.standings.upsert(connection, rule.rule_id, standings, around.now)
    if everybody:
        subjects = [each.subject for each in standings]
        await db.standings.delete_others(connection, rule.rule_id, subjects)


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


async def _look_for_silence(
    connection: Connection, rule: Rule, around: Surroundings, progress: Progress
) -> int:
    """Note whose meters have said nothing since they were judged; write about what is so long."""
    at = _floor(around.now, SILENCE_EVERY)
    if progress.silence.get(rule.rule_id) == at:
        return 0
    if rule.parameters.follows_hours:
        units = await db.standings.list_known_units(connection, rule.rule_id)
        silent = await _silent(connection, rule, units, around)
        if silent:
            await db.standings.mark_silent(connection, rule.rule_id, silent, around.now)
    told = await unknown.tell(connection, rule, around)
    progress.silence[rule.rule_id] = at
    return told


def _floor(at: datetime, every: timedelta) -> datetime:
    """Return when a span of such a length began last; of none: the instant itself."""
    return at - (at - EPOCH) % every if every else at


def _note_unknown(rule: Rule, judged: Judged, episodes: Episodes) -> None:
    key = f"unknown {rule.rule_id} {judged.watched.subject}"
    about = {"rule": rule.name, "subject": judged.watched.subject}
    if judged.verdict.state is State.UNKNOWN:
        episodes.happened(key, "verdict_unknown", reason=judged.verdict.reason, **about)
    else:
        episodes.over(key, "verdict_known_again", **about)
