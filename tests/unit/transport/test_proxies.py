"""Which proxy, by which variable, and what `NO_PROXY` leaves out."""

import ipaddress

import pytest

from forehearth.core.errors import Misconfigured
from forehearth.transport.proxies import choose_proxy, parse_proxy
from tests.unit.dice import by_dice

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("environ", "scheme", "expected"),
    [
        ({}, "https", None),
        ({"HTTPS_PROXY": PROXY}, "https", PROXY),
        ({"https_proxy": PROXY}, "https", PROXY),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other:1"}, "https", PROXY),
        ({"https_proxy": "", "HTTPS_PROXY": PROXY}, "https", None),
        ({"HTTP_PROXY": PROXY}, "https", None),
        ({"HTTP_PROXY": PROXY}, "http", PROXY),
        ({"http_proxy": PROXY}, "http", PROXY),
        ({"HTTPS_PROXY": PROXY}, "http", None),
        ({"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, "http", None),
        ({"http_proxy": PROXY, "REQUEST_METHOD": "GET"}, "http", PROXY),
        ({"HTTPS_PROXY": PROXY, "REQUEST_METHOD": "GET"}, "https", PROXY),
        ({"HTTPS_PROXY": "  "}, "https", None),
        ({"HTTPS_PROXY": "proxy.example:3128"}, "https", PROXY),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "host.example"}, "https", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "host.example"}, "https", None),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "", "NO_PROXY": "host.example"}, "https", PROXY),
    ],
)
def test_variables(environ, scheme, expected):
    assert choose_proxy(environ, scheme, "host.example", 443) == expected


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "direct"),
    [
        ("*", "host.example", 443, True),
        ("a.example,*", "host.example", 443, True),
        ("example", "host.example", 443, True),
        (".example", "host.example", 443, True),
        ("*.example", "host.example", 443, True),
        ("host.example", "host.example", 443, True),
        ("HOST.Example", "host.eXample", 443, True),
        ("host.example.", "host.example", 443, True),
        ("host.example", "host.example.", 443, True),
        (".host.example", "host.example", 443, True),
        ("host.example", "a.host.example", 443, True),
        ("ost.example", "host.example", 443, False),
        ("host.example", "example", 443, False),
        ("*ost.example", "host.example", 443, False),
        (" a.example ,host.example ", "host.example", 443, True),
        ("a.example host.example", "host.example", 443, True),
        (",, ,", "host.example", 443, False),
        ("host.example:443", "host.example", 443, True),
        ("host.example:8443", "host.example", 443, False),
        ("example:443", "host.example", 443, True),
        ("host.example:", "host.example", 443, False),
        ("host.example:x", "host.example", 443, False),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.1.2.3/8", "10.9.9.9", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        ("10.0.0.0/8", "10.example", 443, False),
        ("10.0.0.0/99", "10.1.2.3", 443, False),
        ("::/0", "10.1.2.3", 443, False),
        ("fd00::/8", "fd12::1", 443, True),
        ("fd00::/8", "[fd12::1]", 443, True),
        ("10.1.2.3", "10.1.2.3", 443, True),
        ("10.1.2.3:80", "10.1.2.3", 443, False),
        ("10.1.2.3:443", "10.1.2.3", 443, True),
        ("2.3", "10.1.2.3", 443, False),
        ("10.1.2.3", "::ffff:10.1.2.3", 443, True),
        ("::1", "::1", 443, True),
        ("[::1]", "::1", 443, True),
        ("[::1]:443", "::1", 443, True),
        ("[::1]:80", "::1", 443, False),
        ("0:0:0:0:0:0:0:1", "[::1]", 443, True),
        ("[", "host.example", 443, False),
        (":443", "host.example", 443, False),
        (".", "host.example", 443, False),
        ("localhost", "127.0.0.1", 443, False),
    ],
)
def test_no_proxy(no_proxy, host, port, direct):
    chosen = choose_proxy({"https_proxy": PROXY, "no_proxy": no_proxy}, "https", host, port)
    assert (chosen is None) == direct


ALPHABET = "abz.*:/[]0129, \t%é"
HOSTS = ("a", "z.b", "a.b.z", "10.1.2.3", "::1", "abz", "b-1.a", "1", "xn--a.z")


