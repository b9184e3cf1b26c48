"""Owns the words of letters about what nobody did in time: raised alerts, tasks that are due; of
alerts that go on at another desk, and of contests that wait for a decision.

Pure. What is over, and how that is computed, is told by `alerts/letter.py` in the same thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from alerts import answering, frame, tasks, witness
from alerts.answering import Deed
from alerts.dues import Turn
from alerts.kinds import subjects
from alerts.kinds.words import SHARE, Language, collapse, moment, paired, window
from alerts.page import Fact, Letter, Link, Page, Section, Tone
from alerts.tasks import TaskTurn
from db.alert_events import CONTESTED
from db.heads import KeptHead
from db.matters import Matter
from db.products import Product

HANDED_OVER = "handed_over"
"""Event of an alert whose unit lies elsewhere by now."""

LEFT = "left"
"""Of a letter: the unit lies where the rule of its alert does not act."""
SAID_LENGTH_MAX = 400
"""Of what an enterprise says; all of it is at the alert."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a letter is about, and to whose desk it goes. `due_on`: the last day in time.

    `cities` are those that a task is about, `untold` those of which nobody knows, by name. `heads`:
    as a letter has them. `to_name` is who takes over. `task_id`: of what is about a task. `link`
    "": its reader sees the alert no more. `said`: what an enterprise has against it. `product`:
    what its unit makes; None: it has no name.
    """

    turn: str
    matter: Matter
    desk: str
    due_on: date | None
    link: str
    cities: Sequence[str] = ()
    untold: Sequence[str] = ()
    heads: Sequence[KeptHead] = ()
    to_name: str = ""
    task_id: int | None = None
    said: str = ""
    product: Product | None = None


@dataclass(frozen=True, slots=True)
class Phrases:
    """What notices of a language say. Fields in braces are filled in."""

    subject: str
    badges: Mapping[str, str]
    titles: Mapping[str, str]
    leads: Mapping[str, str]
    greeting: str
    asked: str
    raised: Sequence[str]
    not_remedied: Sequence[str]
    handed_over: Sequence[str]
    contested: Sequence[str]
    said: str
    done: str
    rose: str
    untold: str
    due: Mapping[str, str]
    due_else: str
    about: str
    place: str
    zone: str
    measured: str
    threshold: str
    window: str
    level: str
    levels: Mapping[int, str]
    fired: str
    rule: str
    details: str
    between: str
    end: str


ZH = Phrases(
    subject="【{badge}】{title}",
    badges={
        Turn.RAISED_TO: "逾期上报",
        Turn.REMEDY_OVERDUE: "整改逾期",
        TaskTurn.TASK_REMINDER: "任务提醒",
        TaskTurn.TASK_OVERDUE: "任务逾期",
        HANDED_OVER: "预警移交",
        LEFT: "预警终止",
        CONTESTED: "预警申辩",
    },
    titles={
        Turn.RAISED_TO: "{who}：预警应于 {due} 前确认，逾期未确认",
        Turn.REMEDY_OVERDUE: "{who}：预警应于 {due} 前整改到位，逾期未恢复",
        TaskTurn.TASK_REMINDER: "{who}：一级预警任务须于 {due} 前办结",
        TaskTurn.TASK_OVERDUE: "{who}：一级预警任务应于 {due} 前办结，逾期未办结",
        HANDED_OVER: "{who}：预警随单位移交{to}",
        LEFT: "{who}：已划归{to}，预警终止",
        CONTESTED: "{who}：对预警提出申辩，请于 {due} 前裁定",
    },
    leads={
        Turn.RAISED_TO: "{who}的预警应于 {due} 前确认，至今无人确认，现上报贵单位。",
        Turn.REMEDY_OVERDUE: "{who}的预警应于 {due} 前整改到位，数值至今未回到阈值以内。",
        TaskTurn.TASK_REMINDER: "{who}的一级预警任务即将到期，尚未办结。",
        TaskTurn.TASK_OVERDUE: "{who}的一级预警任务逾期未办结，请督促办理。",
        HANDED_OVER: "{who}现由{to}管辖，其预警由{to}继续办理，不再向{from_}发送后续通知。",
        LEFT: "{who}现由{to}管辖，本规则不适用于该地，其预警终止，不再判定是否超过；"
        "这不表示已恢复正常。",
        CONTESTED: "{who}对预警提出申辩并附依据，办理时限暂停计算；至 {due} 未裁定的，恢复计算。",
    },
    greeting="{region}节能主管部门：",
    asked="请您",
    raised=["督促处置，并登记由谁负责；登记后不再上报。"],
    not_remedied=[
        "督促整改：由用能单位查明原因、采取措施，使数值回到阈值以内。",
        "确有困难的，把原因、措施和计划完成时间写进预警记录。",
    ],
    handed_over=["无需继续处理；已开展的核查和已采取的措施请告知接办单位。"],
    done="办结后登记并附依据，不再提醒。",
    contested=[
        "裁定：核对申辩理由和依据，予以采纳或驳回，并写明理由。",
        "更正：数据确有错误的，由用能单位更正读数并附证据；采纳申辩不改变数值。",
    ],
    said="申辩理由",
    rose="能耗强度上升的地区",
    untold="尚无数据、无法判断的市",
    due={Turn.RAISED_TO: "确认期限", Turn.REMEDY_OVERDUE: "整改期限", CONTESTED: "裁定期限"},
    due_else="办理期限",
    about="预警对象",
    place="所在地区",
    zone="（北京时间）",
    measured="实测值",
    threshold="阈值",
    window="统计时段",
    level="预警等级（一级最严峻）",
    levels={1: "一级", 2: "二级", 3: "三级"},
    fired="预警时间",
    rule="依据规则：{name}。",
    details="预警详情（须密钥）",
    between="、",
    end="本邮件由能耗在线监测平台自动发送，请勿直接回复。",
)
EN = Phrases(
    subject="[{badge}] {title}",
    badges={
        Turn.RAISED_TO: "Raised",
        Turn.REMEDY_OVERDUE: "Not remedied",
        TaskTurn.TASK_REMINDER: "Task due soon",
        TaskTurn.TASK_OVERDUE: "Task overdue",
        HANDED_OVER: "Handed over",
        LEFT: "Warning ended",
        CONTESTED: "Contested",
    },
    titles={
        Turn.RAISED_TO: "{who}: to be acknowledged by {due}, and nobody did",
        Turn.REMEDY_OVERDUE: "{who}: to be remedied by {due}, and it is not",
        TaskTurn.TASK_REMINDER: "{who}: the task of level 1 is due by {due}",
        TaskTurn.TASK_OVERDUE: "{who}: the task of level 1 was due by {due}",
        HANDED_OVER: "{who}: the warning goes with the unit to {to}",
        LEFT: "{who} is now of {to}: its warning ends",
        CONTESTED: "{who}: the warning is contested, to be decided by {due}",
    },
    leads={
        Turn.REMEDY_OVERDUE: "The warning about {who} was to be remedied by {due}. It is still not "
        "within its threshold.",
        Turn.RAISED_TO: "The warning about {who} was to be acknowledged by {due}. Nobody did; it "
        "is raised to you.",
        TaskTurn.TASK_REMINDER: "The task that level 1 opened for {who} is due soon, and not done.",
        TaskTurn.TASK_OVERDUE: "The task that level 1 opened for {who} was not done in time. See "
        "that it is.",
        HANDED_OVER: "{who} is now looked after by {to}, which goes on with its warning. Nothing "
        "more of it is sent to {from_}.",
        LEFT: "{who} is now looked after by {to}, where this rule does not act: its warning ends. "
        "Whether it is still over is not looked at any more; that is not to say that it is in "
        "order.",
        CONTESTED: "{who} contests the warning, with evidence. Its dates stand still until "
        "somebody decides, and not beyond {due}.",
    },
    greeting="To the energy conservation authority, {region}",
    asked="What is asked of you",
    raised=["See that it is taken care of, and have noted by whom; then it goes no further."],
    not_remedied=[
        "See that the unit finds the cause and brings it back within the threshold.",
        "Where that is not possible yet, write in its record why, what is done and until when.",
    ],
    handed_over=["Nothing more; tell who takes over what was checked and done already."],
    done="Have noted that it is done, with what proves it; then nobody is reminded.",
    contested=[
        "Decide: look at what is said and what proves it; uphold or reject it, and say why.",
        "Correct: where data are wrong, the unit corrects the readings with evidence; a contest "
        "that is upheld changes no figure.",
    ],
    said="What is said against it",
    rose="Regions whose intensity rose",
    untold="Cities without figures yet",
    due={
        Turn.RAISED_TO: "To be acknowledged by",
        Turn.REMEDY_OVERDUE: "To be remedied by",
        CONTESTED: "To be decided by",
    },
    due_else="Due by",
    about="What it is about",
    place="Region",
    zone=" (Asia/Shanghai)",
    measured="Measured",
    threshold="Threshold",
    window="Window",
    level="Warning level (1 is the worst)",
    levels={},
    fired="Warned at",
    rule="By the rule {name}.",
    details="The alert (asks for a key)",
    between=", ",
    end="Sent automatically by the monitoring platform; please do not reply to this message.",
)
PHRASES = {Language.ZH: ZH, Language.EN: EN}
TONES = {
    TaskTurn.TASK_REMINDER: Tone.MILD,
    HANDED_OVER: Tone.FINE,
    LEFT: Tone.MILD,
    CONTESTED: Tone.MILD,
}


def compose(notice: Notice, language: Language) -> Letter:
    """Return the letter about what nobody did in time."""
    says, matter, turn = PHRASES[language], notice.matter, notice.turn
    who = collapse(matter.unit_name or matter.region_name)
    to = collapse(notice.to_name)
    title = says.titles[turn].format(who=who, due=notice.due_on, to=to)
    page = Page(
        language=language,
        subject=says.subject.format(badge=says.badges[turn], title=title),
        tone=TONES.get(turn, Tone.BAD),
        badge=says.badges[turn],
        title=title,
        greeting=says.greeting.format(region=collapse(notice.desk)),
        lead=says.leads[turn].format(
            who=who, due=notice.due_on, to=to, from_=collapse(matter.region_name)
        ),
        facts=[*_facts(notice, says, language), *_places(notice, says)],
        sections=[
            Section(says.asked, _asked(notice, says, language), is_numbered=True),
            *answering.sections(notice.link, language, _deeds(notice), task_id=notice.task_id),
            *witness.sections(notice.heads, language),
        ],
        links=[Link(says.details, notice.link)] if notice.link else [],
        foot=[says.rule.format(name=collapse(matter.rule)), says.end],
    )
    return frame.write(page)


def _facts(notice: Notice, says: Phrases, language: Language) -> list[Fact]:
    matter = notice.matter
    about = subjects.said(matter.subject, language, notice.product)
    uom = "" if matter.uom == SHARE else f" {collapse(matter.uom)}"
    shown = paired(matter.measured, matter.threshold, matter.uom)
    measured, threshold = (f"{each}{uom}" for each in shown)
    is_there = matter.unit is not None and notice.turn not in (HANDED_OVER, LEFT)
    label, due_on = says.due.get(notice.turn, says.due_else), notice.due_on
    return [
        *([] if due_on is None else [Fact(label, f"{due_on}", stands_out=True)]),
        *([Fact(says.said, collapse(notice.said, SAID_LENGTH_MAX))] if notice.said else []),
        *([Fact(says.about, collapse(about))] if about and matter.unit is not None else []),
        *([Fact(says.place, collapse(matter.region_name))] if is_there else []),
        Fact(says.measured, measured),
        Fact(says.threshold, threshold),
        Fact(says.window, window(matter.period) + says.zone),
        Fact(says.level, says.levels.get(matter.level, f"{matter.level}")),
        Fact(says.fired, moment(matter.fired_at) + says.zone),
    ]


def _places(notice: Notice, says: Phrases) -> list[Fact]:
    if not isinstance(notice.turn, TaskTurn):
        return []
    rose = says.between.join(map(collapse, notice.cities)) or "—"
    untold = says.between.join(map(collapse, notice.untold))
    return [Fact(says.rose, rose), *([Fact(says.untold, untold)] if untold else [])]


def _asked(notice: Notice, says: Phrases, language: Language) -> Sequence[str]:
    if notice.turn in (HANDED_OVER, LEFT):
        return says.handed_over
    if notice.turn == CONTESTED:
        return says.contested
    if not isinstance(notice.turn, TaskTurn):
        return says.not_remedied if notice.turn is Turn.REMEDY_OVERDUE else says.raised
    text = tasks.text_zh if language is Language.ZH else tasks.text_en
    return [text(notice.due_on), says.done]


def _deeds(notice: Notice) -> list[Deed]:
    if notice.task_id is not None:
        return [Deed.TASK]
    if notice.turn == CONTESTED:
        return [Deed.DECIDE]
    return [Deed.CONFIRM, Deed.REPLY] if notice.turn is Turn.RAISED_TO else [Deed.REPLY]
