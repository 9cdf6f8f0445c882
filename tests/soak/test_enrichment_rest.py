"""Jobs of enrichment over REST: killed over and over, beside other calls, and driven by a real Airflow."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles

from tests.forehearth_server import forehearth_server
from tests.integration.admin.wired import CHAT, QUESTION, Client
from tests.integration.enrichment.test_rest import ENDED, PATH, SERVER, Server, children
from tests.soak.airflow import Airflow
from tests.soak.length import part

KILLS = 20
ROWS = 6_000
CALLS = 300
Told = Callable[[str, object], None]


def test_rows_land_once_through_the_deaths_of_workers(tmp_path: Path, record_property: Told) -> None:
    """One of two workers, or the process that works on the job, is killed with `kill -9` at moments drawn by chance."""
    dice, kills = random.Random(21), {"worker": 0, "process": 0}
    tables = tmp_path / "tables"
    tables.mkdir()
    with forehearth_server(tmp_path, SERVER.format(tables=tables), "--workers", "2") as server:
        served = Server(server, tables)
        job = served.job(ROWS, chunk_rows=50, concurrency=4)
        operation = served.begun(job)
        for _ in range(part(KILLS, least=4)):
            told = served.client.ask("GET", f"{PATH}/{operation}").json
            if told["status"] in ENDED:
                break
            done = told["run"]["done"] if told["run"] else 0
            _wait_for_more(served, operation, done)
            time.sleep(dice.random())
            kills[_kill_one(server.pid, dice)] += 1
        deadline = time.monotonic() + 600
        while (told := served.client.ask("GET", f"{PATH}/{operation}").json)["status"] not in ENDED:
            assert time.monotonic() < deadline, told
            time.sleep(0.5)
        assert told["status"] == "Succeeded", told
        landed = served.landed(job)
    figures = {
        "rows": ROWS,
        "workers killed": kills["worker"],
        "processes killed": kills["process"],
        "attempts": told["attempts"],
        "landed, each once": len(set(landed)),
        "requests that are in the run's sums": told["run"]["spent"]["requests"],
    }
    _tell(figures, record_property)
    assert landed == list(range(ROWS))
    assert sum(kills.values()) >= part(KILLS, least=4) * 0.5


def test_other_calls_do_not_wait_for_a_job(tmp_path: Path, record_property: Told) -> None:
    """What callers see is told, with a job and without one; that it stays within bounds is for who reads the report."""
    tables = tmp_path / "tables"
    tables.mkdir()
    with forehearth_server(tmp_path, SERVER.format(tables=tables)) as server:
        served = Server(server, tables)
        alone = _latencies(served.client)
        operation = served.begun(served.job(20_000, chunk_rows=500, concurrency=8))
        served.until(operation, 500)
        beside = _latencies(served.client)
        assert served.client.ask("POST", f"{PATH}/{operation}/cancel").status == 202
        served.ended(operation)
    for name, seconds in (("alone", alone), ("beside a job", beside)):
        cuts = quantiles(seconds, n=100)
        _tell({f"{name}, ms at p50, p90, p99": [round(cuts[at] * 1000, 1) for at in (49, 89, 98)]}, record_property)
    assert len(beside) == CALLS


def test_airflow_drives_it(tmp_path: Path, record_property: Told) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    config = SERVER.format(tables=tables).replace("length: 3, word: hi", "team: billing")
    with forehearth_server(tmp_path, config) as server:
        served = Server(server, tables)
        (tables / "tickets.csv").write_text("id,text\n" + "".join(f"{n},good {n}\n" for n in range(300)))
        airflow = Airflow(tmp_path, server, served.client.make("airflow", enrich=True)["key"])
        airflow.install()
        said = airflow.command("dags", "test", "forehearth_enrichment", "2026-11-27")
        assert "state=success" in said
        assert "300 rows, 0 of them failed" in said
        job = airflow.dags / "triage.json"
        job.write_text(job.read_text().replace('"requests": 100000', '"requests": 5').replace("Which team", "Who"))
        limited = airflow.command("dags", "test", "forehearth_enrichment", "2026-11-28", good=False)
        assert "the limit of requests is reached" in limited
        operations = served.client.ask("GET", PATH).json["value"]
        assert [each["status"] for each in operations] == ["Failed", "Succeeded"]
        assert all(each["id"].startswith("airflow-manual__") for each in operations)
    _tell(
        {"Airflow": airflow.command("version").split()[-1], "rows landed": operations[-1]["run"]["done"]},
        record_property,
    )


def _wait_for_more(served: Server, operation: str, done: int) -> None:
    """Until something landed since, or it ended; a dead worker's lease takes 15 seconds to lapse."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        told = served.client.ask("GET", f"{PATH}/{operation}").json
        if told["status"] in ENDED or (told["run"] and told["run"]["done"] > done):
            return
        time.sleep(0.2)
    raise AssertionError("nobody goes on")


def _kill_one(parent: int, dice: random.Random) -> str:
    """Kill the worker that has the job, or the process in which it is done."""
    for worker in children(parent):
        at_work = children(worker)
        if at_work:
            what, victim = dice.choice([("worker", worker), ("process", at_work[0])])
            os.kill(victim, signal.SIGKILL)
            return what
    victim = dice.choice(children(parent))  # it is between two attempts
    os.kill(victim, signal.SIGKILL)
    return "worker"


def _latencies(client: Client) -> list[float]:
    """Seconds of calls, one after the other on each of four threads."""
    found: list[float] = []

    def ask() -> None:
        for _ in range(CALLS // 4):
            began = time.perf_counter()
            assert client.ask("POST", CHAT, QUESTION).status == 200
            found.append(time.perf_counter() - began)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return found


def _tell(figures: dict[str, object], record_property: Told) -> None:
    for name, value in figures.items():
        record_property(name, value)
        print(f"{name}: {value}")  # noqa: T201 - the figures are what the test is for
