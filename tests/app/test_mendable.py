"""What a user can mend is told in a sentence; a bug of ours is not hidden behind one."""

from __future__ import annotations

import asyncpg
import pytest
from pydantic import BaseModel, ValidationError

from app import mendable
from app.resolve import Refusal


class Some(BaseModel):
    port: int


def invalid() -> Exception:
    with pytest.raises(ValidationError) as caught:
        Some.model_validate({"port": "x"})
    return caught.value


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Refusal("there is no rule 7"), "there is no rule 7"),
        (asyncpg.UndefinedTableError("relation"), "the newest schema with `nenghao migrate`"),
        (ConnectionRefusedError(), "ConnectionRefusedError"),
        (invalid(), "NENGHAO_PORT: "),
    ],
)
def test_what_can_be_mended_is_a_sentence(error: Exception, told: str) -> None:
    assert told in (mendable.sentence(error) or "")


@pytest.mark.parametrize("bug", [KeyError("x"), ValueError("x"), AssertionError()])
def test_a_bug_is_none(bug: Exception) -> None:
    assert mendable.sentence(bug) is None
