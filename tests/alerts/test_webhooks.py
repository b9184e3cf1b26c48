"""Letters reach real HTTP servers that check signatures; nobody else is reached, nothing leaks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

import pytest

from alerts import cycle, webhooks
from alerts.episodes import Episodes
from alerts.webhook_messages import Channel, Webhook, sign_dingtalk, sign_feishu
from alerts.webhooks import Hooks
from tests.alerts.conftest import NOW, Works

SECRET = "SECdeadbeef"
AT_S = int(NOW.timestamp())


@dataclass
class Receiver:
    """A webhook as each vendor describes its own: what is not signed as it should is refused."""

    channel: Channel
    server: ThreadingHTTPServer
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    """Given to the next requests that are signed; afterwards all are taken."""

    taken: list[dict[str, object]] = field(default_factory=list)
    location: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/robot/send?key=K3Y"

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if not self._is_signed(path, headers, body):
            return 200, b'{"errcode": 310000, "code": 19021, "errmsg": "sign not match"}'
        if self.answers:
            return self.answers.pop(0)
        self.taken.append(json.loads(body))
        return 200, b'{"errcode": 0, "code": 0, "errmsg": "ok"}'

    def _is_signed(self, path: str, headers: dict[str, str], body: bytes) -> bool:
        asked = {name: each[0] for name, each in parse_qs(urlsplit(path).query).items()}
        if asked.pop("key", "") != "K3Y":
            return False
        match self.channel:
            case Channel.WEBHOOK:
                said = headers["nenghao-timestamp"].encode() + b"\n" + body
                wanted = hmac.new(SECRET.encode(), said, hashlib.sha256).hexdigest()
                return headers["nenghao-signature"] == wanted
            case Channel.WECOM:
                return not asked
            case Channel.DINGTALK:
                text = f"{asked['timestamp']}\n{SECRET}".encode()
                digest = hmac.new(SECRET.encode(), text, hashlib.sha256).digest()
                return len(asked["timestamp"]) == 13 and (
                    asked["sign"] == base64.b64encode(digest).decode()
                )
            case Channel.FEISHU:
                told = json.loads(body)
                key = f"{told['timestamp']}\n{SECRET}".encode()
                digest = hmac.new(key, b"", hashlib.sha256).digest()
                return bool(told["sign"] == base64.b64encode(digest).decode())


@pytest.fixture(params=list(Channel))
def receiver(request: pytest.FixtureRequest) -> Iterator[Receiver]:
    yield from serve(request.param)


@pytest.fixture
def generic() -> Iterator[Receiver]:
    yield from serve(Channel.WEBHOOK)


def serve(channel: Channel) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told = {name.lower(): each for name, each in self.headers.items()}
            status, answer = made.answer(self.path, told, body)
            self.send_response(status)
            if made.location:
                self.send_header("Location", made.location)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Receiver(channel, server)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


async def warn(works: Works, channel: Channel) -> None:
    """Put one letter for the webhook `lz` into the outbox."""
    await works.pool.execute("UPDATE contacts SET email = 'lz', channel = $1", channel)
    await works.made(140.0)
    await works.evaluate()


async def send(
    works: Works, receiver: Receiver, *, allowed: str = "127.0.0.0/8", url: str = ""
) -> tuple[str, str | None]:
    """Try the letter; return what became of it, and why."""
    hook = Webhook("lz", receiver.channel, url or receiver.url, SECRET)
    hooks = Hooks({"lz": hook}, webhooks.parse_allowed(allowed), lambda: NOW)
    await works.pool.execute("UPDATE outbox SET due_at = $1 WHERE state = 'waiting'", NOW)
    await cycle.send_once(works.pool, hooks, now=NOW, instance="test", episodes=Episodes())
    row = await works.pool.fetchrow("SELECT state, last_error FROM outbox")
    assert row is not None
    return row["state"], row["last_error"]


async def test_a_letter_is_posted_as_each_channel_wants_it(
    works: Works, receiver: Receiver
) -> None:
    await warn(works, receiver.channel)
    assert await send(works, receiver) == ("sent", None)
    (told,) = receiver.taken
    assert "【预警】水泥厂：clinker 单耗 140 kgce/t" in json.dumps(told, ensure_ascii=False)


async def test_a_wrong_secret_fails_and_says_so(works: Works, receiver: Receiver) -> None:
    await warn(works, receiver.channel)
    url = receiver.url.replace("K3Y", "0THER")
    state, error = await send(works, receiver, url=url)
    if receiver.channel is not Channel.WEBHOOK:  # whose receiver says 200 to anything
        assert (state, receiver.taken) == ("failed", [])
        assert error in ("lz: 310000 sign not match", "lz: 19021 ")


@pytest.mark.parametrize(
    ("channel", "answer"),
    [
        (Channel.WEBHOOK, (503, b"")),
        (Channel.WEBHOOK, (429, b"")),
        (Channel.WECOM, (200, b'{"errcode": 45009, "errmsg": "api freq out of limit"}')),
        (Channel.DINGTALK, (200, b'{"errcode": 130101, "errmsg": "send too fast"}')),
        (Channel.FEISHU, (200, b'{"code": 11232, "msg": "frequency limited"}')),
        (Channel.FEISHU, (200, b"<html>")),
    ],
)
async def test_who_is_told_too_much_is_told_again_later(
    works: Works, channel: Channel, answer: tuple[int, bytes]
) -> None:
    for receiver in serve(channel):
        receiver.answers.append(answer)
        await warn(works, channel)
        assert (await send(works, receiver))[0] == "waiting"
        assert (await send(works, receiver))[0] == "sent"


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("", "127.0.0.1"),
        ("oapi.dingtalk.com", "127.0.0.1"),
        ("localhost", "localhost"),  # listed, but it leads to a private address
        ("127.0.0.0/8", "localhost"),  # the network is listed, the host is not
    ],
)
async def test_nobody_is_reached_who_is_not_listed(
    works: Works, generic: Receiver, allowed: str, host: str
) -> None:
    await warn(works, generic.channel)
    url = generic.url.replace("127.0.0.1", host)
    state, error = await send(works, generic, allowed=allowed, url=url)
    assert (state, generic.taken) == ("waiting", [])
    assert error is not None
    assert "may not be reached" in error
    assert "K3Y" not in error


async def test_a_listed_host_in_a_listed_network_is_reached(
    works: Works, generic: Receiver
) -> None:
    await warn(works, generic.channel)
    url = generic.url.replace("127.0.0.1", "localhost")
    allowed = "localhost, 127.0.0.0/8"
    assert await send(works, generic, allowed=allowed, url=url) == ("sent", None)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.1.1", "169.254.169.254", "::1", "fe80::1"])
def test_a_listed_host_does_not_lead_inside(address: str) -> None:
    allowed = webhooks.parse_allowed("bridge.example")
    assert not allowed.reaches("bridge.example", ip_address(address))
    assert allowed.reaches("bridge.example", ip_address("203.0.114.7"))


async def test_a_redirect_is_not_followed(works: Works, generic: Receiver) -> None:
    for other in serve(Channel.WEBHOOK):
        generic.answers.append((302, b""))
        generic.location = other.url
        await warn(works, generic.channel)
        state, error = await send(works, generic)
        assert (state, other.taken) == ("failed", [])
        assert error == "lz: 302 is a redirect, which is not followed"


async def test_an_answer_without_end_is_cut_off(works: Works) -> None:
    for receiver in serve(Channel.WECOM):
        receiver.answers.append((200, b" " * 5_000_000))
        await warn(works, receiver.channel)
        assert (await send(works, receiver))[0] == "waiting"


async def test_no_secret_is_in_rows_logs_or_errors(
    works: Works, generic: Receiver, caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    await warn(works, generic.channel)
    generic.answers.append((503, b""))
    await send(works, generic)
    await send(works, generic, url="http://127.0.0.1:9/send?key=K3Y")
    await send(works, generic)
    rows = await works.pool.fetch("SELECT outbox::text AS told FROM outbox")
    told = [*(row["told"] for row in rows), caplog.text, *capsys.readouterr()]
    assert not any("K3Y" in each or SECRET in each for each in told)
    hook = Webhook("lz", Channel.WEBHOOK, generic.url, SECRET)
    assert "K3Y" not in repr(hook)
    assert SECRET not in repr(hook)


@pytest.mark.parametrize(
    "text",
    [
        '{"lz": {"channel": "dingtalk", "url": "https://x/?k=K3Y"}}',
        '{"lz": {"channel": "sms", "url": "https://x/?k=K3Y", "secret": "K3Y"}}',
        '{"lz": {"channel": "feishu", "url": "ftp://x/?k=K3Y", "secret": "K3Y"}}',
        '{"L Z": {"channel": "wecom", "url": "https://x/?k=K3Y"}}',
        '["K3Y"',
    ],
)
def test_webhooks_that_are_none_are_refused_without_showing_a_secret(text: str) -> None:
    with pytest.raises(ValueError, match=r"webhook") as caught:
        webhooks.parse(text)
    assert "K3Y" not in str(caught.value)


def test_signs_are_those_of_the_vendors() -> None:
    """Computed with openssl: `printf '1\\nsecret' | openssl dgst -sha256 -hmac secret -binary`."""
    assert sign_dingtalk("secret", 1) == "fzqLUufx9hhv/JfGQR0kwpwoJJBqmqYsjz4EnnO47oc="
    assert sign_feishu("secret", 1) == "6o+SjynWLFd+QtSzfgy9uvrayMJ+/S8z4k5MmO7xW68="
