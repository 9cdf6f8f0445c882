"""What goes out: exact bytes, and nothing that could be read as another header or another request."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forehearth.core.errors import Misconfigured
from forehearth.core.upstream import Origin, Request
from forehearth.transport.proxies import Proxy
from forehearth.transport.request_head import HeadWriter

ORIGIN = Origin(scheme="http", host="host.example", port=8080)


def head(origin=ORIGIN, proxy=None, **members):
    members.setdefault("target", b"/v1/chat")
    return HeadWriter(origin, proxy).write(Request(origin=origin, **members))


def test_a_request_is_written_whole():
    assert head(headers=((b"content-type", b"application/json"), (b"api-key", b"k")), body=b"{}") == (
        b"POST /v1/chat HTTP/1.1\r\nhost: host.example:8080\r\naccept-encoding: identity\r\n"
        b"content-type: application/json\r\napi-key: k\r\ncontent-length: 2\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [(b"POST", b"", b"0"), (b"PUT", b"ab", b"2"), (b"GET", b"", None), (b"DELETE", b"", None), (b"GET", b"x", b"1")],
)
def test_a_length_is_sent_where_a_body_is_expected(method, body, length):
    written = head(method=method, body=body)
    assert (b"content-length: %b\r\n\r\n" % length if length else b"identity\r\n\r\n") == written[-len(written) :][
        written.index(b"content-length" if length else b"identity\r\n") :
    ]


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (Origin(scheme="http", host="h", port=80), b"h"),
        (Origin(scheme="http", host="h"), b"h"),
        (Origin(scheme="https", host="h", port=443), b"h"),
        (Origin(scheme="https", host="h", port=80), b"h:80"),
        (Origin(scheme="http", host="::1", port=81), b"[::1]:81"),
        (Origin(scheme="http", host="[::1]", port=81), b"[::1]:81"),
        (Origin(scheme="https", host="::1"), b"[::1]"),
        (Origin(scheme="http", host="bücher.example"), b"xn--bcher-kva.example"),
        (Origin(scheme="http", host="localhost", socket="/run/s"), b"localhost"),
        (Origin(scheme="http", host="", socket="/run/s"), b"localhost"),
    ],
)
def test_host(origin, expected):
    assert b"\r\nhost: %b\r\n" % expected in head(origin)


def test_a_proxy_gets_the_absolute_form_and_its_credential_only_for_http():
    proxy = Proxy(host="p", port=1, credential=b"Basic eA==")
    plain = head(proxy=proxy)
    assert plain.startswith(b"POST http://host.example:8080/v1/chat HTTP/1.1\r\nhost: host.example:8080\r\n")
    assert b"proxy-authorization: Basic eA==\r\n" in plain
    tunnelled = head(Origin(scheme="https", host="h"), proxy=proxy)
    assert tunnelled.startswith(b"POST /v1/chat HTTP/1.1\r\n")
    assert b"proxy-authorization" not in tunnelled


BAD_VALUES = [b"a\r\nx: y", b"a\nb", b"a\rb", b"a\0b", b"a\x7fb", b"a\r\n b", b"\r\n\r\nGET / HTTP/1.1", b"a\x1b[0m"]
BAD_NAMES = [b"", b"a b", b"a:", b"a\r\nb", b" a", b"a ", b"\xc3\xa9", b"a(", b"host: evil\r\nx", b"a\tb"]
OURS = [
    b"host", b"Host", b"content-length", b"Content-Length", b"transfer-encoding", b"connection", b"accept-encoding",
    b"te", b"trailer", b"upgrade", b"expect", b"keep-alive", b"proxy-connection", b"proxy-authorization",
]  # fmt: skip


@pytest.mark.parametrize("field", [(b"x", v) for v in BAD_VALUES] + [(n, b"v") for n in BAD_NAMES + OURS])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_header_that_could_be_another_is_refused(field, place):
    fields = [(b"a", b"1"), (b"b", b"2")]
    fields.insert(place, field)
    with pytest.raises(Misconfigured):
        head(headers=fields)


@pytest.mark.parametrize(
    "name", [b"hosts", b"x-host", b"content-length-x", b"te2", b"connection-id", b"X-Ab!#$%&'*+.^_`|~9"]
)
def test_names_that_only_begin_alike_are_sent(name):
    assert b"\r\n%b: v\r\n" % name in head(headers=((name, b"v"),))


@pytest.mark.parametrize("value", [b"", b" ", b"\t", b"a  b", b"\xc3\xa9\xff", b"a:b: c", b'"q"'])
def test_values_are_sent_as_they_are(value):
    assert b"\r\nx: %b\r\n" % value in head(headers=((b"x", value),))


@pytest.mark.parametrize(
    "target",
    [
        b"",
        b"x",
        b"http://h/",
        b"*",
        b"/a b",
        b"/a\r\nx: y",
        b"/a\n",
        b"/\xc3\xa9",
        b"/\0",
        b"/a HTTP/1.1\r\nx: y\r\nz:",
    ],
)
def test_a_target_that_could_be_more_is_refused(target):
    with pytest.raises(Misconfigured):
        head(target=target)


@pytest.mark.parametrize("method", [b"", b"get", b"GET ", b"A B", b"CONNECT", b"P\r\n", b"X" * 33, b"G\xc3"])
def test_a_method_that_is_none_is_refused(method):
    with pytest.raises(Misconfigured):
        head(method=method)


@pytest.mark.parametrize("host", ["a b", "a\r\nx: y", "a\tb", ""])
def test_a_host_that_cannot_be_sent_is_refused(host):
    with pytest.raises((Misconfigured, UnicodeError)):
        head(Origin(scheme="http", host=host, port=80))


def test_lines_that_are_kept_do_not_grow_without_bound():
    writer = HeadWriter(ORIGIN, None)
    for number in range(5_000):
        writer.write(Request(origin=ORIGIN, target=b"/%d" % number))
    assert len(writer._lines) <= 512


ALPHABET = b"aZ-: \r\n\0\t\x7f\xff/HTP1."


@settings(max_examples=3_000, deadline=None)
@given(st.binary(max_size=30), st.integers(0, 3), st.integers(0, 3))
def test_whatever_is_asked_one_request_with_these_fields_goes_out_or_none(noise, count, size):
    text = bytes(ALPHABET[byte % len(ALPHABET)] for byte in noise)
    step = max(1, len(text) // (2 * count + 1))
    parts = [text[i * step : (i + 1) * step] for i in range(2 * count + 1)]
    target, fields, body = b"/" + parts[0], list(zip(parts[1::2], parts[2::2], strict=True)), b"x" * size
    try:
        written = head(target=target, headers=fields, body=body)
    except Misconfigured:
        return
    lines = written.split(b"\r\n")
    assert written.endswith(b"\r\n\r\n")
    assert written.count(b"\r\n\r\n") == 1
    assert written.count(b"\n") == written.count(b"\r") == len(lines) - 1
    assert lines[0] == b"POST %b HTTP/1.1" % target
    assert lines[0].count(b" ") == 2
    sent = [tuple(line.split(b": ", 1)) for line in lines[1:-2]]
    assert sent == [
        (b"host", b"host.example:8080"),
        (b"accept-encoding", b"identity"),
        *fields,
        (b"content-length", b"%d" % len(body)),
    ]
