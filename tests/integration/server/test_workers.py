import http.client
import os
import re
import signal
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from tests.integration.server.toy_worker import CONCEALED
from tests.integration.server.toys import ToyServer, alive, children_of, eventually, toy_server

TWO = "version: 1\nserver: {port: 0, tls_port: null, workers: 2}\n"


def counted(server: ToyServer) -> float:
    page = server.get("/metrics")[1].decode()
    found = re.findall(r'^forehearth_requests_total\{surface="toy",operation="pid".*\} (\d+)$', page, re.MULTILINE)
    return sum(map(float, found))


def test_both_workers_answer_on_one_port_and_their_metrics_are_summed(tmp_path: Path):
    with toy_server(tmp_path / "data", TWO) as server:
        pids: list[int] = []
        while len(set(pids)) < 2:
            pids.append(int(server.get("/pid")[1]))
        assert set(pids) == children_of(server.process.pid)
        assert {counted(server) for _ in range(10)} == {len(pids)}
        page = server.get("/metrics")[1].decode()
        assert 'forehearth_worker_starts_total{role="worker"} 2\n' in page
        assert len(re.findall(r"^forehearth_worker_info\{", page, re.MULTILINE)) == 2


def test_a_secret_that_a_worker_finds_out_later_is_not_in_its_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    with toy_server(tmp_path / "data", TWO) as server:
        eventually(lambda: len(server.worker_pids()) == 2)
    said = capfd.readouterr().err
    assert said.count("this worker says ***") == 2
    assert CONCEALED not in said


def test_a_worker_that_is_killed_under_load_is_replaced_while_the_other_one_serves(tmp_path: Path):
    with toy_server(tmp_path / "data", TWO) as server:
        before = eventually(lambda: len(pids := server.worker_pids()) == 2 and pids)
        answered: list[float] = []
        broken: list[Exception] = []
        over = threading.Event()

        def load() -> None:
            while not over.is_set():
                try:
                    assert server.get("/pid")[0] == 200
                    answered.append(time.monotonic())
                except (OSError, http.client.HTTPException) as error:
                    broken.append(error)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        victim = min(before)
        eventually(lambda: len(answered) > 50)
        os.kill(victim, signal.SIGKILL)
        killed = time.monotonic()
        after = eventually(lambda: len(pids := children_of(server.process.pid)) == 2 and victim not in pids and pids)
        # The other one never paused: it answered before the replacement could.
        eventually(lambda: sum(moment > killed for moment in answered) > 50)
        eventually(lambda: server.worker_pids() == after)
        over.set()
        for thread in threads:
            thread.join()
        assert len(broken) <= len(threads)  # at most the calls that the victim was answering
        assert max(b - a for a, b in zip(sorted(answered), sorted(answered)[1:], strict=False)) < 2.0
        before_death = counted(server)
        assert before_death >= len(answered)  # nothing that was counted is forgotten


def test_a_worker_that_ends_by_itself_is_replaced(tmp_path: Path):
    with toy_server(tmp_path / "data") as server:
        first = int(server.get("/pid")[1])
        with pytest.raises((OSError, http.client.HTTPException)):
            server.get("/exit/7")
        assert eventually(lambda: children_of(server.process.pid) - {first})
        assert int(server.get("/pid")[1]) != first


def test_a_worker_that_cannot_start_stops_the_whole_start_with_its_reason(tmp_path: Path):
    config = "version: 1\nserver: {port: 0, tls_port: null, workers: 2, resource: cannot-start}\n"
    with toy_server(tmp_path / "data", config, wait=False) as server:
        assert server.ends() == 1
        eventually(lambda: server.told)
        assert server.error == "this worker was told not to start"


def test_the_key_reaches_workers_and_neither_arguments_nor_environment_show_it(tmp_path: Path):
    with toy_server(tmp_path / "data") as server:
        key = (server.data / "keys" / "development").read_bytes().strip()
        assert server.get("/key")[1] == key
        for pid in {server.process.pid} | children_of(server.process.pid):
            assert key not in (Path("/proc") / str(pid) / "cmdline").read_bytes()
            assert key not in (Path("/proc") / str(pid) / "environ").read_bytes()


