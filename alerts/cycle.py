"""Owns the warning path as it runs: facts → verdict → transition → letters, and their sending.

One transaction per transition holds the alert, its event and its letters. Letters are sent by a
loop of their own, after that commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import asyncpg
import structlog
from pydantic import ValidationError

import db.alerts
import db.facts
import db.figures
import db.heartbeats
import db.limits
import db.outbox
import db.regions
import db.rules
from alerts import facts, lifecycle, outbox, rules, smtp, verdicts
from alerts.episodes import Episodes
from alerts.facts import ProductFacts, RegionFacts
from alerts.letter import Occasion
from alerts.lifecycle import LETTERS, Reason, Transition
from alerts.outbox import Attempt, Outcome, Posting
from alerts.rules import ProductIntensity, RegionLevel, Rule
from alerts.verdicts import State, Verdict
from db.alerts import Finding, OpenAlert, Watched
from db.pool import Connection, Pool
from db.rules import RuleRow
from energy.factors import Basis

PROGRAM = "alert"
DATABASE_RETRY_S = 2.0
RETRYABLE_CLASSES = frozenset({"08", "40", "53", "55", "57", "58"})
"""SQLSTATE classes: connection, rollback, resources, object in use, intervention, system."""

T = TypeVar("T")

log = structlog.get_logger("alert")


@dataclass(frozen=True, slots=True)
class Judged:
    """A subject of a rule with what was found."""

    watched: Watched
    facts: ProductFacts | RegionFacts
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is the same for all subjects of an evaluation."""

    now: datetime
    coverage_floor: float
    public_url: str
    region_names: dict[str, str]


async def run(
    pool: Pool,
    *,
    instance: str,
    pause_s: float,
    coverage_floor: float,
    public_url: str,
    smtp_url: str | None,
    mail_from: str,
    clock: Callable[[], datetime],
) -> None:
    """Evaluate and send until cancelled. Raises ValueError for a mail server URL that is none."""
    if smtp_url is not None:
        smtp.parse(smtp_url)
    episodes = Episodes()

    async def evaluate() -> bool:
        now = clock()
        changed = await evaluate_once(
            pool, now=now, coverage_floor=coverage_floor, public_url=public_url, episodes=episodes
        )
        async with pool.acquire() as connection:
            await db.heartbeats.beat(connection, PROGRAM, instance, now, "evaluating")
        return changed > 0

    async def send() -> bool:
        return await send_once(
            pool,
            smtp_url=smtp_url,
            mail_from=mail_from,
            now=clock(),
            instance=instance,
            episodes=episodes,
        )

    async with asyncio.TaskGroup() as tasks:
        for work in (evaluate, send):
            tasks.create_task(_again_and_again(work, pause_s, episodes))


async def evaluate_once(
    pool: Pool,
    *,
    now: datetime,
    coverage_floor: float,
    public_url: str,
    episodes: Episodes | None = None,
) -> int:
    """Judge all rules; return how many alerts changed. Only one evaluator works at a time."""
    episodes = episodes or Episodes()
    async with pool.acquire() as connection:
        if not await db.alerts.try_lock(connection):
            return 0
        try:
            names = {row.region: row.name for row in await db.regions.list_regions(connection)}
            around = Surroundings(now, coverage_floor, public_url, names)
            parsed = _parsed(await db.rules.list_enabled(connection), episodes)
            return sum([await _evaluate(connection, rule, around, episodes) for rule in parsed])
        finally:
            await db.alerts.unlock(connection)


async def send_once(
    pool: Pool,
    *,
    smtp_url: str | None,
    mail_from: str,
    now: datetime,
    instance: str,
    episodes: Episodes | None = None,
) -> bool:
    """Try one letter. True: there was one, come again; False: nothing is due, or nobody takes it."""
    episodes = episodes or Episodes()
    if smtp_url is None:
        async with pool.acquire() as connection:
            waiting = await db.outbox.count_waiting(connection)
        if waiting:
            episodes.happened("no server", "letters_wait_for_a_mail_server", waiting=waiting)
        return False
    attempt = await outbox.send_next(pool, smtp.parse(smtp_url), mail_from, now)
    _tell(attempt, instance, episodes)
    return attempt.outcome in (Outcome.SENT, Outcome.REFUSED)


def _tell(attempt: Attempt, instance: str, episodes: Episodes) -> None:
    if attempt.outcome is Outcome.SERVER_AWAY:
        episodes.happened("server", "mail_server_away", error=attempt.error)
    elif attempt.claimed is not None:
        episodes.over("server", "mail_server_back")
        sent = {
            "letter_id": attempt.claimed.letter_id,
            "alert_id": attempt.claimed.letter.alert_id,
            "attempt": attempt.claimed.attempts,
            "instance": instance,
        }
        if attempt.outcome is Outcome.SENT:
            episodes.over(f"letter {sent['letter_id']}", "letter_taken_at_last")
            log.info("letter_sent", **sent)
        else:
            key = f"letter {sent['letter_id']}"
            episodes.happened(key, "letter_refused", error=attempt.error, **sent)


