"""Owns why a rule that judged everybody found nothing of a subject whose alert is open.

Whose figures are missing is not gone: the kinds find such a subject, and say that it is unknown.
"""

from __future__ import annotations

from enum import StrEnum


class Gone(StrEnum):
    """Why a subject is not watched any more."""

    PERIOD_OVER = "period_over"  # that of its budget
    YEAR_OVER = "year_over"  # the next year of its region has figures
    WITHDRAWN = "withdrawn"  # what it was held against: a budget, a limit, figures
    LEFT = "left"  # nothing of it is left that the rule watches


EN = {
    Gone.PERIOD_OVER: "the period of its budget is over",
    Gone.YEAR_OVER: "its year is over, and the next one has figures",
    Gone.WITHDRAWN: "what it was held against was withdrawn",
    Gone.LEFT: "nothing of it is left that the rule watches",
}
ZH = {
    Gone.PERIOD_OVER: "预算期已结束",
    Gone.YEAR_OVER: "该年度已结束，下一年度已有数据",
    Gone.WITHDRAWN: "所依据的预算、限值或统计数据已撤回",
    Gone.LEFT: "该规则已没有可监视的对象",
}
