"""The broker says what waits and what it dropped; an alarm comes in time and once."""

from __future__ import annotations

from structlog.testing import capture_logs

from ingest.broker_health import DROPPED, PLANNED, WAITING, WAITING_BYTES, BrokerHealth, Queue


def alarms(*said: tuple[str, int]) -> list[str]:
    health = BrokerHealth(Queue(messages=1000, size_bytes=50_000))
    with capture_logs() as logs:
        for topic, figure in said:
            health.take(topic, str(figure).encode())
    assert all(each["log_level"] == "critical" for each in logs)
    return [each["event"] for each in logs]


def of(topic: str, *figures: int) -> list[str]:
    return alarms(*((topic, figure) for figure in figures))


def test_a_queue_that_fills_is_said_at_half_and_at_four_fifths() -> None:
    assert of(WAITING, 100, 499) == []
    assert of(WAITING, 500, 600, 799) == ["broker_queue_filling"]
    assert of(WAITING, 500, 800, 900) == ["broker_queue_filling"] * 2
    assert of(WAITING, 900, 100, 900) == ["broker_queue_filling"] * 2


def test_large_messages_fill_it_by_their_bytes() -> None:
    assert of(WAITING_BYTES, 24_999, 25_000, 39_999) == ["broker_queue_filling"]
    assert alarms((WAITING, 500), (WAITING_BYTES, 30_000)) == ["broker_queue_filling"]
    assert alarms((WAITING, 100), (WAITING_BYTES, 40_000), (WAITING, 10)) == [
        "broker_queue_filling"
    ]


def test_what_is_dropped_is_said_each_time_it_grows() -> None:
    assert of(DROPPED, 7, 7) == []
    assert of(DROPPED, 0, 5, 5, 9) == ["broker_dropped"] * 2
    assert of(DROPPED, 9, 0, 0) == []


def test_what_is_no_figure_is_passed_over() -> None:
    BrokerHealth(PLANNED).take(DROPPED, b"many")
