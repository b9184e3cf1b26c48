"""Owns what keeps text from beginning a formula in a spreadsheet: an apostrophe, and off again.

Pure. One rule for all tables that leave the platform as CSV: exports and evidence files.
"""

from __future__ import annotations

import re

FORMULA = re.compile("'*[=+\\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]")
"""What a spreadsheet takes for the beginning of a formula, full-width forms too (ASVS 5.0, 1.2.10),
or what was made harmless, so that it can be told from that."""

QUOTE = "'"


def harmless(text: str) -> str:
    """Return `text` as a spreadsheet shows it and does not reckon with it.

    Whoever takes one apostrophe off each cell that begins so has what was there.

    >>> harmless("=1+1"), harmless("'=1+1"), harmless("柳州某钢铁厂")
    ("'=1+1", "''=1+1", '柳州某钢铁厂')
    """
    return f"{QUOTE}{text}" if FORMULA.match(text) else text


def original(cell: str) -> str:
    """Return the text that was made harmless.

    >>> original("'=1+1"), original("''=1+1"), original("'n Werk")
    ('=1+1', "'=1+1", "'n Werk")
    """
    return cell[1:] if cell.startswith(QUOTE) and FORMULA.match(cell) else cell
