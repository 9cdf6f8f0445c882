import os
import socket
import ssl

import pytest

from bench import compiler, load, payloads
from bench.errors import FailedError, MissingToolError
from bench.load import Order
from bench.processes import free_port
from bench.upstream import upstream


@pytest.fixture(scope="module")
def core():
    return max(os.sched_getaffinity(0))


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    try:
        return compiler.build("load", tmp_path_factory.mktemp("load"))
    except MissingToolError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def mock(tmp_path_factory, core):
    try:
        with upstream(tmp_path_factory.mktemp("mock"), core) as started:
            yield started
    except MissingToolError as error:
        pytest.skip(str(error))


@pytest.fixture
def order(mock, tmp_path):
    def make(stream=None, **how):
        body = payloads.request_body("bench", stream)
        request = payloads.write_request(tmp_path / "request", "/v1/chat/completions", {}, body)
        given = {"port": mock.port, "request": request, "connections": 2, "seconds": 30.0, "marker": payloads.MARKER}
        return Order(**(given | how))

    return make


def test_calls_are_counted_and_checked_on_kept_connections(program, core, mock, order):
    before = mock.counted()
    seen = load.run(program, core, order(limit=500, body_bytes=757))
    after = mock.counted()
    assert (seen.ok, seen.errors, seen.opened, seen.retried) == (500, 0, 2, 0)
    assert after["requests"] - before["requests"] == 500
    assert after["connections"] - before["connections"] == 2
    assert seen.latency.count == 500
    assert 0 < seen.latency.p50 <= seen.latency.p99 <= seen.latency.max


@pytest.mark.parametrize("stream", payloads.STREAMS, ids=lambda stream: stream.name)
def test_streams_are_paced_and_every_event_counted(program, core, order, stream):
    seen = load.run(program, core, order(stream, limit=6, events=102))
    assert (seen.ok, seen.errors, seen.events) == (6, 0, 6 * 102)
    pace = (stream.writes - 1) * stream.pause_us
    assert seen.latency.p50 >= pace
    assert seen.first_byte.p50 < seen.latency.p50


@pytest.mark.parametrize(
    ("stream", "how"),
    [
        (None, {"body_bytes": 756}),
        (None, {"marker": "glass that is not there"}),
        (payloads.FEW_WRITES, {"events": 101}),
    ],
)
def test_an_answer_that_is_not_as_expected_is_an_error(program, core, order, stream, how):
    seen = load.run(program, core, order(stream, limit=3, **how))
    assert (seen.ok, seen.errors, seen.faults["content"]) == (0, 3, 3)
    assert seen.first_fault.startswith("content: status 200")


def test_waiting_for_a_free_connection_counts_as_latency(program, core, order):
    # 100 streams of at least 18 ms are due within half a second on one connection: the last waits for over a second.
    stream = payloads.FEW_WRITES
    seen = load.run(program, core, order(stream, connections=1, seconds=0.5, rate=200.0, events=102))
    assert (seen.ok, seen.errors, seen.sent) == (100, 0, 100)
    assert seen.latency.max > 1_000_000
    assert seen.lateness.max > 1_000_000


def test_the_warm_up_leaves_no_samples(program, core, order):
    seen = load.run(program, core, order(seconds=0.2, warmup=0.2, rate=100.0))
    assert seen.ok == 40
    assert seen.latency.count == 20


def test_nobody_listening_is_told(program, core, order):
    with pytest.raises(FailedError, match="stopped: connect"):
        load.run(program, core, order(port=free_port()))


def test_the_mock_speaks_tls_under_a_certificate_that_verifies(mock):
    context = ssl.create_default_context(cafile=mock.authority)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        socket.create_connection(("127.0.0.1", mock.tls_port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        secured.sendall(b"GET /stats HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert b'"tls_connections":' in secured.recv(4096)
