"""Owns proposals: changes that wait for a second person, as submitted, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db.changes import Content, Fact
from db.pool import Connection
from db.scope import Scope

NOUN = "proposals"
"""Noun of proposals in the ledger: who proposed what, and who decided on it."""


@dataclass(frozen=True, slots=True)
class Place:
    """All that a change touches: one unit, or a region; neither: what holds for everyone."""

    region: str | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class NewProposal:
    """A change as it was submitted; `effect` is what it changes, the hash that of all of it."""

    deed: str
    kind: str
    place: Place
    name: str
    payload: bytes
    effect: str
    effect_sha256: bytes
    proposer: str
    reason: str
    evidence: str
    proposed_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposal without its payload. `state` is as stored: nobody marks what has expired."""

    proposal_id: int
    deed: str
    kind: str
    region: str | None
    unit: str | None
    name: str
    sha256: bytes
    effect: str
    effect_sha256: bytes
    proposer: str
    reason: str
    evidence: str
    proposed_at: datetime
    expires_at: datetime
    state: str
    decider: str | None
    decided_at: datetime | None
    decision_reason: str | None

    def fact(self) -> Fact:
        """Return what the ledger keeps of it: what it says, and what became of it."""
        content: Content = {
            "deed": self.deed,
            "kind": self.kind,
            "region": self.region,
            "unit": self.unit,
            "name": self.name,
            "sha256": self.sha256.hex(),
            "effect_sha256": self.effect_sha256.hex(),
            "proposer": self.proposer,
            "expires_at": self.expires_at.isoformat(),
            "state": self.state,
            "decider": self.decider,
        }
        return Fact(NOUN, str(self.proposal_id), content)


async def insert(connection: Connection, new: NewProposal) -> int:
    """Insert a proposal; return its proposal_id."""
    proposal_id: int = await connection.fetchval(
        """
        INSERT INTO proposals (deed, kind, region, unit, name, payload, sha256, effect,
                               effect_sha256, proposer, reason, evidence, proposed_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, sha256($6), $7, $8, $9, $10, $11, $12, $13)
        RETURNING proposal_id
        """,
        new.deed,
        new.kind,
        new.place.region,
        new.place.unit,
        new.name,
        new.payload,
        new.effect,
        new.effect_sha256,
        new.proposer,
        new.reason,
        new.evidence,
        new.proposed_at,
        new.expires_at,
    )
    return proposal_id


async def fetch_repeated(connection: Connection, new: NewProposal) -> int | None:
    """Return the proposal_id of an open one that would do the same; None: there is none."""
    proposal_id: int | None = await connection.fetchval(
        """
        SELECT proposal_id
          FROM proposals
         WHERE state = 'open'
           AND expires_at > $1
           AND (deed, kind, sha256, effect_sha256) = ($2, $3, sha256($4), $5)
         ORDER BY proposal_id
         LIMIT 1
        """,
        new.proposed_at,
        new.deed,
        new.kind,
        new.payload,
        new.effect_sha256,
    )
    return proposal_id


async def count_open(connection: Connection, proposer: str, now: datetime) -> int:
    """Return how many proposals of a person wait at `now`, however they write their name."""
    count: int = await connection.fetchval(
        """
        SELECT count(*)
          FROM proposals
         WHERE state = 'open'
           AND expires_at > $2
           AND is_same_person(proposer, $1)
        """,
        proposer,
        now,
    )
    return count


async def list_visible(
    connection: Connection,
    scope: Scope,
    *,
    is_open: bool | None,
    now: datetime,
    before: int | None,
    limit: int,
) -> list[ProposalRow]:
    """Return proposals, the newest first; `is_open`: those that wait at `now`, or the others."""
    rows = await connection.fetch(
        """
        SELECT proposal_id, deed, kind, region, unit, name, sha256, effect, effect_sha256,
               proposer, reason, evidence, proposed_at, expires_at, state, decider, decided_at,
               decision_reason
          FROM visible_proposals($1, $2)
         WHERE ($3::boolean IS NULL OR (state = 'open' AND expires_at > $4) = $3)
           AND ($5::bigint IS NULL OR proposal_id < $5)
         ORDER BY proposal_id DESC
         LIMIT $6
        """,
        scope.region_prefix,
        scope.unit,
        is_open,
        now,
        before,
        limit,
    )
    return [ProposalRow(**row) for row in rows]


async def fetch_visible(
    connection: Connection, scope: Scope, proposal_id: int
) -> ProposalRow | None:
    row = await connection.fetchrow(
        """
        SELECT proposal_id, deed, kind, region, unit, name, sha256, effect, effect_sha256,
               proposer, reason, evidence, proposed_at, expires_at, state, decider, decided_at,
               decision_reason
          FROM visible_proposals($1, $2)
         WHERE proposal_id = $3
        """,
        scope.region_prefix,
        scope.unit,
        proposal_id,
    )
    return None if row is None else ProposalRow(**row)


async def list_all(
    connection: Connection, *, limit: int | None, open_at: datetime | None = None
) -> list[ProposalRow]:
    """Return all proposals, the newest first, or so many; `limit` None: every one.

    With `open_at` only those that wait at that instant.
    """
    rows = await connection.fetch(
        """
        SELECT proposal_id, deed, kind, region, unit, name, sha256, effect, effect_sha256,
               proposer, reason, evidence, proposed_at, expires_at, state, decider, decided_at,
               decision_reason
          FROM proposals
         WHERE $2::timestamptz IS NULL
            OR (state = 'open' AND expires_at > $2)
         ORDER BY proposal_id DESC
         LIMIT $1
        """,
        limit,
        open_at,
    )
    return [ProposalRow(**row) for row in rows]


async def fetch_locked(
    connection: Connection, proposal_id: int
) -> tuple[ProposalRow, bytes] | None:
    """Return a proposal and its payload; others who want to decide on it wait."""
    row = await connection.fetchrow(
        """
        SELECT proposal_id, deed, kind, region, unit, name, sha256, effect, effect_sha256,
               proposer, reason, evidence, proposed_at, expires_at, state, decider, decided_at,
               decision_reason, payload
          FROM proposals
         WHERE proposal_id = $1
           FOR UPDATE
        """,
        proposal_id,
    )
    if row is None:
        return None
    fields = dict(row)
    payload: bytes = fields.pop("payload")
    return ProposalRow(**fields), payload


async def decide(
    connection: Connection,
    proposal_id: int,
    *,
    state: str,
    decider: str,
    decided_at: datetime,
    reason: str,
) -> None:
    """Note what became of an open proposal."""
    await connection.execute(
        """
        UPDATE proposals
           SET state = $2, decider = $3, decided_at = $4, decision_reason = $5
         WHERE proposal_id = $1
           AND state = 'open'
        """,
        proposal_id,
        state,
        decider,
        decided_at,
        reason,
    )
