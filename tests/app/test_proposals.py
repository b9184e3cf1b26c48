"""[42] What values figures, replaces readings or takes facts away holds once two people want it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

import db.changes
import db.corrections
import db.proposals
from app import approval, drafts, proposing, verification, withdrawing
from app.approval import Deed, Obstacle, Rule, Standing, State
from app.drafts import Draft, Submission
from app.imports.kinds import Kind
from app.proposing import ObstructedError
from app.resolve import Refusal
from app.roles import MAY, Act
from db.changes import Author, Content, Fact
from db.corrections import CorrectionRow
from db.pool import Connection
from db.proposals import Place, ProposalRow
from tests import factories
from tests.app.conftest import NOW
from tests.app.test_factor_imports import GAS
from tests.app.test_importing import TARGET, Desk
from tests.app.test_withdrawals import OWN_GAS, stated

RULE = Rule(is_required=True)
ZHAO = Author("zhao", "targets of 2026", "桂发改〔2026〕1号")
LATER = NOW + timedelta(days=1)
TARGET_KEY = "450200/2026"


def file(*rows: Mapping[str, str]) -> bytes:
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    return "\n".join(lines).encode()


def wanted(kind: Kind, *rows: Mapping[str, str], author: Author = ZHAO) -> Submission:
    return Submission(Deed.IMPORT, kind, f"{kind}.csv", file(*rows), author)


async def propose(connection: Connection, submission: Submission) -> ProposalRow:
    drafted = await drafts.draft(connection, submission)
    return await proposing.propose(connection, RULE, submission, drafted, NOW)


async def approve(connection: Connection, row: ProposalRow, decider: str = "qian") -> ProposalRow:
    return await proposing.decide(
        connection, row.proposal_id, State.APPROVED, decider, "as in the document", LATER
    )


async def rates(connection: Connection) -> list[float]:
    rows = await connection.fetch("SELECT required_rate FROM region_targets ORDER BY year")
    return [row["required_rate"] for row in rows]


# -- what is asked for, and of whom ----------------------------------------------------------------


def test_factors_targets_corrections_and_every_withdrawal_call_for_a_second_person() -> None:
    called = {kind for kind in Kind if approval.calls_for_one(Deed.IMPORT, kind)}
    assert {Kind.FACTORS, Kind.TARGETS, Kind.LIMITS, Kind.CORRECTIONS} <= called
    assert {Kind.METERS, Kind.EPOCHS, Kind.FIGURES} <= called
    assert not {Kind.PRODUCTION, Kind.UNITS, Kind.CONTACTS} & called
    assert all(approval.calls_for_one(Deed.WITHDRAWAL, kind) for kind in Kind)
    assert not any(Rule().asks(deed, kind) for deed in Deed for kind in Kind)


@pytest.mark.parametrize(
    ("decider", "to", "later", "state", "found"),
    [
        ("qian", State.APPROVED, 0, State.OPEN, None),
        ("zhao", State.APPROVED, 0, State.OPEN, Obstacle.OWN),
        (" ZHAO", State.APPROVED, 0, State.OPEN, Obstacle.OWN),
        ("ｚｈａｏ", State.APPROVED, 0, State.OPEN, Obstacle.OWN),
        ("zhao", State.REJECTED, 0, State.OPEN, None),
        ("qian", State.APPROVED, 14, State.OPEN, Obstacle.EXPIRED),
        ("qian", State.APPROVED, 0, State.APPROVED, Obstacle.DECIDED),
        ("qian", State.REJECTED, 14, State.REJECTED, Obstacle.DECIDED),
    ],
)
def test_who_may_decide_on_what(
    decider: str, to: State, later: int, state: State, found: Obstacle | None
) -> None:
    standing = Standing("zhao", state, NOW + timedelta(days=14))
    at = NOW + timedelta(days=later)
    assert approval.obstacle(standing, decider, to, at) is found


def test_nobody_who_approves_sees_to_the_trace() -> None:
    for role, may in MAY.items():
        assert Act.APPROVE not in may or not may & {Act.AUDIT, Act.ADMINISTER}, role
        assert Act.APPROVE not in may or Act.STATE in may, role


# -- a proposal and its end ------------------------------------------------------------------------


async def test_what_is_proposed_holds_once_another_person_approved_it(
    connection: Connection,
) -> None:
    row = await propose(connection, wanted(Kind.TARGETS, TARGET))
    assert (row.state, row.region, row.unit, row.name) == ("open", "450200", None, "targets.csv")
    assert await rates(connection) == []
    decided = await approve(connection, row)
    assert (decided.state, decided.decider, decided.decided_at) == ("approved", "qian", LATER)
    assert await rates(connection) == [-0.02747]
    (change,) = [
        each
        for each in await db.changes.list_stated(connection, "targets", "450200")
        if each.fact.content
    ]
    assert change.author == replace(ZHAO, approver="qian")


async def test_both_words_stand_in_the_ledger(connection: Connection) -> None:
    row = await propose(connection, wanted(Kind.TARGETS, TARGET))
    await approve(connection, row)
    told = await db.changes.list_history(connection, "proposals", str(row.proposal_id))
    assert [(each.author.actor, (each.fact.content or {})["state"]) for each in told] == [
        ("zhao", "open"),
        ("qian", "approved"),
    ]


async def test_who_proposed_does_not_approve_and_may_take_it_back(connection: Connection) -> None:
    row = await propose(connection, wanted(Kind.TARGETS, TARGET))
    with pytest.raises(ObstructedError, match="by the same person") as refused:
        await approve(connection, row, " Zhao ")
    assert refused.value.code == "own_proposal"
    rejected = await proposing.decide(
        connection, row.proposal_id, State.REJECTED, "zhao", "mistaken", LATER
    )
    assert (rejected.state, await rates(connection)) == ("rejected", [])
    with pytest.raises(ObstructedError, match="was decided on already"):
        await approve(connection, row)


@pytest.mark.tampers("who decided, past the platform")
async def test_the_database_itself_lets_nobody_approve_what_they_proposed(
    connection: Connection,
) -> None:
    row = await propose(connection, wanted(Kind.TARGETS, TARGET))
    with pytest.raises(asyncpg.CheckViolationError):
        await db.proposals.decide(
            connection, row.proposal_id, state="approved", decider=" ZHAO", decided_at=LATER,
            reason="r",
        )  # fmt: skip


@pytest.mark.tampers("an approver, past the platform")
async def test_the_ledger_itself_takes_no_author_as_their_own_approver(
    connection: Connection,
) -> None:
    itself = replace(ZHAO, approver=" Zhao")
    with pytest.raises(asyncpg.CheckViolationError):
        await db.changes.record(connection, itself, [Fact("targets", "450200/2026", {})], NOW)


async def test_a_proposal_expires(connection: Connection) -> None:
    row = await propose(connection, wanted(Kind.TARGETS, TARGET))
    assert row.expires_at == NOW + timedelta(days=14)
    with pytest.raises(ObstructedError, match="has expired") as refused:
        await proposing.decide(
            connection, row.proposal_id, State.APPROVED, "qian", "r", row.expires_at
        )
    assert (refused.value.code, await rates(connection)) == ("proposal_expired", [])


async def test_the_same_proposed_again_is_the_same_proposal(connection: Connection) -> None:
    first = await propose(connection, wanted(Kind.TARGETS, TARGET))
    mine = Author("qian", "the same, in other words", "桂发改〔2026〕2号")
    again = await propose(connection, wanted(Kind.TARGETS, TARGET, author=mine))
    other = await propose(connection, wanted(Kind.TARGETS, {**TARGET, "year": "2027"}))
    assert first.proposal_id == again.proposal_id < other.proposal_id
    assert again.proposer == "zhao"


@pytest.mark.tampers("proposals, past the platform")
async def test_nobody_has_more_waiting_than_somebody_can_look_at(connection: Connection) -> None:
    row = await propose(connection, wanted(Kind.TARGETS, TARGET))
    await connection.execute(
        """
        INSERT INTO proposals (deed, kind, name, payload, sha256, effect, effect_sha256, proposer,
                               reason, evidence, proposed_at, expires_at)
        SELECT deed, kind, name, payload, sha256, effect, effect_sha256, ' ZHAO', reason, '',
               proposed_at, expires_at
          FROM proposals
         CROSS JOIN generate_series(2, $1::integer)
        """,
        proposing.OPEN_MAX,
    )
    next_year = wanted(Kind.TARGETS, {**TARGET, "year": "2027"})
    with pytest.raises(ObstructedError, match="100 proposals of zhao wait") as refused:
        await propose(connection, next_year)
    assert refused.value.code == "too_many_proposals"
    assert (await propose(connection, wanted(Kind.TARGETS, TARGET))).proposal_id == row.proposal_id
    await propose(connection, replace(next_year, author=Author("qian", "r")))


async def test_what_cannot_hold_is_not_even_proposed(connection: Connection) -> None:
    with pytest.raises(Refusal, match="has problems, nothing was imported"):
        await propose(connection, wanted(Kind.TARGETS, {**TARGET, "region": "990000"}))
    await approve(connection, await propose(connection, wanted(Kind.TARGETS, TARGET)))
    with pytest.raises(Refusal, match="changes nothing"):
        await propose(connection, wanted(Kind.TARGETS, TARGET))


async def test_what_others_stand_on_is_not_even_proposed_for_withdrawal(
    connection: Connection,
) -> None:
    """It is tried out: drafting alone does not find that."""
    facts = dict(await stated(connection))
    key = facts[Kind.PROJECTS]
    submission = Submission(Deed.WITHDRAWAL, Kind.PROJECTS, key, key.encode(), ZHAO)
    with pytest.raises(Refusal, match="withdraw that first"):
        await propose(connection, submission)
    assert await db.proposals.list_all(connection, limit=None) == []


async def test_what_others_changed_meanwhile_is_not_overrun_and_nothing_is_lost(
    connection: Connection,
) -> None:
    first = await propose(connection, wanted(Kind.TARGETS, TARGET))
    second = await propose(connection, wanted(Kind.TARGETS, {**TARGET, "required_rate": "-0.03"}))
    await approve(connection, second)
    with pytest.raises(ObstructedError, match="others changed since") as refused:
        await approve(connection, first)
    assert refused.value.code == "proposal_outdated"
    assert await rates(connection) == [-0.03]
    kept = await db.proposals.fetch_locked(connection, first.proposal_id)
    assert kept is not None
    assert (kept[0].state, kept[1]) == ("open", file(TARGET))


@pytest.mark.tampers("the payload of a proposal")
async def test_a_payload_that_was_exchanged_is_not_applied_and_is_found(
    connection: Connection,
) -> None:
    """[42] Who may write to the table may not decide alone."""
    row = await propose(connection, wanted(Kind.TARGETS, TARGET))
    mine = {**TARGET, "required_rate": "-0.04"}
    other = await drafts.draft(connection, wanted(Kind.TARGETS, mine))
    await connection.execute(
        "UPDATE proposals SET payload = $1, sha256 = sha256($1), effect_sha256 = $2",
        file(mine),
        other.sha256(),
    )
    with pytest.raises(ObstructedError, match="past the platform"):
        await approve(connection, row)
    report = await verification.verify(connection, [], lambda check, done, total: None)
    assert [each.chain for each in report.findings] == ["proposals"]


# -- each deed -------------------------------------------------------------------------------------


async def test_a_factor_is_taken_away_by_two_people(connection: Connection, tmp_path: Path) -> None:
    await factories.unit(connection)
    await Desk(connection, tmp_path).take(Kind.FACTORS, GAS)
    row = await propose(
        connection,
        Submission(Deed.WITHDRAWAL, Kind.FACTORS, OWN_GAS, OWN_GAS.encode(), ZHAO),
    )
    assert row.unit == GAS["unit"]
    assert await connection.fetchval("SELECT count(*) FROM factors WHERE unit_id IS NOT NULL") == 1
    await approve(connection, row)
    with pytest.raises(Refusal, match="was withdrawn already, on 2026-11-24 by zhao"):
        await withdrawing.find(connection, Kind.FACTORS, OWN_GAS)
    *_, gone = await db.changes.list_history(connection, "factors", OWN_GAS)
    assert gone.author.approver == "qian"


async def test_a_reading_is_replaced_by_two_people(connection: Connection) -> None:
    unit_id = await factories.unit(connection)
    meter_id = await factories.meter(connection, unit_id, "E01")
    await connection.execute(
        "INSERT INTO readings VALUES ($1, '2026-11-01Z', 7, 'good', now())", meter_id
    )
    at = NOW.replace(day=1, hour=0)
    row_of = CorrectionRow(factories.unit_code(), "E01", at, 5.5)
    row = await propose(
        connection,
        Submission(
            Deed.CORRECTION, Kind.CORRECTIONS, row_of.subject, drafts.written([row_of]), ZHAO
        ),
    )
    assert await db.corrections.list_standing(connection) == []
    await approve(connection, row)
    assert await db.corrections.list_standing(connection) == [row_of]


OWN = {"unit": GAS["unit"], "kgce_per_uom": 1.2}
OTHERS = {"unit": factories.unit_code(2), "kgce_per_uom": 1.2}
ALL = {"unit": None, "carrier": "natural_gas"}


@pytest.mark.parametrize(
    ("contents", "place"),
    [
        ([OWN], Place("450181", GAS["unit"])),
        ([OWN, OTHERS], Place("450000")),
        ([OWN, {"region": "450100"}], Place("450100")),
        ([OWN, ALL], Place()),
        ([{"region": "450200"}], Place("450200")),
        ([{"owner_kind": "unit", "owner": GAS["unit"]}], Place("450181", GAS["unit"])),
        ([{"owner_kind": "city", "owner": "450200"}], Place("450200")),
        ([{"owner_kind": "park", "owner": "k"}], Place()),
        ([{"product": "steel"}], Place()),
    ],
)
async def test_a_proposal_is_for_who_answers_for_all_that_it_touches(
    connection: Connection, contents: list[Content], place: Place
) -> None:
    await factories.unit(connection, region="450181")
    await factories.unit(connection, factories.unit_code(2), region="450202")

    async def nothing(author: Author, now: datetime) -> None: ...

    facts = [Fact("factors", str(number), each) for number, each in enumerate(contents)]
    assert await drafts.place(connection, Draft([], facts, nothing)) == place
    gone = [Fact("factors", fact.subject, None) for fact in facts]
    assert await drafts.place(connection, Draft(facts, gone, nothing)) == place


async def test_where_nobody_is_asked_the_ledger_says_that_nobody_approved(
    connection: Connection, tmp_path: Path
) -> None:
    desk = Desk(connection, tmp_path)
    await desk.take(Kind.TARGETS, TARGET)
    await desk.take(Kind.UNITS, {"unit": GAS["unit"], "name": "n", "region": "450202",
                                 "industry": "C3011"})  # fmt: skip
    approvers = await connection.fetch("SELECT noun, approver FROM changes ORDER BY change_id")
    assert [tuple(row) for row in approvers] == [("targets", ""), ("units", None)]


@pytest.mark.tampers("an approver")
async def test_an_approver_put_in_afterwards_breaks_the_chain(
    connection: Connection, tmp_path: Path
) -> None:
    await Desk(connection, tmp_path).take(Kind.TARGETS, TARGET)
    await connection.execute("ALTER TABLE changes DISABLE TRIGGER USER")
    await connection.execute("UPDATE changes SET approver = 'qian'")
    report = await verification.verify(connection, [], lambda check, done, total: None)
    assert report.first("changes") is not None
