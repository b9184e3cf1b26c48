"""The OpenAPI document passes spectral, with all of its rules and ours; its examples are valid."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from app.main import create_app
from settings import Settings
from tests.contract.conftest import ROOT

SOURCE = Path(__file__).parent / "spectral"
INSTALLED = ROOT / "var" / "spectral"
LOCKED = ("package.json", "package-lock.json")
DOCUMENT: dict[str, Any] = create_app(Settings(), "postgresql://nowhere").openapi()
NODE = "npm is needed to lint the OpenAPI document: apt-get install nodejs npm"


@pytest.fixture(scope="session")
def spectral() -> Path:
    """Install the locked packages, anew where they changed; return the command."""
    if shutil.which("npm") is None:
        pytest.fail(NODE, pytrace=False)
    wanted = hashlib.sha256(b"".join((SOURCE / name).read_bytes() for name in LOCKED)).hexdigest()
    mark = INSTALLED / "installed"
    if not mark.exists() or mark.read_text() != wanted:
        INSTALLED.mkdir(parents=True, exist_ok=True)
        for name in LOCKED:
            shutil.copy(SOURCE / name, INSTALLED / name)
        argv = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(argv, cwd=INSTALLED, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        mark.write_text(wanted)
    return INSTALLED / "node_modules" / ".bin" / "spectral"


def test_spectral_finds_nothing(spectral: Path, tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(DOCUMENT), encoding="utf-8")
    argv = [
        str(spectral), "lint", str(document), "--ruleset", str(SOURCE / "ruleset.yaml"),
        "--fail-severity", "hint", "--format", "json", "--quiet",
    ]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = [
        f"{' '.join(map(str, each['path']))}: {each['message']} ({each['code']})"
        for each in json.loads(done.stdout)
    ]
    assert not found, "\n".join(found)


def exemplified(value: Any, at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Return every schema that has examples, and where it is."""
    if isinstance(value, dict):
        if isinstance(value.get("examples"), list):
            yield at, value
        for name, each in value.items():
            if name != "examples":
                yield from exemplified(each, f"{at}/{name}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from exemplified(each, f"{at}/{number}")


def test_every_example_is_valid() -> None:
    found = []
    for at, schema in exemplified(DOCUMENT):
        whole = {**schema, "components": DOCUMENT["components"]}
        validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        for example in schema["examples"]:
            found += [f"{at}: {error.message}" for error in validator.iter_errors(example)]
    assert not found, "\n".join(found)
