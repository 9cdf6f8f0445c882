"""Who may speak to the issuer at all."""

import re
from itertools import product

import pytest

from forehearth.identity.development.denied import Denied
from forehearth.identity.development.guard import Guard, only

GUARD = Guard(("contoso.services.ai.azure.com", "10.1.2.3", "fd00::1"))
HERE = "127.0.0.1"
ALLOWED = re.compile(
    rb"(localhost|127\.0\.0\.1|\[::1\]|contoso\.services\.ai\.azure\.com|10\.1\.2\.3|\[fd00::1\])(:\d{1,5})?",
    re.IGNORECASE,
)

PIECES = [
    b"localhost",
    b"LOCAL",
    b"host",
    b"127.0.0.1",
    b"127",
    b".",
    b"0",
    b"1",
    b":",
    b"[",
    b"]",
    b"[::1]",
    b":8",
    b"@",
]


def check(*headers: tuple[bytes, bytes], peer: str = HERE, host: bytes = b"localhost:8443", page: bool = False) -> None:
    GUARD.check(peer, [(b"host", host), *headers], page=page)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_let_in(peer: str):
    check(peer=peer)


@pytest.mark.parametrize(
    "peer",
    ["", "10.0.0.1", "192.168.1.7", "0.0.0.0", "::", "fe80::1%eth0", "::ffff:10.0.0.1", "fd00::1", "localhost", "/x"],
)
def test_other_machines_are_not(peer: str):
    with pytest.raises(Denied, match="this machine alone") as caught:
        check(peer=peer)
    assert caught.value.status == 403


@pytest.mark.parametrize(
    "host",
    [
        b"localhost",
        b"LocalHost:1",
        b"127.0.0.1:8080",
        b"[::1]:8080",
        b"contoso.services.ai.azure.com",
        b"Contoso.Services.AI.Azure.com:443",
        b"10.1.2.3:80",
        b"[fd00::1]:80",
    ],
)
def test_names_of_this_machine_are_known(host: bytes):
    check(host=host)


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b"evil.example",
        b"evil.example:8080",
        b"localhost.evil.example",
        b"evil.localhost",
        b"localhost.",
        b"localhost:",
        b"localhost:8080:8080",
        b"localhost:port",
        b"localhost@evil.example",
        b"user@localhost",
        b"localhost/evil",
        b"localhost evil",
        b"127.0.0.1.nip.io",
        b"127.1",
        b"127.0.0.2",
        b"2130706433",
        b"0x7f000001",
        b"0.0.0.0",
        b"::1",
        b"[::1",
        b"[::ffff:127.0.0.1]",
        b"[0:0:0:0:0:0:0:1]",
        b"10.1.2.30",
        b"services.ai.azure.com",
        b"x.contoso.services.ai.azure.com",
        b"forehearth.invalid",
        b"l\xf6calhost",
        b"localhost\x00",
        b"localhost, evil.example",
    ],
)
def test_every_other_name_is_refused(host: bytes):
    with pytest.raises(Denied, match=r"server\.tls\.names") as caught:
        check(host=host)
    assert caught.value.status == 403


def test_of_everything_that_looks_like_a_name_only_known_ones_are_let_in():
    let_in = 0
    for host in (b"".join(pieces) for size in range(1, 5) for pieces in product(PIECES, repeat=size)):
        try:
            check(host=host)
        except Denied:
            assert not ALLOWED.fullmatch(host), host
        else:
            let_in += 1
            assert ALLOWED.fullmatch(host), host
    assert let_in > 50


def test_a_name_is_said_once():
    with pytest.raises(Denied, match="host is there more than once"):
        check((b"host", b"localhost:8443"))
    with pytest.raises(Denied, match=r"server\.tls\.names"):
        GUARD.check(HERE, [])


@pytest.mark.parametrize(
    "name",
    [
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-forwarded-anything",
        b"forwarded",
        b"via",
        b"x-real-ip",
        b"x-original-host",
        b"x-original-url",
    ],
)
@pytest.mark.parametrize("value", [b"127.0.0.1", b""])
def test_what_was_passed_on_is_refused(name: bytes, value: bytes):
    with pytest.raises(Denied, match="passed on"):
        check((name, value))


@pytest.mark.parametrize(
    "header",
    [
        (b"origin", b"https://evil.example"),
        (b"origin", b"http://localhost:8080"),
        (b"origin", b"null"),
        (b"origin", b""),
        (b"sec-fetch-site", b"cross-site"),
        (b"sec-fetch-site", b"same-site"),
        (b"sec-fetch-site", b"same-origin"),
        (b"sec-fetch-site", b"None"),
    ],
)
def test_web_pages_are_refused(header: tuple[bytes, bytes]):
    with pytest.raises(Denied, match="web pages"):
        check(header)


def test_a_page_may_be_opened_from_a_link_and_not_be_read_by_a_script():
    check((b"sec-fetch-site", b"cross-site"), page=True)
    check((b"sec-fetch-site", b"none"))
    with pytest.raises(Denied, match="web pages"):
        check((b"origin", b"null"), page=True)


def test_a_field_that_is_there_once():
    assert only([(b"a", b" x "), (b"b", b"y")], b"a") == b"x"
    assert only([(b"a", b"x")], b"c") == b""
    with pytest.raises(Denied, match="metadata is there more than once"):
        only([(b"metadata", b"true"), (b"metadata", b"true")], b"metadata")
