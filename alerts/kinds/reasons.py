"""Owns why nothing can be told, in Chinese: what the kinds say of it is an English sentence. Pure.

Answers and the history of alerts keep the sentence; a Chinese letter never shows one. What has no
Chinese here is said at the alert.
"""

from __future__ import annotations

import re

AT_THE_ALERT = "见预警详情"

ZH = [
    (re.compile(pattern), said)
    for pattern, said in (
        (r"no data from (.+)", "表计无数据：{}"),
        (r"coverage (\S+) is below (\S+)", "数据完整率 {}，低于要求的 {}"),
        (r"missing readings leave it between (\S+) and (\S+)", "有缺数，数值在 {} 与 {} 之间"),
        (r"it depends on readings that are missing", "取决于所缺的数据"),
        (r"a register step waits for review: (.+)", "表底数突变待审核：{}"),
        (r"no coal equivalent factor for (.+)", "缺少折标准煤系数：{}"),
        (r"there is no intensity: output_not_positive", "产量不大于零"),
        (r"there is no intensity: output_missing", "缺少产量"),
        (r"there is no intensity: energy_missing", "缺少能耗"),
        (r"the limit is not verified \(edition (.+)\): .+", "限值未经核实（{}）"),
        (r"units of measure do not lead to those of the limit: (.+)", "计量单位与限值不符：{}"),
        (r"the energy of the unit is not metered by product; .+", "能耗未按产品分别计量"),
        (r"the output value is not stated for all of it", "产值未全部填报"),
        (r"the value added is not stated for all of it", "增加值未全部填报"),
        (r"the unit was not assessed lately: .+", "接入情况近期未评估"),
        (r"nobody is judged by this rule: .+", "平台未能按该规则判定"),
        (r"(?:no forecast|it cannot be told): factor_missing", "缺少折标准煤系数"),
        (r"(?:no forecast|it cannot be told): held", "表底数突变待审核"),
        (r"(?:no forecast|it cannot be told): coverage_too_low", "数据完整率低于要求"),
        (r"(?:no forecast|it cannot be told): no_data", "没有数据"),
        (r"(?:no forecast|it cannot be told): too_few_days", "有数据的天数不足"),
    )
]


def zh(reason: str) -> str:
    """Return a sentence of a verdict that is unknown in Chinese.

    >>> zh("no data from E01, P01"), zh("coverage 41.0% is below 75.0%")
    ('表计无数据：E01, P01', '数据完整率 41.0%，低于要求的 75.0%')
    >>> zh("of the year before: no data from E01"), zh("the moon is full")
    ('上年同期：表计无数据：E01', '见预警详情')
    """
    before = "of the year before: "
    if reason.startswith(before):
        return f"上年同期：{zh(reason.removeprefix(before))}"
    for pattern, said in ZH:
        if found := pattern.fullmatch(reason):
            return said.format(*found.groups())
    return AT_THE_ALERT
