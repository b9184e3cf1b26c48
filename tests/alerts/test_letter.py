"""Letters as a regulator reads them. A difference to a golden letter is for a person to judge."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from alerts import letter
from alerts.kinds.kind import Kind
from alerts.kinds.product_intensity import verdict as product_verdict
from alerts.kinds.product_intensity.facts import ProductFacts, Subject, Yardstick
from alerts.kinds.product_intensity.parameters import Against
from alerts.kinds.region_level import verdict as region_verdict
from alerts.kinds.region_level.facts import RegionFacts
from alerts.kinds.region_level.parameters import RegionLevel
from alerts.kinds.words import Language, Occasion, UnverifiedFactor
from alerts.lifecycle import Reason
from db.limits import LimitRow
from energy.factors import Basis
from energy.periods import Span

GOLDEN = Path(__file__).parent.parent / "golden" / "letters"
STARTS_AT = datetime(2026, 11, 23, 15, tzinfo=UTC)
LIMIT = LimitRow("水泥熟料", "kgce/t", "2023年版", None, 117.0, 100.0, None, date(2024, 1, 1), "s")
OVER = ProductFacts(
    subject=Subject(1, "91450200MA0000001X", "柳州某水泥有限公司", "450202", "水泥熟料"),
    window=Span(STARTS_AT, STARTS_AT + timedelta(hours=1)),
    yardstick=Yardstick(117.0, Against.BASELINE, LIMIT),
    energy_kgce=29_154.2,
    energy_bounds=(29_154.2, 29_154.2),
    output=208.0,
    output_bounds=(208.0, 208.0),
    coverage=0.9583,
    estimated_share=0.042,
)
UNVERIFIED = [UnverifiedFactor("电力", "electricity", 0.302, "kWh", "2026")]
FINE = replace(OVER, energy_kgce=21_590.4, energy_bounds=(21_590.4, 21_590.4), coverage=1.0)
ROSE = RegionFacts("450200", "柳州市", 2026, 10, 0.07, 0.06, -0.02747)
FELL = replace(ROSE, through_month=11, energy_growth=0.04)


def product(reason: Reason, facts: ProductFacts) -> Occasion:
    link = "https://nenghao.example/v1/alerts/7"
    verdict = product_verdict.product(facts, 0.75)
    return Occasion(Kind.PRODUCT_INTENSITY, reason, verdict, facts, "柳州市城中区", link)


def region(reason: Reason, facts: RegionFacts) -> Occasion:
    link = "https://nenghao.example/v1/alerts/8"
    verdict = region_verdict.region(facts, RegionLevel())
    return Occasion(Kind.REGION_LEVEL, reason, verdict, facts, "柳州市", link)


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize(
    ("name", "occasion"),
    [
        ("product_first", product(Reason.FIRST, OVER)),
        (
            "product_unverified",
            replace(
                product(Reason.FIRST, replace(OVER, basis=Basis.EQUIVALENT)), unverified=UNVERIFIED
            ),
        ),
        ("product_resolved", product(Reason.RESOLVED, FINE)),
        ("region_first", region(Reason.FIRST, ROSE)),
        ("region_resolved", region(Reason.RESOLVED, FELL)),
    ],
)
def test_a_letter_reads_like_its_golden_copy(
    name: str, occasion: Occasion, language: Language
) -> None:
    written = letter.compose(occasion, language)
    text = f"{written.subject}\n\n{written.body}"
    assert text == (GOLDEN / f"{name}.{language}.txt").read_text(encoding="utf-8")


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
    written = letter.compose(occasion, language)
    clean = letter.compose(product(Reason.FIRST, OVER), language)
    assert len(written.subject) <= letter.SUBJECT_LENGTH_MAX
    assert "\n" not in written.subject
    assert not any(line.startswith("Bcc:") for line in written.body.splitlines())
    assert len(written.body.splitlines()) == len(clean.body.splitlines())
    assert "\u202e" not in written.body


def test_a_value_that_is_over_never_reads_like_its_threshold() -> None:
    facts = replace(OVER, energy_kgce=117.001 * 208, energy_bounds=(24_336.2, 24_336.2))
    written = letter.compose(product(Reason.FIRST, facts), Language.ZH)
    assert "单耗 117.001 kgce/t，超过基准水平 117" in written.subject
