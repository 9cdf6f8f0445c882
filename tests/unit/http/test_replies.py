"""Replies as bytes."""

import pytest

from forehearth.core.exchange import Reply
from forehearth.http.replies import Unwritable, opening, whole

DATE = b"date: Mon, 23 Nov 2026 09:31:10 GMT\r\n"
REPLY = Reply(status=200, headers=((b"x-a", b"1"), (b"x-b", b"")), body=b"hello")


def test_a_whole_reply():
    assert whole(REPLY, DATE, close=False) == (
        b"HTTP/1.1 200 OK\r\n" + DATE + b"x-a: 1\r\nx-b: \r\ncontent-length: 5\r\n\r\nhello"
    )
    assert whole(REPLY, DATE, close=True, head_only=True) == (
        b"HTTP/1.1 200 OK\r\n" + DATE + b"x-a: 1\r\nx-b: \r\ncontent-length: 5\r\nconnection: close\r\n\r\n"
    )


@pytest.mark.parametrize("status", [204, 304])
def test_some_statuses_have_no_body(status):
    written = whole(Reply(status=status, body=b"none"), DATE, close=False)
    assert written.endswith(DATE + b"\r\n")
    assert b"content-length" not in written


def test_a_status_without_a_name_is_a_status_all_the_same():
    assert whole(Reply(status=529), DATE, close=False).startswith(b"HTTP/1.1 529 \r\n")


def test_the_beginning_of_a_stream():
    assert opening(Reply(status=200), DATE, close=False, chunked=True) == (
        b"HTTP/1.1 200 OK\r\n" + DATE + b"transfer-encoding: chunked\r\n\r\n"
    )
    assert opening(Reply(status=200), DATE, close=True, chunked=False) == (
        b"HTTP/1.1 200 OK\r\n" + DATE + b"connection: close\r\n\r\n"
    )


@pytest.mark.parametrize(
    "header",
    [(b"x", b"a\nb"), (b"x", b"a\rb"), (b"x", b"a\r\nb: c"), (b"x\n", b"a"), (b"x\r\ny: z", b"a"), (b"x", b"a\0")],
)
def test_what_would_begin_another_header_is_not_written(header):
    with pytest.raises(Unwritable):
        whole(Reply(status=200, headers=(header,)), DATE, close=False)
    with pytest.raises(Unwritable):
        opening(Reply(status=200, headers=(header,)), DATE, close=True, chunked=True)


@pytest.mark.parametrize("status", [0, 99, 100, 199, 600])
def test_no_status_is_not_written(status):
    with pytest.raises(Unwritable):
        whole(Reply(status=status), DATE, close=False)
