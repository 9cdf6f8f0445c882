"""The key `egress`: what it takes, and what it refuses."""

import pytest

from forehearth.core.egress_settings import EgressSettings
from tests.unit.config.reading import problems, read

FORM = "expected a host and its port as HOST:PORT, an IPv6 address in brackets, found text "


def test_what_it_takes():
    text = "version: 1\negress: {allow: ['Tools.lan:8080', '10.0.0.7:443', '[FD00:0::7]:8080'], public: false}\n"
    settings = read(text).egress
    assert settings.allowed == frozenset({("tools.lan", 8080), ("10.0.0.7", 443), ("fd00::7", 8080)})
    assert not settings.public
    assert EgressSettings() == read("version: 1\n").egress


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("169.254.169.254:80", "'169.254.169.254:80' is never asked, whatever is allowed"),
        ("metadata.google.internal:80", "'metadata.google.internal:80' is never asked, whatever is allowed"),
        ("[fe80::1]:80", "'[fe80::1]:80' is never asked, whatever is allowed"),
        ("0.0.0.0:80", "'0.0.0.0:80' is never asked, whatever is allowed"),
        ("[::ffff:169.254.169.254]:80", "'[::ffff:169.254.169.254]:80' is never asked, whatever is allowed"),
        (
            "redis.lan:22",
            "'redis.lan:22': Port 22 belongs to another protocol than HTTP, and is not asked: browsers block it too",
        ),
        ("127.1:80", "'127.1:80': its host is a number that is not an IPv4 address of four decimal parts"),
        ("a..b:80", "'a..b:80': its host is neither a host name nor an IP address"),
        ("a.example:0", "'a.example:0': its port is not a number from 1 to 65535"),
        ("[::g]:80", FORM + "'[::g]:80'"),
        ("a.example", FORM + "'a.example'"),
        ("*.example:80", FORM + "'*.example:80'"),
        ("http://a.example:80", FORM + "'http://a.example:80'"),
        ("10.0.0.0/8:80", FORM + "'10.0.0.0/8:80'"),
    ],
)  # fmt: skip
def test_what_it_refuses(entry, message):
    (told,) = problems(f"version: 1\negress: {{allow: ['{entry}']}}\n")
    assert told.path.startswith("egress.allow")
    assert told.message == message


def test_a_host_is_there_once():
    (told,) = problems("version: 1\negress: {allow: ['a.lan:80', 'A.LAN:80']}\n")
    assert (told.path, told.message) == ("egress.allow", "'A.LAN:80' is there twice")
