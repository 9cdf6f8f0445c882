"""Whatever a host gets wrong, on whichever surface, whole or streamed: the right status, soon, and nothing is left."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from scripts.soak_report import TABLE
from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer
from tests.soak.background import in_a_thread
from tests.soak.calls import SURFACES, call, leave
from tests.soak.faults import FAULTS, GOOD, ODDITIES, REFUSALS, Told
from tests.soak.faulty_hosts import HARMS, FaultyHosts, configuration
from tests.soak.length import part
from tests.soak.verdicts import DEADLINE, KINDS, Outcome, judge, outcome
from tests.soak.watching import metric, open_files, resident_mib, until

Record = Callable[[str, object], None]

CELLS = [(surface, stream) for surface in SURFACES for stream in (False, True)]
STORM_SECONDS = part(240, least=20)
STATUSES = {200, 400, 418, 429, 500, 502, 503, 504}
"""What callers are told in a storm."""
KEPT_SECONDS = 40.0
"""Within which a kept connection to a host is closed, when nobody uses it: 30 s."""
GROWTH_MIB = 8
AT_ONCE = 24


@pytest.fixture(scope="module")
def seed() -> int:
    return random.randrange(2**32)


@pytest.fixture(scope="module")
def hosts(seed: int) -> Iterator[FaultyHosts]:
    with in_a_thread(FaultyHosts(seed)) as hosts:
        yield hosts


@pytest.fixture(scope="module")
def server(hosts: FaultyHosts, start_module_forehearth: StartForehearth) -> ForehearthServer:
    return start_module_forehearth(configuration(hosts))


def left_behind(server: ForehearthServer, hosts: FaultyHosts, name: str) -> list[str]:
    """What is wrong when the calls are over."""
    host = hosts.hosts.get(name)
    kept = len(CELLS) if name in REFUSALS | ODDITIES or FAULTS[name].whole == GOOD else 0
    wrong = []
    if not until(lambda: metric(server.url, "forehearth_in_flight") == 0, DEADLINE):
        wrong.append("calls are in flight")
    if host is not None and not until(lambda: host.open <= kept, DEADLINE):
        wrong.append(f"{host.open} connections to the host are open")
    good = call(server, "v1", "good", stream=False)
    if (good.status, json.loads(good.body)["choices"][0]["message"]["content"]) != (200, "good"):
        wrong.append(f"a good call is told {good.status}")
    return wrong


def times_fired(server: ForehearthServer, hosts: FaultyHosts, name: str) -> int:
    """How often a fault took place: as its host counts it; where there is none, as often as it was tried."""
    attempts = int(metric(server.url, "forehearth_backend_attempts_total", backend=name))
    assert attempts == len(CELLS), f"{name} was tried {attempts} times"
    return hosts.hosts[name].fired[name] if name in hosts.hosts else attempts


def in_words(told: set[Told]) -> str:
    return ", ".join(sorted(f"{status} {code}".strip() for status, code in told))


def row(name: str, fired: int, found: list[Outcome]) -> list[object]:
    """A fault's line in the report."""
    green = sum(not each.complaints for each in found)
    by_form = [
        {each.told for each, at in zip(found, CELLS, strict=True) if at[1] is stream} for stream in (False, True)
    ]
    return [
        name,
        fired,
        f"{green} of {len(found)}",
        *map(in_words, by_form),
        f"{max(each.seconds for each in found):.2f}",
    ]


