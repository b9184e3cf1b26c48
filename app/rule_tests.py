"""Owns `nenghao rules test`: tests of rules as files are run, without a database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from alerts import trials
from alerts.trials import Difference, TrialError
from app.resolve import Refusal
from energy.periods import LOCAL

EXIT_DIFFERS = 1

console = Console(soft_wrap=True)


def test_command(
    files: Annotated[
        list[Path],
        typer.Argument(exists=True, dir_okay=False, help="JSON, as in docs/examples/rules/"),
    ],
) -> None:
    """Run tests of rules: facts over time, and what a rule is to say of them. Exit code 1: one
    differs. It needs no database.
    """
    failed = 0
    for path in files:
        try:
            file = trials.read(path.read_text(encoding="utf-8"))
            found = trials.run(file)
        except (TrialError, UnicodeDecodeError) as error:
            raise Refusal(f"{path}: {error}") from error
        for case in file.cases:
            differences = [each for each in found if each.case == case.name]
            failed += bool(differences)
            console.print(Text(f"{'FAILED' if differences else 'ok':6} {path}: {case.name}"))
            for each in differences:
                console.print(Text(f"       {_line(each)}"))
    if failed:
        console.print(Text(f"{failed} failed"))
        raise typer.Exit(EXIT_DIFFERS)


def _line(difference: Difference) -> str:
    return f"{difference.at.astimezone(LOCAL):%Y-%m-%d %H:%M} {difference.text}"
