"""Letters reach real HTTP servers that check signatures; nobody else is reached, nothing leaks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

import db.outbox
from alerts import cycle, webhook_messages, webhooks
from alerts.episodes import Episodes
from alerts.smtp import MailError
from alerts.webhook_messages import Channel, Webhook
from alerts.webhooks import Hooks
from db.outbox import ClaimedLetter, NewLetter
from ingest import authority
from ingest.authority import Authority
from tests.alerts.conftest import NOW, Post, Works

SECRET = "SECdeadbeef"


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


def serve(channel: Channel, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
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

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Whoever does not trust us hangs up."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    made = Receiver(channel, server)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def claimed(channel: Channel) -> ClaimedLetter:
    letter = NewLetter(
        alert_id=7,
        message_id="<alert-7@nenghao.example>",
        thread_id="<alert-7@nenghao.example>",
        recipient_name="柳州市节能监察",
        recipient_email="lz",
        subject="【预警】水泥厂：clinker 单耗 140 kgce/t",
        body="正文\n" * 400 + "https://nenghao.example/v1/alerts/7\n",
        channel=channel,
    )
    return ClaimedLetter(1, 1, NOW, letter)


async def send(
    receiver: Receiver,
    *,
    allowed: str = "127.0.0.0/8",
    url: str = "",
    trusted: ssl.SSLContext | None = None,
) -> str:
    """Try a letter; return `sent`, or what it asks for and why."""
    hook = Webhook("lz", receiver.channel, url or receiver.url, SECRET)
    hooks = Hooks({"lz": hook}, webhooks.parse_allowed(allowed), lambda: NOW, trusted=trusted)
    try:
        await hooks.send(claimed(receiver.channel))
    except MailError as error:
        return f"{'never' if error.permanent else 'later'}: {error}"
    return "sent"


async def test_a_letter_is_posted_as_each_channel_wants_it(receiver: Receiver) -> None:
    assert await send(receiver) == "sent"
    (told,) = receiver.taken
    text = json.dumps(told, ensure_ascii=False)
    assert "【预警】水泥厂：clinker 单耗 140 kgce/t" in text
    assert "https://nenghao.example/v1/alerts/7" in text  # of WeCom's 2,048 bytes too


async def test_a_wrong_key_fails_and_says_so(receiver: Receiver) -> None:
    found = await send(receiver, url=receiver.url.replace("K3Y", "0THER"))
    if receiver.channel is not Channel.WEBHOOK:  # ours says it by its status
        assert found.startswith("later: lz: ")  # it can be put right
        assert found.endswith("sign not match")
    assert receiver.taken == []


async def test_the_outbox_sends_by_webhook_what_is_for_one(works: Works, post: Post) -> None:
    for receiver in serve(Channel.DINGTALK):
        await works.pool.execute("UPDATE contacts SET email = 'lz', channel = 'dingtalk'")
        await works.made(140.0)
        await works.evaluate()
        assert not await works.send(post.url)
        hook = Webhook("lz", Channel.DINGTALK, receiver.url, SECRET)
        hooks = Hooks({"lz": hook}, webhooks.parse_allowed("127.0.0.0/8"), lambda: NOW)
        await cycle.send_once(works.pool, hooks, now=NOW, instance="test", episodes=Episodes())
        assert await works.pool.fetchval("SELECT state FROM outbox") == "sent"
        assert len(receiver.taken) == 1


async def test_a_webhook_nobody_set_makes_its_letters_wait() -> None:
    hooks = Hooks({}, webhooks.parse_allowed(""), lambda: NOW)
    with pytest.raises(MailError, match="NENGHAO_WEBHOOKS has no wecom lz") as caught:
        await hooks.send(claimed(Channel.WECOM))
    assert not caught.value.permanent


@pytest.mark.parametrize(
    ("channel", "answer"),
    [
        (Channel.WEBHOOK, (503, b"")),
        (Channel.WEBHOOK, (429, b"")),
        (Channel.WEBHOOK, (401, b"")),
        (Channel.WEBHOOK, (404, b"")),
        (Channel.WECOM, (403, b"")),
        (Channel.WECOM, (200, b'{"errcode": 93000, "errmsg": "invalid webhook url"}')),
        (Channel.WECOM, (200, b'{"errcode": 45009, "errmsg": "api freq out of limit"}')),
        (Channel.DINGTALK, (200, b'{"errcode": 130101, "errmsg": "send too fast"}')),
        (Channel.FEISHU, (200, b'{"code": 11232, "msg": "frequency limited"}')),
        (Channel.FEISHU, (200, b"<html>")),
    ],
)
async def test_who_is_told_too_much_is_told_again_later(
    channel: Channel, answer: tuple[int, bytes]
) -> None:
    for receiver in serve(channel):
        receiver.answers.append(answer)
        assert (await send(receiver)).startswith("later: ")
        assert await send(receiver) == "sent"


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
    generic: Receiver, allowed: str, host: str
) -> None:
    found = await send(generic, allowed=allowed, url=generic.url.replace("127.0.0.1", host))
    assert generic.taken == []
    assert "may not be reached" in found
    assert "K3Y" not in found


async def test_a_listed_host_in_a_listed_network_is_reached(generic: Receiver) -> None:
    url = generic.url.replace("127.0.0.1", "localhost")
    assert await send(generic, allowed="localhost, 127.0.0.0/8", url=url) == "sent"


@pytest.mark.parametrize("status", [400, 413])
async def test_a_letter_that_is_refused_itself_is_not_told_again(
    generic: Receiver, status: int
) -> None:
    generic.answers.append((status, b""))
    assert await send(generic) == f"never: lz: {status}"


@pytest.mark.parametrize(
    "url",
    [
        "https://bridge.example:99999/robot?key=K3Y",
        "https://[::1/robot?key=K3Y",
        f"https://{'a' * 64}.example/robot?key=K3Y",
        "https://a..example/robot?key=K3Y",
        "https://bridge.example/robot\x7f?key=K3Y",
    ],
)
async def test_an_address_that_is_none_is_refused_and_stops_nobody(
    generic: Receiver, url: str
) -> None:
    found = await send(generic, url=url, allowed="bridge.example, 127.0.0.0/8")
    assert found.startswith("later: lz: ")
    told = json.dumps({"lz": {"channel": "webhook", "url": url, "secret": SECRET}})
    with pytest.raises(ValueError, match="webhook lz has a url") as caught:
        webhooks.parse(told)
    assert "K3Y" not in found + str(caught.value)


@pytest.mark.parametrize(
    ("url", "due_s"), [("http://127.0.0.1:9/robot", [5, 5, 5, 0]), ("", [5, 0, 0, 0])]
)
async def test_what_waits_for_a_webhook_that_is_away_waits_with_the_first(
    works: Works, generic: Receiver, url: str, due_s: list[int]
) -> None:
    """One that answers, and is busy, holds up nobody; nor does one of another name."""
    generic.answers.append((503, b""))
    async with works.pool.acquire() as connection:
        for name in ("lz", "lz", "lz", "other"):
            number = await connection.fetchval("SELECT count(*) FROM outbox")
            letter = replace(
                claimed(Channel.WEBHOOK).letter,
                alert_id=None,
                message_id=f"<{number}@nenghao.example>",
                recipient_email=name,
            )
            await db.outbox.insert_letters(connection, [(letter, None)], NOW)
    hook = Webhook("lz", Channel.WEBHOOK, url or generic.url, SECRET)
    hooks = Hooks({"lz": hook}, webhooks.parse_allowed("127.0.0.0/8"), lambda: NOW)
    await cycle.send_once(works.pool, hooks, now=NOW, instance="test", episodes=Episodes())
    rows = await works.pool.fetch("SELECT due_at FROM outbox ORDER BY letter_id")
    assert [(row["due_at"] - NOW).total_seconds() for row in rows] == due_s


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.1.1",
        "169.254.169.254",
        "::1",
        "fe80::1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "::10.0.0.1",
    ],
)
def test_a_listed_host_does_not_lead_inside(address: str) -> None:
    allowed = webhooks.parse_allowed("bridge.example")
    assert not allowed.reaches("bridge.example", ip_address(address))
    assert allowed.reaches("bridge.example", ip_address("203.0.114.7"))


async def test_a_redirect_is_not_followed(generic: Receiver) -> None:
    for other in serve(Channel.WEBHOOK):
        generic.answers.append((302, b""))
        generic.location = other.url
        found = await send(generic)
        assert found == "later: lz: 302 is a redirect, which is not followed"
        assert other.taken == []


@pytest.mark.parametrize(
    ("host", "trusts", "allowed", "found"),
    [
        ("localhost", "ours", "localhost, 127.0.0.0/8", "sent"),
        ("localhost", "another", "localhost, 127.0.0.0/8", "later: lz: ConnectError"),
        ("localhost", "public ones", "localhost, 127.0.0.0/8", "later: lz: ConnectError"),
        ("127.0.0.1", "ours", "127.0.0.0/8", "later: lz: ConnectError"),  # not in its certificate
        ("localhost", "ours", "127.0.0.0/8", "later: localhost may not be reached"),
    ],
)
async def test_a_letter_by_https_reaches_who_has_a_certificate_for_the_name_and_nobody_else(
    tmp_path: Path, host: str, trusts: str, allowed: str, found: str
) -> None:
    """The connection goes to the address that was looked at, the certificate is for the name."""
    now = datetime.now(UTC)  # certificates are held against the clock of the machine
    ours, another = (authority.ensure(tmp_path / each, now) for each in ("ca", "other"))
    of = {"ours": ours.ca_pem, "another": another.ca_pem}
    trusted = None
    if trusts in of:
        trusted = ssl.create_default_context(cadata=of[trusts].decode())
    for receiver in serve(Channel.WEBHOOK, served(ours, tmp_path, now)):
        url = receiver.url.replace("http://127.0.0.1", f"https://{host}")
        assert (await send(receiver, allowed=allowed, url=url, trusted=trusted)).startswith(found)
        assert len(receiver.taken) == (found == "sent")


def served(ca: Authority, folder: Path, now: datetime) -> ssl.SSLContext:
    """Return what a server shows that answers at localhost."""
    issued = ca.issue_server(["localhost"], now)
    shown = folder / "server.pem"
    shown.write_bytes(issued.key + issued.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown)
    return context


async def test_an_answer_without_end_is_cut_off() -> None:
    for receiver in serve(Channel.WECOM):
        receiver.answers.append((200, b" " * 5_000_000))
        assert (await send(receiver)).startswith("later: ")


async def test_no_secret_is_in_logs_or_errors(
    generic: Receiver, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    generic.answers.append((503, b""))
    told = [await send(generic), await send(generic, url="http://127.0.0.1:9/send?key=K3Y")]
    told += [await send(generic), caplog.text, *capsys.readouterr()]
    hook = Webhook("lz", Channel.WEBHOOK, generic.url, SECRET)
    told += [repr(hook), repr(webhook_messages.request(hook, claimed(Channel.WEBHOOK), NOW))]
    assert not any("K3Y" in each or SECRET in each for each in told)


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
