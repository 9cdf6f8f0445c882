"""Kinds of addresses, by the registries; what carries another address is no better than that one."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.core.ip_kinds import NEVER, kind_of

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
KINDS = {
    "public": [
        "8.8.8.8", "1.1.1.1", "93.184.216.34", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0",
        "192.167.255.255", "192.169.0.0", "169.253.255.255", "169.255.0.0", "223.255.255.255", "198.17.255.255",
        "198.20.0.0", "168.63.129.15", "2606:4700::1111", "2a00:1450::1", "2001:4860:4860::8888", "2001:200::1",
        "64:ff9b::808:808", "::ffff:8.8.8.8", "3ffe::1",
    ],
    "loopback": ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::"],
    "private": [
        "10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255", "fc00::",
        "fdff:ffff::1", "fec0::1", "64:ff9b:1::1", "::ffff:10.0.0.1", "::10.0.0.1", "2002:c0a8:1::",
    ],
    "shared": ["100.64.0.0", "100.127.255.255", "::ffff:100.64.0.1"],
    "metadata": [
        "169.254.169.254", "169.254.0.0", "169.254.255.255", "168.63.129.16", "100.100.100.200", "192.0.0.192",
        "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1", "fd00::5efe:169.254.169.254", "fd00:42::42",
    ],
    "link_local": ["fe80::1", "febf:ffff::1"],
    "unspecified": ["0.0.0.0", "0.255.255.255", "::", "::ffff:0.0.0.0"],
    "multicast": ["224.0.0.0", "239.255.255.255", "255.255.255.255", "ff00::", "ff02::1"],
    "reserved": [
        "192.0.0.0", "192.0.2.255", "198.18.0.0", "198.51.100.1", "203.0.113.1", "192.88.99.1", "240.0.0.0",
        "255.255.255.254", "2001:db8::1", "3fff:fff::1", "100::1", "4000::1", "::8.8.8.8",
        "2002:808:808::", "2001:1ff::1", "2620:4f:8000::1", "::2",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in KINDS.items() for text in texts])
def test_the_kind_of_an_address(kind, text):
    found = kind_of(ipaddress.ip_address(text))
    assert found == ("unspecified" if text == "::2" else kind)  # it carries 0.0.0.2


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_no_better_within_an_ipv6_one(four):
    kind, number = kind_of(four), int(four)
    for prefix in ("::ffff:0:0", "64:ff9b::"):
        assert kind_of(ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) + number)) == kind
    for six in (
        ipaddress.IPv6Address((0x2002 << 112) + (number << 80) + 1),
        ipaddress.IPv6Address((0x20010000 << 96) + (number << 64)),
        ipaddress.IPv6Address((0x26064700 << 96) + (0x5EFE << 32) + number),
        ipaddress.IPv6Address(int(ipaddress.IPv6Address("::ffff:0:0:0")) + number),
    ):
        found = kind_of(six)
        assert found != "public" or kind == "public"
        assert kind not in NEVER or found in NEVER


@given(st.ip_addresses())
def test_nothing_is_called_public_that_python_calls_otherwise(ip):
    """The standard library is the second opinion; it is the more lenient one in many places."""
    if kind_of(ip) == "public":
        carries = ip.version == 6 and (ip.ipv4_mapped is not None or ip in NAT64)
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if carries else ip
        assert inner.is_global
        assert not inner.is_multicast
