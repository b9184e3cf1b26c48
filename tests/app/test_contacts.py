"""Operators see who cannot be reached, and why; a contact of a webhook holds its name alone."""

from __future__ import annotations

import asyncio

import pytest
from typer.testing import CliRunner

import db.contacts
from alerts import cycle, smtp
from alerts.episodes import Episodes
from app import cli
from app.imports.kinds import Kind
from tests.alerts.conftest import MAIL_FROM, NOW, Post, Works, contact
from tests.alerts.conftest import post as post
from tests.alerts.conftest import works as works
from tests.app.test_importing import CONTACT, Desk
from tests.app.test_importing import desk as desk

ROBOT = {**CONTACT, "email": "lz-desk", "channel": "dingtalk"}


async def test_a_contact_may_be_a_webhook_by_its_name(desk: Desk) -> None:
    await desk.take(Kind.CONTACTS, ROBOT, CONTACT)
    contacts = await db.contacts.list_contacts(desk.connection)
    assert [(row.channel, row.email) for row in contacts] == [
        ("email", "a@b.example"),
        ("dingtalk", "lz-desk"),
    ]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("email", "https://oapi.dingtalk.com/robot/send?access_token=1"),
        ("email", "a@b.example"),
        ("channel", "sms"),
    ],
)
async def test_a_webhook_is_named_and_its_address_is_nowhere(
    desk: Desk, column: str, text: str
) -> None:
    found, _ = await desk.problem(Kind.CONTACTS, {**ROBOT, column: text})
    assert found == column


async def test_who_cannot_be_reached_is_listed_with_the_reason(
    works: Works, post: Post, database_url: str
) -> None:
    await contact(works.pool, "450000", "gone@desk.example")
    await works.made(140.0)
    await works.evaluate()
    post.replies += ["250 OK", "550 5.1.1 no such user"]
    link = smtp.Link(smtp.parse(post.url), MAIL_FROM)
    while await cycle.send_once(works.pool, link, now=NOW, instance="t", episodes=Episodes()):
        pass
    environment = {"NENGHAO_DATABASE_URL": database_url, "COLUMNS": "250"}
    command = ["contacts", "list", "--troubled"]
    told = await asyncio.to_thread(CliRunner().invoke, cli.app, command, env=environment)
    assert told.exit_code == 0, told.output
    assert "550 5.1.1 no such user" in told.output
    assert "gone@desk.example" in told.output or "liuzhou@desk.example" in told.output
    assert ("gone@desk.example" in told.output) != ("liuzhou@desk.example" in told.output)
