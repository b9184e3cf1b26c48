"""Serves a database as `nenghao serve` does, with a clock that stands at works.NOW.

python -m tests.contract.server DATABASE_URL PORT
"""

from __future__ import annotations

import sys

from app import logs, serving
from app.main import create_app
from deploy.processes import ADDRESS
from settings import Settings
from tests.contract import works


def main() -> None:
    url, port = sys.argv[1:]
    logs.configure()
    serving.run(create_app(Settings(), url, clock=lambda: works.NOW), ADDRESS, int(port))


if __name__ == "__main__":
    main()
