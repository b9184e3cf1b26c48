"""Owns the evaluation of one rule: look, tell anew what changed, let alerts go on, keep it all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import db.alerts
import db.changes
import db.fresh
import db.judgements
import db.kept
import db.news
import db.standings
from alerts import (
    amended,
    amending,
    changes,
    keeping,
    lifecycle,
    rejudging,
    standing,
    unknown,
    unwatched,
)
from alerts.episodes import Episodes
from alerts.keepers import Keepers
from alerts.kinds.kind import Judged, Rule, Surroundings
from alerts.rejudging import Asked, Looked
from db.alerts import OpenAlert
from db.fresh import Fresh
from db.kept import NOTHING
from db.news import News, Source
from db.pool import Connection
from db.scope import Scope
from energy import periods
from energy.periods import Span, Step

SILENCE_EVERY = timedelta(minutes=5)
"""How often meters are looked at that say nothing: two intervals of 15 min are not to pass."""

NEWS_EVERY = timedelta(minutes=5)
"""How often rules on days, months and data quality look at news from one source, at most: data that
come late all day do not make the budget of a city be added up all day."""

NEWS_MAX = 1_000
"""Units of which something is new that are looked at in one evaluation."""

LETTERS_MAX = 100
"""Alerts that are written about in one evaluation, each with its chart; others in the next."""

SLOW_MAX = 3
"""Evaluations that a rule may end by taking longer than a statement may: it may be the database."""

SLOW_REST = timedelta(minutes=10)
"""How long the others are judged without it then."""

HEEDED = frozenset(
    {
        "budgets", "calorific_values", "epochs", "factors", "figures", "levels", "limits", "meters",
        "monthly_filings", "parks", "quality_schemes", "repairs", "rules", "schemes",
        "silence_events", "silences", "targets", "two_high", "units", "verifications",
    }
)  # fmt: skip
"""Facts of the ledger that change what rules find at once. The others (what is done about alerts,
corrections, production) people state all day: they reach rules by settlement, news, or the hour."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

REMOVED_MAX = 10_000
"""Old judgements that are removed in one evaluation."""


@dataclass(slots=True)
class Progress:
    """What this process has looked at: the head of the ledger; by rule its version, and when.

    `holding`: the rules that held; `has_more`: something is left to look at or to write about;
    `news_at`: when there was news from a source; `slow`: how often a rule took too long, and when.

    One that has just begun has looked at nothing: it judges everybody once.
    """

    head: int = 0
    done: dict[int, tuple[datetime, int]] = field(default_factory=dict)
    silence: dict[int, datetime] = field(default_factory=dict)
    removed_at: datetime | None = None
    holding: Sequence[int] = ()
    has_more: bool = False
    news_at: dict[Source, datetime] = field(default_factory=dict)
    slow: dict[int, tuple[int, datetime]] = field(default_factory=dict)
    letters_max: int = LETTERS_MAX

    def forget(self) -> None:
        """Somebody stated what rules heed: everybody is judged anew."""
        self.done.clear()

    def took_too_long(self, rule_id: int, now: datetime) -> None:
        times, _ = self.slow.get(rule_id, (0, now))
        self.slow[rule_id] = (times + 1, now)

    def is_set_aside(self, rule_id: int, now: datetime) -> bool:
        """Return whether others are judged without a rule that took too long time after time."""
        times, last = self.slow.get(rule_id, (0, now))
        return times >= SLOW_MAX and timedelta(0) <= now - last < SLOW_REST


@dataclass(slots=True)
class Seen:
    """What is the same for all rules of an evaluation: marks of settlement, news, what was done.

    `found`: rules of which it is kept how their subjects stand; `letters_left`: alerts that may
    still be written about; `waiting`: rules that wait for that, with units that were `put_off`;
    `has_failed`: some rule could not be judged; `not_restated`: rules of which nobody states anew
    what they read.
    """

    fresh: Sequence[Fresh]
    news: Sequence[News]
    progress: Progress
    episodes: Episodes
    found: set[int] = field(default_factory=set)
    letters_left: int = field(init=False)
    waiting: set[int] = field(default_factory=set)
    put_off: set[int | None] = field(default_factory=set)
    has_failed: bool = False
    not_restated: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.letters_left = self.progress.letters_max


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
    await _note_settled(connection, fresh, around.now)
    return Seen(fresh, await _list_news(connection, progress, around.now), progress, episodes)


async def forget_ended(connection: Connection, holding: Sequence[int], progress: Progress) -> None:
    """Forget how things stood with rules that hold no more, when others hold than before."""
    if holding != progress.holding:
        await db.standings.delete_of_ended_rules(connection, holding)
        progress.holding = holding


