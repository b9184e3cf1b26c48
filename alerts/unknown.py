"""Owns the notice that something has been unknown for long: once, where the rule asks for one.

What keeps letters back keeps it back, too; when nothing does and it is still unknown, it goes out.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

import db.alert_events
import db.alerts
import db.kept
import db.products
import db.standings
from alerts import outbox
from alerts.keepers import NOT_YET, Keepers, Kept
from alerts.kinds import subjects
from alerts.kinds.kind import Facts, Rule, Surroundings
from alerts.kinds.words import Note, Occasion
from alerts.lifecycle import Reason
from alerts.outbox import Posting
from alerts.reach import full_name
from alerts.verdicts import MILD_LEVEL, State, Verdict
from db.alerts import About, AlertState, Finding, OpenAlert, Watched
from db.kept import Standing
from db.pool import Connection
from db.products import Product
from db.standings import Unknown
from energy.periods import Span

NOTICES_MAX = 50
"""Notices of one rule in one evaluation; the others wait for the next."""

log = structlog.get_logger("alert")


async def tell(connection: Connection, rule: Rule, around: Surroundings, keeping: Keepers) -> int:
    """Write about what has been unknown for as long as the rule says; return how many."""
    if not rule.parameters.unknown_h:
        return 0
    before = around.now - timedelta(hours=rule.parameters.unknown_h)
    found = await db.standings.list_unknown(connection, rule.rule_id, before, NOTICES_MAX)
    if not found:
        return 0
    opened = {each.subject: each for each in await db.alerts.list_open(connection, rule.rule_id)}
    told = [
        await _tell(
            connection,
            rule,
            unknown,
            alert := opened.get(unknown.subject),
            around,
            keeping.before(_standing(rule, unknown, alert)),
        )
        for unknown in found
    ]
    return sum(told)


async def _tell(
    connection: Connection,
    rule: Rule,
    unknown: Unknown,
    alert: OpenAlert | None,
    around: Surroundings,
    kept: Kept | None,
) -> bool:
    """Write in the thread of the alert that is open; where there is none, of a notice."""
    finding = _finding(rule, unknown, around)
    letters = 0
    async with connection.transaction():
        if not await db.standings.mark_told(connection, rule.rule_id, unknown.subject, around.now):
            return False
        if alert is None:
            alert_id = await _open(connection, rule, unknown, finding, around, is_told=kept is None)
        else:
            alert_id = alert.alert_id
        if alert_id is None:
            return False
        event_id = await db.alert_events.insert(
            connection,
            alert_id,
            at=around.now,
            kind=Reason.UNKNOWN,
            reason=finding.reason if kept is None else f"{finding.reason}; {kept.reason}",
            version=rule.version,
        )
        if kept is None:
            posting = _posting(rule, unknown, alert, around, alert_id, event_id)
            product = await db.products.fetch_product(connection, subjects.tail(unknown.subject))
            occasion = _occasion(rule, unknown, finding, alert_id, around, product)
            letters = await outbox.write(connection, posting, occasion, around.now)
            await db.kept.let_go(connection, alert_id, Reason.UNKNOWN)
        else:
            await db.kept.owe_anew(connection, alert_id, Reason.UNKNOWN)
    log.info("alert_changed", alert_id=alert_id, subject=unknown.subject, reason=Reason.UNKNOWN,
             letters=letters)  # fmt: skip
    return True


async def _open(
    connection: Connection,
    rule: Rule,
    unknown: Unknown,
    finding: Finding,
    around: Surroundings,
    *,
    is_told: bool,
) -> int | None:
    """Return the number of a new alert; None: there is one already."""
    watched = Watched(rule.rule_id, unknown.region, unknown.unit_id, unknown.subject, rule.version)
    return await db.alerts.insert_alert(
        connection, watched, finding, AlertState.FIRING, around.now, About.UNKNOWN, is_told=is_told
    )


def _standing(rule: Rule, unknown: Unknown, alert: OpenAlert | None) -> Standing:
    return Standing(
        alert_id=NOT_YET if alert is None else alert.alert_id,
        rule_id=rule.rule_id,
        region=unknown.region if alert is None else alert.region,
        unit_id=unknown.unit_id,
        subject=unknown.subject,
        state=AlertState.FIRING,
        level=MILD_LEVEL if alert is None else alert.level,
    )


def _posting(
    rule: Rule,
    unknown: Unknown,
    alert: OpenAlert | None,
    around: Surroundings,
    alert_id: int,
    event_id: int,
) -> Posting:
    return Posting(
        alert_id=alert_id,
        event_id=event_id,
        opened_at=around.now if alert is None else alert.pending_at,
        region=unknown.region,
        level=MILD_LEVEL if alert is None else alert.level,
        rule_region=rule.region,
        region_names=around.region_names,
    )


def _finding(rule: Rule, unknown: Unknown, around: Surroundings) -> Finding:
    hours = (around.now - unknown.since_at) / timedelta(hours=1)
    return Finding(
        level=MILD_LEVEL,
        period=Span(unknown.since_at, around.now),
        measured=hours,
        threshold=rule.parameters.unknown_h,
        uom="h",
        coverage=0.0,
        estimated_share=0.0,
        reason=f"unknown for {hours:.0f} h: {unknown.reason}",
    )


def _occasion(
    rule: Rule,
    unknown: Unknown,
    finding: Finding,
    alert_id: int,
    around: Surroundings,
    product: Product | None,
) -> Occasion:
    name = full_name(unknown.region, around.region_names)
    return Occasion(
        kind=rule.kind,
        reason=Reason.UNKNOWN,
        verdict=Verdict(State.UNKNOWN, finding.period, unknown.reason),
        facts=Facts(),
        region_name=name,
        link=outbox.link_to(around.public_url, alert_id),
        note=Note(
            unknown.subject,
            since_at=unknown.since_at,
            owner=unknown.unit_name or name,
            product=product,
        ),
    )
