"""What letters are written about in tests: a product and a region, over and in order again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from alerts import parts
from alerts.digest_page import DigestItem
from alerts.kinds import subjects
from alerts.kinds.budget_pace import verdict as budget_verdict
from alerts.kinds.budget_pace.facts import BudgetFacts
from alerts.kinds.budget_pace.parameters import BudgetPace, Watches
from alerts.kinds.kind import Kind, UnitName
from alerts.kinds.outage import facts as outage_facts
from alerts.kinds.outage import verdict as outage_verdict
from alerts.kinds.outage.parameters import Outage
from alerts.kinds.product_intensity import verdict as product_verdict
from alerts.kinds.product_intensity.facts import ProductFacts, Subject, Yardstick
from alerts.kinds.product_intensity.parameters import Against, Window
from alerts.kinds.region_level import verdict as region_verdict
from alerts.kinds.region_level.facts import RegionFacts
from alerts.kinds.region_level.parameters import RegionLevel
from alerts.kinds.two_high import verdict as two_high_verdict
from alerts.kinds.two_high.facts import TwoHighFacts
from alerts.kinds.value_intensity import verdict as value_verdict
from alerts.kinds.value_intensity.facts import Used, ValueFacts
from alerts.kinds.value_intensity.parameters import Per, ValueIntensity
from alerts.kinds.words import Amended, Language, Occasion, UnverifiedFactor
from alerts.lifecycle import Reason
from alerts.series import Point, Series
from db.budgets import BudgetRow
from db.heads import KeptHead
from db.limits import LimitRow
from db.outages import Site
from db.products import Equivalent, Product
from db.two_high import TwoHighRow
from energy.budgets import OwnerKind, Standing
from energy.factors import Basis
from energy.forecast import Outlook, Projection
from energy.indicators import Indicator
from energy.ledger import Head
from energy.levels import Band, Measure, Scheme
from energy.periods import HOUR, Span
from energy.two_high import ProjectState

DAY_AT = datetime(2026, 11, 22, 16, tzinfo=UTC)
STARTS_AT = datetime(2026, 11, 23, 15, tzinfo=UTC)
SOURCE = "发改产业〔2023〕723号"
LIMIT = LimitRow(
    "cement_clinker", "kgce/t", "2023年版", None, 117.0, 100.0, None, date(2024, 1, 1), SOURCE
)
OVER = ProductFacts(
    subject=Subject(1, "91450200MA0000001X", "柳州某水泥有限公司", "450202", "cement_clinker"),
    window=Span(STARTS_AT, STARTS_AT + timedelta(hours=1)),
    yardstick=Yardstick(117.0, Against.BASELINE, LIMIT),
    energy=29_154.2,
    energy_bounds=(29_154.2, 29_154.2),
    output=208.0,
    output_bounds=(208.0, 208.0),
    coverage=0.9583,
    estimated_share=0.042,
    named=Product("cement_clinker", "水泥熟料", "cement clinker", "t", None, None),
)
CENTRE = replace(
    OVER,
    subject=replace(OVER.subject, unit_name="柳州某数据中心", product="大型数据中心"),
    named=None,
    yardstick=Yardstick(
        1.3,
        Against.LIMIT,
        replace(LIMIT, uom="PUE", edition="十四五", limit=1.3, baseline=None, benchmark=1.3,
                exclusive=True),
    ),
    energy=270_400.0,
    energy_bounds=(270_400.0, 270_400.0),
    output=208_000.0,
    output_bounds=(208_000.0, 208_000.0),
    period=Window.DAY,
    window=Span(STARTS_AT - timedelta(hours=23), STARTS_AT + timedelta(hours=1)),
)  # fmt: skip
SHORT = replace(
    OVER,
    yardstick=Yardstick(100.0, Against.BENCHMARK, LIMIT),
    energy=22_880.0,
    energy_bounds=(22_880.0, 22_880.0),
    period=Window.SHIFT,
    window=Span(STARTS_AT - timedelta(hours=7), STARTS_AT + timedelta(hours=1)),
)
REFINED = replace(
    OVER,
    subject=replace(OVER.subject, unit_name="钦州某石化厂", product="乙烯"),
    named=None,
    yardstick=Yardstick(
        640.0,
        Against.BASELINE,
        replace(LIMIT, uom="kgoe/t", baseline=640.0, benchmark=590.0),
    ),
    energy=137_280.0,
    energy_bounds=(137_280.0, 137_280.0),
    period=Window.MONTH_TO_DATE,
    window=Span(STARTS_AT - timedelta(days=22, hours=23), STARTS_AT + timedelta(hours=1)),
    oil=Equivalent("kgoe", 1.4286, date(2015, 1, 1), "s", False),
)
UNVERIFIED = [UnverifiedFactor("电力", "electricity", 0.302, "kWh", "2026")]
FINE = replace(OVER, energy=21_590.4, energy_bounds=(21_590.4, 21_590.4), coverage=1.0)
ROSE = RegionFacts("450200", "柳州市", 2026, 10, 0.07, 0.06, -0.02747)
FELL = replace(ROSE, through_month=11, energy_growth=0.04)
TOLD = ("柳州市城中区", "柳州市", "广西壮族自治区")
AMENDED = Amended(140.1644, 117.0, True, datetime(2026, 11, 23, 16, 5, tzinfo=UTC))
CLINKER = "91450200MA5KF5XJ00/clinker"
NEXT_HOUR = replace(OVER, window=Span(STARTS_AT + HOUR, STARTS_AT + 2 * HOUR))


def series(values: Sequence[float | None], uom: str = "kgce/t", threshold: float = 117.0) -> Series:
    """Return hours up to the one that letters about a product are of."""
    first = STARTS_AT - (len(values) - 1) * HOUR
    windows = [Span(first + n * HOUR, first + (n + 1) * HOUR) for n in range(len(values))]
    points = [
        Point(window, value, threshold) for window, value in zip(windows, values, strict=True)
    ]
    return Series(tuple(points), uom)


DAY = series([101, 103, 99.5, 108, 112, None, None, 110, 114, 116, 118, 121, 109, 104, 107, 113,
              None, 115, 117, 119, 123, 128, 135, 140.1644])  # fmt: skip


FELL_TO = Point(OVER.window, 103.8, 117.0)


def product(reason: Reason, facts: ProductFacts) -> Occasion:
    return Occasion(
        Kind.PRODUCT_INTENSITY,
        reason,
        product_verdict.product(facts, 0.75),
        facts,
        "柳州市城中区",
        "https://nenghao.example/v1/alerts/7",
        rule_name="产品单耗超限",
        rule_version=3,
        told=TOLD,
    )


YEAR = Span(datetime(2025, 12, 31, 16, tzinfo=UTC), datetime(2026, 10, 31, 16, tzinfo=UTC))
DEAR = ValueFacts(
    unit=UnitName(1, "91450200MA0000001X", "柳州某水泥有限公司"),
    region="450202",
    per=Per.VALUE_ADDED,
    basis=Basis.EQUIVALENT,
    used=Used(YEAR, 62_000.0, (62_000.0, 62_000.0), 310_000_000.0, 0.99, 0.013),
    before=Used(YEAR, 60_000.0, (60_000.0, 60_000.0), 305_000_000.0, 1.0, 0.0),
)
CHEAP = replace(DEAR, used=replace(DEAR.used, energy_tce=58_000.0, energy_bounds=(58e3, 58e3)))


def value(reason: Reason, facts: ValueFacts) -> Occasion:
    return Occasion(
        Kind.VALUE_INTENSITY,
        reason,
        value_verdict.unit(facts, ValueIntensity(required_change=-0.03), 0.75),
        facts,
        "柳州市城中区",
        "https://nenghao.example/v1/alerts/9",
        rule_name="万元增加值能耗",
        told=TOLD,
    )


BUDGET = BudgetFacts(
    row=BudgetRow(
        OwnerKind.PARK, "near", date(2026, 1, 1), date(2027, 1, 1), 2_400.0, Basis.EQUIVALENT,
        "柳发改〔2026〕3号",
    ),
    owner_name="河西工业园",
    region="450202",
    unit=None,
    unit_count=14,
    standing=Standing(
        date(2026, 11, 22), 2_241.5, 2_241.5 / 2_400, 0.992, 0.011, False, (), 6.9, None,
        Projection(Outlook.RUNS_OUT, 2_512.25, 2_478.0, 2_544.5, date(2026, 12, 15),
                   date(2026, 12, 13), date(2026, 12, 18)),
    ),
)  # fmt: skip
LASTING = replace(
    BUDGET,
    standing=replace(
        BUDGET.standing,
        projection=Projection(Outlook.LASTS, 2_380.0, 2_360.0, 2_395.0, None, None, None),
    ),
)


def budget(reason: Reason, facts: BudgetFacts) -> Occasion:
    watches = Watches.PACE if facts.is_pace else Watches.RUN_OUT
    verdict = budget_verdict.budget(facts, BudgetPace(watches=watches, pace_tolerance=0.02))
    assert verdict is not None
    return Occasion(
        Kind.BUDGET_PACE,
        reason,
        verdict,
        facts,
        "柳州市城中区",
        "https://nenghao.example/v1/alerts/10",
        rule_name="用能预算",
        told=TOLD,
    )


def region(reason: Reason, facts: RegionFacts) -> Occasion:
    return Occasion(
        Kind.REGION_LEVEL,
        reason,
        region_verdict.region(facts, RegionLevel()),
        facts,
        "柳州市",
        "https://nenghao.example/v1/alerts/8",
        rule_name="能耗强度预警",
        rule_version=1,
        told=TOLD[1:],
    )


CAP = Scheme(
    "total_default", "能源消费总量预警等级（平台建议）",
    "warning level of total consumption (suggestion)", Measure.CAP_SHARE, "平台建议", False,
    (
        Band("1", 1, None, True, "一级（总量超控）", "level 1 (over the cap)", "red"),
        Band("2", 2, 1.03, True, "二级（略超控制目标）", "level 2 (slightly over)", "orange"),
        Band("3", 3, 1.0, True, "三级（控制目标以内）", "level 3 (within the cap)", "green"),
    ),
)  # fmt: skip
TOTAL = replace(
    ROSE,
    gdp_growth=None,
    required_rate=None,
    indicator=Indicator.TOTAL_ENERGY,
    scheme=CAP,
    base_year_tce=20_500_000.0,
    cap_tce=21_200_000.0,
)
LIGHTS = replace(
    ROSE,
    indicator=Indicator.CARBON_PER_GDP,
    required_rate=-0.038,
    scheme=Scheme(
        "municipal_lights", "市级红黄绿灯", "municipal lights", Measure.REDUCTION_SHARE,
        "南宁市各县区 2017", True,
        (
            Band("red", 1, None, True, "红灯", "red light", "red"),
            Band("yellow", 2, 0.0, True, "黄灯", "yellow light", "yellow"),
            Band("green", 3, 1.0, True, "绿灯", "green light", "green"),
        ),
    ),
)  # fmt: skip


SUSPENDED = TwoHighFacts(
    region=ROSE,
    projects=[
        TwoHighRow("LG-001", "年产120万吨电解铝项目", "柳州某铝业有限公司", "450202",
                   ProjectState.UNDER_REVIEW, 812_000.0, False, "清单"),
        TwoHighRow("LG-007", "4500 t/d 水泥熟料生产线", "柳州某水泥有限公司", "450206",
                   ProjectState.UNDER_REVIEW, 132_000.0, False, "清单"),
    ],
    excepted=1,
)  # fmt: skip


def two_high(reason: Reason, facts: TwoHighFacts) -> Occasion:
    return Occasion(
        Kind.TWO_HIGH,
        reason,
        two_high_verdict.region(facts),
        facts,
        "柳州市",
        "https://nenghao.example/v1/alerts/11",
        rule_name="两高项目",
        rule_version=1,
        told=TOLD[1:],
    )


def outage(reason: Reason, silent: int) -> Occasion:
    """Return that so many of 20 gateways of a city are silent."""
    heard_at = STARTS_AT - 2 * HOUR
    sites = [
        Site(number, f"91450200MA00000{number:02}X", f"柳州某厂{number}", "450202", "450200", 1,
             ["gw1"], heard_at, 4, 0)
        for number in range(1, silent + 1)
    ]  # fmt: skip
    (found,) = outage_facts.incidents(
        sites, {"450200": 20}, Outage(), "450000", {"450200/gateways"}, STARTS_AT
    )
    return Occasion(
        Kind.OUTAGE,
        reason,
        outage_verdict.judge(found, Outage()),
        found,
        "柳州市",
        "https://nenghao.example/v1/alerts/9",
        rule_name="大面积掉线",
        rule_version=1,
        told=TOLD[1:],
    )


def outage_part() -> Occasion:
    """Return what a county is told of an outage of its city, and of another county."""
    whole = outage(Reason.FIRST, 12)
    assert isinstance(whole.facts, outage_facts.OutageFacts)
    sites = [*whole.facts.sites[:4], *(replace(each, region="450203") for each in
                                       whole.facts.sites[4:])]  # fmt: skip
    facts = replace(whole.facts, sites=sites, gateways={"450202": 6, "450203": 14})
    names = {"450000": "广西壮族自治区", "450200": "柳州市", "450202": "城中区", "450203": "鱼峰区"}
    told = parts.told(replace(whole, facts=facts), "450202", list(names), names)
    assert told is not None
    return told


def months() -> Series:
    """Return January to each month up to the one that letters about a region are of."""
    rates = [-0.0283, -0.02, -0.019, None, -0.01, -0.005, 0.002, 0.004, 0.008, 0.00943]
    periods = [replace(ROSE, through_month=month).period for month in range(1, 11)]
    points = [Point(period, rate, 0.0) for period, rate in zip(periods, rates, strict=True)]
    return Series(tuple(points), "share", is_share=True)


def items(count: int, language: Language = Language.ZH) -> list[DigestItem]:
    """Return alerts of which every third got worse, is reminded of, or is over."""
    reasons = [Reason.FIRST, Reason.ESCALATED, Reason.REMINDER, Reason.RESOLVED, Reason.AMENDED]
    names = ["柳州某钢铁有限公司", "鱼峰某水泥有限公司", "柳城县某制糖有限公司"]
    return [
        DigestItem(
            alert_id=number,
            reason=reasons[number % 5],
            level=1 + number % 3,
            rule_name="产品单耗超限",
            region_name="柳城县" if number % 2 else "城中区",
            unit_name=names[number % 3],
            about=subjects.said(OVER.subject.name, language, OVER.named),
            measured=140.1644 - number / 10,
            threshold=117.0,
            uom="kgce/t",
            window=OVER.window,
            link=f"https://nenghao.example/v1/alerts/{number}",
            is_open=number % 5 != 3,
            due_on=date(2026, 12, 21) if number % 3 == 0 else None,
            remedy_on=date(2026, 12, 28) if number % 2 == 0 else None,
        )
        for number in range(count)
    ]


def region_item(language: Language) -> DigestItem:
    return DigestItem(
        alert_id=1_000,
        reason=Reason.FIRST,
        level=1,
        rule_name="能耗强度预警",
        region_name="柳州市",
        unit_name=None,
        about=subjects.said(ROSE.subject, language),
        measured=0.00943,
        threshold=0.0,
        uom="share",
        window=ROSE.period,
        link="https://nenghao.example/v1/alerts/1000",
        is_open=True,
        has_task=True,
        task_due_on=date(2026, 12, 21),
    )


HEADS = [
    KeptHead(date(2026, 11, 22), chain, Head(links, bytes([links % 256]) * 32), DAY_AT)
    for chain, links in (("audit", 1_234), ("changes", 88), ("readings/one", 99_120))
]
