"""Owns which configurations lose or expose data: each is refused by name, with what to do.

Pure: texts and values in, dangers out. What was measured is in docs/operations.md.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import unquote, urlsplit

QUEUE_MESSAGES_MIN = 100_000
QUEUE_BYTES_MIN = 100 * 1024 * 1024
IN_FLIGHT_MIN = 20
PACKET_BYTES_MIN = 256 * 1024 + 1024
"""A batch of 256 KiB with its topic and headers."""

RECEIVE_MAXIMUM_MAX = 5_000
"""Unacknowledged deliveries of 256 KiB each would fill more than a gibibyte."""

EXCESSES_SHOWN = 3
COMMON_PASSWORDS = {"", "nenghao", "postgres", "password", "changeme", "admin", "secret", "123456"}
DURABLE = {"fsync", "full_page_writes", "synchronous_commit"}
TRUE = {"true", "on", "yes", "1"}


class Danger(StrEnum):
    """A configuration that is refused."""

    ANONYMOUS = "anonymous"
    PER_LISTENER = "per_listener"
    QUEUE_UNLIMITED = "queue_unlimited"
    QUEUE_SMALL = "queue_small"
    QUEUE_BYTES_SMALL = "queue_bytes_small"
    NOT_PERSISTENT = "not_persistent"
    NO_PERSISTENCE_LOCATION = "no_persistence_location"
    IN_FLIGHT_SMALL = "in_flight_small"
    IN_FLIGHT_UNLIMITED = "in_flight_unlimited"
    PACKET_SMALL = "packet_small"
    PACKET_UNLIMITED = "packet_unlimited"
    PLAIN_LISTENER = "plain_listener"
    OLD_TLS = "old_tls"
    NO_CREDENTIALS = "no_credentials"
    NO_ACCESS_RULES = "no_access_rules"
    ID_NOT_BOUND = "id_not_bound"
    NO_REVOCATIONS = "no_revocations"
    CONNECTIONS_UNLIMITED = "connections_unlimited"
    SESSIONS_EXPIRE = "sessions_expire"
    NOT_RETAINED = "not_retained"
    NO_LISTENER = "no_listener"
    NOT_WHOLE = "not_whole"
    NOT_DURABLE = "not_durable"
    PLAIN_BROKER = "plain_broker"
    PLAIN_DATABASE = "plain_database"
    VIEW_LOGIN_EXCEEDS = "view_login_exceeds"
    COMMON_PASSWORD = "common_password"
    WINDOW_LARGE = "window_large"


@dataclass(frozen=True, slots=True)
class Found:
    """A danger and the sentence that says what to do about it."""

    danger: Danger
    sentence: str

    def __str__(self) -> str:
        return f"{self.danger}: {self.sentence}"


@dataclass(slots=True)
class _Broker:
    """mosquitto.conf as it is read: what holds for all, and for each listener."""

    overall: dict[str, str] = field(default_factory=dict)
    listeners: list[dict[str, str]] = field(default_factory=list)

    def number(self, name: str, absent: int) -> int:
        text = self.overall.get(name, "")
        return int(text) if text.isdigit() else absent

    def is_true(self, name: str, *, absent: bool) -> bool:
        return self.overall[name].lower() in TRUE if name in self.overall else absent


OF_A_LISTENER = {
    "bind_address", "cafile", "capath", "certfile", "keyfile", "crlfile", "tls_version",
    "require_certificate", "use_identity_as_username", "use_subject_as_username",
    "use_username_as_clientid", "max_connections", "mount_point", "protocol", "psk_hint",
}  # fmt: skip


def of_broker(text: str) -> list[Found]:
    """Return the dangers of a mosquitto.conf."""
    broker = _parse(text)
    return [*_of_sessions(broker), *_of_limits(broker), *_of_access(broker), *_of_parts(broker)]


def _of_parts(broker: _Broker) -> Iterator[Found]:
    if "include_dir" in broker.overall:
        sentence = "include_dir: what other files set is not looked at; put it all into one file"
        yield Found(Danger.NOT_WHOLE, sentence)


def _parse(text: str) -> _Broker:
    broker = _Broker()
    for line in text.splitlines():
        name, _, value = line.strip().partition(" ")
        if not name or name.startswith("#"):
            continue
        if name in ("listener", "port"):
            broker.listeners.append({"listener": value.strip()})
        elif name in OF_A_LISTENER and broker.listeners:
            broker.listeners[-1][name] = value.strip()
        else:
            broker.overall[name] = value.strip()
    return broker


def _of_sessions(broker: _Broker) -> Iterator[Found]:
    if broker.is_true("per_listener_settings", absent=False):
        sentence = "per_listener_settings true loses all that is sent while a collector is offline"
        yield Found(Danger.PER_LISTENER, sentence + ": remove it")
    if not broker.is_true("persistence", absent=False):
        yield Found(
            Danger.NOT_PERSISTENT, "set `persistence true`: sessions must outlive a restart"
        )
    if "persistence_location" not in broker.overall:
        sentence = "set persistence_location to a folder that the broker may write"
        yield Found(Danger.NO_PERSISTENCE_LOCATION, sentence)
    if "persistent_client_expiration" in broker.overall:
        sentence = "remove persistent_client_expiration: it ends the session of an absent collector"
        yield Found(Danger.SESSIONS_EXPIRE, sentence)
    if not broker.is_true("retain_available", absent=True):
        sentence = "set `retain_available true`: the status of gateways is retained"
        yield Found(Danger.NOT_RETAINED, sentence)


def _of_limits(broker: _Broker) -> Iterator[Found]:
    queue = broker.number("max_queued_messages", 1000)
    if queue == 0:
        sentence = "max_queued_messages 0 disconnects whoever is denied a topic: give a number"
        yield Found(Danger.QUEUE_UNLIMITED, sentence)
    elif queue < QUEUE_MESSAGES_MIN:
        sentence = f"max_queued_messages {queue} drops the rest unseen: at least"
        yield Found(Danger.QUEUE_SMALL, f"{sentence} {QUEUE_MESSAGES_MIN}")
    if 0 < broker.number("max_queued_bytes", 0) < QUEUE_BYTES_MIN:
        sentence = f"max_queued_bytes must be at least {QUEUE_BYTES_MIN}"
        yield Found(Danger.QUEUE_BYTES_SMALL, sentence)
    in_flight = broker.number("max_inflight_messages", 20)
    if in_flight == 0:
        sentence = "max_inflight_messages 0 sends a whole backlog at once: give a number"
        yield Found(Danger.IN_FLIGHT_UNLIMITED, sentence)
    elif in_flight < IN_FLIGHT_MIN:
        sentence = f"max_inflight_messages must be at least {IN_FLIGHT_MIN}"
        yield Found(Danger.IN_FLIGHT_SMALL, sentence)
    packet = broker.number("max_packet_size", 0)
    if packet == 0:
        sentence = "set max_packet_size: without it one client can fill the broker's memory"
        yield Found(Danger.PACKET_UNLIMITED, sentence)
    elif packet < PACKET_BYTES_MIN:
        sentence = f"max_packet_size must be at least {PACKET_BYTES_MIN}: a batch has 256 KiB"
        yield Found(Danger.PACKET_SMALL, sentence)


def _of_access(broker: _Broker) -> Iterator[Found]:
    if broker.is_true("allow_anonymous", absent=not broker.listeners):
        yield Found(Danger.ANONYMOUS, "set `allow_anonymous false`")
    has_plugin = "plugin" in broker.overall or "auth_plugin" in broker.overall
    if not has_plugin and "acl_file" not in broker.overall:
        sentence = "set acl_file or the dynamic-security plugin: every login may do everything"
        yield Found(Danger.NO_ACCESS_RULES, sentence)
    if not broker.listeners:
        yield Found(Danger.NO_LISTENER, "name a listener: `listener 8883`")
    for listener in broker.listeners:
        has_file = "password_file" in broker.overall
        yield from _of_listener(listener, has_plugin or has_file, is_bound=has_plugin)


def _of_listener(
    listener: Mapping[str, str], has_passwords: bool, *, is_bound: bool
) -> Iterator[Found]:
    """`is_bound`: dynamic security binds each login to its client id."""
    port, _, address = listener["listener"].partition(" ")
    is_secured = "certfile" in listener and "keyfile" in listener
    if not is_secured and not _is_loopback(address or listener.get("bind_address", "")):
        sentence = f"listener {port} speaks without TLS to the outside: certfile and keyfile, or"
        yield Found(Danger.PLAIN_LISTENER, f"{sentence} bind it to 127.0.0.1")
    if listener.get("tls_version", "tlsv1.2") not in ("tlsv1.2", "tlsv1.3"):
        yield Found(Danger.OLD_TLS, f"listener {port}: tls_version tlsv1.2 or tlsv1.3")
    asks = listener.get("require_certificate", "").lower() in TRUE
    if not asks and not has_passwords:
        sentence = f"listener {port} asks for nothing: require_certificate true, or passwords"
        yield Found(Danger.NO_CREDENTIALS, sentence)
    is_named = listener.get("use_username_as_clientid", "").lower() in TRUE
    if not is_named and (asks or not is_bound):
        sentence = f"listener {port}: use_username_as_clientid true, or any login can take over"
        yield Found(Danger.ID_NOT_BOUND, f"{sentence} a collector's session")
    if asks and "crlfile" not in listener:
        sentence = f"listener {port}: set crlfile, or nobody can be shut out"
        yield Found(Danger.NO_REVOCATIONS, sentence)
    if asks and listener.get("max_connections", "-1").startswith("-"):
        sentence = f"listener {port}: set max_connections, or silent sockets shut out collectors"
        yield Found(Danger.CONNECTIONS_UNLIMITED, sentence)


def of_database(settings: Mapping[str, str]) -> list[Found]:
    """Return the dangers of PostgreSQL's settings: a commit that is not on disk is no commit."""
    return [
        Found(Danger.NOT_DURABLE, f"set {name} = on in PostgreSQL: a receipt must outlive a crash")
        for name in sorted(DURABLE)
        if settings.get(name, "on") in ("off", "local")
    ]


