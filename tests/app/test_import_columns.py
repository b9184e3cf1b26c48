"""The columns of each kind of file are told by the code, and docs/imports.md is what it tells."""

from __future__ import annotations

import os
from pathlib import Path

from typer.testing import CliRunner

from app import cli, importing
from app.imports import readings
from app.imports.columns import MEANINGS, OF_KIND
from app.imports.kinds import READINGS, Kind, Readings

PAGE = Path(__file__).parent.parent.parent / "docs" / "imports.md"
WRITE = "UPDATE_EXAMPLES=1 .venv/bin/pytest tests/app/test_import_columns.py"


def section(kind: Kind | Readings) -> str:
    """Return the part of the page about one kind of file."""
    rows = [
        f"| `{each.name}` | {each.takes} | {each.if_empty} | {each.meaning} |"
        for each in importing.columns(kind)
    ]
    return "\n".join(
        [
            f"## {kind}\n",
            f"{importing.what(kind)} Example: [{kind}.csv](examples/{kind}.csv).\n",
            "| column | takes | if empty | meaning |\n|---|---|---|---|",
            *rows,
        ]
    )


def test_the_page_of_columns_is_what_the_code_says() -> None:
    text = PAGE.read_text(encoding="utf-8")
    intro = text.partition("\n## ")[0].rstrip()
    told = "\n\n".join([intro, *map(section, [*Kind, READINGS])]) + "\n"
    if os.environ.get("UPDATE_EXAMPLES"):
        PAGE.write_text(told, encoding="utf-8")
    assert told == text, f"written anew by {WRITE}"


def test_each_meaning_is_that_of_a_column() -> None:
    columns = {(kind, each.name) for kind in Kind for each in importing.columns(kind)}
    names = {name for kind, name in columns if (kind, name) not in OF_KIND}
    assert (names, set(OF_KIND) - columns) == (set(MEANINGS), set())


def test_what_a_column_takes_is_read_off_its_type() -> None:
    told = {each.name: (each.takes, each.if_empty) for each in importing.columns(Kind.METERS)}
    assert told["unit"] == ("credit code, 18 characters", "refused")
    assert told["side"] == ("primary, secondary", "secondary")
    assert told["rate_max"] == ("number > 0", "nothing")
    assert told["interval_s"] == ("whole number ≥ 1, ≤ 86400", "900")
    assert importing.columns(Kind.LIMITS)[-1].if_empty == "no"


def test_a_file_of_readings_has_the_columns_that_are_told() -> None:
    told = importing.columns(READINGS)
    assert tuple(each.name for each in told if each.default is None) == readings.REQUIRED
    assert {each.name for each in told} <= {*readings.KNOWN}


def test_columns_are_listed_without_a_file_and_a_file_is_asked_for_without_them() -> None:
    listed = CliRunner().invoke(cli.app, ["import", "limits", "--columns"], env={"COLUMNS": "200"})
    assert listed.exit_code == 0
    assert "不含本数" in listed.output
    assert "docs/examples/limits.csv" in listed.output
    asked = CliRunner().invoke(cli.app, ["import", "limits"])
    assert "nenghao import limits --columns" in str(asked.exception)
