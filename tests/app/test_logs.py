"""A line of the log can be read by machines: its instants too, however deep they are."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
import structlog

from app import logs


def test_instants_are_logged_in_iso_8601(capsys: pytest.CaptureFixture[str]) -> None:
    due_at = datetime(2026, 11, 26, 16, tzinfo=timezone(timedelta(hours=8)))
    try:
        logs.configure()
        structlog.get_logger("alert").info(
            "task_opened", due_at=due_at, within=[due_at, 1], days={"on": date(2026, 11, 26)}
        )
    finally:
        structlog.reset_defaults()
    line = json.loads(capsys.readouterr().err)
    assert line["due_at"] == "2026-11-26T08:00:00Z"
    assert line["within"] == ["2026-11-26T08:00:00Z", 1]
    assert line["days"] == {"on": "2026-11-26"}
    assert datetime.fromisoformat(line["timestamp"]).tzinfo == UTC
