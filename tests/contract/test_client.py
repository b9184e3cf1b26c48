"""A client generated from the OpenAPI document asks the server, and its answers are typed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.contract import works
from tests.contract.conftest import ROOT, Served

SOURCE = Path(__file__).parent / "client"
LOCK = SOURCE / "requirements.lock"
INSTALLED = ROOT / "var" / "client"
CONFIGURATION = "package_name_override: nenghao_client\npost_hooks: []\n"


def run(*argv: object, folder: Path) -> str:
    done = subprocess.run(
        [*map(str, argv)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def bin_folder() -> Path:
    """Install the locked generator where it is apart from what we use ourselves."""
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    mark, python = INSTALLED / "installed", INSTALLED / "bin" / "python"
    if not mark.exists() or mark.read_text() != wanted:
        uv = Path(sys.executable).with_name("uv")
        run(uv, "venv", "--clear", "--python", sys.executable, INSTALLED, folder=ROOT)
        install = ("pip", "install", "--python", python, "--require-hashes", "-r", LOCK)
        run(uv, *install, folder=ROOT)
        mark.write_text(wanted)
    return INSTALLED / "bin"


def test_a_generated_client_gets_typed_answers(
    bin_folder: Path, server: Served, tmp_path: Path
) -> None:
    (tmp_path / "openapi.json").write_text(httpx.get(f"{server.url}/openapi.json").text)
    (tmp_path / "configuration.yaml").write_text(CONFIGURATION)
    run(
        bin_folder / "openapi-python-client", "generate", "--path", "openapi.json", "--config",
        "configuration.yaml", "--meta", "none", "--output-path", "nenghao_client",
        "--fail-on-warning", folder=tmp_path,
    )  # fmt: skip
    (tmp_path / "asking.py").write_text((SOURCE / "asking.py").read_text())
    python, key = bin_folder / "python", server.keys.city
    said = json.loads(run(python, "asking.py", server.url, key, works.UNIT, folder=tmp_path))
    assert said.pop("explained_tce") == pytest.approx(said.pop("energy_tce"), rel=1e-9)
    assert said == {
        "units": [works.UNIT],
        "starts_at": "2026-10-01T00:00:00+08:00",
        "taken": ["stored"],
        "problem": "not_found",
    }