@by_dice(proxied=0.5, direct=0.05)
def test_any_list_is_read_and_only_its_own_names_are_left_out(dice):
    host, port = dice.choice(HOSTS), dice.choice((1, 2, 12, 443))
    no_proxy = "".join(dice.choices(ALPHABET, k=dice.randrange(30)))
    chosen = choose_proxy({"https_proxy": PROXY, "no_proxy": no_proxy}, "https", host, port)
    assert chosen in {None, PROXY}
    if chosen is not None:
        return "proxied"
    # A name is left out only by a wildcard, a network, or an entry whose name is the end of it.
    words = no_proxy.replace("\t", ",").replace(" ", ",").split(",")
    ends = tuple(word.rpartition(":")[0].strip("[]*.") or word.strip("[]*.") for word in words if word)
    assert any(word == "*" or "/" in word for word in words) or host.endswith(tuple(end for end in ends if end))
    return "direct"


def some_name(dice):
    return ".".join("".join(dice.choices("abcxyz09-", k=dice.randint(1, 6))) for _ in range(dice.randint(1, 4)))


@by_dice(1_000, name=0.9)
def test_what_is_under_a_name_is_left_out_and_nothing_beside_it(dice):
    name, child, port, ported = some_name(dice), some_name(dice), dice.randint(1, 65_535), dice.random() < 0.5
    entry = f"{dice.choice(('', '.', '*.'))}{name}{f':{port}' if ported else ''}"
    environ = {"https_proxy": PROXY, "no_proxy": entry}
    if all(part.isdigit() for part in name.split(".")):
        return "address"
    assert choose_proxy(environ, "https", f"{child}.{name}", port) is None
    assert choose_proxy(environ, "https", f"{child}x{name}", port) == PROXY
    assert (choose_proxy(environ, "https", f"{child}.{name}", port % 65_535 + 1) is None) == (not ported)
    return "name"


@by_dice(1_000, inside=0.2, outside=0.2)
def test_networks_are_those_of_the_standard_library(dice):
    kind, bits = dice.choice(((ipaddress.IPv4Address, 32), (ipaddress.IPv6Address, 128)))
    base, prefix = kind(dice.getrandbits(bits)), dice.randrange(bits + 1)
    address = kind(int(base) ^ dice.getrandbits(dice.randrange(1, bits + 1)))
    if dice.random() < 0.1:
        address = ipaddress.ip_address(dice.choice(("0.0.0.0", "::", "127.0.0.1", "::1")))
    environ = {"http_proxy": PROXY, "no_proxy": f"{base}/{prefix}"}
    inside = address in ipaddress.ip_network(f"{base}/{prefix}", strict=False)
    assert (choose_proxy(environ, "http", str(address), 80) is None) == inside
    return "inside" if inside else "outside"


@pytest.mark.parametrize(
    ("url", "host", "port", "credential"),
    [
        ("http://proxy.example:3128", "proxy.example", 3128, b""),
        ("proxy.example:3128", "proxy.example", 3128, b""),
        ("http://proxy.example/", "proxy.example", 80, b""),
        ("http://[::1]:8080", "::1", 8080, b""),
        ("http://user:pass@proxy:1", "proxy", 1, b"Basic dXNlcjpwYXNz"),
        ("http://us%40er:p%3Ass@proxy:1", "proxy", 1, b"Basic dXNAZXI6cDpzcw=="),
        ("http://user@proxy:1", "proxy", 1, b"Basic dXNlcjo="),
        ("http://user:%0d%0aevil@proxy:1", "proxy", 1, b"Basic dXNlcjoNCmV2aWw="),
    ],
)
def test_a_proxy_is_read_from_its_url(url, host, port, credential):
    proxy = parse_proxy(url)
    assert (proxy.host, proxy.port, proxy.credential) == (host, port, credential)
    assert "pass" not in repr(proxy)
    assert "Basic" not in repr(proxy)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://proxy:1",
        "socks5://proxy:1",
        "http://",
        "http://proxy:99999",
        "http://[::1",
        "http://a b:1",
        "http://é:1",
    ],
)
def test_what_is_no_proxy_is_refused_without_showing_it(url):
    with pytest.raises(Misconfigured) as caught:
        parse_proxy(url.replace("//", "//user:hunter2@") if url.endswith(":1") else url)
    assert "hunter2" not in caught.value.message
