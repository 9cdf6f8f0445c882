"""The head of a request, read whole and examined while it is not."""

import re

import httptools
import pytest

from forehearth.core.settings import InboundLimits
from forehearth.http.faults import Malformed
from forehearth.http.head import CHUNKED, Peer, Request, examine, read
from tests.unit.dice import by_dice

LIMITS = InboundLimits()
PEER = Peer(scheme="https", client="192.0.2.1")
TIGHT = InboundLimits(header_bytes=300, header_count=5, url_bytes=60)


def head(*lines: str, line: str = "POST /a?b HTTP/1.1", host: str = "Host: h") -> bytes:
    return "\r\n".join([line, *([host] if host else []), *lines, "", ""]).encode("latin-1")


def parse(block: bytes, limits: InboundLimits = LIMITS) -> Request:
    return read(block, limits, PEER)


def fault(block: bytes, limits: InboundLimits = LIMITS) -> tuple[int, str]:
    with pytest.raises(Malformed) as caught:
        parse(block, limits)
    assert caught.value.message
    return caught.value.status, caught.value.code


def test_a_head_is_what_was_sent():
    request = parse(head("X-One: 1", "x-ONE:2", "Empty:", "Odd: \t a \t b \t ", "Text: \xe4"))
    assert request.head.method == b"POST"
    assert request.head.raw_path == b"/a"
    assert request.head.query == b"b"
    assert request.head.scheme == "https"
    assert request.head.client == "192.0.2.1"
    assert request.head.headers == {
        b"host": b"h",
        b"x-one": b"1, 2",
        b"empty": b"",
        b"odd": b"a \t b",
        b"text": b"\xe4",
    }
    assert (request.minor, request.length, request.persistent) == (1, 0, True)


@pytest.mark.parametrize(
    ("lines", "member", "expected"),
    [
        ((), "length", 0),
        (("Content-Length: 0",), "length", 0),
        (("Content-Length: 0012",), "length", 12),
        (("Transfer-Encoding: chunked",), "length", CHUNKED),
        (("TRANSFER-ENCODING:  Chunked ",), "length", CHUNKED),
        (("Connection: keep-alive",), "persistent", True),
        (("Connection: close",), "persistent", False),
        (("Connection: foo , CLOSE",), "persistent", False),
        (("Connection: closed",), "persistent", True),
        (("Connection: keep-alive", "Connection: close"), "persistent", False),
        (("Expect: 100-Continue",), "expects_continue", True),
        ((), "expects_continue", False),
        (("Connection: Upgrade", "Upgrade: WebSocket"), "upgrade", b"websocket"),
        (("Upgrade: websocket",), "upgrade", b""),
        (("Connection: upgrade",), "upgrade", b""),
    ],
)
def test_what_it_says_about_its_message_and_its_connection(lines, member, expected):
    assert getattr(parse(head(*lines)), member) == expected


def test_http_1_0_has_no_host_no_continue_no_upgrade_and_ends_with_the_answer():
    block = head("Expect: 100-continue", "Connection: upgrade", "Upgrade: x", line="GET / HTTP/1.0", host="")
    request = parse(block)
    assert request.minor == 0
    assert not request.persistent
    assert not request.expects_continue
    assert not request.upgrade


