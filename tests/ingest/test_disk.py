"""A disk that fills is said in time, and once."""

from __future__ import annotations

from pathlib import Path

from structlog.testing import capture_logs

from ingest.disk import DiskHealth, share_used

FOLDER = Path("/disk")


def alarms(*shares: float | None) -> list[tuple[str, str]]:
    health = DiskHealth()
    with capture_logs() as logs:
        for share in shares:
            health.take(FOLDER, share)
    return [(each["log_level"], each["event"]) for each in logs]


def test_a_disk_that_fills_is_said_at_three_quarters_and_at_nine_tenths() -> None:
    assert alarms(0.1, 0.749) == []
    assert alarms(0.75, 0.8, 0.9, 1.0) == [
        ("warning", "disk_filling"),
        ("critical", "disk_filling"),
    ]


def test_a_disk_on_the_border_is_said_once_and_again_after_it_was_better() -> None:
    assert len(alarms(0.76, 0.74, 0.76, 0.71, 0.75)) == 1
    assert len(alarms(0.76, 0.69, 0.76)) == 2
    assert len(alarms(0.91, 0.86, 0.91, 0.8, 0.91)) == 2


def test_a_disk_that_cannot_be_looked_at_is_unknown_and_not_empty() -> None:
    assert alarms(0.1, None, None, 0.1) == [("warning", "disk_unknown")]
    assert share_used(Path("/no/such/folder")) is None


def test_a_disk_is_used_between_not_at_all_and_wholly(tmp_path: Path) -> None:
    share = share_used(tmp_path)
    assert share is not None
    assert 0 < share <= 1
