"""Owns telling people what the watchdog found: by its own mail server and webhook, not the outbox.

Told is told when one of the ways took it. A robot says in its answer whether it did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import make_msgid

import aiosmtplib
import httpx
import structlog

from alerts import smtp, webhook_messages, witness
from alerts.kinds.words import Language
from alerts.smtp import MailServerError, Security
from alerts.webhook_messages import Webhook
from app.watchdog.parts import Death, News, Part
from db.heads import KeptHead
from db.outbox import ClaimedLetter, NewLetter

WITHIN_S = 20.0

NAMES = {
    Part.DATABASE: "数据库",
    Part.BROKER: "消息服务器",
    Part.MAIL: "邮件服务器",
    Part.WEB: "网页接口",
    Part.COLLECTOR: "采集程序",
    Part.SETTLEMENT: "结算程序",
    Part.EVALUATOR: "预警判定",
    Part.SENDER: "预警发送",
}

log = structlog.get_logger("watchdog")


@dataclass(frozen=True, slots=True)
class Routes:
    """Ways of its own to people. `recipients`: addresses."""

    mail_url: str | None
    mail_from: str
    recipients: Sequence[str]
    webhook: Webhook | None
    place: str


@dataclass(frozen=True, slots=True)
class Message:
    subject: str
    body: str


def messages(
    news: News, place: str, now: datetime, heads: Sequence[KeptHead] = ()
) -> Iterator[Message]:
    """Return what is said: one message for what began, one for what is over, one a day.

    That of the day has the newest heads of the books: cities that nothing is written to get none.
    """
    if news.begun:
        yield _message("平台部件失效 / DEAD", place, news.begun, now)
    if news.over:
        yield _message("平台部件恢复 / BACK", place, news.over, now)
    if news.daily:
        dead = news.memory.deaths
        state = "全部正常 / all live" if not dead else f"{len(dead)} 项异常 / dead"
        yield _message(f"每日平安信 / DAILY，{state}", place, dead, now, heads, is_daily=True)


async def tell(routes: Routes, message: Message, now: datetime) -> bool:
    """Tell people by each way there is; False: none took it."""
    told = False
    if routes.mail_url is not None and routes.recipients:
        told = await _mail(routes, routes.mail_url, message)
    if routes.webhook is not None:
        told = await _post(routes.webhook, message, now) or told
    return told


def _message(
    what: str,
    place: str,
    deaths: Mapping[Part, Death],
    now: datetime,
    heads: Sequence[KeptHead] = (),
    *,
    is_daily: bool = False,
) -> Message:
    names = "、".join(NAMES[part] for part in deaths)
    subject = f"【能耗平台看门狗】{place} {what}" + (f"：{names}" if names else "")
    lines = [
        f"{NAMES[part]} ({part}): {death.trouble}；自 / since {death.since:%Y-%m-%d %H:%M:%SZ}"
        for part, death in deaths.items()
    ]
    if is_daily:
        lines.append(
            "看门狗每日发送本信；收不到本信即是警报。 / "
            "This letter comes every day; that it does not is the alarm."
        )
        lines += _witness(heads)
    return Message(subject, "\n".join([*lines, f"{now:%Y-%m-%d %H:%M:%SZ}", ""]))


def _witness(heads: Sequence[KeptHead]) -> list[str]:
    if not heads:
        return []
    (chinese,), (english,) = (witness.sections(heads, each) for each in (Language.ZH, Language.EN))
    return ["", chinese.lines[0], *english.lines, ""]


async def _mail(routes: Routes, url: str, message: Message) -> bool:
    server = smtp.parse(url)
    made = EmailMessage(policy=SMTP)
    try:
        made["From"] = smtp.sender(routes.mail_from)
        made["To"] = ", ".join(routes.recipients)
        made["Subject"] = message.subject
        made["Message-ID"] = make_msgid(domain="watchdog")
        made["Auto-Submitted"] = "auto-generated"
        made.set_content(message.body, charset="utf-8", cte="base64")
        await aiosmtplib.send(
            made,
            sender=routes.mail_from,
            recipients=list(routes.recipients),
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.security is Security.TLS,
            start_tls=server.security is Security.STARTTLS,
            timeout=WITHIN_S,
        )
    except (aiosmtplib.SMTPException, MailServerError, OSError, ValueError) as error:
        log.error("watchdog_mail_failed", error=f"{type(error).__name__}: {error}")
        return False
    return True


async def _post(hook: Webhook, message: Message, now: datetime) -> bool:
    """Post it as a letter is posted; a robot that refuses answers 200, and its code says so."""
    message_id = make_msgid(domain="watchdog")
    letter = NewLetter(
        None, message_id, message_id, hook.name, hook.name, message.subject, message.body
    )
    request = webhook_messages.request(hook, ClaimedLetter(0, 1, now, letter), now)
    headers = {**request.headers, "Content-Type": "application/json"}
    try:
        async with httpx.AsyncClient(timeout=WITHIN_S) as client:
            answer = await client.post(request.url, content=request.body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        log.error("watchdog_webhook_failed", error=type(error).__name__)
        return False
    refusal, said = webhook_messages.meaning(hook.channel, answer.status_code, answer.content)
    if refusal is not None:
        log.error("watchdog_webhook_refused", channel=hook.channel, answer=said)
    return refusal is None
