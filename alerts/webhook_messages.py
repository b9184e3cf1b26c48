"""Owns what a letter looks like at a webhook, how it is signed, and what an answer means. Pure.

A robot's key or secret stands in no exception and no text that is returned for people.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from urllib.parse import quote_plus, urlsplit

from alerts import witness
from alerts.smtp import Meaning
from db.outbox import ClaimedLetter


class Channel(StrEnum):
    """How a contact is reached, other than by e-mail."""

    WEBHOOK = "webhook"
    WECOM = "wecom"
    DINGTALK = "dingtalk"
    FEISHU = "feishu"


TEXT_BYTES_MAX = {
    Channel.WEBHOOK: 200_000,
    Channel.WECOM: 2_048,
    Channel.DINGTALK: 18_000,
    Channel.FEISHU: 18_000,
}
"""UTF-8 bytes of a text. WeCom says 2,048; DingTalk and Feishu take requests of 20 KB."""

REFUSED = (400, 413)
"""Statuses that are about the letter itself; the others may be about our settings, or theirs."""

CODE_FIELD = {Channel.WECOM: "errcode", Channel.DINGTALK: "errcode", Channel.FEISHU: "code"}
ERROR_LENGTH_MAX = 200
_LINK = re.compile(r"https?://\S+")


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where letters for a name go. Its address is a secret: it holds the robot's key."""

    name: str
    channel: Channel
    url: str = field(repr=False)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """A POST. Its address is a secret."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


def request(hook: Webhook, claimed: ClaimedLetter, now: datetime) -> Request:
    """Return what is posted to a webhook for a letter, in the form of its channel."""
    match hook.channel:
        case Channel.WEBHOOK:
            return _generic(hook, claimed, now)
        case Channel.WECOM:
            return _wecom(hook, claimed)
        case Channel.DINGTALK:
            return _dingtalk(hook, claimed, now)
        case Channel.FEISHU:
            return _feishu(hook, claimed, now)


def meaning(channel: Channel, status: int, body: bytes) -> tuple[Meaning | None, str]:
    """Return what an answer means (None: the letter is taken), and its words for people.

    A key that is wrong, a robot that was deleted, a clock that is off can be put right: the letter
    waits, as long as letters wait at all.

    >>> meaning(Channel.WECOM, 200, b'{"errcode": 45009, "errmsg": "api freq out of limit"}')
    (<Meaning.LATER: 'later'>, '45009 api freq out of limit')
    >>> meaning(Channel.WEBHOOK, 204, b"")
    (None, '204')
    >>> meaning(Channel.WEBHOOK, 302, b"")
    (<Meaning.LATER: 'later'>, '302 is a redirect, which is not followed')
    >>> meaning(Channel.WEBHOOK, 413, b"")
    (<Meaning.NEVER: 'never'>, '413')
    """
    if 300 <= status < 400:
        return Meaning.LATER, f"{status} is a redirect, which is not followed"
    if not 200 <= status < 300:
        return Meaning.NEVER if status in REFUSED else Meaning.LATER, str(status)
    if channel is Channel.WEBHOOK:
        return None, str(status)
    return _said(channel, body)


def sign_dingtalk(secret: str, timestamp_ms: int) -> str:
    """Return DingTalk's sign: HMAC-SHA-256 with the secret over time and secret, in base 64.

    https://open.dingtalk.com/document/robots/customize-robot-security-settings
    """
    said = f"{timestamp_ms}\n{secret}".encode()
    return base64.b64encode(hmac.digest(secret.encode(), said, hashlib.sha256)).decode()


def sign_feishu(secret: str, timestamp_s: int) -> str:
    """Return Feishu's sign: HMAC-SHA-256 with time and secret as the key over nothing, in base 64.

    https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
    """
    key = f"{timestamp_s}\n{secret}".encode()
    return base64.b64encode(hmac.digest(key, b"", hashlib.sha256)).decode()


def sign(secret: str, timestamp_s: int, body: bytes) -> str:
    """Return our own signature: hex HMAC-SHA-256 over time, newline and body."""
    said = f"{timestamp_s}\n".encode() + body
    return hmac.digest(secret.encode(), said, hashlib.sha256).hex()


def cut(text: str, bytes_max: int, alert_id: int | None = None) -> str:
    """Return `text` within so many UTF-8 bytes; what is cut keeps the link to its alert.

    Where there is none, its last link: of a digest it leads to all alerts.

    >>> cut("预警 正文 https://n.example/v1/alerts/7 算 https://n.example/v1/explain", 46, 7)
    '预警 正文…\\nhttps://n.example/v1/alerts/7'
    """
    encoded = text.encode()
    if len(encoded) <= bytes_max:
        return text
    links = _LINK.findall(text)
    to_alert = [each for each in links if each.endswith(f"/v1/alerts/{alert_id}")]
    end = f"…\n{(to_alert or links)[-1]}" if links else "…"
    room = max(0, bytes_max - len(end.encode()))
    return encoded[:room].decode(errors="ignore") + end


def _generic(hook: Webhook, claimed: ClaimedLetter, now: datetime) -> Request:
    """Ours: the letter as JSON, `Nenghao-Timestamp` in seconds and `Nenghao-Signature`."""
    letter = claimed.letter
    content = {
        "id": letter.message_id,
        "thread": letter.thread_id,
        "alert_id": letter.alert_id,
        "written_at": claimed.created_at.isoformat(),
        "language": letter.language,
        "subject": letter.subject,
        "text": cut(letter.body, TEXT_BYTES_MAX[hook.channel], letter.alert_id),
    }
    body, at_s = _json(content), int(now.timestamp())
    headers = {"Nenghao-Timestamp": str(at_s), "Nenghao-Signature": sign(hook.secret, at_s, body)}
    return Request(hook.url, body, headers)


def _wecom(hook: Webhook, claimed: ClaimedLetter) -> Request:
    """WeCom's group robot: its key stands in the address, it has no signature.

    https://developer.work.weixin.qq.com/document/path/91770
    """
    content = {"msgtype": "text", "text": {"content": _text(hook, claimed)}}
    return Request(hook.url, _json(content), {})


def _dingtalk(hook: Webhook, claimed: ClaimedLetter, now: datetime) -> Request:
    """DingTalk's custom robot: time and sign are added to the address; no secret, no sign.

    https://open.dingtalk.com/document/robots/custom-robot-access
    """
    at_ms = int(now.timestamp() * 1000)
    joint = "&" if urlsplit(hook.url).query else "?"
    signed = f"timestamp={at_ms}&sign={quote_plus(sign_dingtalk(hook.secret, at_ms))}"
    content = {"msgtype": "text", "text": {"content": _text(hook, claimed)}}
    url = f"{hook.url}{joint}{signed}" if hook.secret else hook.url
    return Request(url, _json(content), {})


def _feishu(hook: Webhook, claimed: ClaimedLetter, now: datetime) -> Request:
    """Feishu's custom robot: time and sign are part of the body; no secret, no sign.

    https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
    """
    at_s = int(now.timestamp())
    signed = {"timestamp": str(at_s), "sign": sign_feishu(hook.secret, at_s)}
    content = {"msg_type": "text", "content": {"text": _text(hook, claimed)}}
    return Request(hook.url, _json({**signed, **content} if hook.secret else content), {})


def _text(hook: Webhook, claimed: ClaimedLetter) -> str:
    """Return what a robot says. Where there is little room it is no witness of the books."""
    letter, bytes_max = claimed.letter, TEXT_BYTES_MAX[hook.channel]
    text = f"{letter.subject}\n\n{letter.body}"
    if len(text.encode()) > bytes_max:
        text = witness.without(text)
    return cut(text, bytes_max, letter.alert_id)


def _json(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()


def _said(channel: Channel, body: bytes) -> tuple[Meaning | None, str]:
    """Return what a robot's own code means, which comes with HTTP status 200."""
    try:
        told = json.loads(body)
        code = told[CODE_FIELD[channel]]
    except (ValueError, KeyError, TypeError):
        return Meaning.LATER, "the answer is none of this channel's"
    if code == 0:
        return None, "0"
    words = str(told.get("errmsg", told.get("msg", "")))[:ERROR_LENGTH_MAX]
    return Meaning.LATER, f"{code} {words}"
