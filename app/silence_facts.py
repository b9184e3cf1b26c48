"""Owns what the ledger of changes is told of a silence, and of what became of it."""

from __future__ import annotations

from db.changes import Fact
from db.silences import EVENTS_NOUN, NOUN, StoredEvent, StoredSilence


def stated(stored: StoredSilence) -> Fact:
    """Return what is told of a silence."""
    return Fact(
        NOUN,
        str(stored.silence_id),
        {
            "silence_id": stored.silence_id,
            "region": stored.region,
            "rule_id": stored.rule_id,
            "unit": stored.unit,
            "subject": stored.subject,
            "starts_at": stored.starts_at.isoformat(),
            "ends_at": stored.ends_at.isoformat(),
            "waits": stored.waits,
        },
    )


def became(stored: StoredEvent) -> Fact:
    """Return what is told of what became of it."""
    return Fact(
        EVENTS_NOUN,
        f"{stored.silence_id}/{stored.kind}",
        {
            "silence_id": stored.silence_id,
            "kind": stored.kind,
            "happened_at": stored.happened_at.isoformat(),
        },
    )
