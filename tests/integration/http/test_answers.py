"""Requests and their answers, over real connections."""

import logging
import time

import pytest

from tests.http_toys import MAX_BODY, get, in_chunks, post

LARGE = b"\x00\xff" * 40_000


@pytest.mark.parametrize("path", ["/call/echo", "/app/echo"])
@pytest.mark.parametrize("body", [b"", b"{}", LARGE], ids=len)
def test_a_body_with_a_length_comes_whole_and_the_connection_goes_on(either, path, body):
    with either.client() as client:
        for _ in range(3):
            client.send(post(path, body))
            response = client.response()
            assert response.status == 200
            assert response.body == (body or (path.encode() if "app" in path else b""))
            assert b"connection" not in response.headers
            assert response.headers[b"content-length"] == b"%d" % len(response.body)


@pytest.mark.parametrize("path", ["/call/echo", "/app/echo"])
def test_a_body_in_chunks_comes_whole(either, path):
    pieces = [b"a", LARGE[:50_000], b"0\r\n\r\n", b"z" * 10_000]
    head = post(path).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with either.client() as client:
        client.send(head, in_chunks(pieces))
        assert client.response().body == b"".join(pieces)
        client.send(head, *(in_chunks(pieces)[at : at + 20_000] for at in range(0, 70_000, 20_000)), pause=0.01)
        assert client.response().body == b"".join(pieces)


def test_every_response_has_a_date_and_none_says_what_server_it_is(either):
    with either.client() as client:
        for request in (post("/call/echo"), get("/app/x"), get("/no"), b"BAD\r\n\r\n"):
            client.send(request)
            headers = client.response().headers
            assert b"server" not in headers
            assert (b"date" in headers) or request.startswith(b"BAD")


def test_an_entrance_sees_the_request_as_it_was_sent(either):
    with either.client() as client:
        client.send(get("/no?a=%2F&b", "X-Two: 1", "x-two:  2 ", "Cookie: a=b"))
        client.response()
        head = either.toy.heads[-1]
        assert (head.method, head.raw_path, head.query) == (b"GET", b"/no", b"a=%2F&b")
        assert head.headers[b"x-two"] == b"1, 2"
        assert (head.scheme, head.client) == ("http", "127.0.0.1")


def test_a_stream_comes_in_pieces_as_they_are_made(either):
    with either.client() as client:
        client.send(post("/call/stream?3,5,slow"))
        status, headers = client.head()
        assert (status, headers[b"transfer-encoding"]) == (200, b"chunked")
        assert [client.chunk() for _ in range(4)] == [b"xxxxx"] * 3 + [b""]
        client.send(post("/call/echo", b"next"))
        assert client.response().body == b"next"
    either.until(lambda: either.seen["opened"] == either.seen["closed"])


def test_a_stream_that_breaks_does_not_end_as_if_it_were_whole(either):
    with either.client() as client:
        client.send(post("/call/stream?2,5,break"))
        assert client.head()[0] == 200
        assert [client.chunk(), client.chunk()] == [b"xxxxx"] * 2
        assert client.rest() == b""
    either.until(lambda: either.seen["opened"] == either.seen["closed"])


def test_head_has_headers_and_no_body(either):
    with either.client() as client:
        client.send(post("/call/big?1000").replace(b"POST", b"HEAD"))
        response = client.response("HEAD")
        assert (response.status, response.headers[b"content-length"]) == (200, b"1000")
        client.send(get("/app/x", method="HEAD"))
        assert client.response("HEAD").headers[b"content-length"] == b"6"
        client.send(post("/call/stream?3,5,").replace(b"POST", b"HEAD"))
        assert client.response("HEAD").status == 200
        client.send(post("/call/echo", b"in step"))
        assert client.response().body == b"in step"
    either.until(lambda: either.seen["opened"] == either.seen["closed"])


def test_204_has_no_body_and_no_length(either):
    with either.client() as client:
        client.send(post("/call/empty"), post("/call/echo", b"in step"))
        response = client.response()
        assert response.status == 204
        assert b"content-length" not in response.headers
        assert b"transfer-encoding" not in response.headers
        assert client.response().body == b"in step"


def test_answers_to_requests_sent_ahead_come_in_order(either):
    with either.client() as client:
        client.send(
            post("/call/number?40"), post("/app/echo", b"one"), post("/call/number?5"), get("/no"), get("/app/two"),
            post("/call/stream?2,3,"), post("/call/number?0")
        )  # fmt: skip
        bodies = [client.response().body for _ in range(7)]
        assert bodies == [b"40", b"one", b"5", b"who are you", b"/app/two", b"xxxxxx", b"0"]


def test_more_sent_ahead_than_is_taken_in_is_answered_all_the_same(fast):
    body = b"p" * 90_000
    with fast.client() as client:
        client.send(post("/call/number?100"))
        for _ in range(20):
            client.send(post("/call/echo", body))
        assert client.response().body == b"100"
        for _ in range(20):
            assert client.response().body == body


def test_connection_close_is_honoured(either):
    for request in (post("/call/echo", b"x", "Connection: close"), get("/app/x", "Connection: close")):
        with either.client() as client:
            client.send(request)
            assert client.response().headers[b"connection"] == b"close"
            assert client.is_ended()


