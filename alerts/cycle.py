"""Owns the warning path as it runs: rules judged, transitions stored, letters gathered and sent.

One evaluator works at a time; the letters go out in loops of their own, after the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import structlog

import db.alerts
import db.heartbeats
import db.kept
import db.outbox
import db.patience
import db.regions
import db.rules
from alerts import (
    care,
    changes,
    downtime,
    gathering,
    grace,
    keepers,
    keeping,
    lifecycle,
    outbox,
    rules,
    smtp,
)
from alerts.episodes import Episodes
from alerts.keepers import Keepers
from alerts.kinds.kind import Judged, Rule, Surroundings
from alerts.kinds.registry import KINDS
from alerts.outbox import Attempt, Courier, Outcome
from alerts.verdicts import State
from db.kept import NOTHING
from db.pool import Connection, Pool
from db.rules import RuleRow
from energy.factors import Unverified

PROGRAM = "alert"
DATABASE_RETRY_S = 2.0
SEND_PAUSE_S = 1.0
"""Longest pause before letters are looked for: it costs an index scan, judging all rules more."""


log = structlog.get_logger("alert")


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
    unverified: Unverified = Unverified.NOTE,
    grace_lasts: timedelta = grace.LASTS,
    hooks: Courier | None = None,
) -> None:
    """Evaluate and send until cancelled. Raises ValueError for a mail server URL that is none.

    `hooks` is the way to webhooks: without it their letters wait.
    """
    episodes = Episodes()
    couriers: list[Courier] = [] if hooks is None else [hooks]
    if smtp_url is not None:
        couriers.append(smtp.Link(smtp.parse(smtp_url), mail_from))

    async def evaluate() -> bool:
        now = clock()
        changed = await evaluate_once(
            pool, now=now, coverage_floor=coverage_floor, public_url=public_url,
            episodes=episodes, unverified=unverified, grace_lasts=grace_lasts,
        )  # fmt: skip
        async with pool.acquire() as connection:
            await db.heartbeats.beat(connection, PROGRAM, instance, now, "evaluating")
        return changed > 0

    async def gather() -> bool:
        return await gathering.gather_once(pool, public_url=public_url, now=clock())

    async def send(courier: Courier) -> bool:
        return await send_once(pool, courier, now=clock(), instance=instance, episodes=episodes)

    work: list[tuple[str, Callable[[], Awaitable[bool]]]]
    work = [("evaluate", evaluate), ("gather", gather)]
    work += [(f"send {' '.join(each.channels)}", partial(send, each)) for each in couriers]
    if smtp_url is None:
        work.append(("wait", partial(note_waiting, pool, episodes)))
    try:
        async with asyncio.TaskGroup() as tasks:
            for name, each in work:
                pause = pause_s if name == "evaluate" else min(pause_s, SEND_PAUSE_S)
                tasks.create_task(_again_and_again(name, each, pause, episodes))
    finally:
        for courier in couriers:
            await courier.rest()


async def evaluate_once(
    pool: Pool,
    *,
    now: datetime,
    coverage_floor: float,
    public_url: str,
    episodes: Episodes | None = None,
    unverified: Unverified = Unverified.NOTE,
    grace_lasts: timedelta = grace.LASTS,
) -> int:
    """Judge all rules; return how many alerts changed. Only one evaluator works at a time."""
    episodes = episodes or Episodes()
    async with pool.acquire() as connection:
        if not await db.alerts.try_lock(connection):
            return 0
        try:
            names = {row.region: row.name for row in await db.regions.list_regions(connection)}
            away = await downtime.look(connection, now, grace_lasts)
            around = Surroundings(now, coverage_floor, public_url, names, unverified, away)
            parsed = [*_parsed(await db.rules.list_holding(connection, now), episodes)]
            keeps = await keeping.load(connection, parsed, now)
            changed = [
                await _evaluate(connection, rule, around, episodes, keeps)
                for rule in keepers.in_order(parsed, keeps.edges)
            ]
            await keeping.show(connection, keeps)
            left = await db.alerts.list_of_ended_rules(connection, now)
            changed += [await changes.end(connection, each, now) for each in left]
            return sum(changed) + await care.look_after(connection, around)
        finally:
            await db.alerts.unlock(connection)


async def send_once(
    pool: Pool, courier: Courier, *, now: datetime, instance: str, episodes: Episodes
) -> bool:
    """Try one letter. True: there was one, come again; False: none is due, or nobody takes it."""
    attempt = await outbox.send_next(pool, courier, now)
    _tell(attempt, instance, episodes)
    return attempt.outcome in (Outcome.SENT, Outcome.REFUSED)


async def note_waiting(pool: Pool, episodes: Episodes) -> bool:
    """Say it if letters wait for a mail server that nobody named."""
    async with pool.acquire() as connection:
        waiting = await db.outbox.count_waiting(connection)
    if waiting:
        episodes.happened("no server", "letters_wait_for_a_mail_server", waiting=waiting,
                          help="set NENGHAO_SMTP_URL for `nenghao alert`")  # fmt: skip
    return False


async def _again_and_again(
    name: str, work: Callable[[], Awaitable[bool]], pause_s: float, episodes: Episodes
) -> None:
    """Do `work` until cancelled; rest when it finds nothing, or while the database is away."""
    while True:
        try:
            was_busy = await work()
        except Exception as error:
            if not db.patience.is_retryable(error):
                raise
            episodes.happened(f"database {name}", "database_unavailable", error=repr(error))
            await asyncio.sleep(DATABASE_RETRY_S)
            continue
        episodes.over(f"database {name}", "database_back")
        if not was_busy:
            await asyncio.sleep(pause_s)


def _tell(attempt: Attempt, instance: str, episodes: Episodes) -> None:
    claimed = attempt.claimed
    if claimed is None:
        return
    if attempt.outcome is Outcome.SERVER_AWAY:
        episodes.happened("server", "mail_server_away", error=attempt.error)
        return
    episodes.over("server", "mail_server_back")
    key, about = f"letter {claimed.letter_id}", {"letter_id": claimed.letter_id}
    if attempt.outcome is Outcome.SENT:
        episodes.over(key, "letter_was_refused", **about)
        log.info("letter_sent", alert_id=claimed.letter.alert_id, instance=instance, **about)
    else:
        episodes.happened(key, "letter_refused", error=attempt.error, **about)


def _parsed(rows: Iterable[RuleRow], episodes: Episodes) -> Iterator[Rule]:
    """Yield the rules that can be read; one that cannot does not stop the others."""
    for row in rows:
        key = f"rule {row.rule_id}"
        try:
            rule = rules.parse(row)
        except ValueError as error:  # also a kind of a newer program
            episodes.happened(key, "rule_unreadable", rule=row.name, error=str(error))
        else:
            episodes.over(key, "rule_readable_again", rule=row.name)
            yield rule


async def _evaluate(
    connection: Connection,
    rule: Rule,
    around: Surroundings,
    episodes: Episodes,
    keeps: Keepers,
) -> int:
    opened = {alert.subject: alert for alert in await db.alerts.list_open(connection, rule.rule_id)}
    resolved = await db.alerts.list_resolved(connection, rule.rule_id)
    owed = await db.kept.list_owed(connection, rule.rule_id)
    changed = 0
    found = await KINDS[rule.kind].judge(connection, rule, around, opened.keys())
    for judged in [_excused(rule, each, around) for each in found]:
        _note_unknown(rule, judged, episodes)
        subject = judged.watched.subject
        alert = opened.get(subject)
        transition = lifecycle.next_transition(
            alert, judged.verdict, rule.parameters, around.now, resolved.get(subject)
        )
        keeps.see(judged)
        owes = NOTHING if alert is None else owed.get(alert.alert_id, NOTHING)
        transition = keeping.settled(transition, owes, judged, alert, keeps, around.now)
        if transition is not None and await changes.apply(
            connection, rule, judged, alert, transition, around
        ):
            changed += 1
            keeps.follow(judged, alert, transition)
    by_subject = {each.watched.subject: each for each in found}
    return changed + await keeping.tell_ends(connection, rule, by_subject, keeps, around)


def _excused(rule: Rule, judged: Judged, around: Surroundings) -> Judged:
    """Return what was found; what rests on silence is not told while we ourselves were away."""
    if not rule.parameters.rests_on_silence or judged.facts.is_our_own:
        return judged
    return replace(judged, verdict=grace.excused(judged.verdict, around.grace))


def _note_unknown(rule: Rule, judged: Judged, episodes: Episodes) -> None:
    key = f"unknown {rule.rule_id} {judged.watched.subject}"
    about = {"rule": rule.name, "subject": judged.watched.subject}
    if judged.verdict.state is State.UNKNOWN:
        episodes.happened(key, "verdict_unknown", reason=judged.verdict.reason, **about)
    else:
        episodes.over(key, "verdict_known_again", **about)
