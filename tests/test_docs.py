"""The documents say what the code says: settings, words, reasons, links."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest
import typer

from app import cli
from energy.codes import check_character
from ingest.payload import Reason
from settings import Settings

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
MODULES = sorted(
    path.relative_to(ROOT).as_posix()[:-3].replace("/", ".")
    for package in ("energy", "ingest", "alerts")
    for path in (ROOT / package).rglob("*.py")
    if path.stem != "__init__" and not path.stem.endswith("_pb2")
)
OF_OUR_OWN_MAKING = {"Event", "Outcome", "Point", "Occasion", "Security"}
"""Enumerations that no interface shows."""


def enumerations() -> Iterator[type[StrEnum]]:
    for name in MODULES:
        for member in vars(importlib.import_module(name)).values():
            if isinstance(member, type) and issubclass(member, StrEnum):
                yield member


def words() -> Iterator[tuple[str, str]]:
    for enumeration in enumerations():
        if enumeration.__name__ not in OF_OUR_OWN_MAKING:
            yield from ((enumeration.__name__, member.value) for member in enumeration)


@pytest.mark.parametrize(("kind", "word"), sorted(set(words())))
def test_a_word_of_the_field_is_in_the_glossary(kind: str, word: str) -> None:
    assert f"`{word}`" in GLOSSARY, kind


@pytest.mark.parametrize("reason", list(Reason))
def test_a_reason_of_rejection_says_what_to_do(reason: Reason) -> None:
    assert f"`{reason}`" in GLOSSARY
    assert f"`{reason}`" in (ROOT / "docs" / "gateway.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_a_setting_is_in_the_operations_page(name: str) -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert f"| `NENGHAO_{name.upper()}` |" in text


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target


SHOWN = [
    path
    for folder in ("alerts", "app", "db", "deploy", "docs", "energy", "ingest")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".md", ".csv", ".json", ".html"} and "static" not in path.parts
]
CREDIT_CODE = re.compile(r"(?<![0-9A-Za-z.])[0-9A-Z]{2}[0-9]{6}[0-9A-Z]{10}(?![0-9A-Za-z])")
OF_NOBODY = "000000000000PROBE0"
"""What `services probe` tries in the name of: no unit can have it."""


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_what_the_readme_says_to_paste_writes_what_it_imports(name: str) -> None:
    imports = re.findall(r"^nenghao import .*", (ROOT / name).read_text(encoding="utf-8"), re.M)
    assert imports
    assert [line for line in imports if "--apply" not in line.partition("#")[0]] == []


COMMAND = re.compile(r"\bnenghao((?: +[a-z][a-z-]*(?![\w.=/…-]))+)")
PRINTED = [
    path for path in DOCUMENTS if path.parent in (ROOT / "docs", ROOT) and path.stem != "CHANGELOG"
]


def shown_commands() -> set[tuple[str, ...]]:
    """Return the words behind `nenghao` in code of the documents, up to what is no word."""
    found: set[tuple[str, ...]] = set()
    for path in PRINTED:
        text = path.read_text(encoding="utf-8")
        code = re.findall(r"`([^`\n]+)`|^ {4}(nenghao .*)|^(nenghao .*)", text, re.MULTILINE)
        for each in code:
            found |= {tuple(words.split()) for words in COMMAND.findall("".join(each))}
    return found


def test_commands_that_are_shown_are_there() -> None:
    shown = shown_commands()
    assert len(shown) > 50
    for words in sorted(shown):
        command = typer.main.get_command(cli.app)
        for word in words:
            called = f"nenghao {' '.join(words)}"
            if not hasattr(command, "get_command"):
                assert any(each.param_type_name == "argument" for each in command.params), called
                break
            found = command.get_command(command.context_class(command), word)
            assert found is not None, called
            command = found


def told(name: str) -> tuple[int, int, set[str], set[str], list[str]]:
    """Return of a readme: sections, rows of its tables, what is in code, links, what to paste."""
    text = (ROOT / name).read_text(encoding="utf-8")
    prose, blocks = text.split("```")[::2], text.split("```")[1::2]
    return (
        text.count("\n## "),
        text.count("\n| "),
        set(re.findall(r"`([^`\n]+)`", "".join(prose))),
        set(re.findall(r"\]\(([^)]+)\)", text)) - {"README.md", "README.zh-CN.md"},
        [line.partition("#")[0].rstrip() for block in blocks for line in block.splitlines()],
    )


def test_the_chinese_readme_tells_what_the_english_one_tells() -> None:
    assert told("README.zh-CN.md") == told("README.md")


def test_every_credit_code_that_is_shown_is_well_formed() -> None:
    """Whoever copies an example is told of its check digit otherwise (GB 32100)."""
    shown = {
        (code, path.relative_to(ROOT).as_posix())
        for path in (*SHOWN, *DOCUMENTS)
        for code in CREDIT_CODE.findall(path.read_text(encoding="utf-8"))
        if code != OF_NOBODY
    }
    wrong = {(code, path) for code, path in shown if check_character(code[:-1]) != code[-1]}
    assert len(shown) > 50
    assert not wrong
