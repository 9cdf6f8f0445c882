"""`forehearth status`, `/admin/backends` and `/metrics` of a real server with two workers, beside real calls."""

import json
import re
import subprocess
import time
import urllib.request
from typing import Any

import pytest

from tests.conftest import ROOT, StartForehearth
from tests.forehearth_server import PROGRAM, ForehearthServer

CALLS = 12


@pytest.fixture(scope="module")
def server(start_module_forehearth: StartForehearth) -> ForehearthServer:
    server = start_module_forehearth((ROOT / "tests/docs/routing.yaml").read_text(), "--workers", "2")
    for _ in range(CALLS):
        assert chat(server, "gpt-4o")[0] == 200
    return server


def chat(server: ForehearthServer, model: str) -> tuple[int, str]:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Who answers?"}]}).encode()
    headers = {"api-key": server.key, "content-type": "application/json"}
    request = urllib.request.Request(f"{server.url}/openai/v1/chat/completions", body, headers)
    with opener().open(request, timeout=20) as answer:
        return answer.status, json.load(answer)["choices"][0]["message"]["content"]


def opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(server: ForehearthServer, path: str) -> Any:
    request = urllib.request.Request(server.url + path, headers={"api-key": server.key})
    with opener().open(request, timeout=20) as answer:
        return json.load(answer)


def status(server: ForehearthServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [PROGRAM, "status", "--url", server.url, "--key", server.key, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


def test_the_table(server: ForehearthServer):
    done = status(server)
    assert json.loads(status(server, "--json").stdout)["workers"] == 2
    head, *rows = done.stdout.splitlines()
    assert head.split("  ")[0] == "DEPLOYMENT"
    assert [row.split()[:2] for row in rows] == [
        ["gpt-4o", "provisioned"],
        ["gpt-4o", "standard"],
        ["small", "small"],
    ]
    assert re.search(r"worker [01] of 2", done.stderr)


def test_what_programs_are_told_is_what_one_worker_saw(server: ForehearthServer):
    told = [get(server, "/admin/backends") for _ in range(40)]
    assert {each["workers"] for each in told} == {2}
    by_worker = {each["worker"]: {one["backend"]: one for one in each["value"]} for each in told}
    calls = sum(backends["standard"]["calls"] for backends in by_worker.values())
    assert calls == CALLS if len(by_worker) == 2 else 0 <= calls <= CALLS
    for backend in (each["provisioned"] for each in by_worker.values() if each["provisioned"]["calls"]):
        assert (backend["state"], backend["why"], backend["busy"], backend["calls"]) == ("waiting", "status 429", 1, 1)
        assert backend["until"]


def states(server: ForehearthServer) -> tuple[str, list[tuple[str, str]]]:
    """The page of metrics, and which backends of which workers are on it."""
    with opener().open(f"{server.url}/metrics") as answer:
        page = answer.read().decode()
    found = re.findall(
        r'forehearth_backend_state\{worker="(\d)",deployment="gpt-4o",backend="(\w+)",.*state="ready"\}', page
    )
    return page, found


def test_the_metrics_have_all_workers(server: ForehearthServer):
    page, found = states(server)
    for _ in range(100):  # each worker writes its states down once a second
        if len(found) == 4:
            break
        time.sleep(0.1)
        page, found = states(server)
    assert sorted(found) == [("0", "provisioned"), ("0", "standard"), ("1", "provisioned"), ("1", "standard")]
    (spilled,) = re.findall(r'forehearth_spillovers_total\{deployment="gpt-4o"\} (\d+)', page)
    assert int(spilled) == CALLS


def test_a_route_falls_through_a_chain_and_chooses_by_rule(server: ForehearthServer):
    assert chat(server, "default") == (200, "From small.")