def of_view_login(excesses: Sequence[str]) -> list[Found]:
    """Return the danger of a login that looks for callers and could do more than look."""
    if not excesses:
        return []
    shown = "; ".join(excesses[:EXCESSES_SHOWN])
    sentence = f"NENGHAO_VIEW_DATABASE_URL: its login must only look at schema api, yet {shown}"
    return [Found(Danger.VIEW_LOGIN_EXCEEDS, sentence)]


def of_addresses(database_url: str, mqtt_url: str, receive_maximum: int) -> list[Found]:
    """Return the dangers of where the services are and how we log in there."""
    found: list[Found] = []
    database, broker = urlsplit(database_url), urlsplit(mqtt_url)
    if broker.scheme == "mqtt" and not _is_loopback(broker.hostname or ""):
        found.append(Found(Danger.PLAIN_BROKER, "NENGHAO_MQTT_URL: use mqtts:// off this machine"))
    outside = not _is_loopback(database.hostname or "127.0.0.1")
    if outside and not any(
        word in database.query for word in ("sslmode=require", "sslmode=verify")
    ):
        sentence = "NENGHAO_DATABASE_URL: add ?sslmode=verify-full off this machine"
        found.append(Found(Danger.PLAIN_DATABASE, sentence))
    for variable, parts in (("NENGHAO_DATABASE_URL", database), ("NENGHAO_MQTT_URL", broker)):
        is_inside = _is_loopback(parts.hostname or "127.0.0.1")
        if not is_inside and unquote(parts.password or "") in COMMON_PASSWORDS:
            sentence = f"{variable}: the password is empty or one that everybody knows"
            found.append(Found(Danger.COMMON_PASSWORD, sentence))
    if receive_maximum > RECEIVE_MAXIMUM_MAX:
        sentence = f"NENGHAO_RECEIVE_MAXIMUM: at most {RECEIVE_MAXIMUM_MAX}, or memory has no bound"
        found.append(Found(Danger.WINDOW_LARGE, sentence))
    return found


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def sentences(found: Sequence[Found]) -> str:
    return "; ".join(str(each) for each in found)
