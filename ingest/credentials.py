"""Owns the broker logins of gateways: granted and withdrawn through dynamic security over MQTT.

A gateway may send only its own readings and status and receive only its own receipts and requests,
and its client id must be its username: another id would let it take over a collector's session.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ingest import broker_url, names
from ingest.names import NameFault
from ingest.sparkplug.topics import OF_A_DEVICE, OF_A_NODE, MessageType, Origin
from ingest.topics import Address, Leaf

CONTROL = "$CONTROL/dynamic-security/v1"
RESPONSE = f"{CONTROL}/response"
GATEWAYS_PER_LIST = 25  # the broker rewrites its file at each command and serves nobody meanwhile
KEEPALIVE_S = 60

Command = dict[str, object]


class CredentialsError(Exception):
    """The broker could not be asked, or refused."""


@dataclass(frozen=True, slots=True)
class Login:
    """What a gateway is given. Its MQTT client id is its username, unless any was allowed."""

    city: str
    unit: str
    gateway: str
    username: str
    password: str = field(repr=False)


def grant(
    admin_url: str,
    gateways: Sequence[tuple[str, str, str]],
    *,
    any_client_id: bool = False,
    timeout_s: float = 10,
) -> list[Login]:
    """Give each gateway, a (city, unit, gateway), a login with a new random password.

    One that had a login loses it first, with its live connection. `any_client_id` is for try-outs
    by hand with several clients at once: such a login could take over another client's session.
    `timeout_s` is the longest wait for one answer of the broker.
    """
    logins = [_login(*gateway) for gateway in gateways]
    with _administrator(admin_url, timeout_s) as ask:
        for first in range(0, len(logins), GATEWAYS_PER_LIST):
            some = logins[first : first + GATEWAYS_PER_LIST]
            commands = [c for login in some for c in _replacement(login, any_client_id)]
            answers = ask(commands)
            _check(answers, "createRole", "createClient")
    return logins


def withdraw(admin_url: str, unit: str, gateway: str, *, timeout_s: float = 10) -> bool:
    """Take a gateway's login away and cut its live connection. Return whether it had one."""
    with _administrator(admin_url, timeout_s) as ask:
        answers = ask(_removal(username(unit, gateway)))
    missing = {answer.get("error") for answer in answers if answer["command"] == "deleteClient"}
    if missing <= {None, "Client not found"}:
        return missing == {None}
    raise CredentialsError(f"the broker refused to withdraw the login: {missing}")


def _login(city: str, unit: str, gateway: str) -> Login:
    try:
        names.check(city, unit, gateway)
    except NameFault as error:
        raise CredentialsError(str(error)) from None
    return Login(city, unit, gateway, username(unit, gateway), secrets.token_urlsafe(24))


def username(unit: str, gateway: str) -> str:
    """Return the login of a gateway. Raises CredentialsError for a name it cannot have."""
    try:
        names.check_gateway(unit, gateway)
    except NameFault as error:
        raise CredentialsError(str(error)) from None
    return f"{unit}.{gateway}"


def _removal(username: str) -> list[Command]:
    return [
        {"command": "deleteClient", "username": username},
        {"command": "deleteRole", "rolename": username},
    ]


def _replacement(login: Login, any_client_id: bool) -> list[Command]:
    address = Address(login.city, login.unit, login.gateway)
    edge_node = Origin(login.unit, login.gateway)
    devices = Origin(login.unit, login.gateway, "+")
    sent = [
        *(address.topic(leaf) for leaf in (Leaf.READINGS, Leaf.STATUS)),
        *(edge_node.topic(each) for each in sorted(OF_A_NODE)),
        *(devices.topic(each) for each in sorted(OF_A_DEVICE)),
    ]
    received = [
        *(address.topic(leaf) for leaf in (Leaf.RECEIPTS, Leaf.REQUESTS)),
        edge_node.topic(MessageType.NCMD),
    ]
    access = [("publishClientSend", topic) for topic in sent]
    for kind in ("subscribeLiteral", "publishClientReceive", "unsubscribeLiteral"):
        access += [(kind, topic) for topic in received]
    role: Command = {
        "command": "createRole",
        "rolename": login.username,
        "acls": [{"acltype": kind, "topic": topic, "allow": True} for kind, topic in access],
    }
    client: Command = {
        "command": "createClient",
        "username": login.username,
        "password": login.password,
        "textname": f"gateway in {login.city}",
        "roles": [{"rolename": login.username}],
    }
    if not any_client_id:
        client["clientid"] = login.username
    return [*_removal(login.username), role, client]


