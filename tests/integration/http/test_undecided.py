"""An entrance that has to ask somebody first: nothing is read, lost or overtaken meanwhile."""

import pytest

from tests.http_toys import get, in_chunks, post

BODY = b"x" * 90_000


def test_once_decided_the_body_is_read_and_answered(either):
    with either.client() as client:
        for _ in range(3):
            client.send(post("/later/echo", BODY))
            assert client.response().body == BODY


def test_a_body_that_comes_later_and_in_chunks_is_read_too(either):
    head = post("/later/echo").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with either.client() as client:
        client.send(head, in_chunks([BODY[:10], BODY[10:]]), pause=0.05)
        assert client.response().body == BODY


def test_requests_sent_ahead_are_answered_in_their_order(either):
    with either.client() as client:
        client.send(post("/later/number?60") + post("/call/echo", b"second") + post("/later/echo?1", b"third"))
        assert [client.response().body for _ in range(3)] == [b"5", b"second", b"third"]


def test_who_is_turned_away_is_told_and_the_connection_ends_if_a_body_is_coming(either):
    with either.client() as client:
        client.send(get("/later/no"))
        assert client.response().status == 401
        client.send(post("/later/no", BODY))
        response = client.response()
        assert (response.status, response.headers[b"connection"]) == (401, b"close")


def test_no_byte_of_the_body_is_asked_for_before_it_is_decided(fast):
    with fast.client() as client:
        client.send(post("/later/echo?100", b"", "Expect: 100-continue").replace(b"Length: 0", b"Length: 5"))
        assert client.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"hello")
        assert client.response().body == b"hello"
    with fast.client() as client:
        client.send(post("/later/no?50", b"", "Expect: 100-continue").replace(b"Length: 0", b"Length: 5"))
        assert client.rest().startswith(b"HTTP/1.1 401 ")


def test_who_leaves_meanwhile_ends_the_asking(fast):
    given_up = fast.seen["given up"]
    with fast.client() as client:
        thinking = fast.seen["thinking"]
        client.send(post("/later/echo?20000"))
        fast.until(lambda: fast.seen["thinking"] > thinking)
    fast.until(lambda: fast.seen["given up"] == given_up + 1)


@pytest.mark.parametrize("path", ["/later/trap"])
def test_a_mistake_in_deciding_is_a_500_and_no_secret(fast, path):
    with fast.client() as client:
        client.send(get(path))
        response = client.response()
        assert response.status == 500
        assert b"secret" not in response.body
