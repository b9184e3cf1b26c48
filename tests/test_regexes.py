"""[47] No text makes a regular expression of the code slow: tried with texts made to."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from tests import regexes
from tests.regexes import Regex

PACKAGES = ("energy", "db", "ingest", "alerts", "app", "deploy")
LENGTH = 50_000
WITHIN_S = 0.010
TRIES = 4
"""The fastest counts: what else runs on the machine is not ours."""

HOPELESS = 20
"""So many times too slow, and it is not tried again."""

REGEXES = regexes.every(PACKAGES)
SLOW = re.compile(r"([A-Za-z0-9]+[-_]?)+$")
"""What is looked for: 0.87 s for 25 characters."""


def fastest(run: Callable[[], object]) -> float:
    """Return how long `run` takes, at best. [s]"""
    best = float("inf")
    for _ in range(TRIES):
        started = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - started)
        if not WITHIN_S < best < HOPELESS * WITHIN_S:
            break
    return best


def slowest(regex: Regex, length: int) -> tuple[float, str]:
    """Return how long the worst text takes, and how it begins."""
    worst = (0.0, "")
    for text in regexes.pumped(regex, length):
        given = text.encode() if isinstance(regex.compiled.pattern, bytes) else text
        for use in regex.uses:
            worst = max(worst, (fastest(lambda: _run(regex, use, given)), text[:20]))  # noqa: B023
            if worst[0] > WITHIN_S:
                return worst
    return worst


def _run(regex: Regex, use: str, text: Any) -> object:
    if use == "sub":
        return regex.compiled.sub(text[:0], text)
    found = getattr(regex.compiled, use)(text)
    return list(found) if use == "finditer" else found


@pytest.mark.parametrize("regex", REGEXES, ids=lambda each: each.where)
def test_no_text_makes_a_pattern_slow(regex: Regex) -> None:
    seconds, text = slowest(regex, LENGTH)
    assert seconds <= WITHIN_S, f"{seconds * 1000:.0f} ms for {text!r}…"


def test_a_pattern_that_can_be_made_slow_is_found() -> None:
    """The texts are good enough: one that is known to be slow takes far longer."""
    seconds, _ = slowest(Regex("here", SLOW, frozenset({"fullmatch"})), 21)
    assert seconds > WITHIN_S


def test_patterns_are_found_where_they_are() -> None:
    assert len(REGEXES) >= 30
    assert "app/imports/fields.py:_EMAIL" in {each.where for each in REGEXES}


def patterns() -> set[str]:
    """Return what pydantic is told to match: its engine has no way back, and takes no other."""
    ats = [regexes.ROOT / package for package in (*PACKAGES, "settings.py")]
    paths = [path for at in ats for path in ([at] if at.is_file() else sorted(at.rglob("*.py")))]
    modules = {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}
    named = {
        each.targets[0].id: each.value
        for module in modules.values()
        for each in module.body
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name)
    }
    found = set()
    for path, module in modules.items():
        for node in ast.walk(module):
            if isinstance(node, ast.keyword) and node.arg == "pattern":
                value = named.get(getattr(node.value, "id", ""), node.value)
                assert isinstance(value, ast.Constant), path
                found.add(str(value.value))
    return found


@pytest.mark.parametrize("pattern", sorted(patterns()))
def test_no_text_makes_a_field_slow(pattern: str) -> None:
    field: TypeAdapter[str] = TypeAdapter(Annotated[str, Field(pattern=pattern)])

    def check(text: str) -> bool:
        try:
            field.validate_python(text)
        except ValidationError:
            return False
        return True

    as_python = Regex("field", re.compile(pattern), frozenset({"search"}))
    for text in regexes.pumped(as_python, LENGTH):
        assert fastest(lambda: check(text)) <= WITHIN_S, text[:20]  # noqa: B023
