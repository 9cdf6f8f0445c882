"""What may stand in Host."""

from ipaddress import IPv6Address
from urllib.parse import urlsplit

import pytest

from forehearth.http.host import is_authority
from tests.unit.dice import by_dice
from tests.unit.http.words import words


@pytest.mark.parametrize(
    "value",
    [
        b"localhost",
        b"localhost:8080",
        b"127.0.0.1",
        b"127.0.0.1:1",
        b"a.services.ai.azure.com",
        b"under_score.local:65535",
        b"a.",
        b"[::1]",
        b"[::1]:8080",
        b"[2001:db8::192.0.2.1]",
        b"x" * 63 + b".example",
    ],
)
def test_a_name_or_an_address_with_or_without_a_port(value):
    assert is_authority(value)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b":80",
        b"a:",
        b"a:0",
        b"a:65536",
        b"a:123456",
        b"a:8o",
        b"a:80:80",
        b"a:+80",
        b"user@a",
        b"user:pass@a",
        b"a/",
        b"a/b",
        b"a?b",
        b"a#b",
        b"a\\b",
        b"a b",
        b" a",
        b"a,b",
        b"a..b",
        b".a",
        b".",
        b"a%2eb",
        b"a\x00",
        b"\xc3\xa4",
        b"a\x7f",
        b"[::1",
        b"::1",
        b"[]",
        b"[::1]x",
        b"[::1]:",
        b"[::1]:0",
        b"[g::1]",
        b"[1:2:3]",
        b"[fe80::1%25eth0]",
        b"[v1.a]",
        b"x" * 64,
        b"x." * 128,
        b"a:\xd9\xa1",
    ],
)
def test_everything_else_is_refused(value):
    assert not is_authority(value)


PARTS = (
    *(
        b"a",
        b"b.c",
        b".",
        b":",
        b"80",
        b"0",
        b"[",
        b"]",
        b"::1",
        b"@",
        b"/",
        b"?",
        b"#",
        b"\\",
        b" ",
        b"%41",
        b"-",
        b"_",
    ),
    *("ü".encode(), b"\t", b","),
)


@by_dice(accepted=0.03, refused=0.3)
def test_what_is_accepted_is_nothing_but_a_host_to_others_too(dice):
    value = words(dice, PARTS, 5)
    if not is_authority(value):
        return "refused"
    text = value.decode("ascii")
    parts = urlsplit(f"http://{text}/x")
    assert parts.path == "/x"
    assert parts.username is None
    assert parts.hostname
    assert not parts.query
    assert not parts.fragment
    assert parts.port is None or 1 <= parts.port <= 65535
    if text.startswith("["):
        IPv6Address(parts.hostname)
    return "accepted"


@by_dice()
def test_no_bytes_make_it_stumble(dice):
    assert is_authority(dice.randbytes(dice.randrange(13))) in {True, False}
