"""Redirects: each is judged as if it had been asked for, few are followed, and secrets stay with their origin."""

import re
import socket

import pytest

from forehearth.core.egress import EgressRequest
from forehearth.core.egress_settings import EgressSettings
from forehearth.core.errors import AddressFailed, AddressRefused
from forehearth.core.secret import Secret
from forehearth.egress.client import GuardedClient
from forehearth.testing.certificates import Authority
from forehearth.testing.raw_upstream import RawUpstream
from tests.integration.egress.connects import Connects
from tests.integration.egress.corpus import CORPUS
from tests.integration.egress.test_corpus import resolve as resolve_names

STATUSES = (301, 302, 303, 307, 308)
FORBIDDEN = [
    (b"http://127.0.0.1:OTHER/", "private"),
    (b"http://localhost:OTHER/", "name"),
    (b"//127.0.0.1:OTHER/", "private"),
    (b"//[::1]:OTHER/", "private"),
    (b"http://[::ffff:127.0.0.1]:OTHER/", "private"),
    (b"http://loopback.example:OTHER/", "private"),
    (b"http://2130706433:OTHER/", "host"),
    (b"http://0x7f.1:OTHER/", "host"),
    (b"http://169.254.169.254/latest/meta-data/", "never"),
    (b"http://metadata.google.internal/", "never"),
    (b"http://user@127.0.0.1:OTHER/", "user"),
    (b"http:\\\\127.0.0.1:OTHER/", "url"),
    (b"/\\127.0.0.1:OTHER/", "url"),
    (b"\\/127.0.0.1:OTHER/", "url"),
    (b"///127.0.0.1:OTHER/", "url"),
    (b"http://127.0.0.1\t:OTHER/", "url"),
    (b"http://127.0.0.1:OTHER/a b", "url"),
    (b"http://\xff.example/", "url"),
    (b"http://127.0.0.1:22/", "port"),
    (b"http://[::1/", "host"),
    (b"file:///etc/passwd", "scheme"),
    (b"ftp://127.0.0.1:OTHER/", "scheme"),
    (b"gopher://127.0.0.1:OTHER/x", "scheme"),
    (b"data:text/plain,x", "scheme"),
    (b"http://" + b"a" * 9_000 + b"/", "url"),
]


async def resolve_corpus(host, port):
    return await resolve(host, port) if host == "open.example" else await resolve_names(host, port)


async def resolve(host, port):
    return [(socket.AF_INET, ("127.0.0.1", port))]


def client_for(*listeners, **more):
    allow = tuple(f"open.example:{listener.port}" for listener in listeners)
    return GuardedClient(EgressSettings(allow=allow, **more), resolve=resolve)


def redirect(status, location):
    return b"HTTP/1.1 %d X\r\nlocation: %b\r\ncontent-length: 0\r\n\r\n" % (status, location)


@pytest.mark.parametrize("status", STATUSES)
async def test_no_redirect_leads_to_what_may_not_be_asked(listener, other, status):
    async with client_for(listener) as client:
        with Connects() as connects:
            for location, reason in FORBIDDEN:
                listener.answer = redirect(status, location.replace(b"OTHER", b"%d" % other.port))
                with pytest.raises(AddressRefused) as caught:
                    await client.send(EgressRequest(url=f"http://open.example:{listener.port}/"))
                assert (location, caught.value.reason) == (location, reason)
        assert connects.where == [("127.0.0.1", listener.port)] * len(FORBIDDEN)
        assert client.busy == 0
    assert (listener.connections, other.connections) == (len(FORBIDDEN), 0)


BREAKS_A_HEADER = re.compile(r"[\x00-\x1f\x7f]|^ | $")
ABSOLUTE = [
    (url, reason) for url, reason in CORPUS if re.match(r"[A-Za-z+-]+:", url) and not BREAKS_A_HEADER.search(url)
]


@pytest.mark.parametrize("status", [302, 307])
async def test_the_whole_corpus_is_refused_behind_a_redirect_too(listener, other, status):
    wrong = []
    settings = EgressSettings(allow=(f"open.example:{listener.port}",))
    with Connects() as connects:
        async with GuardedClient(settings, resolve=resolve_corpus) as client:
            for url, reason in ABSOLUTE:
                there = url.replace(":P", f":{other.port}").replace("+P", f"+{other.port}").replace(":0P", ":0")
                listener.answer = redirect(status, there.encode())
                try:
                    answer = await client.send(EgressRequest(url=f"http://open.example:{listener.port}/"))
                    wrong.append((url, "answered", answer.status))
                except AddressRefused as error:
                    if error.reason != reason:
                        wrong.append((url, error.reason))
                except AddressFailed as error:
                    wrong.append((url, error.reason))
    assert len(ABSOLUTE) > 330
    # One that is longer than an answer's head may be, or than a URL, is refused by that.
    assert [each for each in wrong if len(each[0]) < 8_000] == []
    assert connects.where == [("127.0.0.1", listener.port)] * len(ABSOLUTE)
    assert other.connections == 0


