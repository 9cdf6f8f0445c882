import http.client
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.integration.server.toys import ToyServer, alive, children_of, command_line, eventually, toy_server


def config(model: str) -> str:
    return (
        "version: 1\n"
        "server: {port: 0, tls_port: null}\n"
        "backends: {here: {provider: embedded}}\n"
        f"deployments: {{small: {{backends: [{{backend: here, model: {model}}}]}}}}\n"
    )


def hosts(server: ToyServer) -> set[int]:
    return {pid for pid in children_of(server.process.pid) if b"toy_host.py" in command_line(pid)}


def test_the_host_is_started_by_the_first_call_and_never_twice(tmp_path: Path):
    with toy_server(tmp_path / "data", config("good")) as server:
        eventually(lambda: server.get("/health/ready")[0] == 200)
        assert hosts(server) == set()
        answers: list[int] = []

        def call() -> None:
            answers.append(int(server.call_host()[2]))

        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == 8
        assert set(answers) == hosts(server)
        page = server.get("/metrics")[1].decode()
        assert 'forehearth_worker_starts_total{role="embedded_host"} 1\n' in page


def test_a_host_that_dies_breaks_its_calls_and_the_next_call_starts_another_one(tmp_path: Path):
    with toy_server(tmp_path / "data", config("good")) as server:
        eventually(lambda: server.get("/health/ready")[0] == 200)
        first = int(server.call_host()[2])
        with pytest.raises((OSError, http.client.HTTPException)):
            server.call_host("/die")
        assert int(eventually(lambda: server.call_host()[2])) != first
        assert not alive(first)


def test_while_it_dies_again_and_again_calls_are_told_when_to_come_back(tmp_path: Path):
    with toy_server(tmp_path / "data", config("good")) as server:
        eventually(lambda: server.get("/health/ready")[0] == 200)
        for _ in range(2):
            eventually(lambda: server.call_host()[0] == 200)
            with pytest.raises((OSError, http.client.HTTPException)):
                server.call_host("/die")
        eventually(lambda: hosts(server) == set())
        began = time.monotonic()
        status, headers, body = server.call_host()
        assert status == 503
        assert int(headers["retry-after"]) >= 1
        assert json.loads(body)["error"]["code"] == "backend_overloaded"
        assert time.monotonic() - began < 2
        # And it comes back by itself.
        eventually(lambda: server.call_host()[0] == 200)
        assert len(hosts(server)) == 1


def test_a_host_that_cannot_load_its_engine_is_told_apart_and_nobody_hangs(tmp_path: Path):
    with toy_server(tmp_path / "data", config("cannot-load")) as server:
        eventually(lambda: server.get("/health/ready")[0] == 200)
        began = time.monotonic()
        outcomes = set()
        for _ in range(4):
            try:
                outcomes.add(server.call_host()[0])
            except (OSError, http.client.HTTPException):
                outcomes.add(0)
        assert 503 in outcomes
        assert 200 not in outcomes
        assert time.monotonic() - began < 20


def test_until_the_weights_are_there_readiness_and_calls_say_so(tmp_path: Path):
    with toy_server(tmp_path / "data", config("never-ends")) as server:
        eventually(
            lambda: json.loads(server.get("/health/ready")[1]).get("weights", {}).get("never-ends", {}).get("step")
        )
        status, headers, body = server.exchange("/health/ready")
        assert status == 503
        assert headers["retry-after"]
        assert json.loads(body)["weights"]["never-ends"] == {
            "state": "working",
            "step": "fetching",
            "done_bytes": 5,
            "total_bytes": 10,
        }
        assert server.get("/health/live")[0] == 200
        status, headers, _ = server.call_host()
        assert status == 503
        assert int(headers["retry-after"]) >= 1
        assert hosts(server) == set()
        began = server.signal(signal.SIGINT)
        assert server.ends() == 0
        assert time.monotonic() - began < 2


def test_weights_that_cannot_be_had_are_told_with_the_reason(tmp_path: Path):
    with toy_server(tmp_path / "data", config("not-there")) as server:
        eventually(lambda: json.loads(server.get("/health/ready")[1])["status"] == "failed")
        report = json.loads(server.get("/health/ready")[1])
        assert report["reason"] == "not-there: no such model"
        assert report["weights"]["not-there"]["state"] == "failed"


def test_an_engine_that_cannot_start_is_told_with_the_reason(tmp_path: Path):
    with toy_server(tmp_path / "data", config("no-engine")) as server:
        report = eventually(lambda: (told := json.loads(server.get("/health/ready")[1]))["status"] == "failed" and told)
        assert report["engine"] == "failed"
        assert report["weights"]["no-engine"]["state"] == "ready"
        assert report["reason"] == "the engine cannot start here"


def test_preload_starts_the_host_at_once_and_readiness_waits_for_it(tmp_path: Path):
    with toy_server(tmp_path / "data", config("good"), "preload") as server:
        eventually(lambda: server.get("/health/ready")[0] == 200)
        [host] = hosts(server)
        assert [each["preload"] for each in server.statuses][-2:] == ["working", "ready"]
        assert int(server.call_host()[2]) == host


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_host_ends_with_its_parent_and_its_socket_goes(tmp_path: Path, number: signal.Signals):
    with toy_server(tmp_path / "data", config("good"), "preload") as server:
        [host] = eventually(lambda: hosts(server))
        eventually(lambda: server.get("/health/ready")[0] == 200)
        server.signal(number)
        server.ends(within=5)
        eventually(lambda: not alive(host), patience=5)
        assert (server.data / "run" / "embedded.sock").exists() == (number is signal.SIGKILL)


def test_a_socket_that_a_killed_server_left_is_in_nobodys_way(tmp_path: Path):
    for _ in range(2):
        with toy_server(tmp_path / "data", config("good")) as server:
            eventually(lambda: server.get("/health/ready")[0] == 200)
            assert server.call_host()[0] == 200
            server.process.kill()


def test_while_calls_finish_the_host_stays(tmp_path: Path):
    with toy_server(tmp_path / "data", config("good"), "preload") as server:
        [host] = eventually(lambda: hosts(server))
        eventually(lambda: server.get("/health/ready")[0] == 200)
        streaming = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        streaming.request("GET", "/stream/25/0.1")
        response = streaming.getresponse()
        response.read(9)
        os.killpg(server.process.pid, signal.SIGTERM)  # as a service manager does it: to every process
        time.sleep(1.2)
        assert server.call_host()[0] == 200
        assert alive(host)
        assert response.read().endswith(b"data: 24\n\n")
        assert server.ends() == 0
        assert not alive(host)
        streaming.close()
