"""Owns where the database and the broker are: the settings first, else the local services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from pydantic import SecretStr

import db.logins
from app.approval import APPROVED_BY_NONE, Rule
from app.watchdog.watch import UNWATCHED, Watch
from deploy import services
from deploy.services import Services
from energy.factors import Unverified

ANSWER_WITHIN_S = 10
EXCESSES_SHOWN = 3
MALFORMED = (
    "NENGHAO_DATABASE_URL is not the address of a database; "
    "write postgresql://user:password@host:port/database"
)


class Refusal(Exception):
    """A command cannot do its work. The message says what to do; no traceback is shown."""


def plain(message: str) -> str:
    """Return what pydantic says of a value, without its own words for it.

    >>> plain("Input should be 'note' or 'refuse'"), plain("Value error, is not a month")
    ("should be 'note' or 'refuse'", 'is not a month')
    """
    for words in ("Value error, ", "Input ", "String "):
        message = message.removeprefix(words)
    return message


@dataclass(frozen=True, slots=True)
class Addresses:
    """What the settings say; `state_dir` is where the local services are looked for.

    `unverified`: how settlement takes factors, for commands that check its work; `coverage_floor`:
    below which share of readings nothing is judged, for those that try rules out.
    """

    state_dir: Path
    database_url: SecretStr | None
    mqtt_url: SecretStr | None
    mqtt_admin_url: SecretStr | None
    authority_dir: Path | None = None
    gateway_broker_url: str | None = None
    broker_reload: str | None = None
    unverified: Unverified = Unverified.NOTE
    logins_file: Path | None = None
    service_database_url: SecretStr | None = None
    rule: Rule = APPROVED_BY_NONE
    coverage_floor: float = 0.75
    watch: Watch = UNWATCHED

    def database(self) -> str:
        """Return the URL of a database that answers, for who may change its schema."""
        given = self.database_url or self.service_database_url
        url = self._url(given, "NENGHAO_DATABASE_URL", "database_url")
        _require_answer(url)
        return url

    def service(self) -> str:
        """Return the URL of the login that programs and commands run as. It keeps all traces."""
        given = self.service_database_url
        url = service_url(self.database(), given)
        if not db.logins.lets_in(url):
            raise Refusal(_shut_out(db.logins.SERVICE, "NENGHAO_SERVICE_DATABASE_URL"))
        if excesses := db.logins.list_service_excesses(url):
            raise Refusal(
                f"NENGHAO_SERVICE_DATABASE_URL: its login must keep every trace, yet "
                f"{'; '.join(excesses[:EXCESSES_SHOWN])}"
            )
        return url

    def unasked(self) -> str:
        """Return the same without asking whether it answers: who watches wants to know that."""
        given = self.database_url or self.service_database_url
        url = self._url(given, "NENGHAO_DATABASE_URL", "database_url", services.were)
        return service_url(url, self.service_database_url)

    def unasked_broker(self) -> str | None:
        """Return the URL of the broker likewise; None: this machine knows of none."""
        if self.mqtt_url is not None:
            return self.mqtt_url.get_secret_value()
        local = services.were(self.state_dir)
        return None if local is None else local.mqtt_url

    def broker(self) -> str:
        return self._url(self.mqtt_url, "NENGHAO_MQTT_URL", "mqtt_url")

    def broker_admin(self) -> str:
        return self._url(self.mqtt_admin_url, "NENGHAO_MQTT_ADMIN_URL", "mqtt_admin_url")

    def _url(
        self,
        given: SecretStr | None,
        variable: str,
        attribute: str,
        ask: Callable[[Path], Services | None] = services.status,
    ) -> str:
        if given is not None:
            return given.get_secret_value()
        local = ask(self.state_dir)
        if local is None:
            raise Refusal(
                f"{variable} is not set and no local services run under {self.state_dir.resolve()}:"
                " set it, start them with `nenghao services up`, or say with NENGHAO_STATE_DIR "
                "where they run"
            )
        url: str = getattr(local, attribute)
        return url


def list_excesses(view_url: str) -> list[str]:
    """Return what the login that only looks has beyond looking, once it is let in."""
    if not db.logins.lets_in(view_url):
        raise Refusal(_shut_out(db.logins.VIEW, "NENGHAO_VIEW_DATABASE_URL"))
    return db.logins.list_excesses(view_url)


def service_url(database_url: str, given: SecretStr | None) -> str:
    """Return the URL of the login that programs and commands run as."""
    if given is not None:
        return given.get_secret_value()
    return db.logins.derived(database_url, db.logins.SERVICE)


def _shut_out(login: str, variable: str) -> str:
    return (
        f"the database does not let in the login {login}: run `nenghao migrate`, or give it a "
        f"password of its own and set {variable}"
    )


def _require_answer(url: str) -> None:
    """Raise Refusal with what to do unless the database at `url` lets us in."""
    if not url.startswith(("postgresql://", "postgres://")):
        raise Refusal(MALFORMED)
    try:
        psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        raise Refusal(MALFORMED) from None  # what it says quotes the password
    try:
        psycopg.connect(url, connect_timeout=ANSWER_WITHIN_S).close()
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise Refusal(
            f"the database at {_shown(url)} does not let us in: {reason}; "
            "start it (`nenghao services up` for a local one) or mend NENGHAO_DATABASE_URL"
        ) from None


def _shown(url: str) -> str:
    """Return host, port and database of `url`, never its password."""
    parts = psycopg.conninfo.conninfo_to_dict(url)
    return f"{parts.get('host')}:{parts.get('port', 5432)}/{parts.get('dbname')}"
