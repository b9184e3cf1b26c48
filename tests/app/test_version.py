"""Whoever reports a fault can say of what."""

from __future__ import annotations

import tomllib
from pathlib import Path

from typer.testing import CliRunner

from app import cli


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    shown = CliRunner().invoke(cli.app, ["--version"])
    assert (shown.exit_code, shown.output) == (0, f"nenghao {project['version']}\n")
