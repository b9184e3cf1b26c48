"""Digests: nobody is left out, the worst come first, and the foot is a witness of the books."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerts import digest_page, witness
from alerts.digest_page import ITEMS_MAX, compose_digest
from alerts.kinds import words
from alerts.kinds.words import Language
from alerts.lifecycle import Reason
from app import verify
from tests.alerts import occasions
from tests.alerts.test_letter import digest


def test_the_worst_comes_first_and_what_is_over_comes_last() -> None:
    lines = [line for line in digest(20, Language.ZH).body.splitlines() if line[:1].isdigit()]
    badges = [line.partition("[")[2].partition("]")[0] for line in lines if "[" in line]
    assert badges == sorted(badges, key=lambda badge: ("解除" in badge, "一二三".find(badge[0])))


@pytest.mark.parametrize("language", list(Language))
def test_two_thousand_alerts_are_all_told_in_one_letter(language: Language) -> None:
    made = digest(1_999, language)
    at_length = sum(f"https://nenghao.example/v1/alerts/{n}\n" in made.body for n in range(2_000))
    briefly = sum(line.startswith("[") and "#" in line for line in made.body.splitlines())
    assert (at_length + briefly, briefly) == (2_000, 2_000 - ITEMS_MAX)
    assert "2,000" in made.subject or "2,000" in made.body
    assert len(made.html) < 600_000


def test_the_foot_of_a_digest_is_what_verify_reads(tmp_path: Path) -> None:
    body = digest(3, Language.ZH).body
    path = tmp_path / "heads.json"
    path.write_text(body[body.index('[{"day"') : body.index("}]") + 2], encoding="utf-8")
    assert verify.read(path) == occasions.HEADS


@pytest.mark.parametrize("language", list(Language))
def test_heads_are_said_to_be_of_when_they_were_noted(language: Language) -> None:
    """On its first day an installation notes them in the course of the day after theirs."""
    noted_at = datetime(2026, 11, 23, 2, 41, tzinfo=UTC)
    late = [replace(each, noted_at=noted_at) for each in occasions.HEADS]
    (section,) = witness.sections(late, language)
    assert words.moment(noted_at) in section.lines[0]
    assert late[0].day.isoformat() not in section.lines[0]


def test_a_digest_of_what_is_over_asks_for_nothing() -> None:
    over = [replace(item, reason=Reason.RESOLVED, is_open=False) for item in occasions.items(3)]
    made = compose_digest("柳州市", occasions.OVER.window, over, Language.ZH)
    assert "均已解除" in made.subject
    assert "请您" not in made.body


@pytest.mark.parametrize("reason", [Reason.RETRACTED, Reason.LATE, Reason.AMENDED, Reason.FIRST])
def test_whether_it_is_open_is_what_the_alert_says_whatever_happened_last(reason: Reason) -> None:
    over = [replace(item, reason=reason, is_open=False) for item in occasions.items(1)]
    fires = replace(occasions.items(2)[1], reason=Reason.AMENDED, level=3)
    made = compose_digest("柳州市", occasions.OVER.window, [*over, fires], Language.ZH)
    assert "仍在预警的按等级：三级 1。" in made.body
    lines = [line for line in made.body.splitlines() if line[:1].isdigit() and "[" in line]
    assert ["[三级" in line for line in lines] == [True, False]
    assert "前反馈" not in made.body.partition("请您")[0]


@pytest.mark.parametrize("language", list(Language))
def test_every_reason_has_a_badge(language: Language) -> None:
    untold = {Reason.PENDING, Reason.WITHDRAWN, Reason.NOTED}
    assert set(Reason) - untold <= digest_page.BADGES[language].keys()
