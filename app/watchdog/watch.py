"""Owns what the settings say of the watchdog: whom it tells how, and what it looks at besides."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class Watch:
    """`mail_url`, `webhook`: its own ways to people; `platform_mail`, `web`: what it knocks at.

    `channel` says what takes a text at the webhook, `secret` is what it is signed with.
    """

    mail_url: SecretStr | None = None
    mail_from: str = ""
    mail_to: str = ""
    webhook: SecretStr | None = None
    channel: str = "wecom"
    secret: SecretStr | None = None
    place: str = ""
    platform_mail: SecretStr | None = None
    web: str | None = None

    @property
    def recipients(self) -> list[str]:
        return [address for part in self.mail_to.split(",") if (address := part.strip())]

    @property
    def has_route(self) -> bool:
        return self.webhook is not None or (self.mail_url is not None and bool(self.recipients))


UNWATCHED = Watch()


def plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
