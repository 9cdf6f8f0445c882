"""Bodies in chunks, taken apart."""

import httptools
import pytest

from forehearth.http.chunks import LONGEST_LINE, MOST_CHUNKS, MOST_EXTENSIONS, MOST_TRAILERS, ChunkedBody
from forehearth.http.faults import Malformed
from tests.unit.dice import by_dice, cut


def decode(*parts: bytes) -> tuple[bytes, bool, bytes]:
    body = ChunkedBody()
    out = b""
    rest = b""
    for part in parts:
        if body.done:
            rest += part
            continue
        out += body.feed(part)
        rest += body.rest
    return out, body.done, rest


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"0\r\n\r\n", b""),
        (b"000\r\n\r\n", b""),
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"1\r\na\r\n00000000000000A\r\n0123456789\r\n0\r\n\r\n", b"a0123456789"),
        (b"a\r\n0\r\n\r\n89012\r\n0\r\n\r\n", b"0\r\n\r\n89012"),
        (b'1;x\r\na\r\n0;y=1;z="q;\\""\r\n\r\n', b"a"),
        (b"1\r\na\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n", b"a"),
    ],
)
def test_chunks_are_put_together(data, expected):
    assert decode(data) == (expected, True, b"")
    assert decode(data + b"GET /") == (expected, True, b"GET /")
    assert decode(*(data[at : at + 1] for at in range(len(data)))) == (expected, True, b"")


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"\n",
        b"g\r\n",
        b"0x1\r\n",
        b"+1\r\n",
        b"-1\r\n",
        b" 1\r\n",
        b"1 \r\n",
        b"1\t;x\r\n",
        b"1\n",
        b"1\rx",
        b"1;\r\n",
        b"1; x\r\n",
        b"1;x=\r\n",
        b'1;x="\r\n',
        b"1;x\x00\r\n",
        b"1;x\n",
        b"1;a\rb\r\n",
        b"1,1\r\n",
        b"0" * 17 + b"\r\n",
        b"\xd9\xa1\r\n",
        b"1\r\nab\r\n",
        b"1\r\na\n",
        b"1\r\na0\r\n",
        b"1\r\na\rb",
        b"2\r\na\r\n0\r\n\r\n",
        b"0\r\n\n",
        b"0\r\n \r\n",
        b"0\r\nX : y\r\n\r\n",
        b"0\r\n x\r\n\r\n",
        b"0\r\nX: \x00\r\n\r\n",
        b"0\r\nX: y\n\r\n",
        b"0\r\nContent-Length: 3\r\n\r\n",
        b"0\r\ntransfer-encoding: chunked\r\n\r\n",
        b"0\r\nHost: h\r\n\r\n",
        b"0\r\nGET / HTTP/1.1\r\n",
        b"1;" + b"x" * LONGEST_LINE,
        b"".join(b"1;%b\r\na\r\n" % (b"x" * 1000) for _ in range(MOST_EXTENSIONS // 1000 + 1)),
        b"0\r\n" + b"X: y\r\n" * (MOST_TRAILERS // 6 + 1),
        b"0\r\nX: " + b"y" * MOST_TRAILERS,
        b"1\r\na\r\n" * (MOST_CHUNKS + 1),
    ],
)
def test_everything_else_is_refused_without_waiting_for_more(data):
    with pytest.raises(Malformed) as fault:
        decode(data)
    assert fault.value.code == "invalid_chunk"


@pytest.mark.parametrize(
    "data", [b"", b"5", b"5;x", b"5\r", b"5\r\n", b"5\r\nabcde", b"5\r\nabcde\r", b"0\r\n", b"0\r\nX", b"0\r\nX: y\r"]
)
def test_an_incomplete_body_is_awaited(data):
    assert not decode(data)[1]


class Llhttp:
    """What uvicorn's parser makes of a chunked body."""

    HEAD = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

    def __init__(self, data: bytes) -> None:
        self.body = b""
        self.done = False
        httptools.HttpRequestParser(self).feed_data(self.HEAD + data)

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.done = True


VOCABULARY = (
    *(
        b"0\r\n\r\n",
        b"0\r\n",
        b"\r\n",
        b"\r\n",
        b"1\r\na\r\n",
        b"3\r\nabc\r\n",
        b"03;x=y\r\nabc\r\n",
        b"2\r\n",
        b"ab",
        b"A",
        b"f",
        b"1",
    ),
    *(
        b"0",
        b";",
        b"=",
        b'"',
        b" ",
        b"\r",
        b"\n",
        b"\x00",
        b"-",
        b"g",
        b"X: y\r\n",
        b"Content-Length: 1\r\n",
        b"\xff",
        b"a\r\n0123456789\r\n",
    ),
)


CHUNKS = (
    b"1\r\na\r\n",
    b"03;x=y\r\nabc\r\n",
    b"A\r\n0123456789\r\n",
    b'2;q="\\""\r\n\r\n\r\n',
    b"f;a;b\r\n" + b"\n" * 15 + b"\r\n",
)
ENDS = (b"0\r\n\r\n", b"0;x\r\nX: y\r\n\r\n", b"000\r\nX:\r\nY: z\r\n\r\n", b"0\r\n", b"")


def some_body(dice):
    """Any words of the grammar, or good chunks with now and then such a word among them."""
    words = dice.choices(VOCABULARY, k=dice.randrange(11))
    if dice.random() < 0.5:
        return b"".join(words)
    body = b"".join(dice.choices(CHUNKS, k=dice.randrange(4))) + dice.choice(ENDS)
    if dice.random() < 0.5:
        return body
    place = dice.randrange(len(body) + 1)
    return body[:place] + b"".join(words[: dice.randrange(3)]) + body[place + dice.randrange(3) :]


@by_dice(accepted=0.25, refused=0.3, awaited=0.02)
def test_what_is_accepted_llhttp_accepts_too_and_reads_alike(dice):
    data = some_body(dice) + b"0\r\n\r\n"
    try:
        body, done, rest = decode(data)
    except Malformed:
        return "refused"
    if not done:
        return "awaited"
    other = Llhttp(data.removesuffix(rest))
    assert other.done
    assert other.body == body
    return "accepted"


def outcome(parts: list[bytes]) -> tuple[bytes, bool, bytes] | None:
    try:
        return decode(*parts)
    except Malformed:
        return None


@by_dice(accepted=0.15, refused=0.2, awaited=0.1)
def test_it_reads_the_same_however_it_is_cut(dice):
    data = some_body(dice)
    whole = outcome([data])
    assert outcome(cut(dice, data, 6)) == whole
    if whole is None:
        return "refused"
    return "accepted" if whole[1] else "awaited"


@by_dice(1_000)
def test_what_was_put_into_chunks_comes_out_of_them(dice):
    pieces = [dice.randbytes(dice.randint(1, 40)) for _ in range(dice.randrange(7))]
    step = dice.randint(1, 7)
    data = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    parts = [data[at : at + step] for at in range(0, len(data), step)]
    assert decode(*parts) == (b"".join(pieces), True, b"")
