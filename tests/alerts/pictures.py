"""Makes pictures of golden letters to look at: python -m tests.alerts.pictures FOLDER [NAME …]

Needs Debian's chromium. No test: what looks well is for a person to say.
"""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

from alerts import chart, letter, notices
from alerts.kinds.words import Language
from alerts.page import Letter
from tests.alerts.test_letter import LETTERS
from tests.alerts.test_letter import written as write
from tests.alerts.test_notices import NOTICES
from tests.alerts.test_quality_letters import OCCASIONS

WIDE, NARROW, HEIGHT = 640, 375, 1_900
DARK = "--blink-settings=preferredColorScheme=0"


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or (*LETTERS, "digest", *OCCASIONS, *NOTICES):
        for language in Language:
            page = folder / f"{name}.{language}.html"
            page.write_text(_with_picture(written(name, language)), encoding="utf-8")
            frame = f'<iframe src="{page.name}" width="{NARROW}" height="{HEIGHT}" frameborder="0">'
            phone = folder / f"{name}.{language}.phone.html"
            phone.write_text(f'<body style="margin:0">{frame}</iframe></body>', encoding="utf-8")
            for shown, kind, options in ((page, "", []), (page, ".dark", [DARK]), (phone, "", [])):
                _photograph(shown, shown.with_suffix(f"{kind}.png"), *options)
            print(f"{name}.{language}")


def written(name: str, language: Language) -> Letter:
    if name in NOTICES:
        return notices.compose(NOTICES[name], language)
    occasion = OCCASIONS.get(name)
    return write(name, language) if occasion is None else letter.compose(occasion, language)


def _with_picture(letter: Letter) -> str:
    if letter.chart is None:
        return letter.html
    picture = base64.b64encode(letter.chart).decode()
    return letter.html.replace(
        f"cid:{chart.content_id(letter.chart)}", f"data:image/png;base64,{picture}"
    )


def _photograph(page: Path, picture: Path, *options: str) -> None:
    subprocess.run(
        ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
         "--allow-file-access-from-files", *options, f"--window-size={WIDE},{HEIGHT}",
         f"--screenshot={picture}", page.resolve().as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
