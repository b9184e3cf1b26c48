"""What is posted says what it should in the room there is, and is signed as vendors describe."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from alerts import letter, webhook_messages
from alerts.kinds.words import Language
from alerts.lifecycle import Reason
from alerts.webhook_messages import Channel, Webhook, sign_dingtalk, sign_feishu
from db.outbox import ClaimedLetter, NewLetter
from tests.alerts import occasions
from tests.alerts.conftest import NOW


@pytest.mark.parametrize("language", list(Language))
def test_a_short_text_keeps_the_link_to_its_alert_and_no_hashes(language: Language) -> None:
    link = "https://nenghao.example/v1/alerts/7"
    occasion = replace(occasions.product(Reason.FIRST, occasions.OVER), heads=occasions.HEADS)
    made = letter.compose(replace(occasion, link=link), language)
    new = NewLetter(7, "<m>", "<t>", "n", "w", made.subject, made.body)
    hook = Webhook("w", Channel.WECOM, "https://robot.example")
    sent = webhook_messages.request(hook, ClaimedLetter(1, 1, NOW, new), NOW)
    text = json.loads(sent.body)["text"]["content"]
    assert len(text.encode()) <= 2_048
    assert f"{link}\n" in f"{text}\n"
    assert "sha256" not in text


def test_signs_are_those_of_the_vendors() -> None:
    """Computed with openssl: `printf '1\\nsecret' | openssl dgst -sha256 -hmac secret -binary`."""
    assert sign_dingtalk("secret", 1) == "fzqLUufx9hhv/JfGQR0kwpwoJJBqmqYsjz4EnnO47oc="
    assert sign_feishu("secret", 1) == "6o+SjynWLFd+QtSzfgy9uvrayMJ+/S8z4k5MmO7xW68="