async def end(connection: Connection, seen: Seen, around: Surroundings, *, is_whole: bool) -> None:
    """Remove the marks that all rules have looked at, and once an hour what is too old.

    Those are kept that a rule failed to look at, unless more waits behind them.
    """
    progress = seen.progress
    is_whole = is_whole and (not seen.has_failed or progress.has_more)
    if is_whole and None not in seen.put_off:
        fresh = [each for each in seen.fresh if each.unit_id not in seen.put_off]
        news = [each for each in seen.news if each.fresh.unit_id not in seen.put_off]
        if fresh:
            await db.fresh.delete(connection, fresh)
        if news:
            await db.news.delete(connection, news)
    if seen.put_off:
        progress.news_at.clear()
    hour = periods.floor(around.now, Step.HOUR)
    if progress.removed_at != hour:
        left = await db.judgements.delete_old(
            connection,
            around.now - around.amended_within,
            REMOVED_MAX,
            restated_before=rejudging.since_last_year(around.now),
            not_restated=sorted(seen.not_restated),
        )
        if left < REMOVED_MAX:
            progress.removed_at = hour


async def judge(
    connection: Connection, rule: Rule, around: Surroundings, seen: Seen, keeps: Keepers
) -> tuple[int, bool]:
    """Return how many alerts changed, and whether nothing is left to look at.

    Everybody is looked at when nothing keeps letters back any more that were, and again when some
    had to wait to be written about.
    """
    every, done = rule.parameters.judged_every, seen.progress.done
    due = (_floor(around.now, every), rule.version)
    if not rule.parameters.is_restated or rule.parameters.drifts:
        seen.not_restated.add(rule.rule_id)
    is_due = not every or done.get(rule.rule_id) != due
    asked = _asked(rule, seen, around, everybody=is_due or keeps.let_go(rule.rule_id))
    changed, looked, opened = 0, Looked(), list[OpenAlert]()
    if asked.everybody or asked.changed:
        opened = await db.alerts.list_open(connection, rule.rule_id)
        subjects = {alert.subject for alert in opened}
        looked = await rejudging.look(connection, rule, around, asked, subjects)
        await standing.keep(connection, rule, looked.newest, looked.all_of, around)
    if asked.everybody:
        changed += await _end_unwatched(connection, rule, opened, looked, around, seen, keeps)
    seen.found.add(rule.rule_id)
    if looked.again or looked.missed:
        told, looked = await _tell_anew(connection, rule, looked, asked, around, seen, keeps)
        if told:
            opened = await db.alerts.list_open(connection, rule.rule_id)
        changed += told
    if looked.newest:
        await rejudging.keep(connection, rule, looked.newest, around)
        newest = [keeping.excused(rule, judged, around) for judged in looked.newest]
        changed += await _go_on(connection, rule, newest, opened, around, seen, keeps)
    changed += await _look_for_silence(connection, rule, around, seen.progress, keeps)
    if rule.rule_id in seen.waiting:
        done.pop(rule.rule_id, None)
        seen.progress.has_more = True
    else:
        done[rule.rule_id] = due
    return changed, looked.is_whole


async def give_up(connection: Connection, rule_id: int, why: str, seen: Seen, at: datetime) -> None:
    """Note that a rule cannot be judged (`alerts/standing.py`); everybody is, once it can be.

    Where it was found how its subjects stand, and something failed after that, they stand so.
    """
    seen.has_failed |= why != standing.UNREADABLE
    if rule_id not in seen.found:
        seen.progress.done.pop(rule_id, None)
        await standing.mark_unjudged(connection, rule_id, why, at)


def _asked(rule: Rule, seen: Seen, around: Surroundings, *, everybody: bool) -> Asked:
    """Return whom to look at, of those within the region of the rule."""
    prefix, parameters = Scope.of_region(rule.region).region_prefix, rule.parameters
    fresh = seen.fresh if parameters.follows_hours else ()
    before = parameters.reads_before(around.now)
    news = [
        each.fresh
        for each in seen.news
        if each.source in parameters.reads
        and (each.source is not Source.SETTLED or each.fresh.span.starts_at < before)
    ]
    return Asked(
        everybody,
        [each for each in fresh if each.region.startswith(prefix)],
        [each for each in news if each.region.startswith(prefix)],
    )


