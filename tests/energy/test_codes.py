"""Codes are taken as people type them and stored in one form; what is wrong is said."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from energy import codes
from energy.codes import CREDIT_CODE_ALPHABET, CodeError

ORGANISATION = st.text(CREDIT_CODE_ALPHABET, min_size=9, max_size=9)


@st.composite
def credit_codes(draw: st.DrawFn) -> str:
    first17 = "91" + draw(st.from_regex(r"[0-9]{6}", fullmatch=True)) + draw(ORGANISATION)
    return first17 + codes.check_character(first17)


@pytest.mark.parametrize("code", ["91510500204912335K", "91350100M000100Y43"])
def test_a_real_credit_code_is_valid(code: str) -> None:
    assert codes.parse_credit_code(code) == code


def test_full_width_and_lower_case_letters_are_the_same_code() -> None:
    assert codes.parse_credit_code("　９１５１０５００204912335ｋ ") == "91510500204912335K"


@given(credit_codes(), st.integers(0, 17), st.sampled_from(CREDIT_CODE_ALPHABET))
def test_one_wrong_character_is_always_noticed(code: str, place: int, other: str) -> None:
    assume(code[place] != other)
    with pytest.raises(CodeError):
        codes.parse_credit_code(code[:place] + other + code[place + 1 :])


@given(credit_codes(), st.integers(0, 16))
def test_two_neighbours_swapped_are_always_noticed(code: str, place: int) -> None:
    assume(code[place] != code[place + 1])
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    with pytest.raises(CodeError):
        codes.parse_credit_code(swapped)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("91510500204912335", "has 18 characters, this one has 17"),
        ("915105O0204912335K", "character 7 is 'O'"),
        ("91AB0500204912335K", "character 3 is 'A'; 3 to 8 must be digits"),
        ("91510500204912335L", "is 'L'; the first 17 ask for 'K'"),
        ("", "this one has 0"),
    ],
)
def test_a_wrong_credit_code_is_explained(text: str, sentence: str) -> None:
    with pytest.raises(CodeError, match=sentence):
        codes.parse_credit_code(text)


@pytest.mark.parametrize("text", ["4502", "45020a", "000000", "450002", "４５０２０²", "4502022"])
def test_a_malformed_region_code_is_refused(text: str) -> None:
    with pytest.raises(CodeError):
        codes.parse_region(text)


@pytest.mark.parametrize("code", ["C31", "C3120", "A051", "T97", "D4411"])
def test_an_industry_code_has_a_letter_and_two_to_four_digits(code: str) -> None:
    assert codes.parse_industry(code.lower()) == code


@pytest.mark.parametrize("text", ["3120", "C3", "C31200", "U31", "C", "C4411", "D3120", "A00"])
def test_a_malformed_industry_code_is_refused(text: str) -> None:
    with pytest.raises(CodeError):
        codes.parse_industry(text)


def test_every_division_belongs_to_exactly_one_section() -> None:
    divisions = [division for section in codes.SECTIONS.values() for division in section]
    assert divisions == list(range(1, 98))


@pytest.mark.parametrize(
    "text", ["0000000002340080", "00-00-0000023400-80", "00-00-00-00-02-3400-80"]
)
def test_hyphens_do_not_matter_to_a_data_code(text: str) -> None:
    assert codes.parse_data_code(text) == "0000000002340080"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("000000000234008", "16 digits, this one has 15"),
        ("0000-00-00023-40080", "the hyphen after digit 11 cuts a part"),
        ("0000000000340080", "digits 9 and 10 are 00"),
        ("0000000011340080", "digits 9 and 10 are 11"),
        ("00000000A2340080", "this one has 15"),
    ],
)
def test_a_wrong_data_code_is_explained(text: str, sentence: str) -> None:
    with pytest.raises(CodeError, match=sentence):
        codes.parse_data_code(text)


@pytest.mark.parametrize(
    "parse",
    [codes.parse_credit_code, codes.parse_region, codes.parse_industry, codes.parse_data_code],
)
@given(text=st.text(max_size=20))
def test_any_text_is_either_a_code_or_refused(parse: Callable[[str], str], text: str) -> None:
    with contextlib.suppress(CodeError):
        assert parse(text).isascii()
