"""Owns the end of alerts whose subject is not watched any more: everybody was judged, not it.

That is no word on whether it is over: nobody looks any more, as the letter to who was told says.
What is unknown was found, and ends nothing; nor does a rule that could not be judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

import db.alert_events
import db.alerts
import db.kept
import db.outbox
import db.products
from alerts import outbox
from alerts.keepers import Keepers, Kept
from alerts.kinds import gone, subjects
from alerts.kinds.gone import Gone
from alerts.kinds.kind import Facts, Judged, Rule, Surroundings
from alerts.kinds.registry import KINDS
from alerts.kinds.words import Note, Occasion
from alerts.lifecycle import Reason, Transition
from alerts.outbox import Posting
from alerts.reach import full_name
from alerts.verdicts import State, Verdict
from db.alerts import About, AlertState, OpenAlert
from db.kept import NOTHING, Owed, Standing
from db.pool import Connection

log = structlog.get_logger("alert")


async def end(
    connection: Connection,
    rule: Rule,
    opened: Sequence[OpenAlert],
    found: Sequence[Judged],
    around: Surroundings,
    keeps: Keepers,
    letters_left: int,
) -> tuple[list[Transition], bool]:
    """End the alerts of a rule that found nothing of them, as it judged everybody.

    Return what happened, and whether more has to wait: `letters_left` may be written about. Also
    those that ended before are told of then, if nothing keeps that back any more.
    """
    subjects = {each.watched.subject for each in found}
    left = [each for each in opened if each.subject not in subjects]
    ended = await db.kept.list_owed_ends(connection, rule.rule_id, owed=Reason.UNWATCHED)
    ended = [each for each in ended if each.subject not in subjects]
    if not left and not ended:
        return [], False
    not_here = {
        each.alert_id for each in await db.alerts.list_of_ended_rules(connection, around.now)
    }
    left = [each for each in left if each.alert_id not in not_here]
    why_of = await _why(connection, rule, {each.subject for each in (*left, *ended)}, around)
    owed = await db.kept.list_owed(connection, rule.rule_id)
    done: list[Transition] = []
    for alert in (*left, *ended):
        if (why := why_of.get(alert.subject)) is None:
            continue
        kept = keeps.over(_standing(rule, alert))
        transition = becomes(alert, owed.get(alert.alert_id, NOTHING), kept, around.now)
        if transition is None:
            continue
        if transition.is_told and sum(each.is_told for each in done) >= letters_left:
            return done, True
        if await _apply(connection, rule, alert, transition, why, around):
            keeps.drop((rule.rule_id, alert.subject))
            done.append(transition)
    return done, False


def becomes(alert: OpenAlert, owed: Owed, kept: Kept | None, now: datetime) -> Transition | None:
    """Return how an alert ends whose subject is gone; None: what is owed of one is kept back still.

    Who was told that it began is told, later if that is kept back; of a notice nobody is.
    """
    ends = Transition(AlertState.RESOLVED, Reason.UNWATCHED, now)
    if alert.state is AlertState.RESOLVED:
        return None if kept is not None else ends
    if alert.about is not About.OVER:
        return replace(ends, kept="no letter: it was a notice")
    if alert.told_at is None or owed.letter == Reason.FIRST:
        return replace(ends, kept="no letter: nobody was told that it began")
    if kept is not None:
        return replace(ends, kept=kept.reason, owed=Reason.UNWATCHED)
    return ends


async def _why(
    connection: Connection, rule: Rule, subjects: set[str], around: Surroundings
) -> Mapping[str, Gone]:
    """Return why subjects are gone, of those that are."""
    why_gone = KINDS[rule.kind].why_gone
    if why_gone is None:
        return dict.fromkeys(subjects, Gone.LEFT)
    return await why_gone(connection, rule, subjects, around)


async def _apply(
    connection: Connection,
    rule: Rule,
    alert: OpenAlert,
    transition: Transition,
    why: Gone,
    around: Surroundings,
) -> bool:
    """Store the end of an alert, or that it is told now; False: somebody was faster."""
    said = f"not watched any more: {gone.EN[why]}"
    async with connection.transaction():
        if alert.state is AlertState.RESOLVED:
            done = await db.kept.take_owed(connection, alert.alert_id, around.now)
        else:
            done = await db.alerts.resolve(connection, alert, around.now, by=None)
        if not done:
            return False
        event_id = await db.alert_events.insert(
            connection,
            alert.alert_id,
            at=around.now,
            kind=Reason.UNWATCHED,
            reason=said if transition.kept is None else f"{said}; {transition.kept}",
            version=rule.version,
        )
        await db.outbox.drop_reminders(connection, alert.alert_id)
        await db.kept.owe(connection, alert.alert_id, transition.owed)
        letters = 0
        if transition.is_told:
            letters = await _write(connection, rule, alert, why, event_id, around)
    log.info("alert_changed", alert_id=alert.alert_id, subject=alert.subject,
             reason=Reason.UNWATCHED, why=why, letters=letters)  # fmt: skip
    return True


async def _write(
    connection: Connection,
    rule: Rule,
    alert: OpenAlert,
    why: Gone,
    event_id: int,
    around: Surroundings,
) -> int:
    """Write to those who were told of an alert, as far as they are contacts still."""
    posting = Posting(
        alert_id=alert.alert_id,
        event_id=event_id,
        opened_at=alert.pending_at,
        region=alert.region,
        level=alert.level,
        rule_region=rule.region,
        region_names=around.region_names,
    )
    name = await db.alerts.fetch_name(connection, alert.alert_id)
    product = await db.products.fetch_product(connection, subjects.tail(alert.subject))
    occasion = Occasion(
        kind=rule.kind,
        reason=Reason.UNWATCHED,
        verdict=Verdict(State.UNKNOWN, alert.period, gone.EN[why]),
        facts=Facts(),
        region_name=full_name(alert.region, around.region_names),
        link=outbox.link_to(around.public_url, alert.alert_id),
        note=Note(alert.subject, gone=why, owner=name, product=product),
        rule_name=rule.name,
        rule_version=rule.version,
    )
    return await outbox.write(connection, posting, occasion, around.now, anew=True)


def _standing(rule: Rule, alert: OpenAlert) -> Standing:
    return Standing(
        alert_id=alert.alert_id,
        rule_id=rule.rule_id,
        region=alert.region,
        unit_id=alert.unit_id,
        subject=alert.subject,
        state=alert.state,
        level=alert.level,
    )
