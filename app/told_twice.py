"""Owns the checks of what is told twice: in its own table, and in the ledger of changes."""

from __future__ import annotations

import db.alert_events
import db.changes
import db.corrections
import db.proposals
from app.findings import Finding, Progress, Report
from db.pool import Connection


async def corrections(connection: Connection, report: Report, progress: Progress) -> None:
    """Hold the corrections that are applied against those that the ledger of changes knows."""
    applied = await db.corrections.list_applied(connection)
    known = await db.corrections.list_known(connection)
    for subject in sorted(applied.keys() | known.keys()):
        if subject not in known:
            fault = "is applied, and the ledger of changes does not know it"
        elif subject not in applied:
            fault = "is in the ledger of changes, and is not applied"
        elif applied[subject] != known[subject]:
            fault = f"is applied as {applied[subject]}; the ledger says {known[subject]}"
        else:
            continue
        report.findings.append(Finding("corrections", None, f"{subject} {fault}"))
    progress("corrections", 1, 1)


async def alert_events(connection: Connection, report: Report, progress: Progress) -> None:
    """Hold what people said of alerts against what the ledger of changes knows they said."""
    kept = await db.alert_events.list_said(connection)
    known = await db.alert_events.list_known(connection)
    for subject in sorted(kept.keys() | known.keys()):
        if subject not in known:
            fault = "is in the history of its alert, and the ledger of changes does not know it"
        elif subject not in kept:
            fault = "is in the ledger of changes, and gone from the history of its alert"
        elif kept[subject] != known[subject]:
            fault = f"is kept as {kept[subject]}; the ledger says {known[subject]}"
        else:
            continue
        report.findings.append(Finding("alert_events", None, f"{subject} {fault}"))
    progress("alert_events", 1, 1)


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
