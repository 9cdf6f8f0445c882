"""A URL has one reading, or none."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.core.errors import AddressRefused
from forehearth.core.web_address import BLOCKED_PORTS, follow, is_local_name, read, read_host_and_port


@pytest.mark.parametrize(
    ("text", "host", "port", "target"),
    [
        ("http://a.example", "a.example", 80, "/"),
        ("https://A.Example/", "a.example", 443, "/"),
        ("HTTPS://a.example:8443/x?y=1#z", "a.example", 8443, "/x?y=1"),
        ("https://a.example?y", "a.example", 443, "/?y"),
        ("https://a.example#y", "a.example", 443, "/"),
        ("https://8.8.8.8/", "8.8.8.8", 443, "/"),
        ("https://[2606:4700:0::1111]:8080/", "2606:4700::1111", 8080, "/"),
        ("https://a_b.example/", "a_b.example", 443, "/"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/"),
        ("https://a.example/größe/%C3%9F?ä=%2F", "a.example", 443, "/gr%C3%B6%C3%9Fe/%C3%9F?%C3%A4=%2F"),
        ("https://a.example/../x//y/./z", "a.example", 443, "/../x//y/./z"),
        ("https://a.example/@x:y", "a.example", 443, "/@x:y"),
        ("https://1.2.3.4.example/", "1.2.3.4.example", 443, "/"),
        ("https://0xabc.example/", "0xabc.example", 443, "/"),
        ("https://1password.com/", "1password.com", 443, "/"),
    ],
)
def test_what_is_read(text, host, port, target):
    address = read(text)
    assert (address.host, address.port, address.target) == (host, port, target)
    assert (address.ip is None) == (host[-1].isalpha())
    assert read(address.url) == address


@given(st.text(max_size=60) | st.from_regex(r"https?://[0-9a-fx.:\[\]%@\\/?#-]{0,40}", fullmatch=True))
def test_any_text_is_read_once_or_refused(text):
    try:
        address = read(text)
    except AddressRefused as error:
        reason = error.reason
        assert reason in {"url", "scheme", "user", "host", "port"}
        return
    assert read(address.url) == address
    assert address.target.isascii()
    assert address.port not in BLOCKED_PORTS
    assert not set(address.host) & set("@/\\?# %[]")
    if address.host.rpartition(".")[2].isdigit():
        assert address.ip == ipaddress.ip_address(address.host)


@given(st.ip_addresses())
def test_every_ip_address_is_read_as_itself(ip):
    shown = f"[{ip}]" if ip.version == 6 else str(ip)
    assert read(f"http://{shown}:8080/").ip == ip
    assert read_host_and_port(f"{shown}:8080") == (str(ip), 8080)


@given(st.binary(max_size=40))
def test_any_location_is_followed_once_or_refused(location):
    base = read("https://a.example/b/c?d")
    try:
        there = follow(base, location)
    except AddressRefused:
        return
    assert read(there.url) == there
    if location[:2] != b"//" and b":" not in location:
        assert there.origin == base.origin


@pytest.mark.parametrize(
    ("location", "url"),
    [
        (b"/x", "https://a.example/x"), (b"x", "https://a.example/b/x"), (b"?x", "https://a.example/b/c?x"),
        (b"", "https://a.example/b/c?d"), (b"#x", "https://a.example/b/c?d"), (b"../x", "https://a.example/x"),
        (b"../../../x", "https://a.example/x"), (b"//o.example/x", "https://o.example/x"),
        (b"http://o.example:81/x", "http://o.example:81/x"), ("/ü".encode(), "https://a.example/%C3%BC"),
    ],
)  # fmt: skip
def test_where_a_redirect_leads(location, url):
    assert follow(read("https://a.example/b/c?d"), location).url == url


@pytest.mark.parametrize(
    "text", ["a.example", "a.example:", "a.example:0", "a.example:99999", "a.example:22", ":80", "[::1]"]
)
def test_a_host_without_a_good_port(text):
    with pytest.raises(AddressRefused):
        read_host_and_port(text)


def test_names_of_this_network():
    assert all(map(is_local_name, ["localhost", "a.localhost", "router", "a.lan", "a.internal", "4.4.in-addr.arpa"]))
    assert not any(map(is_local_name, ["a.example", "localhost.example.com", "lan.example"]))
