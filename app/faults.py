"""Owns the words for what is wrong with a value that was sent: ours, not a library's. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.resolve import plain

WORDS = {
    "missing": "is required",
    "extra_forbidden": "is not a parameter of this call; see /docs",
    "model_attributes_type": "must be a JSON object, sent with `Content-Type: application/json`",
    "dict_type": "must be a JSON object",
    "none_required": "must be null, or left out",
    "string_unicode": "has half of a character in it",
    "finite_number": "must be a finite number",
}
"""Of the kinds of fault that pydantic names; what it says of others begins with a verb soon."""

LENGTH = re.compile(r"^(?:List|Dictionary|Data) (.*?)(?: after validation.*)?$")


def words(kind: str, message: str, context: Mapping[str, object]) -> str:
    """Return what is wrong with a value, and what is expected, to be read after its name.

    >>> words("missing", "Field required", {})
    'is required'
    >>> words("greater_than_equal", "Input should be greater than or equal to 1", {})
    'should be greater than or equal to 1'
    >>> words("too_short", "List should have at least 1 item after validation, not 0", {})
    'should have at least 1 item'
    >>> words("string_pattern_mismatch", "String should match pattern '^a$'", {"pattern": "^a$"})
    'must be of the form ^a$'
    >>> words("union_tag_invalid", "Input tag 'x' found …", {"tag": "x", "expected_tags": "'a'"})
    "is 'x', which is none of 'a'"
    """
    match kind:
        case "union_tag_invalid":
            return f"is {context['tag']!r}, which is none of {context['expected_tags']}"
        case "string_pattern_mismatch":
            return f"must be of the form {context['pattern']}"
        case _:
            return WORDS.get(kind) or LENGTH.sub(r"\1", plain(message))