@pytest.mark.parametrize("status", [300, 304, 305, 306, 201, 200, 404])
async def test_other_answers_with_a_location_are_answers(listener, other, status):
    listener.answer = redirect(status, b"http://127.0.0.1:%d/" % other.port)
    async with client_for(listener, other) as client:
        assert (await client.send(EgressRequest(url=f"http://open.example:{listener.port}/"))).status == status
    assert (listener.connections, other.connections) == (1, 0)


@pytest.mark.parametrize("status", STATUSES)
async def test_three_are_followed_and_no_fourth(listener, status):
    listener.answer = redirect(status, b"http://open.example:PORT/again")
    async with client_for(listener) as client:
        with pytest.raises(AddressRefused) as caught:
            await client.send(EgressRequest(url=f"http://open.example:{listener.port}/", redirects=99))
        assert caught.value.reason == "redirects"
        assert listener.connections == 4
        for number, none in enumerate((0, -1)):
            with pytest.raises(AddressRefused):
                await client.send(EgressRequest(url=f"http://open.example:{listener.port}/", redirects=none))
            assert listener.connections == 5 + number


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, b"POST", b"GET"), (302, b"POST", b"GET"), (303, b"POST", b"GET"), (307, b"POST", b"POST"),
        (308, b"POST", b"POST"), (303, b"PUT", b"GET"), (301, b"PUT", b"PUT"), (302, b"DELETE", b"DELETE"),
        (303, b"HEAD", b"HEAD"), (301, b"GET", b"GET"),
    ],
)  # fmt: skip
async def test_what_becomes_of_method_body_and_secrets(listener, other, status, method, then):
    listener.answer = redirect(status, b"http://open.example:%d/there?x=%%2F" % other.port)
    body = b"" if method in (b"GET", b"HEAD", b"DELETE") else b"{}"
    request = EgressRequest(
        url=f"http://open.example:{listener.port}/here",
        method=method,
        headers=((b"content-type", b"application/json"), (b"x-api-key", b"k"), (b"accept", b"*/*")),
        secrets=((b"authorization", Secret("Bearer s")),),
        body=body,
    )
    async with client_for(listener, other) as client:
        assert (await client.send(request)).status == 200
    (first,), (second,) = listener.heads, other.heads
    assert b"authorization: Bearer s\r\n" in first
    assert b"x-api-key: k\r\n" in first
    assert second.startswith(then + b" /there?x=%%2F HTTP/1.1\r\nhost: open.example:%d\r\n" % other.port)
    assert b"Bearer" not in second
    assert b"x-api-key" not in second
    assert b"accept: */*\r\n" in second
    assert (b"content-length: 2" in second) == (bool(body) and then == method)
    assert (b"content-type" in second) == (then == method)


async def test_secrets_stay_where_the_origin_does(listener):
    async with client_for(listener) as client:
        listener.answer = redirect(307, b"/other")
        with pytest.raises(AddressRefused):
            await client.send(
                EgressRequest(
                    url=f"http://open.example:{listener.port}/", secrets=((b"authorization", Secret("Bearer s")),)
                )
            )
    assert len(listener.heads) == 4
    assert all(b"Bearer s" in head for head in listener.heads)


async def test_https_is_not_left_for_http(listener, tmp_path):
    authority = Authority(tmp_path)
    leaf = authority.issue("open.example")

    async def script(peer):
        await peer.request()
        await peer.send(redirect(302, b"http://open.example:%d/" % listener.port))

    async with RawUpstream(script, tls=leaf.server_context()) as secure:
        async with client_for(listener, secure, ca_bundle=authority.bundle) as client:
            with pytest.raises(AddressRefused) as caught:
                await client.send(EgressRequest(url=f"https://open.example:{secure.port}/"))
        assert secure.connections == 1
    assert caught.value.reason == "downgrade"
    assert listener.connections == 0


async def test_a_name_that_changes_between_redirects_is_judged_each_time(listener, other):
    """The host is public-looking and allowed nowhere: its second look-up leads inside."""
    asked = []

    async def changing(host, port):
        asked.append(host)
        return [(socket.AF_INET, ("127.0.0.1", port))]

    listener.answer = redirect(302, b"http://changing.example:%d/" % other.port)
    settings = EgressSettings(allow=(f"open.example:{listener.port}",))
    async with GuardedClient(settings, resolve=changing) as client:
        with pytest.raises(AddressRefused) as caught:
            await client.send(EgressRequest(url=f"http://open.example:{listener.port}/"))
    assert caught.value.reason == "private"
    assert asked == ["open.example", "changing.example"]
    assert other.connections == 0
