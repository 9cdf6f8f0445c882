"""Runs of classic agents while one worker after the other is killed: each comes to its end, with one whole answer."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.conftest import StartForehearth
from tests.forehearth_server import wait_until_ready
from tests.integration.assistants.carried import Runs
from tests.integration.responses.test_deaths import CONFIG
from tests.integration.server.toys import children_of
from tests.soak.length import part

KILLS = part(20, least=4)
AT_ONCE = 8
BETWEEN = 4.0
"""Seconds between two kills, on average."""


def test_every_run_comes_to_its_end_with_one_whole_answer(
    start_forehearth: StartForehearth, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    server = start_forehearth(CONFIG, folder=tmp_path)
    over = threading.Event()
    dice = random.Random(22)

    def keep_asking(_: int) -> list[tuple[str, int]]:
        runs, found = Runs(server), []
        while not over.is_set():
            path = runs.begin()
            status = runs.finished(path)["status"]
            found.append((status, runs.cuts(path) if status == "completed" else 0))
        return found

    with ThreadPoolExecutor(AT_ONCE) as threads:
        asking = [threads.submit(keep_asking, number) for number in range(AT_ONCE)]
        try:
            for _ in range(KILLS):
                time.sleep(dice.uniform(0.5, 1.5) * BETWEEN)
                wait_until_ready(server)
                os.kill(dice.choice(sorted(children_of(server.pid))), signal.SIGKILL)
        finally:
            over.set()
        found = [each for done in asking for each in done.result()]
    statuses = Counter(status for status, _ in found)
    cuts = sum(count for _, count in found)
    figures = {"workers killed": KILLS, "runs": len(found), "completed": statuses["completed"], "answers cut": cuts}
    for name, value in figures.items():
        record_property(name, value)
        print(f"{name}: {value}")  # noqa: T201 - the figures are what the test is for
    assert statuses == {"completed": len(found)}
    assert cuts > 0
