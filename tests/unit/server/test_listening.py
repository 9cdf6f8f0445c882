import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from forehearth.core.errors import Misconfigured
from forehearth.core.settings import ServerSettings
from forehearth.server.listening import (
    LONGEST_SOCKET_PATH,
    adopt,
    close_privately,
    listen,
    listen_privately,
    require_loopback,
)


@contextlib.contextmanager
def listening(settings: ServerSettings) -> Iterator[list[tuple[str, int, bool]]]:
    listeners = listen(settings)
    try:
        yield [(each.socket.getsockname()[0], each.port, each.tls) for each in listeners]
    finally:
        for each in listeners:
            each.socket.close()


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield holder.getsockname()[1]


def test_http_and_https_get_a_port_each():
    with listening(ServerSettings(port=0, tls_port=0)) as found:
        assert [(host, tls) for host, _, tls in found] == [("127.0.0.1", False), ("127.0.0.1", True)]
        ports = [port for _, port, _ in found]
        assert 0 not in ports
        assert len(set(ports)) == 2
        for port in ports:
            socket.create_connection(("127.0.0.1", port)).close()


def test_https_can_be_left_out():
    with listening(ServerSettings(port=0, tls_port=None)) as found:
        assert [tls for _, _, tls in found] == [False]


def test_a_name_is_listened_on_at_all_its_addresses_with_one_port():
    addresses = {each[4][0] for each in socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)}
    with listening(ServerSettings(host="localhost", port=0, tls_port=None)) as found:
        assert {host for host, _, _ in found} <= addresses
        assert len({port for _, port, _ in found}) == 1
        assert found


def test_every_address_of_both_kinds_is_one_socket():
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with listening(ServerSettings(host="::", port=0, tls_port=None)) as found:
        [(_, port, _)] = found
        for address in ("127.0.0.1", "::1"):
            socket.create_connection((address, port)).close()


def test_a_port_in_use_is_said_with_the_remedy(taken: int):
    with pytest.raises(Misconfigured, match=rf"port {taken} on 127\.0\.0\.1 is in use: .*--port .*`make run PORT=…`"):
        listen(ServerSettings(port=taken, tls_port=None))


def test_the_remedy_for_https_is_its_own_and_nothing_stays_bound(taken: int):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    with pytest.raises(Misconfigured, match=r"--tls-port .*TLS_PORT="):
        listen(ServerSettings(port=free, tls_port=taken))
    socket.create_server(("127.0.0.1", free)).close()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (ServerSettings(port=8080, tls_port=8080), "cannot share port 8080"),
        (ServerSettings(host="192.0.2.1", port=0), "not an address of this machine"),
        (ServerSettings(host="no-such-host.invalid", port=0), "not known"),
        (ServerSettings(host="a..b", port=0), "not known"),
    ],
)
def test_what_cannot_be_listened_on_is_said(settings: ServerSettings, said: str):
    with pytest.raises(Misconfigured, match=said):
        listen(settings)


def test_an_inherited_listener_does_not_block_and_is_not_inherited_further():
    [listener] = listen(ServerSettings(port=0, tls_port=None))
    descriptor = listener.socket.detach()
    adopted = adopt(descriptor, tls=True)
    with adopted.socket:
        assert adopted.tls
        assert not adopted.socket.getblocking()
        assert not adopted.socket.get_inheritable()
        with pytest.raises(BlockingIOError):
            adopted.socket.accept()


def test_a_private_socket_is_in_its_folder_and_for_its_owner_alone(tmp_path: Path):
    bound = listen_privately(tmp_path, "host.sock")
    path = Path(bound.getsockname())
    assert path == tmp_path / "host.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    close_privately(bound, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_where_the_path_is_too_long_it_gets_a_private_folder_of_its_own(tmp_path: Path):
    folder = tmp_path / ("x" * LONGEST_SOCKET_PATH)
    folder.mkdir()
    bound = listen_privately(folder, "host.sock")
    path = Path(bound.getsockname())
    assert path.parent != folder
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    close_privately(bound, folder)
    assert not path.parent.exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_tokens_are_issued_on_this_machine(host: str):
    require_loopback(ServerSettings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "192.168.1.7", "localhost.evil.example", "127.1", ""])
def test_and_nowhere_else(host: str):
    with pytest.raises(Misconfigured, match="only listens here"):
        require_loopback(ServerSettings(host=host))


def test_tokens_are_issued_by_one_worker():
    with pytest.raises(Misconfigured, match="one worker"):
        require_loopback(ServerSettings(workers=2))
