"""No text is dangerous: an expression is refused with a sentence, or it answers, at once."""

from __future__ import annotations

import ast
import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerts import expressions
from alerts.expressions import DEPTH_MAX, LENGTH_MAX, NODES_MAX, SECONDS_MAX, ExpressionError

KNOWN = frozenset({"coverage", "energy_tce", "intensity", "limit"})
FACTS = {"coverage": 0.95, "energy_tce": 12.0, "intensity": 120.0, "limit": 117.0}


def answer(text: str, **facts: float | None) -> expressions.Answer:
    return expressions.evaluate(expressions.parse(text, KNOWN), FACTS | facts)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("intensity > limit", True),
        ("intensity > 1.1 * limit", False),
        ("intensity > limit and coverage >= 0.9", True),
        ("not intensity > limit or coverage < 0.9", False),
        ("100 < intensity <= 120", True),
        ("max(intensity, limit, 1) / 2 == 60", True),
        ("abs(-energy_tce) - +2 != 10", False),
    ],
)
def test_an_expression_holds_of_facts_or_does_not(text: str, holds: bool) -> None:
    assert answer(text).holds is holds


def test_the_first_comparison_is_what_an_alert_shows() -> None:
    found = answer("intensity > 1.1 * limit or coverage < 0.9")
    assert (found.left, found.right) == (120.0, 1.1 * 117)


@pytest.mark.parametrize("missing", [None, float("nan"), float("inf")])
def test_a_fact_that_is_missing_makes_it_unknown_even_where_another_part_decides(
    missing: float | None,
) -> None:
    found = answer("coverage > 0.9 or intensity > limit", intensity=missing)
    assert (found.holds, found.reason) == (None, "not known: intensity")


@pytest.mark.parametrize("text", ["energy_tce / (limit - 117) > 1", "1e308 * limit > energy_tce"])
def test_what_cannot_be_computed_is_unknown(text: str) -> None:
    assert answer(text).holds is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("price > 1", "price is no fact here; there are coverage, energy_tce, intensity, limit"),
        ("intensity", "is a number, and a rule asks whether something holds"),
        ("intensity and coverage > 1", "intensity is a number, and and, or takes true or false"),
        ("(coverage > 1) + 1 > 2", "coverage > 1 is true or false, and + - * / takes a number"),
        ("coverage > 'a'", "str is not part of it"),
        ("coverage > True", "bool is not part of it"),
        ("coverage > None", "NoneType is not part of it"),
        ("sum(coverage) > 1", "sum(…) is no function here; there are abs, max, min"),
        ("abs(coverage, 1) > 1", "abs takes 1 numbers, not 2"),
        ("max(*coverage) > 1", "max takes 2 to 10 numbers, not 1"),
        ("coverage.real > 1", "Attribute is not part of it"),
        ("[x for x in coverage] > 1", "ListComp is not part of it"),
        ("coverage > 1e999", "a number that is too large"),
        ("coverage >", "cannot be read"),
        ("", "cannot be read"),
        ("1 > 2", "names no fact"),
        ("9**9**9 > coverage", "** is not part of it"),
        ("coverage > 1; import os", "cannot be read"),
        ("(lambda: 1)() > coverage", "Call is not part of it"),
        ("coverage << 9999999 > 1", "BinOp is not part of it"),
        ("coverage in (1, 2)", "Compare is not part of it"),
        ("coverage" + " + coverage" * 60 + " > 1", "has "),
        ("-" * 30 + "coverage > 1", f"is nested deeper than {DEPTH_MAX} levels"),
        ("max(" * 210 + "1" + ")" * 210 + " > coverage", "has "),
        ("(" * 240 + "coverage" + ")" * 240 + " > 1", "cannot be read"),
        ("\x00coverage > 1", "cannot be read"),
        ("\ud800 > coverage", "cannot be read"),
        ("coverage > " + "9" * 480, "a number that is too large"),
    ],
)
def test_what_is_not_part_of_the_language_is_refused_with_what_there_is(
    text: str, says: str
) -> None:
    with pytest.raises(ExpressionError, match=re.escape(says)):
        expressions.parse(text, KNOWN)


LEAVES = st.sampled_from(
    [*sorted(KNOWN), "1", "0", "-2.5", "9" * 40, "1e300", "True", "None", "'a'", "x", "__import__",
     "[]", "{}", "()", "1j", "b'a'", "f'{coverage}'"]
)  # fmt: skip
JOINTS = st.sampled_from(
    ["+", "-", "*", "/", "**", "%", "//", "<<", "<", ">", "==", "and", "or", "in", "is", "if", ";",
     "=", ":=", ",", "[", "."]
)  # fmt: skip
WRAPS = st.sampled_from(
    ["({})", "-{}", "not {}", "min({}, 1)", "max({}, coverage)", "abs({})", "{}.__class__", "{}()",
     "[{} for i in range(9**9)]", "lambda: {}", "'%s' % {}", "str({}) * 10**9", "sum({})",
     "{} if {} else 1", "await {}", "({}) ** 99999", "*{}"]
)  # fmt: skip
TEXTS = st.recursive(
    LEAVES,
    lambda parts: (
        st.tuples(parts, JOINTS, parts).map(" ".join)
        | st.tuples(WRAPS, parts).map(lambda pair: pair[0].replace("{}", pair[1]))
    ),
    max_leaves=24,
)
NUMBERS = st.recursive(
    st.sampled_from([*sorted(KNOWN), "0", "2.5", "1e300", "9" * 40]),
    lambda parts: (
        st.tuples(parts, st.sampled_from("+-*/"), parts).map(lambda three: f"({''.join(three)})")
        | st.tuples(st.sampled_from(["-{}", "abs({})", "max({}, 1)"]), parts).map(
            lambda pair: pair[0].replace("{}", pair[1])
        )
    ),
    max_leaves=8,
)
TRUTHS = st.recursive(
    st.tuples(NUMBERS, st.sampled_from(["<", "<=", ">", "==", "!="]), NUMBERS).map(" ".join),
    lambda parts: (
        st.tuples(parts, st.sampled_from(["and", "or"]), parts).map(" ".join)
        | parts.map("not ({})".format)
    ),
    max_leaves=4,
)
"""Expressions that are part of the language, if they keep within its bounds."""

VALUES = st.dictionaries(st.sampled_from(sorted(KNOWN)), st.none() | st.floats())


@settings(max_examples=200)
@given(TRUTHS | TEXTS | st.text(max_size=40), VALUES)
@example("9**9**9 > coverage", {})
@example("'a' * 10**9 * 10**9 > coverage", {})
@example("coverage > " + "-" * (LENGTH_MAX - 13) + "1", {})
def test_no_text_raises_anything_else_or_takes_its_time(
    text: str, facts: dict[str, float | None]
) -> None:
    """[47] Whatever is written: a refusal by name or an answer, each within SECONDS_MAX of work."""
    began = time.process_time()
    try:
        found = expressions.evaluate(expressions.parse(text, KNOWN), facts)
    except ExpressionError:
        pass
    else:
        assert (found.holds is None) == bool(found.reason)
    assert time.process_time() - began < SECONDS_MAX


def test_the_largest_expression_stays_far_within_its_time() -> None:
    text = " or ".join(["coverage>2"] * ((NODES_MAX - 1) // 3))
    read = expressions.parse(text, KNOWN)
    assert sum(isinstance(each, ast.expr) for each in ast.walk(read.tree)) > NODES_MAX - 3
    began = time.process_time()
    for _ in range(10):
        assert expressions.evaluate(read, FACTS).holds is False
    assert (time.process_time() - began) / 10 < SECONDS_MAX / 10
