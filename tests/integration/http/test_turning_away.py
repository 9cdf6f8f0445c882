"""A listener that turns away: nobody begins a connection any more, and whoever had begun one is not lost."""

import socket
import sys

import pytest

from forehearth.http.turning_away import turn_away

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's filters are Linux's")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_who_is_there_stays_and_nobody_else_comes(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        listener.settimeout(5)
        address = listener.getsockname()[:2]
        with socket.create_connection(address, timeout=5) as early:
            assert turn_away(listener)
            with pytest.raises(TimeoutError):
                socket.create_connection(address, timeout=0.2)
            taken, _ = listener.accept()
            with taken:
                early.sendall(b"hello")
                assert taken.recv(5) == b"hello"
                taken.sendall(b"good day")
                assert early.recv(8) == b"good day"
            listener.settimeout(0)
            with pytest.raises(BlockingIOError):
                listener.accept()


def test_other_holders_of_the_listener_turn_away_too():
    with socket.create_server(("127.0.0.1", 0)) as listener, listener.dup() as another:
        assert turn_away(another)
        with pytest.raises(TimeoutError):
            socket.create_connection(listener.getsockname(), timeout=0.2)


def test_a_listener_that_is_no_tcp_one_is_left_alone(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        assert not turn_away(listener)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "s"))
