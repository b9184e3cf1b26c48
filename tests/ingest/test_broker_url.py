"""The address of a broker."""

from __future__ import annotations

import pytest

from ingest import broker_url
from ingest.broker_url import BrokerUrl


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://u:p%40%2F@h:1884", BrokerUrl("h", 1884, "u", "p@/", tls=False)),
        ("mqtt://h", BrokerUrl("h", 1883, None, None, tls=False)),
        ("mqtts://u:p@h/", BrokerUrl("h", 8883, "u", "p", tls=True)),
        ("mqtt://[::1]:1883", BrokerUrl("::1", 1883, None, None, tls=False)),
    ],
)
def test_an_address_is_taken_apart(url: str, expected: BrokerUrl) -> None:
    assert broker_url.parse(url) == expected


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://h", "must begin with mqtt:// or mqtts://"),
        ("mqtt://u:secret@", "names no host"),
        ("mqtt://u:secret@h:0", "from 1 to 65535"),
        ("mqtt://u:secret@h:70000", "from 1 to 65535"),
        ("mqtt://u:sec/ret@h:1883", "in a password as %2F"),
        ("mqtt://u:sec?ret@h", "not well formed|write / [?] # inside|from 1 to"),
        ("mqtt://u@h/topic", "ends after host and port"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        broker_url.parse(url)
    assert "sec" not in str(caught.value)


def test_an_address_is_shown_without_its_password() -> None:
    assert "secret" not in repr(broker_url.parse("mqtt://u:secret@h"))
