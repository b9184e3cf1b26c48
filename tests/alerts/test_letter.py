"""Letters as a regulator reads them. A difference to a golden letter is for a person to judge.

`UPDATE_LETTERS=1` writes them anew; `tests/alerts/pictures.py` makes pictures of them to look at.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from alerts import chart, letter
from alerts.digest_page import compose_digest
from alerts.kinds.gone import Gone
from alerts.kinds.kind import Facts
from alerts.kinds.product_intensity.facts import Yardstick
from alerts.kinds.product_intensity.parameters import Against
from alerts.kinds.words import Language, Note, Occasion
from alerts.lifecycle import Reason
from alerts.page import Letter
from alerts.verdicts import State, Verdict
from energy.factors import Basis
from energy.periods import HOUR, Span
from tests.alerts import occasions
from tests.alerts.occasions import DAY, FELL, FINE, LIMIT, OVER, ROSE, product, region

GOLDEN = Path(__file__).parent.parent / "golden" / "letters"
UPDATE = bool(os.environ.get("UPDATE_LETTERS"))
DUE_ON = date(2026, 12, 21)

LETTERS: dict[str, Occasion] = {
    "product_first": replace(product(Reason.FIRST, OVER), series=DAY, due_on=DUE_ON),
    "product_unverified": replace(
        product(Reason.FIRST, replace(OVER, basis=Basis.EQUIVALENT)),
        unverified=occasions.UNVERIFIED,
    ),
    "product_escalated": replace(product(Reason.ESCALATED, OVER), due_on=DUE_ON),
    "product_reminder": replace(product(Reason.REMINDER, OVER), due_on=DUE_ON),
    "product_resolved": product(Reason.RESOLVED, FINE),
    "product_unwatched": replace(
        product(Reason.UNWATCHED, OVER),
        facts=Facts(),
        note=Note(OVER.subject.name, gone=Gone.WITHDRAWN, owner="水泥厂", product=OVER.named),
    ),
    "product_unknown": replace(
        product(Reason.UNKNOWN, OVER),
        verdict=Verdict(State.UNKNOWN, OVER.window, "no data from E01, P01"),
        note=Note(OVER.subject.name, since_at=OVER.window.starts_at),
    ),
    "product_pue": product(Reason.FIRST, occasions.CENTRE),
    "product_benchmark": product(Reason.FIRST, occasions.SHORT),
    "product_oil": product(Reason.FIRST, occasions.REFINED),
    "product_amended": replace(
        product(Reason.AMENDED, FINE),
        series=replace(DAY, points=(*DAY.points[:-1], occasions.FELL_TO)),
        amended=occasions.AMENDED,
        note=Note(occasions.CLINKER, newest=product(Reason.FIRST, occasions.NEXT_HOUR).verdict),
    ),
    "product_amended_still_over": replace(
        product(Reason.AMENDED, OVER),
        amended=replace(occasions.AMENDED, measured=151.5),
        due_on=DUE_ON,
    ),
    "product_amended_past": replace(
        product(Reason.AMENDED, OVER),
        amended=replace(occasions.AMENDED, measured=151.5),
        note=Note(occasions.CLINKER, is_past=True),
    ),
    "product_retracted": replace(
        product(Reason.RETRACTED, FINE), amended=occasions.AMENDED, note=Note(occasions.CLINKER)
    ),
    "region_amended": replace(
        region(Reason.AMENDED, replace(ROSE, through_month=9, energy_growth=0.02)),
        amended=replace(occasions.AMENDED, measured=0.00943, threshold=0.0),
        note=Note("450200/2026", newest=region(Reason.FIRST, ROSE).verdict),
    ),
    "value_first": occasions.value(Reason.FIRST, occasions.DEAR),
    "value_resolved": occasions.value(Reason.RESOLVED, occasions.CHEAP),
    "budget_first": occasions.budget(Reason.FIRST, occasions.BUDGET),
    "budget_pace": occasions.budget(Reason.FIRST, replace(occasions.BUDGET, is_pace=True)),
    "budget_resolved": occasions.budget(Reason.RESOLVED, occasions.LASTING),
    "outage_first": occasions.outage(Reason.FIRST, 12),
    "outage_part": occasions.outage_part(),
    "outage_resolved": occasions.outage(Reason.RESOLVED, 0),
    "region_first": replace(region(Reason.FIRST, ROSE), series=occasions.months()),
    "region_total": region(Reason.FIRST, occasions.TOTAL),
    "region_lights": region(Reason.FIRST, occasions.LIGHTS),
    "two_high_first": occasions.two_high(Reason.FIRST, occasions.SUSPENDED),
    "two_high_resolved": occasions.two_high(
        Reason.RESOLVED, replace(occasions.SUSPENDED, projects=[])
    ),
    "region_resolved": region(Reason.RESOLVED, FELL),
}


def digest(count: int, language: Language) -> Letter:
    return compose_digest(
        "柳州市",
        Span(occasions.DAY_AT, occasions.DAY_AT + 24 * HOUR),
        [*occasions.items(count, language), occasions.region_item(language)],
        language,
        desk="柳州市",
        heads=occasions.HEADS,
        link="https://nenghao.example/v1/alerts?region=450200",
    )


def written(name: str, language: Language) -> Letter:
    if name == "digest":
        return digest(12, language)
    return letter.compose(LETTERS[name], language)


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("name", [*LETTERS, "digest"])
def test_a_letter_reads_like_its_golden_copy(name: str, language: Language) -> None:
    made = written(name, language)
    html = made.html
    if made.chart is not None:  # its bytes, and so its name, are those of one compressor
        html = html.replace(chart.content_id(made.chart), "chart@golden")
    copies = {"txt": f"{made.subject}\n\n{made.body}", "html": html}
    for kind, text in copies.items():
        path = GOLDEN / f"{name}.{language}.{kind}"
        if UPDATE:
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize(
    "name",
    [
        "Works\r\nBcc: evil@example.cn",
        "Works\n\nBcc: evil",
        "厂\u2028Bcc: evil",
        "厂\u202egpj.",
        "a" * 10_000,
    ],
)
def test_no_name_begins_a_line_or_turns_the_text(name: str, language: Language) -> None:
    subject = replace(OVER.subject, unit_name=name, product=name)
    limit = replace(LIMIT, edition=name, uom=f"kgce/{name}")
    facts = replace(OVER, subject=subject, yardstick=Yardstick(117.0, Against.BASELINE, limit))
    occasion = replace(product(Reason.FIRST, facts), region_name=name)
    made = letter.compose(occasion, language)
    clean = letter.compose(product(Reason.FIRST, OVER), language)
    assert len(made.subject) <= letter.SUBJECT_LENGTH_MAX
    assert "\n" not in made.subject
    assert not any(line.startswith("Bcc:") for line in made.body.splitlines())
    assert len(made.body.splitlines()) <= len(clean.body.splitlines())
    assert "\u202e" not in made.body + made.html


def test_a_value_that_is_over_never_reads_like_its_threshold() -> None:
    facts = replace(OVER, energy=117.001 * 208, energy_bounds=(24_336.2, 24_336.2))
    made = letter.compose(product(Reason.FIRST, facts), Language.ZH)
    assert "单耗 117.001 kgce/t，超过基准水平 117" in made.subject


def test_html_refers_to_the_picture_by_its_content_and_to_nothing_outside() -> None:
    made = letter.compose(LETTERS["product_first"], Language.ZH)
    assert made.chart is not None
    assert f'src="cid:{chart.content_id(made.chart)}"' in made.html
    assert made.html.count("src=") == 1
    assert "url(" not in made.html
    assert "<script" not in made.html
