"""Every regular expression of the code, what it is used for, and texts made to slow it down."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from re import _parser  # how Python itself reads a pattern
from typing import Any

ROOT = Path(__file__).parent.parent
USES = {"match", "fullmatch", "search", "findall", "finditer", "split", "sub"}
MANY = 10
"""A repeat to more than this is one without an end."""

ANY_CHARACTER = "a"
NOT_SO_MANY = 4
"""Rounds of a repeat inside of one that is pumped."""


@dataclass(frozen=True, slots=True)
class Regex:
    """A pattern where the code has it; `uses` are the calls that run it."""

    where: str
    compiled: re.Pattern[Any]
    uses: frozenset[str]


def every(packages: Iterable[str]) -> list[Regex]:
    """Return the patterns of all modules of `packages`, compiled or given to a call of `re`."""
    found: list[Regex] = []
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "re" in _imported(path):
                found += _of_module(path)
    return found


def _imported(path: Path) -> set[str]:
    nodes = ast.walk(_tree(path))
    return {alias.name for each in nodes if isinstance(each, ast.Import) for alias in each.names}


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _of_module(path: Path) -> Iterator[Regex]:
    name = path.relative_to(ROOT).as_posix()
    module = importlib.import_module(name[:-3].replace("/", "."))
    calls = [
        (node.func.value.id, node.func.attr, node)
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
    ]
    for variable, value in vars(module).items():
        if isinstance(value, re.Pattern):
            uses = {use for on, use, _ in calls if on == variable} & USES
            yield Regex(f"{name}:{variable}", value, frozenset(uses or {"search"}))
    for on, use, node in calls:
        if on == "re" and use in USES:
            pattern = node.args[0]
            assert isinstance(pattern, ast.Constant), f"{name}:{node.lineno}: compile it by name"
            compiled = re.compile(str(pattern.value), _flags(node))
            yield Regex(f"{name}:{node.lineno}", compiled, frozenset({use}))


def _flags(call: ast.Call) -> int:
    given = [*call.args, *(each.value for each in call.keywords if each.arg == "flags")][-1]
    text = ast.unparse(given)
    return int(getattr(re, text.removeprefix("re."))) if text.startswith("re.") else 0


def nested(regex: Regex) -> bool:
    """Return whether a repeat without end has another one inside."""
    return any(
        _is_endless(operation, argument) and any(_is_endless(*each) for each in _within(argument))
        for operation, argument in _within(_parsed(regex))
    )


def pumped(regex: Regex, length: int) -> Iterator[str]:
    """Return texts of `length` that take up what each repeat repeats, and then do not match."""
    tree = _parsed(regex)
    for character in sorted({*_literals(tree), *"a0 !\n.-"}):
        yield character * length + "!"
    prefix = ""
    for operation, argument in tree:
        yield from (prefix + each for each in _pumps(operation, argument, length))
        prefix += _sample([(operation, argument)])
    whole = _sample(tree) or "a"
    for cut in {whole, whole[: len(whole) // 2], whole[:-1]} - {""}:
        yield cut * (length // len(cut)) + "!"


def _pumps(operation: object, argument: Any, length: int) -> Iterator[str]:
    if _is_endless(operation, argument):
        body = _sample(argument[2])
        if body:
            yield body * (length // len(body)) + "\0"
    for inner in _parts(argument):
        before = ""
        for each in inner:
            yield from (before + text for text in _pumps(each[0], each[1], length))
            before += _sample([each])


def _parsed(regex: Regex) -> Any:
    pattern = regex.compiled.pattern
    text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    flags = regex.compiled.flags if isinstance(pattern, str) else regex.compiled.flags & ~re.ASCII
    return _parser.parse(text, flags & ~re.DEBUG)


def _is_endless(operation: object, argument: Any) -> bool:
    return str(operation) in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT") and (
        argument[1] > MANY
    )


def _parts(argument: Any) -> Iterator[Any]:
    """Return the sequences inside of an argument, however they are wrapped."""
    if isinstance(argument, _parser.SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for each in argument:
            yield from _parts(each)


def _within(argument: Any) -> Iterator[tuple[object, Any]]:
    for part in _parts(argument):
        for operation, inner in part:
            yield operation, inner
            yield from _within(inner)


def _literals(tree: Any) -> set[str]:
    return {chr(value) for operation, value in _within(tree) if str(operation) == "LITERAL"}


def _sample(sequence: Iterable[tuple[Any, Any]]) -> str:
    """Return a text that the sequence takes; what looks around is left out."""
    text = ""
    for operation, argument in sequence:
        match str(operation):
            case "LITERAL":
                text += chr(argument)
            case "NOT_LITERAL":
                text += ANY_CHARACTER if chr(argument) != ANY_CHARACTER else "b"
            case "ANY":
                text += ANY_CHARACTER
            case "IN":
                text += _one_of(argument)
            case "BRANCH":
                text += _sample(argument[1][0])
            case "SUBPATTERN":
                text += _sample(argument[3])
            case "ATOMIC_GROUP":
                text += _sample(argument)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                most = NOT_SO_MANY if argument[1] > MANY else int(argument[1])
                text += _sample(argument[2]) * max(int(argument[0]), min(most, NOT_SO_MANY))
    return text


def _one_of(items: Iterable[tuple[Any, Any]]) -> str:
    """Return a character of a set."""
    some = list(items)
    if some and str(some[0][0]) == "NEGATE":
        taken = {chr(value) for operation, value in some[1:] if str(operation) == "LITERAL"}
        return next(each for each in "ab0 " if each not in taken)
    operation, value = some[0]
    match str(operation):
        case "LITERAL":
            return chr(value)
        case "RANGE":
            return chr(value[0])
        case _:
            return {"CATEGORY_DIGIT": "0", "CATEGORY_SPACE": " "}.get(str(value), ANY_CHARACTER)