def test_the_authority_of_an_absolute_target_must_be_the_host():
    assert parse(head(line="GET http://H/a HTTP/1.1")).head.raw_path == b"/a"
    assert fault(head(line="GET http://other/a HTTP/1.1")) == (400, "invalid_host")
    assert fault(head(line="GET http://h:81/a HTTP/1.1")) == (400, "invalid_host")


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (head(line="post / HTTP/1.1"), (400, "invalid_method")),
        (head(line="P" * 33 + " / HTTP/1.1"), (400, "invalid_method")),
        (head(line=" POST / HTTP/1.1"), (400, "invalid_method")),
        (head(line="POST  / HTTP/1.1"), (400, "invalid_request_line")),
        (head(line="POST /  HTTP/1.1"), (400, "invalid_request_line")),
        (head(line="POST / HTTP/1.1 "), (400, "invalid_request_line")),
        (head(line="POST /"), (400, "invalid_request_line")),
        (head(line="POST\t/ HTTP/1.1"), (400, "invalid_method")),
        (head(line="POST / HTTP/2.0"), (400, "http_version")),
        (head(line="POST / HTTP/1.2"), (400, "http_version")),
        (head(line="POST / HTTP/1.10"), (400, "http_version")),
        (head(line="POST / http/1.1"), (400, "http_version")),
        (head(line="POST / RTSP/1.0"), (400, "http_version")),
        (head(line="POST /\xe4 HTTP/1.1"), (400, "invalid_target")),
        (head(line="POST /\x7f HTTP/1.1"), (400, "invalid_target")),
        (head(line="POST /" + "a" * 60 + " HTTP/1.1"), (414, "url_too_long")),
        (head(line="POST /" + "a" * 200 + " HTTP/1.1"), (414, "url_too_long")),
        (head(host=""), (400, "missing_host")),
        (head("Host: h"), (400, "repeated_header")),
        (head(host="Host:"), (400, "invalid_host")),
        (head(host="Host: a@b"), (400, "invalid_host")),
        (head(" folded"), (400, "folded_header")),
        (head("X: a", "\tfolded"), (400, "folded_header")),
        (head("X : a"), (400, "invalid_header_name")),
        (head("no colon"), (400, "invalid_header_name")),
        (head(": a"), (400, "invalid_header_name")),
        (head("X\xe4: a"), (400, "invalid_header_name")),
        (head("X: a\x00"), (400, "invalid_header_value")),
        (head("X: a\x0b"), (400, "invalid_header_value")),
        (head("X: a\rb"), (400, "line_end")),
        (head("X: a\nb"), (400, "line_end")),
        (b"POST / HTTP/1.1\nHost: h\n\r\n\r\n", (400, "line_end")),
        (head(*["X: a"] * 5), (431, "too_many_headers")),
        (head("Content-Length: 1", "Content-Length: 1"), (400, "repeated_header")),
        (head("Content-Length: 1, 1"), (400, "invalid_content_length")),
        (head("Content-Length: +1"), (400, "invalid_content_length")),
        (head("Content-Length: 0x1"), (400, "invalid_content_length")),
        (head("Content-Length:"), (400, "invalid_content_length")),
        (head("Content-Length: " + "9" * 19), (400, "invalid_content_length")),
        (head("Content-Length: 1", "Transfer-Encoding: chunked"), (400, "two_lengths")),
        (head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), (400, "repeated_header")),
        (head("Transfer-Encoding: gzip, chunked"), (400, "transfer_encoding")),
        (head("Transfer-Encoding: chunked", line="POST / HTTP/1.0"), (400, "transfer_encoding")),
        (head("Expect: 200-maybe"), (417, "unknown_expectation")),
    ],
)
def test_faults_are_named(block, expected):
    assert fault(block, TIGHT) == expected


VOCABULARY = (
    *(
        b"GET ",
        b"POST ",
        b"/",
        b"/a?b",
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b" HTTP/2.0\r\n",
        b" ",
        b"\t",
        b"\r",
        b"\n",
        b"\x00",
    ),
    *(
        b"\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"Host: h\r\n",
        b"Host: h\r\n",
        b"X: y\r\n",
        b"X : y\r\n",
        b" z\r\n",
        b":",
        b"\xff",
        b"#",
        b"a@b",
    ),
    *(
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"Expect: 100-continue\r\n",
    ),
    *(b"GET / HTTP/1.1\r\nHost: h\r\n", b"POST /a HTTP/1.1\r\nHost: h\r\n", b"GET / HTTP/1.1\r\n"),
    *(b"http://h/", b"Q: " + b"q" * 60 + b"\r\n", b"w" * 70),
)


