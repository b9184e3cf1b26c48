"""Owns what a letter says of how it is answered: at the interface, or by who runs the platform.

Pure. Links lead to the interface, which answers JSON to whoever shows a key: there is no page to
click on.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from alerts import frame
from alerts.kinds.words import Language
from alerts.page import Section

ALERTS = "/v1/alerts/"
TASKS = "/v1/tasks/"

ANY_ZH, ANY_EN = "编号", "NUMBER"
"""What stands for the number of an alert in a letter about several."""


class Deed(Enum):
    """What a letter asks for."""

    CONFIRM = "confirm"
    REPLY = "reply"
    CONTEST = "contest"
    DECIDE = "decide"
    TASK = "task"


HEADING = {Language.ZH: "如何登记", Language.EN: "How to answer"}
WHAT = {
    Language.ZH: "链接是平台的数据接口（JSON），不是网页：访问须出示本地区的 API 密钥"
    "（Authorization: Bearer …），密钥由平台运维人员签发；"
    "POST 的正文为 JSON（Content-Type: application/json）。",
    Language.EN: "The links lead to the platform's interface (JSON), which is no web page: it asks "
    "for an API key of your region (Authorization: Bearer …), made by whoever runs the platform. "
    "What is posted is JSON (Content-Type: application/json).",
}
DEEDS = {
    Language.ZH: {
        Deed.CONFIRM: '确认：POST {alert}/acknowledge {{"note": "由谁负责"}}',
        Deed.REPLY: '反馈：POST {alert}/comments {{"text": "核查结果和措施"}}',
        Deed.CONTEST: "用能单位有异议的，以本单位密钥：POST {alert}/contest "
        '{{"text": "理由", "evidence": "证据"}}',
        Deed.DECIDE: '裁定：POST {alert}/contest/decide {{"decision": "upheld", "reason": "理由"}}'
        "，驳回的为 rejected",
        Deed.TASK: '办结：POST {task}/done {{"text": "办理情况", "evidence": "依据"}}',
    },
    Language.EN: {
        Deed.CONFIRM: 'Confirm: POST {alert}/acknowledge {{"note": "who"}}',
        Deed.REPLY: 'Reply: POST {alert}/comments {{"text": "what was found and done"}}',
        Deed.CONTEST: "A unit that objects, with a key of its own: POST {alert}/contest "
        '{{"text": "why", "evidence": "what proves it"}}',
        Deed.DECIDE: 'Decide: POST {alert}/contest/decide {{"decision": "upheld", "reason": "why"}}'
        ", or rejected",
        Deed.TASK: 'Done: POST {task}/done {{"text": "what was done", "evidence": "proof"}}',
    },
}
WITHOUT = {
    Language.ZH: "没有密钥的，请平台运维人员代为登记：",
    Language.EN: "Without a key, have whoever runs the platform note it:",
}
COMMANDS = {
    Language.ZH: {
        Deed.CONFIRM: 'nenghao alerts acknowledge {number} --as "姓名" --note "由谁负责"',
        Deed.REPLY: 'nenghao alerts comment {number} --as "姓名" --text "核查结果和措施"',
        Deed.CONTEST: 'nenghao alerts contest {number} --as "用能单位" --text "理由" '
        '--evidence "证据"',
        Deed.DECIDE: 'nenghao alerts decide {number} upheld --as "姓名" --text "理由"',
        Deed.TASK: 'nenghao alerts task-done {task_number} --as "姓名" --text "办理情况" '
        '--evidence "依据"',
    },
    Language.EN: {
        Deed.CONFIRM: 'nenghao alerts acknowledge {number} --as "NAME" --note "who"',
        Deed.REPLY: 'nenghao alerts comment {number} --as "NAME" --text "what was found and done"',
        Deed.CONTEST: 'nenghao alerts contest {number} --as "UNIT" --text "why" '
        '--evidence "what proves it"',
        Deed.DECIDE: 'nenghao alerts decide {number} upheld --as "NAME" --text "why"',
        Deed.TASK: 'nenghao alerts task-done {task_number} --as "NAME" --text "what was done" '
        '--evidence "proof"',
    },
}
"""Whole, a line each, as they are typed: without a name the login's would be noted."""


def sections(
    link: str, language: Language, deeds: Sequence[Deed], *, task_id: int | None = None
) -> list[Section]:
    """Return how the alert that `link` leads to is answered; nothing where it leads nowhere.

    Of several alerts `link` is what lists them.
    """
    site, found, number = link.partition(ALERTS)
    if not found:
        site, found, _ = link.partition(ALERTS.rstrip("/"))
        number = ANY_ZH if language is Language.ZH else ANY_EN
    if not found:
        return []
    named = {
        "alert": f"{site}{ALERTS}{number}",
        "number": number,
        "task": f"{site}{TASKS}{task_id}",
        "task_number": task_id,
    }
    is_web = frame.is_web_address(link)  # links that are none are left out
    ways = [WHAT[language], *(DEEDS[language][deed].format(**named) for deed in deeds)]
    commands = [COMMANDS[language][deed].format(**named) for deed in deeds]
    lines = [*(ways if is_web else []), *([WITHOUT[language], *commands] if commands else [])]
    return [Section(HEADING[language], lines, is_small=True)] if lines else []
