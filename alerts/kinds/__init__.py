"""The kinds of rules: what is particular about each of them, in a folder of its own.

`kind.py` has what all have in common, `registry.py` the list. A new kind is a folder with

    parameters.py   what a rule of it may say: a strict pydantic model with its `kind`
    facts.py        rows put together by subject: what is known, and what is not (pure)
    verdict.py      what facts mean: ok, firing, unknown (pure)
    words.py        what its letters say, in Chinese and English (pure)
    watch.py        reads rows and asks the three above: now (`judge`), and over a past period
                    (`ticks`), by the hour or by the day

and a member of `kind.Kind`, a line in `registry.KINDS`, its bodies in `app/api/rule_bodies.py`, its
words in docs/glossary.md, golden letters. A small kind may need fewer modules.
"""
