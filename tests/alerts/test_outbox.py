"""Letters reach a real mail server: once, in order, and again after a crash."""

from __future__ import annotations

import socket
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

import db.outbox
from alerts import cycle, outbox, smtp
from alerts.episodes import Episodes
from db.outbox import ClaimedLetter
from tests.alerts.conftest import HOUR, LAST_HOUR, MAIL_FROM, NOW, Post, Works, contact, plain


@pytest.fixture
async def warned(works: Works) -> Works:
    """The works, with one letter in the outbox."""
    await works.made(140.0)
    await works.evaluate()
    return works


async def states(works: Works) -> list[tuple[str, int]]:
    rows = await works.pool.fetch("SELECT state, attempts FROM outbox ORDER BY letter_id")
    return [(row["state"], row["attempts"]) for row in rows]


async def claim(works: Works, now: datetime) -> ClaimedLetter | None:
    async with works.pool.acquire() as connection:
        return await db.outbox.claim(connection, now, now + outbox.LEASE, ["email"])


async def test_a_letter_is_delivered_once(warned: Works, post: Post) -> None:
    assert await warned.send(post.url)
    assert not await warned.send(post.url)
    (letter,) = post.received()
    assert post.envelopes == [("desk@nenghao.example", ["liuzhou@desk.example"])]
    assert letter["Subject"] == "【预警】水泥厂：clinker 单耗 140 kgce/t，超过基准水平 117"
    assert "数据完整率：100.0%" in plain(letter)
    assert await states(warned) == [("sent", 1)]


async def test_the_end_is_told_in_the_thread_of_the_beginning(warned: Works, post: Post) -> None:
    await warned.made(110.0, starts_at=LAST_HOUR + HOUR)
    await warned.evaluate(now=NOW + HOUR)
    await warned.send_all(post.url, now=NOW + HOUR)
    first, resolved = post.received()
    assert resolved["Subject"].startswith("【预警解除】")
    assert first["References"] == resolved["References"]
    assert first["Message-ID"] != resolved["Message-ID"]


async def test_a_crash_before_the_mark_sends_the_same_message_again(
    warned: Works, post: Post
) -> None:
    claimed = await claim(warned, NOW)
    assert claimed is not None
    link = smtp.Link(smtp.parse(post.url), MAIL_FROM)
    await link.send(claimed)  # and then it dies
    await link.rest()
    assert not await warned.send(post.url, now=NOW + outbox.LEASE - timedelta(seconds=1))
    assert await warned.send(post.url, now=NOW + outbox.LEASE)
    first, second = post.received()
    assert first.as_bytes() == second.as_bytes()
    assert await states(warned) == [("sent", 2)]


async def test_two_senders_do_not_send_the_same_letter(warned: Works) -> None:
    assert await claim(warned, NOW) is not None
    assert await claim(warned, NOW) is None


async def test_a_sender_that_was_overtaken_changes_nothing(warned: Works) -> None:
    slow = await claim(warned, NOW)
    later = NOW + outbox.LEASE
    assert slow is not None
    assert await claim(warned, later) is not None
    async with warned.pool.acquire() as connection:
        await db.outbox.mark_failed(connection, slow, "too late")
        await db.outbox.mark_due(connection, slow, NOW, "too late")
    assert await states(warned) == [("waiting", 2)]
    assert await claim(warned, later) is None


async def test_a_temporary_refusal_is_tried_again_later(warned: Works, post: Post) -> None:
    post.replies.append("451 try again later")
    assert await warned.send(post.url)
    assert await states(warned) == [("waiting", 1)]
    assert not await warned.send(post.url)
    assert await warned.send(post.url, now=NOW + outbox.RETRY_FIRST)
    assert (await states(warned), post.count()) == ([("sent", 2)], 1)


async def test_a_final_refusal_is_final_and_says_why(warned: Works, post: Post) -> None:
    post.replies.append("550 no such user")
    assert await warned.send(post.url)
    assert not await warned.send(post.url, now=NOW + timedelta(days=1))
    assert (await states(warned), post.count()) == ([("failed", 1)], 0)
    assert await warned.pool.fetchval("SELECT last_error FROM outbox") == "550 no such user"


async def test_letters_wait_while_the_server_is_away(warned: Works, post: Post) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"smtp://127.0.0.1:{closed.getsockname()[1]}"
        assert not await warned.send(nowhere)
    assert await states(warned) == [("waiting", 1)]
    assert await warned.send(post.url, now=NOW + outbox.RETRY_LONGEST)


