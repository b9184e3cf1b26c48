"""Each call is shown in docs/api.md with curl, and answers as it is printed there."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.main import create_app
from settings import Settings
from tests.contract import examples, works
from tests.contract.conftest import ROOT, Served
from tests.contract.examples import Answered, Example

PAGE = ROOT / "docs" / "api.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = examples.parse(TEXT)
PATHS: dict[str, dict[str, Any]] = create_app(Settings(), "postgresql://nowhere").openapi()["paths"]
OPERATIONS = [f"{method.upper()} {path}" for path, calls in PATHS.items() for method in calls]
WRITE = "UPDATE_EXAMPLES=1 .venv/bin/pytest tests/contract/test_examples.py"


def operations(example: Example) -> Iterator[str]:
    """Return which operations of the OpenAPI document an example calls."""
    for method, path in example.calls():
        fitting = [path] if path in PATHS else [each for each in PATHS if is_of(path, each)]
        yield from (f"{method} {each}" for each in fitting)


def is_of(path: str, template: str) -> bool:
    return re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", template), path) is not None


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_call_has_an_example(operation: str) -> None:
    shown = {each for example in EXAMPLES for each in operations(example)}
    assert operation in shown, (
        f"docs/api.md has no example of {operation}. Add, under Examples, a block such as\n\n"
        f'    curl -H "Authorization: Bearer $KEY" "$URL{operation.split(" ")[1]}"\n\n'
        f"of what the works in tests/contract/works.py has, and let its answer be printed by\n"
        f"    {WRITE}"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the user of the examples sits; a gateway was enrolled there."""
    made = tmp_path_factory.mktemp("examples")
    (made / "signing.key").write_text(works.SIGNING_KEY.hex())
    return made


@pytest.fixture(scope="module")
def blocks() -> Iterator[list[tuple[Example, str]]]:
    """What was answered, to be printed into the page where that is asked for."""
    collected: list[tuple[Example, str]] = []
    yield collected
    if os.environ.get("UPDATE_EXAMPLES"):
        PAGE.write_text(examples.replaced(TEXT, collected), encoding="utf-8")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.name)
def test_an_example_answers_as_it_is_printed(
    example: Example, server: Served, folder: Path, blocks: list[tuple[Example, str]]
) -> None:
    keys = server.keys
    environment = {
        "URL": server.url,
        "KEY": keys.city,
        "UNIT_KEY": keys.enterprise,
        "AUDITOR_KEY": keys.auditor,
    }
    answered = examples.run(example, folder, environment)
    if answered.text and "\0" not in answered.text:
        blocks.append((example, examples.written(answered)))
    if not os.environ.get("UPDATE_EXAMPLES"):
        found = [*unlike(example, answered)]
        assert not found, "\n".join(
            [*found, "If docs/api.md is to follow, let it be printed anew:", f"    {WRITE}"]
        )


def unlike(example: Example, answered: Answered) -> Iterator[str]:
    """Return in what an answer differs from the one that is printed."""
    status = answered.status if answered.status // 100 == 2 else 200
    if answered.text and not example.language:
        yield "no answer is printed below it"
    if example.language == "json":
        printed = json.loads(example.printed)
        status = printed["status"] if "code" in printed else status
        assert "json" in answered.media_type, answered
        yield from examples.differences(printed, answered.json())
    else:
        begins = examples.written(answered).splitlines()[1:2]
        if answered.text and example.printed.splitlines()[:1] != begins:
            yield f"begins with {begins}, printed is {example.printed[:80]}"
    if answered.status not in (0, status):
        yield f"status {answered.status} instead of {status}: {answered.text[:500]}"
