"""The broker says what waits and what it dropped; an alarm comes in time and once."""

from __future__ import annotations

from structlog.testing import capture_logs

from ingest.broker_health import DROPPED, WAITING, BrokerHealth


def alarms(topic: str, *figures: int) -> list[str]:
    health = BrokerHealth(planned=1000)
    with capture_logs() as logs:
        for figure in figures:
            health.take(topic, str(figure).encode())
    assert all(each["log_level"] == "critical" for each in logs)
    return [each["event"] for each in logs]


def test_a_queue_that_fills_is_said_at_half_and_at_four_fifths() -> None:
    assert alarms(WAITING, 100, 499) == []
    assert alarms(WAITING, 500, 600, 799) == ["broker_queue_filling"]
    assert alarms(WAITING, 500, 800, 900) == ["broker_queue_filling"] * 2
    assert alarms(WAITING, 900, 100, 900) == ["broker_queue_filling"] * 2


def test_what_is_dropped_is_said_each_time_it_grows() -> None:
    assert alarms(DROPPED, 7, 7) == []
    assert alarms(DROPPED, 0, 5, 5, 9) == ["broker_dropped"] * 2
    assert alarms(DROPPED, 9, 0, 0) == []


def test_what_is_no_figure_is_passed_over() -> None:
    BrokerHealth().take(DROPPED, b"many")
