"""Owns which problem codes there are: those in the code, and those that docs/api.md explains."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from app import errors
from app.approval import Obstacle
from app.errors import ApiError
from app.roles import Act

ROOT = Path(__file__).parent.parent.parent
_ROW = re.compile(r"^\| ([0-9]{3}|4xx) \| `([a-z_]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)
_CODE = "code"
MADE_OF = {"may_not_": [*Act], "too_many_": [*errors.FEWER]}
"""Codes that are put together, by what they begin with."""

IN_STREAMS = {"changed_key", "stopping", "unchecked"}
"""Codes of the event `end` of /v1/stream alone: no answer has them."""


def explained() -> dict[str, str]:
    """Return the codes of the table in docs/api.md, with their statuses."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    return {code: status for status, code, _, _ in _ROW.findall(text)}


def raised() -> dict[str, str]:
    """Return the codes that the program can answer with, and where. Raises what cannot be read."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            where = path.relative_to(ROOT).as_posix()
            for code in {*_codes(node)} - IN_STREAMS:
                found.setdefault(code, f"{where}:{getattr(node, 'lineno', 0)}")
    return found


def _codes(node: ast.AST) -> Iterator[str]:
    """Return the codes in one call of a refusal, or in the default of one."""
    if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "NAMED":
        yield from errors.NAMED.values()
    if isinstance(node, ast.FunctionDef) and node.name == "__init__":
        for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
            if argument.arg == _CODE and isinstance(default, ast.Constant):
                yield str(default.value)
    if not isinstance(node, ast.Call):
        return
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    position = POSITIONS.get(name)
    if name == "__init__" and node.args and isinstance(node.args[0], ast.Constant | ast.JoinedStr):
        position = 0  # of a refusal that has one code
    if position is not None and len(node.args) > position:
        yield from _texts(node.args[position])
    if name in REFUSALS:
        yield from (each for one in node.keywords if one.arg == _CODE for each in _texts(one.value))


def _texts(value: ast.expr) -> list[str]:
    match value:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=body, orelse=other):
            return [*_texts(body), *_texts(other)]
        case ast.JoinedStr(values=[ast.Constant(value=str(prefix)), _]) if prefix in MADE_OF:
            return [f"{prefix}{each}" for each in MADE_OF[prefix]]
        case ast.Name(id=name) | ast.Attribute(attr=name) if name == _CODE:
            return []  # handed on from what has that name
        case ast.Name(id="obstacle"):
            return [*Obstacle]
    raise AssertionError(
        f"write the code of a problem out, where it is raised: {ast.unparse(value)}"
    )


def _refusals() -> Iterator[type[ApiError]]:
    for member in vars(errors).values():
        if isinstance(member, type) and issubclass(member, ApiError):
            yield member


REFUSALS = {each.__name__ for each in _refusals()}
POSITIONS = {
    each.__name__: each.__init__.__code__.co_varnames.index(_CODE) - 1
    for each in _refusals()
    if _CODE in each.__init__.__code__.co_varnames[: each.__init__.__code__.co_argcount]
} | {"ObstructedError": 0}
"""Where the code stands among the arguments of each refusal."""
