"""What schemathesis is told of this API besides its description."""

from __future__ import annotations

from typing import Any

import requests
import schemathesis

from app.errors import MEDIA_TYPE
from tests.contract import codes

EXPLAINED = codes.explained()
ANSWER_S_MAX = 2.0


@schemathesis.check
def problem_is_explained(_context: Any, response: Any, _case: Any) -> None:
    """Whatever is refused is a problem, with a code that docs/api.md explains."""
    if response.status_code < 400:
        return
    (media_type,) = response.headers["content-type"]
    assert media_type == MEDIA_TYPE, f"{response.status_code} is answered as {media_type}"
    code = response.json()["code"]
    assert EXPLAINED.get(code) == str(response.status_code), (
        f"{response.status_code} {code} is not in the table of docs/api.md under Problems"
    )


@schemathesis.check
def answer_is_in_time(_context: Any, response: Any, _case: Any) -> None:
    """No answer takes longer. One that did is asked for again: a busy machine is no slow call."""
    if response.elapsed <= ANSWER_S_MAX:
        return
    with requests.Session() as session:
        again = session.send(response.request).elapsed.total_seconds()
    assert again <= ANSWER_S_MAX, f"it took {response.elapsed:.1f} s, and asked again {again:.1f} s"
