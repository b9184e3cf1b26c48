"""Owns the warning path as it runs: rules judged, transitions stored, letters gathered and sent.

One evaluator works at a time; the letters go out in loops of their own, after the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Required, TypeAlias, TypedDict, Unpack

import asyncpg
import structlog

import db.alerts
import db.evaluators
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
    evaluator,
    gathering,
    grace,
    judging,
    keepers,
    keeping,
    moves,
    outbox,
    rules,
    smtp,
    standing,
)
from alerts.episodes import Episodes
from alerts.evaluator import FencedError
from alerts.judging import Progress, Seen
from alerts.keepers import Keepers
from alerts.kinds.kind import AMENDED_WITHIN, Rule, Surroundings
from alerts.outbox import Attempt, Courier, Outcome
from db.pool import Connection, Pool
from db.rules import RuleRow
from energy.factors import Unverified

PROGRAM = "alert"
SENDER = "send"
PULSE = timedelta(seconds=5)
DATABASE_RETRY_S = 2.0
SEND_PAUSE_S = 1.0
"""Longest pause before letters are looked for: it costs an index scan, judging all rules more."""

Work: TypeAlias = tuple[str, Callable[[], Awaitable[bool]], float]
"""What a loop is called, does, and how long it rests when there was nothing to do. [s]"""

log = structlog.get_logger("alert")


class Terms(TypedDict, total=False):
    """What does not change from one evaluation to the next."""

    coverage_floor: Required[float]
    public_url: Required[str]
    unverified: Unverified
    silent_s: float
    amended_within: timedelta
    grace_lasts: timedelta


@dataclass(slots=True)
class Pulse:
    """The sign of life of the loops that send, at most so often."""

    pool: Pool
    instance: str
    beat_at: datetime | None = None

    async def beat(self, now: datetime) -> None:
        if self.beat_at is not None and timedelta(0) <= now - self.beat_at < PULSE:
            return  # a clock that stepped back does not silence it
        async with self.pool.acquire() as connection:
            await db.heartbeats.beat(connection, SENDER, self.instance, now, "sending")
        self.beat_at = now


async def run(
    pool: Pool,
    *,
    instance: str,
    pause_s: float,
    smtp_url: str | None,
    mail_from: str,
    clock: Callable[[], datetime],
    hooks: Courier | None = None,
    **terms: Unpack[Terms],
) -> None:
    """Evaluate and send until cancelled. Raises ValueError for a mail server URL that is none.

    `hooks` is the way to webhooks: without it their letters wait. `terms` as of `evaluate_once`.
    """
    episodes, progress, pulse = Episodes(), Progress(), Pulse(pool, instance)
    mail = None if smtp_url is None else smtp.Link(smtp.parse(smtp_url), mail_from)
    couriers: list[Courier] = [each for each in (hooks, mail) if each is not None]

    async def evaluate() -> bool:
        now = clock()
        changed = await evaluate_once(pool, now=now, episodes=episodes, progress=progress, **terms)
        async with pool.acquire() as connection:
            await db.heartbeats.beat(connection, PROGRAM, instance, now, "evaluating")
        return changed > 0 or progress.has_more

    async def gather() -> bool:
        return await gathering.gather_once(pool, public_url=terms["public_url"], now=clock())

    async def send(courier: Courier) -> bool:
        await pulse.beat(clock())
        return await send_once(pool, courier, now=clock(), instance=instance, episodes=episodes)

    soon_s = min(pause_s, SEND_PAUSE_S)
    work: list[Work] = [("evaluate", evaluate, pause_s), ("gather", gather, soon_s)]
    work += [(f"send {' '.join(each.channels)}", partial(send, each), soon_s) for each in couriers]
    if mail is None:
        work.append(("wait", partial(note_waiting, pool, episodes), soon_s))
    try:
        await _all(work, episodes)
    finally:
        for courier in couriers:
            await courier.rest()


async def _all(work: Iterable[Work], episodes: Episodes) -> None:
    """Do all the work side by side until cancelled, or until one fails."""
    async with asyncio.TaskGroup() as tasks:
        for name, each, pause_s in work:
            tasks.create_task(_again_and_again(name, each, pause_s, episodes))


async def evaluate_once(
    pool: Pool,
    *,
    now: datetime,
    coverage_floor: float,
    public_url: str,
    episodes: Episodes | None = None,
    unverified: Unverified = Unverified.NOTE,
    silent_s: float = evaluator.SILENT_S,
    amended_within: timedelta = AMENDED_WITHIN,
    progress: Progress | None = None,
    grace_lasts: timedelta = grace.LASTS,
) -> int:
    """Judge all rules; return how many alerts changed. Only one evaluator works at a time.

    `progress`: what this process has looked at already; None: nothing, everybody is judged.
    """
    episodes = episodes or Episodes()
    async with pool.acquire() as connection, evaluator.term(connection, silent_s) as epoch:
        if epoch is None:
            return 0
        names = {row.region: row.name for row in await db.regions.list_regions(connection)}
        around = Surroundings(
            now, coverage_floor, public_url, names, unverified, amended_within=amended_within,
            grace=await downtime.look(connection, now, grace_lasts),
        )  # fmt: skip
        seen = await judging.begin(connection, progress or Progress(), episodes, around)
        held = await db.rules.list_holding(connection, now)
        parsed = [*_parsed(held, episodes)]
        for row in held:
            if row.rule_id not in {rule.rule_id for rule in parsed}:
                await judging.give_up(connection, row.rule_id, standing.UNREADABLE, seen, now)
        for rule_id in await moves.hand_over(connection, {row.rule_id for row in held}, around):
            seen.progress.done.pop(rule_id, None)
        keeps = await keeping.load(connection, parsed, now)
        ordered = keepers.in_order(parsed, keeps.edges)
        done = [await _judged(connection, rule, around, seen, keeps) for rule in ordered]
        await keeping.show(connection, keeps)
        is_whole = all(whole for _, whole in done)
        await judging.end(connection, seen, around, is_whole=is_whole)
        left = await db.alerts.list_of_ended_rules(connection, now)
        await judging.forget_ended(connection, [row.rule_id for row in held], seen.progress)
        ended = [await changes.end(connection, each, now) for each in left]
        cared = await care.look_after(connection, around, keeps)
        await db.evaluators.end_term(connection, epoch)
        return sum(changed for changed, _ in done) + sum(ended) + cared


async def _judged(
    connection: Connection, rule: Rule, around: Surroundings, seen: Seen, keeps: Keepers
) -> tuple[int, bool]:
    """Return what `judging.judge` does; a fault of one rule is logged and stops no other rule.

    It is tried again each time, unless it took too long; meanwhile its subjects are unknown. What
    was settled is kept for it, unless more waits behind that.
    """
    key, about = f"fault {rule.rule_id}", {"rule": rule.name, "rule_id": rule.rule_id}
    if seen.progress.is_set_aside(rule.rule_id, around.now):
        await judging.give_up(connection, rule.rule_id, standing.SLOW, seen, around.now)
        return 0, True
    try:
        done = await judging.judge(connection, rule, around, seen, keeps)
    except Exception as error:
        if isinstance(error, TimeoutError | asyncpg.QueryCanceledError):
            seen.progress.took_too_long(rule.rule_id, around.now)
        if evaluator.is_fenced(error) or db.patience.is_retryable(error):
            raise
        seen.episodes.happened(key, "rule_not_judged", **about, exc_info=error)
        await judging.give_up(connection, rule.rule_id, standing.FAULT, seen, around.now)
        return 0, True
    seen.episodes.over(key, "rule_judged_again", **about)
    seen.progress.slow.pop(rule.rule_id, None)
    return done


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
        except FencedError as error:
            log.warning("evaluator_fenced", error=str(error))
            continue
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