@pytest.mark.parametrize("path", ["/call/stream?3,2,", "/app/stream"])
def test_a_stream_to_http_1_0_ends_with_the_connection(fast, path):
    with fast.client() as client:
        client.send(get(path, version="1.0"))
        response = client.response()
        assert response.headers[b"connection"] == b"close"
        assert b"transfer-encoding" not in response.headers
        assert response.body in {b"xxxxxx", b"012"}


def test_continue_is_said_once_the_request_is_let_in(fast):
    with fast.client() as client:
        client.send(post("/call/echo", b"", "Expect: 100-continue").replace(b"Length: 0", b"Length: 5"))
        assert client.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"hello")
        assert client.response().body == b"hello"
        client.send(post("/app/echo", b"", "Expect: 100-continue").replace(b"Length: 0", b"Length: 5"))
        assert client.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"world")
        assert client.response().body == b"world"


@pytest.mark.parametrize(("path", "status"), [("/no", 401), ("/call/echo", 413), ("/app/echo", 413)])
def test_a_body_is_not_asked_for_when_the_request_is_refused(fast, path, status):
    length = b"Length: %d" % (5 if status == 401 else MAX_BODY + 1)
    with fast.client() as client:
        client.send(post(path, b"", "Expect: 100-continue").replace(b"Length: 0", length))
        received = client.rest()
        assert received.startswith(b"HTTP/1.1 %d " % status)
        assert b"100 Continue" not in received


@pytest.mark.parametrize("path", ["/no", "/no/stream", "/call/echo"])
def test_who_is_refused_can_read_why_even_while_sending(fast, path):
    """Megabytes are on their way when the answer is written; closing at once would reset it away."""
    size = 8_000_000
    with fast.client() as client:
        client.send(post(path).replace(b"Length: 0", b"Length: %d" % size))
        client.send(b"x" * size)
        response = client.response()
        assert response.status in {401, 402, 413}
        assert response.headers[b"connection"] == b"close"
        assert client.is_ended()


def test_a_body_over_the_bound_is_refused_at_once_or_as_soon_as_it_is(either):
    too_long = MAX_BODY + 1
    with either.client() as client:
        client.send(post("/call/echo").replace(b"Length: 0", b"Length: %d" % too_long))
        response = client.response()
        assert (response.status, response.body[:5]) == (413, b"toy: ")
    with either.client() as client:
        client.send(post("/call/echo").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"))
        client.send_until_refused(b"%x\r\n" % too_long + b"x" * too_long)
        assert client.response().status == 413


def test_a_body_for_h2c_is_not_taken_for_the_next_request(fast):
    """Java's client offers h2c with its first request, body and all; uvicorn's own parser loses that body."""
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")
    with fast.client() as client:
        client.send(post("/call/echo", b"hello", *upgrade)[:-5])
        client.send(b"hello", pause=0.05)
        assert client.response().body == b"hello"
        client.send(post("/app/echo", b"again", *upgrade))
        assert client.response().body == b"again"


@pytest.mark.parametrize("path", ["/call/raise", "/app/raise"])
def test_a_mistake_of_ours_is_told_without_its_words(either, path, caplog):
    with caplog.at_level(logging.INFO), either.client() as client:
        client.send(post(path))
        response = client.response()
        assert response.status == 500
        assert response.headers[b"content-type"] == b"application/json"
        assert b"secret" not in response.body
    messages = [record for record in caplog.records if record.name == "forehearth.http"]
    assert any("LookupError" in record.getMessage() for record in messages)
    assert not any(record.exc_info or "secret" in record.getMessage() for record in messages)


def test_an_entrance_that_fails_is_a_500_too(fast):
    with fast.client() as client:
        client.send(get("/trap"))
        assert client.response().status == 500
        client.send(get("/app/x"))
        assert client.response().status == 200


def test_a_reply_cannot_smuggle_headers(fast):
    with fast.client() as client:
        client.send(post("/call/split"))
        response = client.response()
        assert response.status == 500
        assert b"x-evil" not in response.headers


def test_a_broken_body_for_the_application_is_refused_and_does_not_hang(fast):
    with fast.client() as client:
        client.send(
            post("/app/echo").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"), b"5\r\nhello\r\nx\r\n"
        )
        response = client.response()
        assert (response.status, response.headers[b"content-type"]) == (400, b"application/json")
        assert client.is_ended()


def test_the_application_may_answer_before_the_body_has_come(fast):
    with fast.client() as client:
        client.send(post("/app/early").replace(b"Length: 0", b"Length: 50000"))
        response = client.response()
        assert (response.status, response.headers[b"connection"]) == (200, b"close")
        client.send_until_refused(b"x" * 50_000)
        assert client.is_ended()


def test_many_calls_at_once_each_get_their_own_answer(either):
    clients = [either.client() for _ in range(100)]
    for number, client in enumerate(clients):
        client.send(post(f"/call/number?{(number * 7) % 50}"))
    for number, client in enumerate(clients):
        assert client.response().body == b"%d" % ((number * 7) % 50)
        client.close()


def test_a_refusal_is_not_logged_loudly(fast, caplog):
    with caplog.at_level(logging.INFO), fast.client() as client:
        client.send(b"BAD\r\n\r\n")
        client.response()
        time.sleep(0.05)
    assert not caplog.records
