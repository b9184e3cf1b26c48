"""A gateway that floods is named, once, and so is the end of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from structlog.testing import capture_logs

from ingest.noise import Noise

NOW = datetime(2026, 11, 1, tzinfo=UTC)
UNIT = "91450200MA0000001K"


def topics(gateway: str, count: int) -> list[str]:
    return [f"nenghao/v1/450200/{UNIT}/{gateway}/readings"] * count


def told(*minutes: list[str]) -> list[tuple[str, str]]:
    noise = Noise(messages_per_minute_max=10)
    with capture_logs() as logs:
        for number, heard in enumerate(minutes):
            for topic in heard:
                noise.take([topic], NOW + timedelta(minutes=number))
    assert all(each["unit"] == UNIT for each in logs)
    return [(each["event"], each["gateway"]) for each in logs]


def test_a_gateway_is_noisy_above_its_bound_and_not_at_it() -> None:
    assert told(topics("gw1", 10) + topics("gw2", 10)) == []
    assert told(topics("gw1", 50) + topics("gw2", 10)) == [("noisy_gateway", "gw1")]
    assert told(topics("gw1", 9), topics("gw1", 9)) == []


def test_its_noise_is_one_episode_until_a_quieter_minute_has_passed() -> None:
    loud, soft = topics("gw1", 50), topics("gw1", 5)
    begun, ended = ("noisy_gateway", "gw1"), ("noisy_gateway_ended", "gw1")
    assert told(loud, loud, loud) == [begun]
    assert told(loud, soft, soft) == [begun, ended]
    assert told(loud, soft, loud) == [begun, ended, begun]


def test_all_that_an_edge_node_sends_is_its_own() -> None:
    of_devices = [f"spBv1.0/{UNIT}/DDATA/gw1/E{number}" for number in range(11)]
    assert told(of_devices) == [("noisy_gateway", "gw1")]
