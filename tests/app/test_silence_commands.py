"""`nenghao silences` keeps letters back, says until when, and ends what it began."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from typer.testing import CliRunner

from app import cli
from energy.periods import LOCAL


def test_a_silence_is_added_listed_and_ended(database_url: str) -> None:
    environment = {"NENGHAO_DATABASE_URL": database_url, "COLUMNS": "250"}
    until = f"{(datetime.now(UTC) + timedelta(days=2)).astimezone(LOCAL):%Y-%m-%dT%H:%M}"

    def run(*words: str) -> str:
        done = CliRunner().invoke(cli.app, ["silences", *words], env=environment)
        return f"{done.output}{done.exception}"

    add = ["add", "--region", "450200", "--reason", "maintenance", "--as", "qian"]
    assert "silence 1: holding" in run(*add, "--until", until)
    assert "no such rule" in run(*add, "--until", until, "--rule", "99")
    assert "more than 31 days" in run(*add, "--until", "2099-01-01")
    listed = run("list")
    assert "maintenance" in listed
    assert "qian" in listed
    assert "silence 1: over" in run("end", "1", "--reason", "done", "--as", "qian")
    assert "maintenance" not in run("list")
    assert "maintenance" in run("list", "--all")
    assert "is over" in run("end", "1", "--reason", "done")
