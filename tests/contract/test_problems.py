"""Programs go by the code of a problem: each is explained, and says what to do."""

from __future__ import annotations

import pytest

from tests.contract import codes

RAISED, EXPLAINED = codes.raised(), codes.explained()


@pytest.mark.parametrize("code", sorted(RAISED))
def test_a_problem_is_explained(code: str) -> None:
    assert code in EXPLAINED, (
        f"{RAISED[code]} answers with the code {code}, which docs/api.md does not explain. Add to "
        f"the table under Problems:\n| 4xx | `{code}` | what happened | what to do about it |"
    )


@pytest.mark.parametrize("code", sorted(EXPLAINED))
def test_what_is_explained_can_happen(code: str) -> None:
    assert code in RAISED, f"nothing in app/ answers with {code}: take its line out of docs/api.md"
