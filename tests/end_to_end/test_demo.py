"""The demo does the main job and says what it came to."""

from __future__ import annotations

import email
import json
from collections.abc import Iterator
from email.policy import default
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from deploy import services
from tests.conftest import STATE_DIR
from tests.end_to_end.conftest import Programs


@pytest.fixture
def instance(programs: Programs) -> Iterator[str]:
    """The services of this demo: others than those of the test run, in the same root."""
    made, root = f"demo-{uuid4().hex[:8]}", STATE_DIR / "services" / "root"
    (programs.folder / "services").mkdir()
    if root.exists():
        (programs.folder / "services" / "root").symlink_to(root)
    yield made
    services.discard(programs.folder, report=lambda _: None, instance=made)


def test_the_demo_delivers_the_golden_figures_and_a_letter(
    programs: Programs, instance: str
) -> None:
    """On services of its own, though the settings name those that a platform may use."""
    programs.environment |= {"DEMO_SECONDS": "1", "DEMO_INSTANCE": instance}
    programs.run("demo")
    summary = json.loads((programs.folder / "demo" / "summary.json").read_text(encoding="utf-8"))
    for name, setting in (("broker", "MQTT_URL"), ("database", "DATABASE_URL")):
        of_a_platform = urlsplit(programs.environment[f"NENGHAO_{setting}"]).port
        assert urlsplit(summary[name]).port not in (None, of_a_platform)
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
