"""What may go wrong, each kind a method that leaves the machine whole again: for mixed faults."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import small
from tests.faults.conftest import Works, kill, rss_mb, until
from tests.faults.outages import restart_broker, start_database, stop_database
from tests.faults.proxy import Proxy

SUPERVISED_EACH_S = 0.2
CLOCK_S_MAX = 3600


@dataclass(frozen=True, slots=True)
class Pulse:
    """How a process was, so many seconds after it began."""

    at_s: float
    memory_mb: float
    open_files: int


@dataclass
class Trouble:
    """Two collectors behind proxies: the younger may be killed, the elder lives all the while."""

    works: Works
    disk: Path
    database: Proxy
    broker: Proxy
    clock: Path
    shards: tuple[str, str]
    urls: dict[str, str]
    struck: Counter[str] = field(default_factory=Counter)
    ended: list[int] = field(default_factory=list)
    pulses: list[Pulse] = field(default_factory=list)
    gateways_ahead: int = 0

    def begin(self) -> None:
        self._start_elder()
        self._start_younger()
        until(lambda: self.works.connected("elder") == self.works.connected("younger") == 1)

    def look(self) -> None:
        """Start what ended by itself, as a supervisor would, and feel the elder's pulse."""
        for process, start in (
            (self.elder, self._start_elder),
            (self.younger, self._start_younger),
        ):
            if process.poll() is not None:
                self.ended.append(process.returncode)
                start()
        files = len(os.listdir(f"/proc/{self.elder.pid}/fd"))
        at_s = time.monotonic() - self._elder_since_s
        self.pulses.append(Pulse(at_s, rss_mb(self.elder.pid), files))

    def strike(self, kind: str) -> None:
        """Let happen what `kind` names; print it, so that a run can be read."""
        begun = time.monotonic()
        self.kinds()[kind]()
        self.struck[kind] += 1
        print(f"{kind}: {time.monotonic() - begun:.1f} s")

    def kinds(self) -> dict[str, Callable[[], None]]:
        return {
            "collector killed": self._kill_younger,
            "collector paused": self._pause,
            "broker killed": lambda: restart_broker(self.works, with_its_sessions=True),
            "broker forgets": lambda: restart_broker(self.works, with_its_sessions=False),
            "database restarted": lambda: start_database(self.works, stop_database(self.works)),
            "database killed": self._kill_database,
            "database hangs": lambda: self._hang(self.database),
            "broker hangs": lambda: self._hang(self.broker),
            "links reset": self._reset,
            "commits unanswered": self._lose_commits,
            "disk full": self._fill_disk,
            "clock steps": self._step_clock,
            "gateways ahead": self._let_gateways_run_ahead,
        }

    @property
    def _random(self) -> random.Random:
        return self.works.random

    # -- collectors -------------------------------------------------------------------------------

    def _start_elder(self) -> None:
        self.pulses.clear()
        self._elder_since_s = time.monotonic()
        self.elder = self.works.run(
            "tests.faults.clocked", self.shards[0], str(self.clock), log="elder", **self.urls
        )

    def _start_younger(self) -> None:
        self.younger = self.works.collect(shard=self.shards[1], log="younger", **self.urls)

    def _kill_younger(self) -> None:
        kill(self.younger)
        self._start_younger()

    def _pause(self) -> None:
        process = self._random.choice([self.elder, self.younger])
        process.send_signal(signal.SIGSTOP)
        time.sleep(self._random.uniform(0.1, 3))
        process.send_signal(signal.SIGCONT)

    # -- database, disk ---------------------------------------------------------------------------

    def _kill_database(self) -> None:
        running = self.works.pair.postgres.running()
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        until(lambda: self.works.pair.postgres.running() is None)
        start_database(self.works, running.port)

    def _fill_disk(self) -> None:
        running = self.works.pair.postgres.running()
        assert running is not None
        until_s = time.monotonic() + self._random.uniform(1, 4)
        while time.monotonic() < until_s:
            small.fill(self.disk)
            time.sleep(0.1)
        small.relieve(self.disk)
        time.sleep(1)  # a server that could not write may still be ending
        start_database(self.works, running.port)

    # -- network ----------------------------------------------------------------------------------

    def _hang(self, link: Proxy) -> None:
        link.is_hung = True
        time.sleep(self._random.uniform(0.5, 12))
        link.is_hung = False

    def _reset(self) -> None:
        self.database.reset()
        self.broker.reset()

    def _lose_commits(self) -> None:
        self.database.commits_to_lose = self._random.randint(1, 5)

    # -- clocks -----------------------------------------------------------------------------------

    def _step_clock(self) -> None:
        self.clock.write_text(str(self._random.uniform(-CLOCK_S_MAX, CLOCK_S_MAX)))

    def _let_gateways_run_ahead(self) -> None:
        self.gateways_ahead += 1