async def _note_settled(connection: Connection, fresh: Sequence[Fresh], now: datetime) -> None:
    """Note for rules on days what was settled of days that are over."""
    today = periods.floor(now, Step.DAY)
    late = [
        (each.unit, Span(each.span.starts_at, min(each.span.ends_at, today)))
        for each in fresh
        if each.span.starts_at < today
    ]
    if late:
        await db.news.note(connection, Source.SETTLED, late)


async def _list_news(connection: Connection, progress: Progress, now: datetime) -> list[News]:
    """Return the news from sources of which none was looked at lately."""
    rested = [
        each
        for each in Source
        if not timedelta(0) <= now - progress.news_at.get(each, EPOCH) < NEWS_EVERY
    ]
    news = await db.news.list_oldest(connection, rested, NEWS_MAX) if rested else []
    if len(news) == NEWS_MAX:
        progress.has_more = True
    else:
        progress.news_at |= {each.source: now for each in news}
    return news


async def _tell_anew(
    connection: Connection,
    rule: Rule,
    looked: Looked,
    asked: Asked,
    around: Surroundings,
    seen: Seen,
    keeps: Keepers,
) -> tuple[int, Looked]:
    """Tell what has to be told anew, of so many alerts as may be; return how many changed, and
    what was found without those that are put off.
    """
    again, later = amending.portion(looked.again, seen.letters_left)
    told = await amended.apply(
        connection, rule, replace(looked, again=again), asked.changed, around, keeps
    )
    seen.letters_left -= told
    if later:
        seen.waiting.add(rule.rule_id)
        seen.put_off |= {each.judged.watched.unit_id for each in later}
    subjects = {each.judged.watched.subject for each in later}
    newest = [each for each in looked.newest if each.watched.subject not in subjects]
    return told, replace(looked, newest=newest)


async def _end_unwatched(
    connection: Connection,
    rule: Rule,
    opened: Sequence[OpenAlert],
    looked: Looked,
    around: Surroundings,
    seen: Seen,
    keeps: Keepers,
) -> int:
    """End alerts of what the rule does not watch any more; return how many."""
    ended, has_more = await unwatched.end(
        connection, rule, opened, looked.newest, around, keeps, seen.letters_left
    )
    seen.letters_left -= sum(each.is_told for each in ended)
    if has_more:
        seen.waiting.add(rule.rule_id)
    return len(ended)


async def _go_on(
    connection: Connection,
    rule: Rule,
    newest: Sequence[Judged],
    opened: Iterable[OpenAlert],
    around: Surroundings,
    seen: Seen,
    keeps: Keepers,
) -> int:
    """Let each alert become what follows from what was found; return how many changed."""
    by_subject = {alert.subject: alert for alert in opened}
    resolved = await db.alerts.list_resolved(connection, rule.rule_id)
    owed = await db.kept.list_owed(connection, rule.rule_id)
    changed = 0
    for judged in newest:
        standing.note_unknown(rule, judged, seen.episodes)
        subject = judged.watched.subject
        alert = by_subject.get(subject)
        transition = lifecycle.next_transition(
            alert,
            judged.verdict,
            rule.parameters,
            around.now,
            resolved.get(subject),
            rule.version,
            held=await standing.held(connection, rule, judged, alert),
        )
        transition = await amended.ended(connection, rule, judged, alert, transition)
        keeps.see(judged)
        owes = NOTHING if alert is None else owed.get(alert.alert_id, NOTHING)
        transition = keeping.settled(transition, owes, judged, alert, keeps, around.now)
        if transition is not None and transition.is_told and seen.letters_left <= 0:
            seen.waiting.add(rule.rule_id)
            continue
        if transition is not None and await changes.apply(
            connection, rule, judged, alert, transition, around
        ):
            changed += 1
            seen.letters_left -= transition.is_told
            keeps.follow(judged, alert, transition)
    found = {judged.watched.subject: judged for judged in newest}
    return changed + await keeping.tell_ends(connection, rule, found, keeps, around)


async def _look_for_silence(
    connection: Connection,
    rule: Rule,
    around: Surroundings,
    progress: Progress,
    keeps: Keepers,
) -> int:
    """Note whose meters have said nothing since they were judged; write about what is so long."""
    at = _floor(around.now, SILENCE_EVERY)
    if progress.silence.get(rule.rule_id) == at:
        return 0
    await standing.mark_silent(connection, rule, around)
    told = await unknown.tell(connection, rule, around, keeps)
    progress.silence[rule.rule_id] = at
    return told


def _floor(at: datetime, every: timedelta) -> datetime:
    """Return when a span of such a length began last; of none: the instant itself."""
    return at - (at - EPOCH) % every if every else at
