"""`nenghao alerts` notes for a desk without a key what letters ask of it."""

from __future__ import annotations

import asyncio
import json
import re
import shlex

import asyncpg
import pytest
import typer
from typer.testing import CliRunner

from alerts import answering
from alerts.answering import Deed
from alerts.kinds.words import Language
from app import cli
from app.alert_commands import alerts_app
from tests import cast, factories
from tests.app.test_cases_call import ALERT
from tests.app.test_openapi import OPENAPI


async def fires(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        await factories.unit(connection, cast.QIANS_UNIT)
        rule_id = await factories.rule(connection, name="r")
        return str(await connection.fetchval(ALERT, rule_id, cast.QIANS_UNIT, "firing"))
    finally:
        await connection.close()


@pytest.mark.puts_in("rules", "units", "alert_cases")
def test_what_letters_ask_for_is_noted_and_shown(database_url: str) -> None:
    number = asyncio.run(fires(database_url))
    environment = {"NENGHAO_DATABASE_URL": database_url, "COLUMNS": "250"}

    def run(*words: str) -> str:
        said = [] if words[0] in ("list", "show") else ["--as", "qian"]
        done = CliRunner().invoke(cli.app, ["alerts", *words, *said], env=environment)
        return f"{done.output}{done.exception}"

    assert "655.2 kgce/t" in run("list", "--region", "450200")
    assert "655.2 kgce/t" not in run("list", "--region", "450300")
    assert "qian takes care of it" in run("acknowledge", number, "--note", "called")
    assert "no such alert" in run("acknowledge", number, "--region", "450300")
    assert "must say something" in run("comment", number, "--text", " ")
    assert "firing" in run("comment", number, "--text", "scale mended")
    objects = ["contest", number, "--text", "scale broken", "--evidence", "2026-118"]
    assert "contest open" in run(*objects)
    assert "contested and waits" in run(*objects)
    assert "contest upheld" in run("decide", number, "upheld", "--text", "so it is")
    assert "its file is closed" in run("close", number, "--text", "settled")
    assert "closed" in run("list", "--all")
    assert "no such task" in run("task-done", "1", "--text", "sent", "--evidence", "58")
    shown = run("show", number)
    assert all(each in shown for each in ("called", "scale mended", "2026-118", "qian"))


@pytest.mark.parametrize("language", list(Language))
def test_a_letter_names_calls_and_commands_that_there_are(language: Language) -> None:
    link = "https://nenghao.example/v1/alerts/17"
    (section,) = answering.sections(link, language, list(Deed), task_id=17)
    told = "\n".join(section.lines)
    calls = re.findall(r"POST https://nenghao\.example(/\S+) (\{.*\})", told)
    for path, body in calls:
        (call,) = [
            each["post"]
            for route, each in OPENAPI["paths"].items()
            if re.sub(r"\{\w+\}", "17", route) == path
        ]
        model = call["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        fields = OPENAPI["components"]["schemas"][model.rpartition("/")[2]]
        assert (
            set(fields.get("required", [])) <= json.loads(body).keys() <= set(fields["properties"])
        )
    group = typer.main.get_command(alerts_app)
    named = [shlex.split(line) for line in told.splitlines() if line.startswith("nenghao ")]
    for _, _, name, *words in named:
        command = group.commands[name]  # type: ignore[attr-defined]  # it is a group
        given = command.make_context(name, words).params  # refused if anything is missing
        assert given["actor"]
        assert given.get("text") or given["note"]
    assert len(calls) == len(named) == len(Deed)
