"""Owns the language of expression rules: what may be written, and what it says of facts.

Pure. An expression is comparisons of numbers, joined by and, or, not; it names facts. All of it is
looked at when a rule is stated: nothing but numbers, named facts, + - * / and min, max, abs gets
through, so that evaluating it (simpleeval) is one operation on two floats a node. There is no
power, no text, no list, no attribute and no loop: an expression within its bounds cannot be slow.
"""

from __future__ import annotations

import ast
import functools
import math
import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum

from simpleeval import InvalidExpression, SimpleEval

LENGTH_MAX = 500
"""Characters of an expression."""

NODES_MAX = 100
"""Numbers, names, operators and calls in it; each is evaluated once at most."""

DEPTH_MAX = 20
"""Levels to which they are nested."""

SECONDS_MAX = 0.1
"""What reading or evaluating one may take on a slow machine, far above what its nodes need."""


class ExpressionError(ValueError):
    """An expression says something that rules cannot be made of. The message says what to write."""


class Sort(Enum):
    """What a part of an expression is."""

    NUMBER = "a number"
    TRUTH = "true or false"


FUNCTIONS: Mapping[str, tuple[Callable[..., float], int, int]] = {
    "min": (min, 2, 10),
    "max": (max, 2, 10),
    "abs": (abs, 1, 1),
}
"""By name: what it does, and how many numbers it takes at least and at most."""

ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
COMPARISONS: Mapping[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
SIGNS: Mapping[type[ast.unaryop], Callable[[float], float]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
OPERATORS = dict([*ARITHMETIC.items(), *COMPARISONS.items(), *SIGNS.items()])
CALLS = {name: what for name, (what, _, _) in FUNCTIONS.items()}


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that was read: `names` are the facts it needs, in order of the alphabet.

    `first` is its first comparison: what an alert shows as measured and as threshold.
    """

    text: str
    tree: ast.expr
    first: ast.Compare
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an expression says of facts; `holds` None: it cannot be told, for `reason`."""

    holds: bool | None
    reason: str = ""
    left: float | None = None
    right: float | None = None


@functools.lru_cache(maxsize=1024)
def parse(text: str, known: frozenset[str]) -> Expression:
    """Return an expression over `known` facts. Raises ExpressionError, and nothing else.

    >>> parse("intensity > 1.1 * limit", frozenset({"intensity", "limit"})).names
    ('intensity', 'limit')
    >>> parse("intensity > 9**9", frozenset({"intensity"}))
    Traceback (most recent call last):
    alerts.expressions.ExpressionError: ** is not part of it: use + - * / and comparisons
    """
    if len(text) > LENGTH_MAX:
        raise ExpressionError(f"has {len(text):,} characters, and may have {LENGTH_MAX}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        said = error.msg if isinstance(error, SyntaxError) else str(error) or "nested too deep"
        raise ExpressionError(
            f"cannot be read ({said}): write comparisons of facts, as in "
            "intensity > 1.1 * limit and coverage >= 0.9"
        ) from None
    _refuse_size(tree)
    if _sort(tree, known) is not Sort.TRUTH:
        raise ExpressionError(
            "is a number, and a rule asks whether something holds: compare it, as in "
            f"{text.strip()} > 1"
        )
    comparisons = [each for each in ast.walk(tree) if isinstance(each, ast.Compare)]
    first = min(comparisons, key=lambda each: (each.lineno, each.col_offset))
    named = {each.id for each in ast.walk(tree) if isinstance(each, ast.Name)} - FUNCTIONS.keys()
    if not named:
        raise ExpressionError(f"names no fact; there are {_listed(known)}")
    return Expression(text, tree, first, tuple(sorted(named)))


def evaluate(expression: Expression, facts: Mapping[str, float | None]) -> Answer:
    """Return whether an expression holds of `facts`; it raises nothing.

    If any fact that it names is missing it cannot be told, even where another part would decide:
    what is missing must not look like an answer.
    """
    known = {
        name: value
        for name in expression.names
        if (value := facts.get(name)) is not None and math.isfinite(value)
    }
    if len(known) < len(expression.names):
        lacking = [name for name in expression.names if name not in known]
        return Answer(None, f"not known: {', '.join(lacking)}")
    reader = SimpleEval(operators=dict(OPERATORS), functions=dict(CALLS), names=known)
    try:
        left = float(reader.eval(expression.text, expression.first.left))
        right = float(reader.eval(expression.text, expression.first.comparators[0]))
        holds = bool(reader.eval(expression.text, expression.tree))
    except ZeroDivisionError:
        return Answer(None, "it divides by zero")
    except (ArithmeticError, InvalidExpression) as error:
        return Answer(None, f"it cannot be computed: {error}")
    if not (math.isfinite(left) and math.isfinite(right)):
        return Answer(None, "it leads to no finite number")
    return Answer(holds, "", left, right)


def _refuse_size(tree: ast.expr) -> None:
    nodes, level, row = 0, 0, [tree]
    while row:
        level += 1
        nodes += len(row)
        if level > DEPTH_MAX:
            raise ExpressionError(f"is nested deeper than {DEPTH_MAX} levels")
        if nodes > NODES_MAX:
            raise ExpressionError(f"has more than {NODES_MAX} numbers, names and operators")
        row = [
            child
            for node in row
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.expr)
        ]


def _sort(node: ast.expr, known: Collection[str]) -> Sort:
    """Return what a part is. Raises ExpressionError for what is not part of the language."""
    match node:
        case ast.BoolOp(values=values):
            for each in values:
                _expect(Sort.TRUTH, each, known, "and, or")
            return Sort.TRUTH
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _expect(Sort.TRUTH, operand, known, "not")
            return Sort.TRUTH
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            _expect(Sort.NUMBER, operand, known, "a sign")
            return Sort.NUMBER
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            _expect(Sort.NUMBER, left, known, "+ - * /")
            _expect(Sort.NUMBER, right, known, "+ - * /")
            return Sort.NUMBER
        case ast.Compare(left=left, ops=ops, comparators=others) if all(
            type(each) in COMPARISONS for each in ops
        ):
            for each in (left, *others):
                _expect(Sort.NUMBER, each, known, "a comparison")
            return Sort.TRUTH
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            _refuse_count(name, len(arguments))
            for each in arguments:
                _expect(Sort.NUMBER, each, known, name)
            return Sort.NUMBER
        case ast.Name(id=name) if name in known:
            return Sort.NUMBER
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _number(value)
    raise ExpressionError(_refusal(node, known))


def _expect(sort: Sort, node: ast.expr, known: Collection[str], where: str) -> None:
    found = _sort(node, known)
    if found is not sort:
        told = f"{ast.unparse(node)} is {found.value}"
        raise ExpressionError(f"{told}, and {where} takes {sort.value}")


def _number(value: float) -> Sort:
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise ExpressionError("holds a number that is too large")
    return Sort.NUMBER


def _refuse_count(name: str, given: int) -> None:
    _, least, most = FUNCTIONS[name]
    if not least <= given <= most:
        takes = str(least) if least == most else f"{least} to {most}"
        raise ExpressionError(f"{name} takes {takes} numbers, not {given}")


def _refusal(node: ast.expr, known: Collection[str]) -> str:
    match node:
        case ast.Name(id=name):
            return f"{name} is no fact here; there are {_listed(known)}"
        case ast.BinOp(op=ast.Pow()):
            return "** is not part of it: use + - * / and comparisons"
        case ast.Call(func=ast.Name(id=name)):
            return f"{name}(…) is no function here; there are {_listed(FUNCTIONS)}"
        case ast.Constant(value=value):
            return f"{type(value).__name__} is not part of it: write numbers, as in 0.9"
    return (
        f"{type(node).__name__} is not part of it: use numbers, facts ({_listed(known)}), + - * /, "
        f"comparisons, and, or, not, {_listed(FUNCTIONS)}"
    )


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
