"""Owns what `nenghao alert` may post to, as the settings tell it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pydantic import SecretStr

from alerts import webhooks
from alerts.webhooks import Hooks
from app.resolve import Refusal


def of(told: SecretStr | None, hosts: str, clock: Callable[[], datetime]) -> Hooks:
    """Return the way to the webhooks. Raises Refusal, which shows no secret."""
    text = None if told is None else told.get_secret_value()
    try:
        return Hooks(webhooks.parse(text), webhooks.parse_allowed(hosts), clock)
    except ValueError as error:
        raise Refusal(f"NENGHAO_WEBHOOKS, NENGHAO_WEBHOOK_HOSTS: {error}") from None
