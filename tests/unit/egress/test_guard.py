"""Whatever a resolver says, what is handed on to connect to has been judged."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.core.egress_settings import EgressSettings
from forehearth.core.errors import AddressRefused
from forehearth.core.ip_kinds import NEVER, kind_of
from forehearth.core.web_address import read
from forehearth.egress.guard import Guard

PRIVATE = st.sampled_from(["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1%3", "64:ff9b::a00:1", "0.0.0.0"])
ANY = st.lists(PRIVATE | st.ip_addresses().map(str) | st.just("93.184.216.34"), max_size=12)


def found(texts, port):
    return [(socket.AF_INET6, (text, port, 0, 0)) if ":" in text else (socket.AF_INET, (text, port)) for text in texts]


def guard(settings, texts):
    async def resolve(host, port):
        return found(texts, port)

    return Guard(settings, resolve)


async def outcome(settings, texts):
    """The addresses, or the refusal."""
    try:
        return await guard(settings, texts).resolve("a.example", 80), None
    except AddressRefused as error:
        return None, error


@given(ANY)
async def test_a_name_of_strangers_leads_to_public_addresses_alone(texts):
    addresses, refusal = await outcome(EgressSettings(), texts)
    if refusal is not None:
        assert refusal.reason in {"private", "never"}
        assert not any(text in refusal.message for text in texts)
        return
    assert addresses == found(texts, 80)[:8]
    assert all(kind_of(ipaddress.ip_address(text)) == "public" for text in texts)


@given(ANY)
async def test_a_name_that_is_allowed_leads_to_anything_but_what_is_never_asked(texts):
    never = any(kind_of(ipaddress.ip_address(text.partition("%")[0])) in NEVER for text in texts)
    _, refusal = await outcome(EgressSettings(allow=("a.example:80",)), texts)
    assert (refusal is not None) == never
    assert refusal is None or refusal.reason == "never"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://a.example:80/", None), ("http://10.0.0.1:81/", None), ("http://[fd00::1]:82/", None),
        ("http://[fd00:0::1]:82/", None), ("http://a.example:81/", "closed"), ("http://10.0.0.1:80/", "private"),
        ("http://b.a.example/", "closed"), ("http://8.8.8.8/", "closed"), ("http://localhost/", "closed"),
        ("http://metadata/", "never"),
    ],
)  # fmt: skip
def test_with_public_addresses_closed_only_what_is_allowed_is_left(url, reason):
    settings = EgressSettings(public=False, allow=("a.example:80", "10.0.0.1:81", "[fd00::1]:82"))
    judging = guard(settings, [])
    if reason is None:
        judging.check(read(url))
        return
    with pytest.raises(AddressRefused) as caught:
        judging.check(read(url))
    assert caught.value.reason == reason


def test_a_refusal_says_what_the_operator_can_write():
    with pytest.raises(AddressRefused) as caught:
        guard(EgressSettings(), []).check(read("http://[fd00::1]:8080/"))
    assert caught.value.message == (
        "'fd00::1' is not asked: it does not lead to a public address; the operator can allow it, as [fd00::1]:8080"
        " under 'egress.allow'."
    )
