"""The demo does the main job and says what it came to."""

from __future__ import annotations

import email
import json
from email.policy import default

import pytest

from tests.end_to_end.conftest import Programs


def test_the_demo_delivers_the_golden_figures_and_a_letter(programs: Programs) -> None:
    programs.environment["DEMO_SECONDS"] = "1"
    programs.run("demo")
    summary = json.loads((programs.folder / "demo" / "summary.json").read_text(encoding="utf-8"))
    assert summary["steel_kwh"] == pytest.approx(959_636.71, abs=0.01)
    assert summary["steel_tce"] == pytest.approx(117.94, abs=0.01)
    assert summary["alerts_fired"] >= 1
    assert summary["readings_received"] == sum(
        summary[name] for name in ("readings_stored", "duplicate", "conflicting", "rejected")
    )
    assert summary["readings_stored"] == summary["readings_published"]
    letters = sorted((programs.folder / "demo" / "mail").glob("*.eml"))
    assert len(letters) == summary["mails_delivered"] >= 1
    letter = email.message_from_bytes(letters[0].read_bytes(), policy=default)
    assert letter["To"]
    assert letter["Message-ID"]
