"""Responses with tools, in the background, while workers are killed with `kill -9` one after the other."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.conftest import StartForehearth
from tests.integration.responses.test_deaths import Client, require_sound, with_tools
from tests.integration.responses.tool_host import tool_host
from tests.integration.server.toys import children_of
from tests.soak.length import part

KILLS = 40
AT_ONCE = 12
WORKERS = 4
"""So that some of them live while others wait to be started again, which takes longer after each early death."""
CALLS = 10
SECONDS = 1.5
"""Between two kills, on average."""
PATIENCE = 240.0
"""Until the last one has ended, after the last kill."""


def test_each_response_comes_to_its_end_and_what_changes_something_is_done_once(
    start_forehearth: StartForehearth, record_property: Callable[[str, object], None]
):
    kills, dice = part(KILLS, least=6), random.Random(21)
    with tool_host() as host:
        host.pause = 0.15
        client = Client(start_forehearth(with_tools(host).replace("workers: 2", f"workers: {WORKERS}")))
        names: dict[str, str] = {}
        under_way: list[str] = []
        for _ in range(kills):
            under_way = _begin_more(client, host, names, under_way)
            time.sleep(dice.uniform(0.2, 2 * SECONDS - 0.2))
            _kill_one(client.server.pid, dice)
        ended = {id_: _ended(client, id_) for id_ in names}
        found = _figures(client, host, names, ended, kills)
    for name, value in found.items():
        record_property(name, value)
        print(f"{name}: {value}")  # noqa: T201 - the figures are what the test is for
    assert found["completed"] > len(names) / 2
    assert found["calls taken over from the dead"] > 0, "no call was under way when a worker died"


def _begin_more(client: Client, host: Any, names: dict[str, str], open_: list[str]) -> list[str]:
    """As many responses are under way as are wanted; which ones."""
    under_way = [id_ for id_ in open_ if client.ask("GET", f"/{id_}")["status"] in ("queued", "in_progress")]
    for _ in range(AT_ONCE - len(under_way)):
        who = f"who{len(names)}"
        id_ = client.ask("POST", "", host.asking(who, CALLS))["id"]
        names[id_] = who
        under_way.append(id_)
    return under_way


def _kill_one(parent: int, dice: random.Random) -> None:
    workers = children_of(parent)
    if workers:
        os.kill(dice.choice(sorted(workers)), signal.SIGKILL)


def _ended(client: Client, id_: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while (found := client.ask("GET", f"/{id_}"))["status"] in ("queued", "in_progress"):
        assert time.monotonic() < deadline, f"{id_} does not end"
        time.sleep(0.5)
    return found


def _figures(client: Client, host: Any, names: dict[str, str], ended: dict[str, Any], kills: int) -> dict[str, int]:
    """What came of them; fails where one is not sound. One may have lost five workers, and has failed by that alone."""
    lost = 0
    states: Counter[str] = Counter()
    for id_, response in ended.items():
        states[response["status"]] += 1
        if response["status"] == "completed":
            require_sound(client, id_, list(client.events("GET", f"/{id_}?stream=true")))
            lost += host.require_sound(names[id_], response, deaths=4)
    pushed = {each: times for each, times in host.calls.items() if each[0] == "push"}
    assert max(pushed.values()) == 1, pushed
    repeats = sum(times - 1 for times in host.calls.values())
    return {
        "workers killed": kills,
        "responses": len(names),
        "completed": states["completed"],
        "failed, having lost five workers": states["failed"],
        "calls of tools": sum(host.calls.values()),
        "calls taken over from the dead": repeats + lost,
        "of them called again, as they change nothing": repeats,
        "of them told as lost, and not called again": lost,
        "called twice though they change something": sum(times > 1 for times in pushed.values()),
    }
