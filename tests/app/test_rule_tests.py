"""Tests of rules as files: they hold or say what differs, and need no database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from alerts import trials
from alerts.kinds.kind import Kind
from alerts.trials import TRIALS, TrialError
from app import cli
from app.resolve import Refusal

EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "examples" / "rules").glob("*.json"))
SUBJECT = "450200/2026"


def file(**parts: Any) -> dict[str, Any]:
    """Return a test of a region whose energy per GDP rose."""
    step = {
        "at": "2026-11-20T09:00:00+08:00",
        "facts": [{}],
        "verdicts": [{"subject": SUBJECT, "state": "firing", "level": 1}],
        "alerts": [{"subject": SUBJECT, "event": "first"}],
    }
    facts = {"region": "450200", "region_name": "柳州市", "year": 2026, "through_month": 10,
             "energy_growth": 0.07, "gdp_growth": 0.06, "required_rate": -0.02747}  # fmt: skip
    whole = {
        "rule": {"kind": "region_level"},
        "defaults": facts,
        "cases": [{"name": "it rose", "steps": [step | parts.pop("step", {})]}],
    }
    return whole | parts


def differences(**parts: Any) -> list[str]:
    return [each.text for each in trials.run(trials.read(json.dumps(file(**parts))))]


def run(*paths: Path) -> Result:
    """Run the command where no service is known."""
    environment = {"NENGHAO_DATABASE_URL": "", "NENGHAO_STATE_DIR": "/nonexistent"}
    return CliRunner().invoke(cli.app, ["rules", "test", *map(str, paths)], env=environment)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_holds(path: Path) -> None:
    assert trials.run(trials.read(path.read_text(encoding="utf-8"))) == []


def test_every_kind_has_an_example() -> None:
    kinds = {json.loads(path.read_text(encoding="utf-8"))["rule"]["kind"] for path in EXAMPLES}
    assert kinds == set(TRIALS) == set(Kind)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (
            {"verdicts": [{"subject": SUBJECT, "state": "ok"}]},
            "450200/2026: state is firing (energy per GDP +0.943%, rose (level 1); the year "
            "requires -2.747%), expected ok",
        ),
        (
            {"verdicts": [{"subject": SUBJECT, "state": "firing", "measured": 0.01}]},
            "450200/2026: measured is 0.0094339622641",
        ),
        (
            {"verdicts": [{"subject": "450100/2026", "state": "ok"}]},
            "450100/2026: ok is expected, and there are no facts",
        ),
        ({"verdicts": []}, "450200/2026: nothing is expected, and it is firing"),
        ({"alerts": []}, "450200/2026: first happened, and is not expected"),
        (
            {"alerts": [{"subject": SUBJECT, "event": "resolved"}]},
            "450200/2026: resolved is expected, and did not happen",
        ),
    ],
)
def test_what_differs_is_said_with_what_was_expected(step: dict[str, Any], says: str) -> None:
    assert any(text.startswith(says) for text in differences(step=step))


def test_what_is_not_expected_is_not_looked_at() -> None:
    assert differences(step={"verdicts": None, "alerts": None}) == []
    assert differences() == []


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"rule": {"kind": "noise"}}, "rule.kind: Input should be"),
        (
            {"rule": {"kind": "region_level", "parameters": {"level": 1}}},
            "rule.parameters: level: Extra inputs are not permitted",
        ),
        (
            {"rule": {"kind": "expression", "parameters": {"of": "unit", "expression": "x > 1"}}},
            "x is no fact here; there are annual_tce, coverage",
        ),
        ({"step": {"facts": [{"gdp": 1}]}}, "it rose: step 0: gdp is no fact of region_level"),
        ({"step": {"facts": [{"year": "2026"}]}}, "it rose: step 0: facts: year: Input should be"),
        ({"step": {"at": "2026-11-20T09:00:00"}}, "Input should have timezone info"),
        ({"cases": []}, "cases: List should have at least 1 item"),
        ({"case": []}, "case: Extra inputs are not permitted"),
    ],
)
def test_what_is_no_test_is_refused_with_where_and_why(parts: dict[str, Any], says: str) -> None:
    with pytest.raises(TrialError) as refused:
        differences(**parts)
    assert says in str(refused.value)


def test_time_goes_forward_and_files_have_an_end() -> None:
    twice = file()
    twice["cases"][0]["steps"] *= 2
    with pytest.raises(TrialError, match="step 1 is not after the one before it"):
        trials.run(trials.read(json.dumps(twice)))
    twice["cases"][0]["steps"] *= trials.STEPS_MAX
    with pytest.raises(TrialError, match="more than 1,000 steps"):
        trials.read(json.dumps(twice))
    with pytest.raises(TrialError, match="larger than 1,000,000 bytes"):
        trials.read(" " * (trials.BYTES_MAX + 1))


def test_the_command_tells_case_by_case_and_fails_if_one_differs(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps(file(step={"alerts": []})), encoding="utf-8")
    assert run(EXAMPLES[0]).exit_code == 0
    done = run(EXAMPLES[0], wrong)
    assert done.exit_code == 1
    assert f"FAILED {wrong}: it rose\n" in done.output
    assert "2026-11-20 09:00 450200/2026: first happened, and is not expected" in done.output
    assert done.output.endswith("1 failed\n")


def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{", encoding="utf-8")
    refused = run(wrong).exception
    assert isinstance(refused, Refusal)
    assert str(wrong) in str(refused)