def _parsed(rows: Iterable[RuleRow], episodes: Episodes) -> Iterator[Rule]:
    """Yield the rules that can be read; one that cannot does not stop the others."""
    for row in rows:
        key = f"rule {row.rule_id}"
        try:
            rule = rules.parse(row)
        except ValidationError as error:
            episodes.happened(key, "rule_unreadable", rule=row.name, error=str(error))
        else:
            episodes.over(key, "rule_readable_again", rule=row.name)
            yield rule


async def _evaluate(
    connection: Connection, rule: Rule, around: Surroundings, episodes: Episodes
) -> int:
    opened = {alert.subject: alert for alert in await db.alerts.list_open(connection, rule.rule_id)}
    changed = 0
    for judged in await _judge(connection, rule, around, set(opened)):
        _note_unknown(rule, judged, episodes)
        alert = opened.get(judged.watched.subject)
        transition = lifecycle.next_transition(alert, judged.verdict, rule.parameters, around.now)
        if transition is not None:
            changed += await _apply(connection, rule, judged, alert, transition, around)
    return changed


async def _judge(
    connection: Connection, rule: Rule, around: Surroundings, open_subjects: set[str]
) -> list[Judged]:
    match rule.parameters:
        case ProductIntensity() as parameters:
            return await _judge_products(connection, rule.rule_id, parameters, around)
        case RegionLevel() as parameters:
            return await _judge_regions(connection, rule.rule_id, parameters, around, open_subjects)


async def _judge_products(
    connection: Connection, rule_id: int, parameters: ProductIntensity, around: Surroundings
) -> list[Judged]:
    windows = facts.windows(around.now, parameters.window)
    uses = await db.facts.list_uses(connection, windows, parameters.basis)
    limits = await db.limits.list_limits(connection)
    judged = []
    for candidates in facts.products(uses, limits, parameters.against, around.now):
        found, verdict = verdicts.newest(candidates, around.coverage_floor)
        subject = found.subject
        watched = Watched(rule_id, subject.region, subject.unit_id, subject.name)
        judged.append(Judged(watched, found, verdict))
    return judged


async def _judge_regions(
    connection: Connection,
    rule_id: int,
    parameters: RegionLevel,
    around: Surroundings,
    open_subjects: set[str],
) -> list[Judged]:
    figures = await db.figures.list_figures(connection)
    targets = await db.figures.list_targets(connection)
    return [
        Judged(
            Watched(rule_id, found.region, None, found.subject),
            found,
            verdicts.region_level(found, parameters),
        )
        for found in facts.regions(figures, targets, around.region_names, open_subjects)
    ]


def _note_unknown(rule: Rule, judged: Judged, episodes: Episodes) -> None:
    key = f"unknown {rule.rule_id} {judged.watched.subject}"
    about = {"rule": rule.name, "subject": judged.watched.subject}
    if judged.verdict.state is State.UNKNOWN:
        episodes.happened(key, "verdict_unknown", reason=judged.verdict.reason, **about)
    else:
        episodes.over(key, "verdict_known_again", **about)


async def _apply(
    connection: Connection,
    rule: Rule,
    judged: Judged,
    alert: OpenAlert | None,
    transition: Transition,
    around: Surroundings,
) -> bool:
    """Store a transition with its event and letters; False: somebody was faster."""
    verdict = judged.verdict
    async with connection.transaction():
        alert_id = await _store(connection, judged, alert, transition)
        if alert_id is None:
            return False
        event_id = await db.alerts.insert_event(
            connection,
            alert_id,
            at=transition.at,
            kind=transition.reason,
            measured=verdict.measured,
            reason=verdict.reason,
        )
        letters = 0
        if transition.reason in LETTERS:
            region = judged.watched.region if alert is None else alert.region
            posting = Posting(
                alert_id=alert_id,
                event_id=event_id,
                opened_at=transition.at if alert is None else alert.pending_at,
                region=region,
                level=_level(alert, transition, verdict),
            )
            occasion = _occasion(rule, judged, transition, alert_id, region, around)
            letters = await outbox.write(connection, posting, occasion, transition.at)
    log.info(
        "alert_changed",
        alert_id=alert_id,
        subject=judged.watched.subject,
        reason=transition.reason,
        letters=letters,
    )
    return True


async def _store(
    connection: Connection, judged: Judged, alert: OpenAlert | None, transition: Transition
) -> int | None:
    if transition.state is db.alerts.AlertState.RESOLVED:
        assert alert is not None
        done = await db.alerts.resolve(connection, alert, transition.at)
        return alert.alert_id if done else None
    finding = _finding(judged.verdict)
    if alert is None:
        return await db.alerts.insert_alert(
            connection, judged.watched, finding, transition.state, transition.at
        )
    done = await db.alerts.change(connection, alert, finding, transition.state, transition.at)
    return alert.alert_id if done else None