async def test_a_login_that_is_refused_costs_no_letter(warned: Works, post: Post) -> None:
    url = post.url.replace("smtp://", "smtp://desk:wrong@")
    assert not await warned.send(url)
    assert await states(warned) == [("waiting", 1)]


async def test_after_five_days_a_letter_is_given_up(warned: Works, post: Post) -> None:
    post.replies.append("451 try again later")
    await warned.send(post.url, now=NOW + timedelta(days=5, seconds=1))
    assert await states(warned) == [("failed", 1)]


async def test_the_end_waits_for_the_beginning(warned: Works, post: Post) -> None:
    post.replies.append("451 try again later")
    await warned.send(post.url)
    await warned.made(110.0, starts_at=LAST_HOUR + HOUR)
    await warned.evaluate(now=NOW)
    assert not await warned.send(post.url)
    await warned.send_all(post.url, now=NOW + outbox.RETRY_FIRST)
    await warned.send_all(post.url, now=NOW + HOUR)
    assert [letter["Subject"][:4] for letter in post.received()] == ["【预警】"]


async def test_one_bad_address_does_not_keep_the_others_waiting(works: Works, post: Post) -> None:
    await contact(works.pool, "450202", "a@x.cn, evil@y.cn")
    await works.made(140.0)
    await works.evaluate()
    await works.send_all(post.url)
    assert sorted(await states(works)) == [("failed", 1), ("sent", 1)]
    assert [recipients for _, recipients in post.envelopes] == [["liuzhou@desk.example"]]


async def test_recipients_are_frozen_when_the_letter_is_written(warned: Works, post: Post) -> None:
    await warned.pool.execute("UPDATE contacts SET email = 'other@desk.example'")
    await warned.send_all(post.url)
    assert [recipients for _, recipients in post.envelopes] == [["liuzhou@desk.example"]]


async def test_without_a_mail_server_letters_wait_and_it_is_said(warned: Works, post: Post) -> None:
    episodes = Episodes()
    with capture_logs() as said:
        for _ in range(3):
            assert not await cycle.note_waiting(warned.pool, episodes)
    assert [each["event"] for each in said] == ["letters_wait_for_a_mail_server"]
    assert await states(warned) == [("waiting", 0)]
    assert await warned.send(post.url)


async def test_letters_follow_one_another_on_one_connection(works: Works, post: Post) -> None:
    for region in ("450000", "450202"):
        await contact(works.pool, region, f"{region}@desk.example")
    await works.made(140.0)
    await works.evaluate()
    link, episodes = smtp.Link(smtp.parse(post.url), MAIL_FROM), Episodes()
    post.replies += ["250 OK", "550 nobody here"]
    for _ in range(4):
        await cycle.send_once(works.pool, link, now=NOW, instance="test", episodes=episodes)
    assert sorted(await states(works)) == [("failed", 1), ("sent", 1), ("sent", 1)]
    assert len(post.peers) == 1


async def test_a_connection_that_the_server_ended_costs_no_letter(works: Works, post: Post) -> None:
    await contact(works.pool, "450000", "province@desk.example")
    await works.made(140.0)
    await works.evaluate()
    link, episodes = smtp.Link(smtp.parse(post.url), MAIL_FROM), Episodes()
    assert await cycle.send_once(works.pool, link, now=NOW, instance="test", episodes=episodes)
    post.hang_up()
    assert await cycle.send_once(works.pool, link, now=NOW, instance="test", episodes=episodes)
    await link.rest()
    assert await states(works) == [("sent", 1), ("sent", 1)]


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("450 4.2.0 greylisted", "waiting"),
        ("452 4.2.2 mailbox full", "waiting"),
        ("552 5.2.2 mailbox full", "waiting"),
        ("550 5.1.1 no such user", "failed"),
        ("530 5.7.0 authentication required", "waiting"),
        ("421 4.3.2 going down", "waiting"),
    ],
)
async def test_what_a_refusal_means_is_told_by_its_class(
    warned: Works, post: Post, reply: str, found: str
) -> None:
    post.replies.append(reply)
    await warned.send(post.url)
    assert await states(warned) == [(found, 1)]


async def test_a_server_that_is_away_for_a_week_costs_no_letter(warned: Works, post: Post) -> None:
    await warned.send("smtp://127.0.0.1:9", now=NOW + timedelta(days=7))
    assert await states(warned) == [("waiting", 1)]
    assert await warned.send(post.url, now=NOW + timedelta(days=7, minutes=1))
