"""Owns the examples of docs/api.md: finding them, running them, and printing what was answered.

An example is a block of shell with curl in it, and after it, fenced, what it printed: JSON is
abridged (`"…"` stands for what follows), other text cut after a few lines.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ELLIPSIS = "…"
ITEMS_MAX, LINES_MAX, TEXT_MAX, WIDTH_MAX = 1, 6, 90, 118
DEPTH_MAX, DEPTH_MIN, JSON_LINES_MAX = 7, 2, 24
TIMED_OUT = 28
"""What curl ends with after --max-time: a stream goes on for ever."""

UNTOLD = "0 text/plain"
"""Of an example that asks for its status itself."""

CURLRC = 'silent\nshow-error\nwrite-out = "%{stderr}%{http_code} %{content_type}"\n'
"""So that the example runs as it stands, and tells its status besides."""


@dataclass(frozen=True, slots=True)
class Example:
    """One example: its shell, what is printed below it, and where that is in the document."""

    heading: str
    shell: str
    language: str
    printed: str
    first: int
    last: int
    """Lines of the fenced block, both fences included; equal: there is none."""

    @property
    def name(self) -> str:
        """Return what a test is called."""
        return ", ".join(f"{method} {path}" for method, path in self.calls()) or self.heading

    def calls(self) -> Iterator[tuple[str, str]]:
        """Return the method and path of each curl."""
        for command in re.split(r"(?=\bcurl\b)", self.shell):
            match = re.search(r'"\$URL(/[^"?\s]*)', command)
            if match and command.startswith("curl"):
                named = re.search(r"-X\s*([A-Z]+)", command)
                has_body = re.search(r"\s(-d|--json|--data(-binary)?)\s", command)
                yield (named[1] if named else "POST" if has_body else "GET"), match[1]


@dataclass(frozen=True, slots=True)
class Answered:
    """What an example printed, with the status and media type of its last call."""

    status: int
    media_type: str
    text: str

    def json(self) -> Any:
        try:
            return json.loads(self.text)
        except json.JSONDecodeError:
            raise AssertionError(
                f"give each curl that prints an answer a block of its own; this is no one:\n"
                f"{self.text[:500]}"
            ) from None


def parse(document: str) -> list[Example]:
    """Return the examples of a Markdown document, in order."""
    lines = document.splitlines()
    found, heading, number = [], "", 0
    while number < len(lines):
        if lines[number].startswith("#"):
            heading = lines[number].lstrip("# ")
        start = number
        while number < len(lines) and lines[number].startswith("    "):
            number += 1
        shell = "\n".join(line[4:] for line in lines[start:number])
        if "curl " in shell and "$URL" in shell:
            found.append(_example(lines, heading, shell, number))
        number = max(number, start + 1)
    return found


def _example(lines: list[str], heading: str, shell: str, end: int) -> Example:
    first = end + 1  # a blank line is between
    if first < len(lines) and (fence := re.fullmatch(r"```([a-z]+)", lines[first])):
        last = lines.index("```", first)
        printed = "\n".join(lines[first + 1 : last])
        return Example(heading, shell, fence[1], printed, first, last + 1)
    return Example(heading, shell, "", "", end, end)


def run(example: Example, folder: Path, environment: Mapping[str, str]) -> Answered:
    """Run an example with the shell and the curl of this machine."""
    (folder / ".curlrc").write_text(CURLRC)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", example.shell],
        cwd=folder,
        env={**os.environ, "CURL_HOME": str(folder), **environment},
        capture_output=True,
        timeout=30,
        check=False,
    )
    told = done.stderr.decode().strip()
    assert done.returncode in (0, TIMED_OUT), f"{example.shell}\n{told}"
    last = told.splitlines()[-1] if told and " -w" not in example.shell else UNTOLD
    status, _, media_type = last.partition(" ")
    return Answered(int(status), media_type, done.stdout.decode(errors="replace"))


def written(answered: Answered) -> str:
    """Return the fenced block that shows what was answered."""
    if "json" in answered.media_type:
        return f"```json\n{shown(answered.json())}\n```"
    language = "csv" if "csv" in answered.media_type else "text"
    lines = answered.text.lstrip("\ufeff").splitlines()
    some = lines[:LINES_MAX] + [ELLIPSIS] * (len(lines) > LINES_MAX)
    return "\n".join([f"```{language}", *some, "```"])


def shown(value: Any) -> str:
    """Return JSON that is cut deeper and deeper until it is short enough to be read."""
    texts = (pretty(abridged(value, depth)) for depth in range(DEPTH_MAX, DEPTH_MIN - 1, -1))
    text = ""
    for text in texts:
        if text.count("\n") < JSON_LINES_MAX:
            break
    return text


def abridged(value: Any, depth: int) -> Any:
    """Return JSON of which long lists, long texts and what lies deeper than `depth` are cut."""
    match value:
        case str() if len(value) > TEXT_MAX:
            return value[: TEXT_MAX - 1] + ELLIPSIS
        case dict() | list() if value and depth == 0:
            return ELLIPSIS
        case dict():
            return {name: abridged(each, depth - 1) for name, each in value.items()}
        case list():
            some = [abridged(each, depth - 1) for each in value[:ITEMS_MAX]]
            return some + [ELLIPSIS] * (len(value) > ITEMS_MAX)
        case _:
            return value


def pretty(value: Any, indent: int = 0) -> str:
    """Return JSON in few lines: what fits into one stays in one."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= WIDTH_MAX or not isinstance(value, dict | list):
        return flat
    margin = " " * (indent + 1)
    if isinstance(value, list):
        parts = [pretty(each, indent + 1) for each in value]
        return "[" + f",\n{margin}".join(parts) + "]"
    lines: list[str] = []
    for name, each in value.items():
        key = json.dumps(name, ensure_ascii=False) + ": "
        part = key + pretty(each, indent + 1 + len(key))
        room = lines and "\n" not in part + lines[-1]
        if room and len(lines[-1]) + len(part) + 2 + len(margin) <= WIDTH_MAX:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return "{" + f",\n{margin}".join(lines) + "}"


