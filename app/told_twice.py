"""Owns the checks of what is told twice: in its own table, and in the ledger or a history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import db.alert_events
import db.case_history
import db.changes
import db.corrections
import db.proposals
import db.rules
import db.tasks
from app.findings import Finding, Progress, Report
from db.pool import Connection

T = TypeVar("T")


class Words(NamedTuple):
    """How a sentence names what the table has, and what it has not."""

    held: str
    there: str
    gone: str


async def corrections(connection: Connection, report: Report, progress: Progress) -> None:
    """Hold the corrections that are applied against those that the ledger of changes knows."""
    applied = await db.corrections.list_applied(connection)
    known = await db.corrections.list_known(connection)
    words = Words("applied", "is applied", "is not applied")
    _hold(report, "corrections", words, applied, known)
    progress("corrections", 1, 1)


async def alert_events(connection: Connection, report: Report, progress: Progress) -> None:
    """Hold what people said of alerts against what the ledger of changes knows they said."""
    said = await db.alert_events.list_said(connection)
    known = await db.alert_events.list_known(connection)
    words = Words("kept", "is in the history of its alert", "gone from the history of its alert")
    _hold(report, "alert_events", words, said, known)
    progress("alert_events", 1, 1)


async def alert_cases(connection: Connection, report: Report, progress: Progress) -> None:
    """Hold what people do about alerts, and by when it is due, against the history of each."""
    from app import case_proof  # here: it needs every kind of rule

    happened = await db.case_history.list_happened(connection)
    asked = case_proof.asked_by_rule(await db.rules.list_stored(connection))
    stood = await db.case_history.list_stood(connection)
    since = min((each.dated_at for each in stood if each.dated_at is not None), default=None)
    for alert in stood:
        found = happened.get(alert.alert_id, [])
        for fault in case_proof.faults(alert, found, asked.get(alert.rule_id, set()), since):
            report.findings.append(Finding("alert_cases", None, f"alert {alert.alert_id}: {fault}"))
    progress("alert_cases", 1, 1)


async def tasks(connection: Connection, report: Report, progress: Progress) -> None:
    """Hold the tasks that are done against what the ledger of changes knows was said of them."""
    settled = await db.tasks.list_settled(connection)
    known = await db.tasks.list_known(connection)
    _hold(report, "tasks", Words("done", "is done", "is not done"), settled, known)
    progress("tasks", 1, 1)


def _hold(
    report: Report, chain: str, words: Words, held: Mapping[str, T], known: Mapping[str, T]
) -> None:
    """Find each subject of which the table and the ledger say different things."""
    for subject in sorted(held.keys() | known.keys()):
        if subject not in known:
            fault = f"{words.there}, and the ledger of changes does not know it"
        elif subject not in held:
            fault = f"is in the ledger of changes, and {words.gone}"
        elif held[subject] != known[subject]:
            fault = f"is {words.held} as {held[subject]}; the ledger says {known[subject]}"
        else:
            continue
        report.findings.append(Finding(chain, None, f"{subject} {fault}"))


async def proposals(connection: Connection, report: Report, progress: Progress) -> None:
    """Hold the proposals against those that the ledger knows: what was proposed, who decided."""
    rows = await db.proposals.list_all(connection, limit=None)
    holds = {row.fact().subject: row.fact().content for row in rows}
    known = await db.changes.list_known(connection, db.proposals.NOUN, db.changes.EVER)
    for subject in sorted(holds.keys() | known.keys()):
        if holds.get(subject) != known.get(subject):
            fault = f"{subject} is not what the ledger of changes says was proposed or decided"
            report.findings.append(Finding("proposals", None, fault))
    progress("proposals", 1, 1)
