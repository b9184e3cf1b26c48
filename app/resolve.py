"""Owns where the database and the broker are: the settings first, else the local services."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from deploy import services


class Refusal(Exception):
    """A command cannot do its work. The message says what to do; no traceback is shown."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """What the settings say; `state_dir` is where the local services are looked for."""

    state_dir: Path
    database_url: SecretStr | None
    mqtt_url: SecretStr | None
    mqtt_admin_url: SecretStr | None

    def database(self) -> str:
        return self._url(self.database_url, "NENGHAO_DATABASE_URL", "database_url")

    def broker(self) -> str:
        return self._url(self.mqtt_url, "NENGHAO_MQTT_URL", "mqtt_url")

    def broker_admin(self) -> str:
        return self._url(self.mqtt_admin_url, "NENGHAO_MQTT_ADMIN_URL", "mqtt_admin_url")

    def _url(self, given: SecretStr | None, variable: str, attribute: str) -> str:
        if given is not None:
            return given.get_secret_value()
        local = services.status(self.state_dir)
        if local is None:
            raise Refusal(
                f"{variable} is not set and no local services run under {self.state_dir}: "
                f"set it, or start them with `nenghao services up`"
            )
        url: str = getattr(local, attribute)
        return url