def _check(answers: Sequence[Mapping[str, object]], *commands: str) -> None:
    refused = {
        str(answer["error"])
        for answer in answers
        if answer.get("command") in commands and "error" in answer
    }
    if refused:
        raise CredentialsError(f"the broker refused: {', '.join(sorted(refused))}")


Ask = Callable[[list[Command]], list[dict[str, object]]]


@contextmanager
def _administrator(admin_url: str, timeout_s: float) -> Iterator[Ask]:
    """Connect as administrator; yield a function that sends commands and returns the answers."""
    try:
        broker = broker_url.parse(admin_url)
    except ValueError as error:
        raise CredentialsError(str(error)) from None
    conversation = _Conversation(broker, timeout_s)
    try:
        conversation.open()
        yield conversation.ask
    finally:
        conversation.close()


class _Conversation:
    """One connection, driven by the caller's thread: every wait is bounded."""

    def __init__(self, broker: broker_url.BrokerUrl, timeout_s: float) -> None:
        self._broker = broker
        self._timeout_s = timeout_s
        self._reason: ReasonCode | None = None
        self._subscribed = False
        self._answer: bytes | None = None
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.username_pw_set(broker.username or "", broker.password)
        if broker.tls:
            self._client.tls_set()
        self._client.connect_timeout = timeout_s
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def open(self) -> None:
        try:
            self._client.connect(self._broker.host, self._broker.port, KEEPALIVE_S)
        except OSError as error:
            raise CredentialsError(f"no broker answers at {self._where}: {error}") from None
        self._drive(lambda: self._reason is not None)
        if self._reason is not None and self._reason.is_failure:
            who = self._broker.username
            raise CredentialsError(f"the broker at {self._where} refused {who}: {self._reason}")
        self._client.subscribe(RESPONSE, qos=1)
        self._drive(lambda: self._subscribed)

    def ask(self, commands: list[Command]) -> list[dict[str, object]]:
        self._answer = None
        self._client.publish(CONTROL, json.dumps({"commands": commands}), qos=1)
        self._drive(lambda: self._answer is not None)
        answers: list[dict[str, object]] = json.loads(self._answer or b"{}").get("responses", [])
        if len(answers) != len(commands):
            raise CredentialsError(
                f"the broker answered {len(answers)} of {len(commands)} commands"
            )
        return answers

    def close(self) -> None:
        if self._client.is_connected():
            self._client.disconnect()
        self._client.loop_misc()

    @property
    def _where(self) -> str:
        return f"{self._broker.host}:{self._broker.port}"

    def _drive(self, arrived: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._timeout_s
        while not arrived():
            if time.monotonic() > deadline:
                raise CredentialsError(
                    f"the broker at {self._where} did not answer within {self._timeout_s:g} s; "
                    "is the login the administrator of its dynamic security?"
                )
            code = self._client.loop(timeout=0.1)
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS and not arrived():
                raise CredentialsError(f"the connection to {self._where} was lost: {code.name}")

    def _on_connect(
        self,
        _client: Client,
        _userdata: object,
        _flags: object,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._reason = reason

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: object,
        _message_id: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._subscribed = not any(reason.is_failure for reason in reasons)
        if not self._subscribed:
            raise CredentialsError(f"{self._broker.username} may not administer {self._where}")

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._answer = bytes(message.payload)
