"""Owns finding the machine's own Debian mirror: what its apt configuration says, nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.processes import ServicesError

APT = Path("/etc/apt")
SUITES = frozenset(
    ("bullseye", "bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable")
)
_CARRIED_OPTIONS = ("signed-by", "trusted")


@dataclass(frozen=True, slots=True)
class Mirror:
    uri: str
    options: tuple[tuple[str, str], ...]  # signed-by and trusted, as the machine has them

    def line(self, suite: str) -> str:
        """Return the one-line entry of an apt source for `suite` on this mirror."""
        options = " ".join(f"{name}={text}" for name, text in self.options)
        return f"deb {f'[{options}] ' if options else ''}{self.uri} {suite} main"


def find(apt: Path = APT) -> Mirror:
    """Return the Debian archive `apt` names; the likeliest first if there are several."""
    lists = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]
    mirrors: list[Mirror] = []
    for path in sorted((apt / "sources.list.d").glob("*.sources")):
        mirrors += from_stanzas(_text(path))
    for path in lists:
        mirrors += from_lines(_text(path))
    if not mirrors:
        raise ServicesError(f"the apt configuration in {apt} names no Debian archive")
    return max(mirrors, key=_likelihood)


def from_stanzas(text: str) -> Iterator[Mirror]:
    """Yield the Debian archives in the text of a .sources file."""
    text = re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)
    for stanza in re.split(r"\n\s*\n", text):
        folded = re.sub(r"\n[ \t]+", " ", stanza)
        fields = {
            name.strip().lower(): content.strip()
            for name, _, content in (line.partition(":") for line in folded.splitlines())
        }
        if fields.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        uris = fields.get("uris", "").split()
        yield from _mirrors(
            fields.get("types", "").split(),
            uris,
            fields.get("suites", "").split(),
            fields.get("components", "").split(),
            fields,
        )


def from_lines(text: str) -> Iterator[Mirror]:
    """Yield the Debian archives in the text of a one-line .list file."""
    for line in text.splitlines():
        entry = re.match(r"\s*(deb)\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)", line)
        if entry:
            kind, options, uri, suite, components = entry.groups()
            fields = {
                name.lower(): content
                for name, _, content in (word.partition("=") for word in (options or "").split())
            }
            yield from _mirrors([kind], [uri], [suite], components.split(), fields)


def _mirrors(
    kinds: list[str],
    uris: list[str],
    suites: list[str],
    components: list[str],
    fields: dict[str, str],
) -> Iterator[Mirror]:
    if "deb" not in kinds or "main" not in components or SUITES.isdisjoint(suites):
        return
    options = tuple(
        (name, ",".join(fields[name].split()))
        for name in _CARRIED_OPTIONS
        if fields.get(name) and "BEGIN PGP" not in fields[name]
    )
    for uri in uris:
        yield from (Mirror(each, options) for each in _resolved(uri))


def _resolved(uri: str) -> list[str]:
    """Return the archives behind `uri`: cloud images keep theirs in a file of mirrors."""
    if not uri.startswith("mirror+file:"):
        return [uri]
    path = Path("/" + uri.removeprefix("mirror+file:").lstrip("/"))
    return [words[0] for words in map(str.split, _text(path).splitlines()) if words][:1]


def _likelihood(mirror: Mirror) -> tuple[bool, bool]:
    """Somebody else's archive may call its suites like Debian's; its key and path differ."""
    keys = dict(mirror.options).get("signed-by", "")
    return "debian-archive" in keys, mirror.uri.rstrip("/").endswith("/debian")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
