"""The machine's own apt configuration decides where Debian comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy import mirror
from deploy.processes import ServicesError

STANZAS = """\
# a comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


def configuration(folder: Path, **files: str) -> Path:
    (folder / "sources.list.d").mkdir()
    for name, text in files.items():
        (folder / "sources.list.d" / name.replace("_", ".")).write_text(text)
    return folder


def test_the_archive_of_a_sources_file_is_found_with_its_key(tmp_path: Path) -> None:
    found = mirror.find(configuration(tmp_path, debian_sources=STANZAS))
    assert found.line("trixie") == (
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
        "http://mirror.example/debian trixie main"
    )


def test_the_archive_of_a_one_line_file_is_found(tmp_path: Path) -> None:
    line = "deb [arch=amd64 trusted=yes] http://mirror.example/d trixie main contrib # ours\n"
    found = mirror.find(configuration(tmp_path, ours_list=line))
    assert found.line("trixie") == "deb [trusted=yes] http://mirror.example/d trixie main"


def test_somebody_elses_archive_with_the_same_suite_is_not_preferred(tmp_path: Path) -> None:
    other = "deb [signed-by=/etc/apt/keyrings/other.gpg] https://apt.other.example bookworm main\n"
    apt = configuration(tmp_path, a_list=other, b_list="deb http://m.example/debian/ stable main\n")
    assert mirror.find(apt).uri == "http://m.example/debian/"


def test_what_is_switched_off_is_not_used(tmp_path: Path) -> None:
    off = STANZAS.replace("Types: deb deb-src", "Enabled: no\nTypes: deb")
    apt = configuration(tmp_path, a_sources=off, b_list="# deb http://m.example/debian sid main\n")
    with pytest.raises(ServicesError, match="names no Debian archive"):
        mirror.find(apt)


def test_a_file_of_mirrors_is_followed(tmp_path: Path) -> None:
    (tmp_path / "mirrors").write_text("http://near.example/debian\nhttp://far.example/debian\n")
    stanzas = STANZAS.replace("http://mirror.example/debian\n", f"mirror+file:{tmp_path}/mirrors\n")
    assert mirror.find(configuration(tmp_path, d_sources=stanzas)).uri == (
        "http://near.example/debian"
    )