class Llhttp:
    """What uvicorn's parser makes of a head."""

    def __init__(self, block: bytes) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.parser = httptools.HttpRequestParser(self)
        self.version = ""
        self.method = b""
        self.keep_alive = False
        self.parser.feed_data(block)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.strip()))

    def on_headers_complete(self) -> None:
        self.version = self.parser.get_http_version()
        self.method = self.parser.get_method()
        self.keep_alive = self.parser.should_keep_alive()


LINES = (b"GET / HTTP/1.1\r\n", b"POST /a?b HTTP/1.1\r\n", b"DELETE /%20 HTTP/1.0\r\n", b"GET http://h/x HTTP/1.1\r\n")
FIELDS = tuple(
    line.encode("latin-1") + b"\r\n"
    for line in ("X: y", "x:z", "Empty:", "Odd:\t a \t b ", "Text: \xe4\xff", "Cookie: a=b; c", "Connection: close",
                 "Connection: keep-alive, x", "Content-Length: 3", "Transfer-Encoding: chunked", "Upgrade: h2c",
                 "Expect: 100-continue", "Content-Length: 0", "A-b_c.1~!: :")
)  # fmt: skip


def some_head(dice):
    """Any words of the grammar, or a good line and good fields with now and then such a word among them."""
    words = dice.choices(VOCABULARY, k=dice.randrange(17))
    if dice.random() < 0.4:
        return b"".join(words)
    fields = [b"Host: h\r\n", *dice.sample(FIELDS, dice.randrange(4))]
    dice.shuffle(fields)
    head = dice.choice(LINES) + b"".join(fields)
    if dice.random() < 0.4:
        return head + b"\r\n"
    place = dice.randint(head.index(b" ") + 1, len(head))  # llhttp has a list of methods, and this file has none
    return head[:place] + b"".join(words[: dice.randrange(3)]) + head[place + dice.randrange(3) :] + b"\r\n"


@by_dice(accepted=0.2, refused=0.3)
def test_what_is_accepted_llhttp_accepts_too_and_reads_alike(dice):
    block = some_head(dice).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    try:
        request = parse(block)
    except Malformed:
        return "refused"
    other = Llhttp(block)
    assert other.version == f"1.{request.minor}"
    assert other.method == request.head.method
    path, _, query = re.sub(rb"(?i)\Ahttps?://[^/?]*", b"", other.url).partition(b"?")
    assert (path or b"/", query) == (request.head.raw_path, request.head.query)
    assert [(name.lower(), value.strip()) for name, value in request.fields] == other.headers
    assert request.persistent is (other.keep_alive and request.minor == 1)
    return "accepted"


def verdict_by_parts(data: bytes, cuts: list[int]) -> int:
    """The status that a head gets when it arrives in parts; 200 for a good one, 0 while more is needed."""
    seen = 0
    edges = [*sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    for edge in edges:
        part = data[:edge]
        end = part.find(b"\r\n\r\n", max(0, seen)) + 4
        try:
            if 4 <= end <= TIGHT.header_bytes:
                parse(part[:end], TIGHT)
                return 200
            if part:
                examine(part, seen, TIGHT)
        except Malformed as malformed:
            return malformed.status
        seen = max(0, len(part) - 3)
    return 0


def kind(verdict):
    return {200: "accepted", 0: "awaited"}.get(verdict, "refused")


@by_dice(accepted=0.2, refused=0.3, awaited=0.02)
def test_a_head_gets_the_same_verdict_however_it_is_cut(dice):
    data = some_head(dice)
    whole = verdict_by_parts(data, [])
    assert verdict_by_parts(data, [dice.randrange(len(data) + 1) for _ in range(dice.randint(1, 5))]) == whole
    return kind(whole)


@by_dice(1_000, accepted=0.2, refused=0.3, awaited=0.01)
def test_a_head_gets_the_same_verdict_byte_by_byte(dice):
    data = some_head(dice)
    whole = verdict_by_parts(data, [])
    assert verdict_by_parts(data, list(range(len(data)))) == whole
    return kind(whole)
