"""The house stands as docs/architecture.md draws it: arrows, purity, one home for SQL, sizes."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from app import commands
from tests import regexes

ROOT = Path(__file__).parent.parent
PACKAGES = ("energy", "db", "ingest", "alerts", "app", "deploy", "migrations")
MAY_IMPORT = {
    "energy": {"energy"},
    "db": {"energy", "db", "migrations"},
    "ingest": {"energy", "db", "ingest"},
    "alerts": {"energy", "db", "alerts"},
    "app": {"energy", "db", "ingest", "alerts", "app", "deploy", "settings"},
    "deploy": {"deploy"},
    "migrations": {"migrations"},
}
KNOW_SETTINGS = {"app/cli.py", "app/main.py"}
IMPURE = {"asyncpg", "psycopg", "paho", "smtplib", "socket", "os", "time", "asyncio", "random"}
SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|DELETE\s+FROM|UPDATE\s+\w+\s+SET|CREATE\s+TABLE)\b", re.S
)
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50

FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=name)
def test_arrows_point_the_right_way(path: Path) -> None:
    package = name(path).split("/")[0]
    ours = {module.split(".")[0] for module in imports(path)} & {*PACKAGES, "settings"}
    assert ours <= MAY_IMPORT[package]
    assert "settings" not in ours or name(path) in KNOW_SETTINGS


@pytest.mark.parametrize("path", sorted((ROOT / "energy").rglob("*.py")), ids=name)
def test_energy_is_pure(path: Path) -> None:
    assert not {module.split(".")[0] for module in imports(path)} & IMPURE
    assert not re.search(r"\b(now|today|utcnow|open)\(", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_sql_stays_in_db_and_migrations(path: Path) -> None:
    if name(path).split("/")[0] in {"db", "migrations"}:
        return
    texts = (n.value for n in ast.walk(tree(path)) if isinstance(n, ast.Constant))
    assert not [text for text in texts if isinstance(text, str) and SQL.search(text)]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_statement_is_put_together_from_values(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(v.value) for v in node.values if isinstance(v, ast.Constant))
            assert not SQL.search(text), f"{name(path)}:{node.lineno}"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_files_and_functions_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_LINES_MAX
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            # A function of db/ is one statement: its SQL is data, not steps.
            longest = FUNCTION_LINES_MAX * (2 if name(path).startswith("db/") else 1)
            assert lines <= longest, f"{name(path)}:{node.lineno} {node.name} {lines}"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_module_says_what_it_owns(path: Path) -> None:
    if path.read_text(encoding="utf-8").strip():
        assert ast.get_docstring(tree(path))


def test_there_is_no_import_circle() -> None:
    graph = {
        name(path)[:-3].replace("/", "."): {m for m in imports(path) if m.split(".")[0] in PACKAGES}
        for path in FILES
    }
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " → ".join((*above, module))
        if module in done:
            return
        for imported in graph.get(module, ()):
            visit(imported, (*above, module))
        done.add(module)

    for module in graph:
        visit(module, ())


NESTED = {
    "app/imports/fields.py:_EMAIL": "a label ends with a dot, which is in no label",
}
"""Patterns with a repeat inside of a repeat, and why no text is taken by them in two ways."""


def test_no_pattern_repeats_a_repeat() -> None:
    """[47] `([a-z]+[-_]?)+` takes a second for 25 characters, and twice that for one more."""
    found = {each.where for each in regexes.every(PACKAGES) if regexes.nested(each)}
    assert found == NESTED.keys()


def test_a_scope_reaches_the_statement() -> None:
    for path in sorted((ROOT / "db").glob("*.py")):
        texts = {
            target.id: ast.unparse(node)
            for node in tree(path).body
            if isinstance(node, ast.AnnAssign | ast.Assign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if any(argument.arg == "scope" for argument in node.args.args):
                used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
                text = "".join([ast.unparse(node), *(_expanded(one, texts) for one in used)])
                where = f"{name(path)}:{node.lineno} {node.name}"
                assert "scope.region_prefix" in text, where
                assert "visible_" in text, where


def _expanded(constant: str, texts: dict[str, str]) -> str:
    """Return the text of a module constant with the constants it is made of."""
    text = texts.get(constant, "")
    return text + "".join(texts[other] for other in texts if other != constant and other in text)


def test_the_command_line_loads_what_a_command_needs_and_no_more() -> None:
    """A collector that starts again is back within seconds: it waits for no web server."""
    code = "import app.cli, sys; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    loaded = set(told.stdout.decode().split())
    assert not loaded & {"fastapi", "uvicorn", "jinja2", "app.importing", "app.administration"}
    assert not [each for each in loaded if each.startswith("alerts")]


def test_every_command_is_where_it_is_looked_for() -> None:
    for command in commands.ELSEWHERE:
        assert commands.OnDemand(dict.fromkeys(commands.ELSEWHERE))[command].name == command


def test_each_property_of_energy_is_tried_a_thousand_times() -> None:
    assert settings().max_examples >= 1000
    tests = (ROOT / "tests" / "energy").glob("*.py")
    assert [path.name for path in tests if "max_examples" in path.read_text("utf-8")] == []
