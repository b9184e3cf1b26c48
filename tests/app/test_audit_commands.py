"""[RELIABILITY 59] Every command stands in the audit log, before it begins and with its result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from app import cli

# -- the command line ----------------------------------------------------------------------------


@contextmanager
def command_line(database_url: str) -> Iterator[Any]:
    run = CliRunner()

    def nenghao(*words: str) -> int:
        return run.invoke(
            cli.app, words, env={"NENGHAO_DATABASE_URL": database_url, "COLUMNS": "250"}
        ).exit_code

    yield nenghao


def commands_noted(database_url: str) -> list[tuple[str, str, str | None]]:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT route, result, code FROM audit ORDER BY entry_id")
        return [(route, result, code) for route, result, code in rows.fetchall()]


@pytest.mark.puts_in("limits")
def test_every_command_is_in_the_log_with_its_result(database_url: str, tmp_path: Path) -> None:
    units = tmp_path / "units.csv"
    units.write_text(Path("docs/examples/units.csv").read_text(encoding="utf-8"), encoding="utf-8")
    bad = tmp_path / "bad.csv"
    bad.write_text("unit\n1\n", encoding="utf-8")
    unit = units.read_text(encoding="utf-8").splitlines()[1].split(",")[0]
    gateway = ("--unit", unit, "--gateway", "gw1")
    acts: list[tuple[tuple[str, ...], str, str, str | None]] = [
        (("keys", "create", "--label", "desk", "--region", "450200"), "keys create", "done", None),
        (("keys", "create", "--label", "desk", "--region", "999999"), "keys create", "refused",
         "Refusal"),
        (("keys", "list"), "keys list", "done", None),
        (("keys", "revoke", "1"), "keys revoke", "done", None),
        (("keys", "revoke", "99"), "keys revoke", "refused", None),
        (("import", "units", str(units), "--apply"), "import", "done", None),
        (("import", "units", str(bad), "--apply"), "import", "refused", None),
        (("import", "targets", "docs/examples/targets.csv", "--apply"), "import", "done", None),
        (("import", "factors", "docs/examples/factors.csv"), "import", "done", None),
        (("withdraw", "capacities", f"{unit}/steel", "--reason", "r"), "withdraw", "refused",
         "Refusal"),
        (("quarantine", "list"), "quarantine list", "done", None),
        (("factors", "list"), "factors list", "done", None),
        (("gateways", "list"), "gateways list", "done", None),
        (("gateways", "enrol", *gateway), "gateways enrol", "refused", "Refusal"),
        (("gateways", "revoke", *gateway), "gateways revoke", "refused", "Refusal"),
        (("corrections", "list", "--unit", unit), "corrections list", "done", None),
        (("audit",), "audit", "done", None),
        (("verify",), "verify", "done", None),
    ]  # fmt: skip
    with command_line(database_url) as nenghao:
        for words, *_ in acts:
            nenghao(*words)
    noted = commands_noted(database_url)
    assert [each for each in noted if each[1] == "begun"] == [
        (f"nenghao {route}", "begun", None) for _, route, *_ in acts
    ]
    for (words, route, result, code), told in zip(acts, noted[1::2], strict=True):
        assert told[:2] == (f"nenghao {route}", result), (words, told)
        assert code is None or told[2] == code


def test_a_command_that_cannot_be_noted_does_nothing(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER FUNCTION note_entries(jsonb) RENAME TO no_entries")
        with command_line(database_url) as nenghao:
            assert nenghao("keys", "create", "--label", "desk", "--region", "450200") != 0
        assert connection.execute("SELECT count(*) FROM api_keys").fetchone() == (0,)