def test_every_fault_on_every_surface(server: ForehearthServer, hosts: FaultyHosts, record_property: Record) -> None:
    rows: list[list[object]] = [["fault", "fired", "cells green", "told, whole", "told, streamed", "seconds at most"]]
    counted = Counter[str]()
    wrong = []
    began = time.monotonic()
    with ThreadPoolExecutor(len(CELLS)) as pool:
        for name, fault in FAULTS.items():
            calls = [pool.submit(outcome, server, name, fault, surface, stream=stream) for surface, stream in CELLS]
            found = [each.result() for each in calls]
            complaints = [(at, each) for at, made in zip(CELLS, found, strict=True) for each in made.complaints]
            counted.update(each.kind for _, each in complaints)
            wrong += [f"{name} {at}: {each.kind}: {each.what}" for at, each in complaints]
            wrong += [f"{name} afterwards: {each}" for each in left_behind(server, hosts, name)]
            rows.append(row(name, times_fired(server, hosts, name), found))
    green = sum(int(str(line[2]).split()[0]) for line in rows[1:])
    record_property("cells green", f"{green} of {len(FAULTS) * len(CELLS)}")
    for kind in KINDS:
        record_property(f"cells: {kind}", counted[kind])
    record_property("seconds", round(time.monotonic() - began, 1))
    record_property(f"{TABLE}three surfaces, each whole and streamed", json.dumps(rows))
    assert not wrong, "\n".join(wrong)
    assert all(int(str(line[1])) >= len(CELLS) for line in rows[1:])


def some_calls(server: ForehearthServer, dice: random.Random, ends: float, outcomes: Counter[str]) -> list[str]:
    """Calls by chance until the time is over, some of them left early; what was wrong with them."""
    wrong = []
    while time.monotonic() < ends:
        surface, stream = dice.choice(CELLS)
        if dice.random() < 0.1:
            leave(server, surface, "storm", stream=stream, after=dice.uniform(0, 0.3))
            outcomes["left"] += 1
            continue
        (status, code), complaints = judge(call(server, surface, "storm", stream=stream), surface)
        outcomes[f"{status} {code}".strip()] += 1
        wrong += [f"{status} {code}: {each.kind}: {each.what}" for each in complaints]
        if status not in STATUSES:
            wrong.append(f"{status} {code}: none of the statuses that there are")
    return wrong


def storm(server: ForehearthServer, dice: random.Random, seconds: float, outcomes: Counter[str]) -> list[str]:
    ends = time.monotonic() + seconds
    with ThreadPoolExecutor(AT_ONCE) as pool:
        callers = [
            pool.submit(some_calls, server, random.Random(dice.random()), ends, outcomes) for _ in range(AT_ONCE)
        ]
        return [each for caller in callers for each in caller.result()]


def at_rest(server: ForehearthServer, hosts: FaultyHosts) -> bool:
    """Whether all calls are over and all connections to the host closed, those kept for later included."""
    in_flight = until(lambda: metric(server.url, "forehearth_in_flight") == 0, DEADLINE)
    return in_flight and until(lambda: hosts.storm.open == hosts.hosts["storm"].open == 0, KEPT_SECONDS)


def test_faults_by_chance_at_the_same_time(
    server: ForehearthServer, hosts: FaultyHosts, seed: int, record_property: Record
) -> None:
    dice, outcomes = random.Random(seed), Counter[str]()
    wrong = storm(server, dice, STORM_SECONDS / 4, outcomes)
    assert at_rest(server, hosts)
    files, resident = open_files(server.pid), resident_mib(server.pid)
    wrong += storm(server, dice, STORM_SECONDS * 3 / 4, outcomes)
    assert at_rest(server, hosts), f"{hosts.storm.open} connections are left"
    fired = hosts.storm.fired + hosts.hosts["storm"].fired
    record_property("seed", seed)
    record_property("calls", outcomes.total())
    record_property("calls: wrong", len(wrong))
    record_property("open files more", open_files(server.pid) - files)
    record_property("MiB more", round(resident_mib(server.pid) - resident, 2))
    for what, counts in (("told", outcomes), ("fired", fired)):
        record_property(f"{TABLE}{what}", json.dumps([[what, "times"], *sorted(counts.items())]))
    assert not wrong, "\n".join(wrong[:50])
    assert open_files(server.pid) <= files + 2
    assert resident_mib(server.pid) - resident <= GROWTH_MIB
    assert all(fired[kind] for kind in HARMS)
    assert call(server, "v1", "good", stream=True).status == 200
