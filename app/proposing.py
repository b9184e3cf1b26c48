"""Owns proposals: a change waits until a second person approved it, and then holds by today's path.

All of a function belongs in one transaction of the caller. Whatever is refused changes nothing, and
the proposal with its payload stays.
"""

from __future__ import annotations

from datetime import datetime

import db.changes
import db.proposals
import db.registry
from app import approval, drafts
from app.approval import Deed, Obstacle, Rule, State
from app.drafts import Draft, Submission
from app.resolve import Refusal
from db.changes import Author
from db.pool import Connection
from db.proposals import NewProposal, ProposalRow

NO_REASON = "approved as proposed"

OPEN_MAX = 100
"""Proposals of one person that wait at a time."""

WORDS = {
    Obstacle.DECIDED: "was decided on already; see `nenghao proposals list --all`",
    Obstacle.EXPIRED: "has expired: nobody decided on it in time. Propose it anew",
    Obstacle.OWN: "is by the same person: another one approves it. It can be rejected",
}


class ObstructedError(Refusal):
    """A proposal cannot be made or decided on so. `code` is what programs go by."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


async def propose(
    connection: Connection, rule: Rule, submission: Submission, drafted: Draft, now: datetime
) -> ProposalRow:
    """Keep a change for a second person; nothing of it holds before.

    It is tried out and undone, so that what can never hold is refused at once. The same again is
    the proposal that is open, whoever asks and in which words: a second person may approve it.
    """
    author = submission.author
    await _rehearse(connection, drafted, author, now)
    new = NewProposal(
        deed=submission.deed,
        kind=submission.kind,
        place=await drafts.place(connection, drafted),
        name=submission.name,
        payload=submission.payload,
        effect=drafted.effect(await drafts.received(connection, drafted)),
        effect_sha256=drafted.sha256(),
        proposer=author.actor,
        reason=author.reason,
        evidence=author.evidence,
        proposed_at=now,
        expires_at=now + rule.lasts,
    )
    proposal_id = await db.proposals.fetch_repeated(connection, new)
    if proposal_id is None:
        await _refuse_too_many(connection, author.actor, now)
        proposal_id = await db.proposals.insert(connection, new)
        row, _ = await _locked(connection, proposal_id)
        await db.changes.record(connection, author, [row.fact()], now)
        return row
    return (await _locked(connection, proposal_id))[0]


async def _refuse_too_many(connection: Connection, proposer: str, now: datetime) -> None:
    """Refuse whoever has so much waiting that nobody could look at it: files are kept with it."""
    if await db.proposals.count_open(connection, proposer, now) >= OPEN_MAX:
        raise ObstructedError(
            "too_many_proposals",
            f"{OPEN_MAX} proposals of {proposer} wait for a second person already. Have some "
            "decided on, or reject some yourself; or put what belongs together into one file",
        )


async def decide(
    connection: Connection,
    proposal_id: int,
    to: State,
    decider: str,
    reason: str,
    now: datetime,
) -> ProposalRow:
    """Approve a proposal, which then holds, or reject it. Raises ObstructedError if it cannot be.

    What is approved is what was proposed: if it would change anything else by now, because others
    changed what it is about, it is not applied.
    """
    await db.registry.lock_imports(connection)
    row, payload = await _locked(connection, proposal_id)
    standing = approval.Standing(row.proposer, State(row.state), row.expires_at)
    obstacle = approval.obstacle(standing, decider, to, now)
    if obstacle is not None:
        raise ObstructedError(obstacle, f"proposal {proposal_id} {WORDS[obstacle]}")
    await _refuse_touched(connection, row)
    if to is State.APPROVED:
        await _apply(connection, row, payload, decider, now)
    await db.proposals.decide(
        connection, proposal_id, state=to, decider=decider, decided_at=now, reason=reason
    )
    decided, _ = await _locked(connection, proposal_id)
    await db.changes.record(connection, Author(decider, reason), [decided.fact()], now)
    return decided


async def _apply(
    connection: Connection, row: ProposalRow, payload: bytes, decider: str, now: datetime
) -> None:
    author = Author(row.proposer, row.reason, row.evidence, decider)
    submission = Submission(Deed(row.deed), approval.kind_of(row.kind), row.name, payload, author)
    try:
        drafted = await drafts.draft(connection, submission)
        if drafted.sha256() != row.effect_sha256:
            raise Refusal("others changed since what it is about, and it would change other things")
        await drafted.apply(author, now)
    except Refusal as error:
        raise ObstructedError(
            "proposal_outdated",
            f"proposal {row.proposal_id} can no longer be applied as it was proposed: {error}. "
            "Nothing was changed, and it stays: reject it, and propose anew what is to hold",
        ) from error


async def _rehearse(connection: Connection, drafted: Draft, author: Author, now: datetime) -> None:
    """Do what is drafted, and undo it. Raises Refusal if it cannot be done."""
    trial = connection.transaction()
    await trial.start()
    try:
        await drafted.apply(author, now)
    finally:
        await trial.rollback()


async def _locked(connection: Connection, proposal_id: int) -> tuple[ProposalRow, bytes]:
    found = await db.proposals.fetch_locked(connection, proposal_id)
    if found is None:
        raise Refusal(f"there is no proposal {proposal_id}; see `nenghao proposals list`")
    return found


async def _refuse_touched(connection: Connection, row: ProposalRow) -> None:
    """Refuse what is not what was proposed: who may write to the table may not decide alone."""
    newest = await db.changes.list_newest(connection, db.proposals.NOUN, [str(row.proposal_id)])
    if [change.fact for change in newest] != [row.fact()]:
        raise ObstructedError(
            "proposal_touched",
            f"proposal {row.proposal_id} is not what the ledger says was proposed: somebody "
            "changed it past the platform. Run `nenghao verify`",
        )