def differences(printed: Any, answered: Any, at: str = "") -> Iterator[str]:
    """Return where an answer has another shape than the one that is printed."""
    match printed, answered:
        case (str(), _) if printed == ELLIPSIS:
            return
        case dict(), dict():
            for name in printed.keys() - answered.keys():
                yield f"{at}.{name} is printed, and was not answered"
            for name in answered.keys() - printed.keys():
                yield f"{at}.{name} was answered, and is not printed"
            for name in printed.keys() & answered.keys():
                yield from differences(printed[name], answered[name], f"{at}.{name}")
        case list(), list():
            some = [each for each in printed if each != ELLIPSIS]
            if len(answered) < len(some) or (len(answered) > len(some)) != (printed != some):
                yield f"{at} has {len(answered)} items, {len(some)} are printed"
            for number, (one, other) in enumerate(zip(some, answered, strict=False)):
                yield from differences(one, other, f"{at}[{number}]")
        case _ if _kind(printed) != _kind(answered):
            yield f"{at} is {json.dumps(answered)[:40]}, printed is {json.dumps(printed)[:40]}"


def _kind(value: Any) -> str:
    return "number" if type(value) in (int, float) else type(value).__name__


def replaced(document: str, blocks: list[tuple[Example, str]]) -> str:
    """Return the document with what was answered in place of what is printed."""
    lines = document.splitlines()
    for example, block in sorted(blocks, key=lambda pair: -pair[0].first):
        shown = block.splitlines()
        if example.first == example.last:
            shown = ["", *shown]
        lines[example.first : example.last] = shown
    return "\n".join(lines) + "\n"
