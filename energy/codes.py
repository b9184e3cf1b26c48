"""Owns the codes that name things: credit code, region, industry and data code.

Form only: whether a region or a division exists is the registry's business. Full-width and lower
case input is accepted, the answer is in the one form that is stored.
"""

from __future__ import annotations

from itertools import accumulate

CREDIT_CODE_LENGTH = 18
CREDIT_CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""GB 32100-2015: no I, O, S, V, Z."""

_REGION_PLACES = range(2, 8)
_WEIGHTS = tuple(pow(3, place, 31) for place in range(CREDIT_CODE_LENGTH - 1))
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " "}

SECTIONS = {
    "A": range(1, 6),
    "B": range(6, 13),
    "C": range(13, 44),
    "D": range(44, 47),
    "E": range(47, 51),
    "F": range(51, 53),
    "G": range(53, 61),
    "H": range(61, 63),
    "I": range(63, 66),
    "J": range(66, 70),
    "K": range(70, 71),
    "L": range(71, 73),
    "M": range(73, 76),
    "N": range(76, 80),
    "O": range(80, 83),
    "P": range(83, 84),
    "Q": range(84, 86),
    "R": range(86, 91),
    "S": range(91, 97),
    "T": range(97, 98),
}
"""GB/T 4754-2017: the divisions of each section."""

DATA_CODE_PARTS = (2, 2, 2, 2, 2, 4, 2)
"""Digits of process, process unit, device type, device number, class, variety, use."""

_DATA_CODE_LENGTH = sum(DATA_CODE_PARTS)
_DATA_CODE_BORDERS = set(accumulate(DATA_CODE_PARTS[:-1]))
_DATA_CLASS = slice(8, 10)
_DATA_CLASSES = range(1, 11)


class CodeError(ValueError):
    """A code is not well formed. The message is a sentence for whoever typed it."""


def normalised(text: str) -> str:
    """Return `text` as codes are stored: half-width, upper case, no spaces around it.

    >>> normalised(" ９１ma ")
    '91MA'
    """
    return text.translate(_FULL_WIDTH).strip().upper()


def check_character(first17: str) -> str:
    """Return the 18th character of the credit code that begins with `first17`. [GB 32100-2015]

    (31 − (Σ value × weight mod 31)) mod 31, weights 3^i mod 31.

    >>> check_character("91350100M000100Y4")
    '3'
    """
    if len(first17) != CREDIT_CODE_LENGTH - 1:
        raise CodeError(f"needs the first 17 characters of a credit code, has {len(first17)}")
    values = (_value(first17, place) for place in range(len(first17)))
    total = sum(value * weight for value, weight in zip(values, _WEIGHTS, strict=True))
    return CREDIT_CODE_ALPHABET[-total % 31]


def parse_credit_code(text: str) -> str:
    """Return the unified social credit code in `text`, its check character verified.

    GB 32100-2015. Characters 3 to 8 are the region of registration, not of the plant. The check
    digit of the organisation code inside it (GB 11714) is not looked at.

    >>> parse_credit_code("９１５１０５００204912335k")
    '91510500204912335K'
    """
    code = normalised(text)
    if len(code) != CREDIT_CODE_LENGTH:
        raise CodeError(f"a credit code has 18 characters, this one has {len(code)}")
    for place in range(CREDIT_CODE_LENGTH):
        _value(code, place)
    for place in _REGION_PLACES:
        if not code[place].isdigit():
            raise CodeError(f"character {place + 1} is {code[place]!r}; 3 to 8 must be digits")
    expected = check_character(code[:-1])
    if code[-1] != expected:
        raise CodeError(
            f"character 18 (the check character) is {code[-1]!r}; the first 17 ask for {expected!r}"
        )
    return code


def parse_region(text: str) -> str:
    """Return the region code in `text`: six digits as in GB/T 2260.

    >>> parse_region("450202")
    '450202'
    """
    code = normalised(text)
    if len(code) != 6 or not _is_digits(code):
        raise CodeError("a region code has 6 digits, as in 450202")
    if code.startswith("00") or (code[2:4] == "00" and code[4:] != "00"):
        raise CodeError("a region code is province, city, county, two digits each, as in 450202")
    return code


def parse_industry(text: str) -> str:
    """Return the industry code in `text`: section letter and 2 to 4 digits, as in GB/T 4754-2017.

    >>> parse_industry("c3120")
    'C3120'
    """
    code = normalised(text)
    section, digits = code[:1], code[1:]
    if section not in SECTIONS or not (2 <= len(digits) <= 4 and _is_digits(digits)):
        raise CodeError("an industry code is a letter A to T and 2 to 4 digits, as in C3120")
    divisions = SECTIONS[section]
    if int(digits[:2]) not in divisions:
        raise CodeError(
            f"division {digits[:2]} is not of section {section}, "
            f"which has {divisions[0]:02} to {divisions[-1]:02}"
        )
    return code


def parse_data_code(text: str) -> str:
    """Return the 16 digits of the collected-data code (采集数据编码) in `text`.

    Hyphens are allowed between its parts, which have 2+2+2+2+2+4+2 digits.

    >>> parse_data_code("00-00-0000023400-80")
    '0000000002340080'
    """
    pieces = normalised(text).split("-")
    code = "".join(pieces)
    if len(code) != _DATA_CODE_LENGTH or not _is_digits(code):
        raise CodeError(f"a data code has 16 digits, this one has {sum(map(str.isdigit, code))}")
    for place in accumulate(len(piece) for piece in pieces[:-1]):
        if place not in _DATA_CODE_BORDERS:
            raise CodeError(
                f"the hyphen after digit {place} cuts a part; they have 2+2+2+2+2+4+2 digits"
            )
    if int(code[_DATA_CLASS]) not in _DATA_CLASSES:
        raise CodeError(f"digits 9 and 10 are {code[_DATA_CLASS]}; data classes are 01 to 10")
    return code


def _value(code: str, place: int) -> int:
    """Return the value of a character of a credit code. [0–30]"""
    value = CREDIT_CODE_ALPHABET.find(code[place])
    if value < 0:
        raise CodeError(
            f"character {place + 1} is {code[place]!r}; "
            f"credit codes use digits and capital letters without I, O, S, V, Z"
        )
    return value


def _is_digits(text: str) -> bool:
    """`str.isdigit` also accepts superscripts and other scripts."""
    return text.isascii() and text.isdigit()