def test_tls_is_spoken_with_the_development_certificate(tmp_path: Path):
    with toy_server(tmp_path / "data", "version: 1\nserver: {port: 0, tls_port: 0}\n") as server:
        context = ssl.create_default_context(cafile=server.data / "tls" / "ca.pem")
        with (
            socket.create_connection(("127.0.0.1", server.tls_port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            assert connection.version() == "TLSv1.3"
            connection.sendall(b"GET /pid HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_sigterm_finishes_what_is_in_flight_tells_readiness_and_resets_nothing(tmp_path: Path):
    with toy_server(tmp_path / "data", TWO) as server:
        streaming = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        streaming.request("GET", "/stream/30/0.1")
        response = streaming.getresponse()
        assert response.read(9) == b"data: 0\n\n"
        children = children_of(server.process.pid)
        server.signal(signal.SIGTERM)
        assert eventually(lambda: server.get("/health/ready")[0] == 503, patience=0.9)
        results: list[tuple[int, bytes] | str] = []

        def knock() -> None:
            while True:
                try:
                    results.append(server.get("/pid"))
                except ConnectionRefusedError:
                    return
                except OSError as error:
                    results.append(repr(error))

        threads = [threading.Thread(target=knock) for _ in range(4)]
        for thread in threads:
            thread.start()
        rest = response.read()
        streaming.close()
        assert rest.count(b"data:") == 29
        assert rest.endswith(b"data: 29\n\n")
        for thread in threads:
            thread.join()
        assert results
        assert {result[0] if isinstance(result, tuple) else result for result in results} == {200}
        assert server.ends() == 0
        assert not any(map(alive, children))


def test_the_grace_is_an_end(tmp_path: Path):
    config = "version: 1\nserver: {port: 0, tls_port: null, grace_seconds: 0.5}\n"
    with toy_server(tmp_path / "data", config) as server:
        streaming = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        streaming.request("GET", "/stream/600/0.1")
        response = streaming.getresponse()
        began = server.signal(signal.SIGTERM)
        with pytest.raises((OSError, http.client.HTTPException)):
            response.read()
        assert server.ends() == 0
        assert 0.4 < time.monotonic() - began < 5
        streaming.close()


@pytest.mark.parametrize("group", [False, True])
def test_ctrl_c_ends_within_two_seconds_with_calls_in_flight(tmp_path: Path, group: bool):
    with toy_server(tmp_path / "data", TWO) as server:
        streaming = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        streaming.request("GET", "/stream/600/0.1")
        streaming.getresponse().read(9)
        children = children_of(server.process.pid)
        began = time.monotonic()
        if group:  # as a terminal does it
            os.killpg(server.process.pid, signal.SIGINT)
        else:
            server.signal(signal.SIGINT)
        assert server.ends() == 0
        assert time.monotonic() - began < 2
        assert not any(map(alive, children))
        streaming.close()


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path):
    with toy_server(tmp_path / "data") as server:
        streaming = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        streaming.request("GET", "/stream/600/0.1")
        streaming.getresponse().read(9)
        began = server.signal(signal.SIGINT)
        time.sleep(0.1)
        server.signal(signal.SIGINT)
        assert server.ends() == 0
        assert time.monotonic() - began < 0.9
        streaming.close()


def test_ctrl_c_without_calls_ends_at_once(tmp_path: Path):
    with toy_server(tmp_path / "data") as server:
        began = server.signal(signal.SIGINT)
        assert server.ends() == 0
        assert time.monotonic() - began < 1.5


def test_ctrl_c_while_it_starts_leaves_nothing_behind(tmp_path: Path):
    for delay in (0.1, 0.25, 0.4, 0.6):
        with toy_server(tmp_path / "data", TWO, wait=False) as server:
            time.sleep(delay)
            children = children_of(server.process.pid)
            os.killpg(server.process.pid, signal.SIGINT)
            server.ends(within=3)
            assert not any(map(alive, children))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_when_the_parent_is_gone_so_are_its_children(tmp_path: Path, number: signal.Signals):
    with toy_server(tmp_path / "data", TWO) as server:
        children = children_of(server.process.pid)
        assert len(children) == 2
        server.signal(number)
        server.ends()
        eventually(lambda: not any(map(alive, children)), patience=5)
    with toy_server(tmp_path / "data", TWO) as server:  # and the next one is not in their way
        assert server.get("/health/ready")[0] == 200


def test_one_worker_that_is_asked_to_end_finishes_its_calls_and_is_replaced(tmp_path: Path):
    with toy_server(tmp_path / "data") as server:
        worker = int(server.get("/pid")[1])
        streaming = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        streaming.request("GET", "/stream/20/0.1")
        response = streaming.getresponse()
        response.read(9)
        os.kill(worker, signal.SIGTERM)
        assert response.read().endswith(b"data: 19\n\n")
        eventually(lambda: children_of(server.process.pid) - {worker})
        assert int(server.get("/pid")[1]) != worker
        streaming.close()


def test_a_second_server_on_the_same_data_directory_is_refused(tmp_path: Path):
    with toy_server(tmp_path / "data") as first, toy_server(tmp_path / "data", wait=False) as second:
        assert second.ends() == 1
        eventually(lambda: second.told)
        assert f"process {first.process.pid}" in second.error
        assert "--data-dir" in second.error
        assert first.get("/health/ready")[0] == 200


def test_without_embedded_models_it_is_ready_at_once(tmp_path: Path):
    with toy_server(tmp_path / "data") as server:
        assert server.get("/health/ready") == (200, b'{"status":"ready"}')
        assert not (server.data / "run" / "embedded.sock").exists()
