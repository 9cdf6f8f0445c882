"""Bodies that are answered while they arrive, in both forms of the protocol."""

import hashlib

from tests.http_toys import HASTY, Serving, in_chunks, post

MEGABYTES = 24


def head(length: int, path: str = "/up/x") -> bytes:
    return post(path).replace(b"Length: 0", b"Length: %d" % length)


def test_a_large_body_is_taken_in_small_pieces(either: Serving) -> None:
    piece = bytes(range(256)) * 4096
    client = either.client()
    client.send(head(MEGABYTES * len(piece)), *([piece] * MEGABYTES))
    digest = hashlib.sha256(piece * MEGABYTES).hexdigest().encode()
    response = client.response()
    assert (response.status, response.body) == (200, b"%d %b" % (MEGABYTES * len(piece), digest))
    assert either.toy.largest < 2_000_000
    client.send(post("/call/echo", b"next"))
    assert client.response().body == b"next"


def test_in_chunks(either: Serving) -> None:
    client = either.client()
    client.send(post("/up/x").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"))
    client.send(in_chunks([b"x" * 1000] * 1000))
    assert client.response().body == b"1000000 " + hashlib.sha256(b"x" * 1_000_000).hexdigest().encode()


def test_a_client_whose_body_is_not_taken_is_not_read(either: Serving) -> None:
    either.run(either.toy.gate.clear)
    client = either.client(timeout=2.0)
    client.send(head(200_000_000))
    sent = 0
    try:
        while sent < 200_000_000:
            sent += client.socket.send(b"x" * 1_000_000)
    except TimeoutError:
        pass
    finally:
        either.run(either.toy.gate.set)
    assert sent < 50_000_000


def test_a_client_that_leaves_ends_it(either: Serving) -> None:
    before = either.seen["upload cancelled"] + either.seen["refused"]
    open_before = either.server.connections
    client = either.client()
    client.send(head(1000), b"half", pause=0.05)
    client.close()
    either.until(lambda: either.seen["upload cancelled"] + either.seen["refused"] > before)
    either.until(lambda: either.server.connections <= open_before)


def test_an_answer_does_not_wait_for_the_rest(either: Serving) -> None:
    client = either.client()
    client.send(head(100_000_000, "/up/full"), b"x" * 1000)
    assert client.response().status == 507


def test_a_length_that_is_known_is_said(either: Serving) -> None:
    client = either.client()
    client.send(post("/up/sized?2,5,"))
    response = client.response()
    assert (response.headers[b"content-length"], response.body) == (b"10", b"x" * 10)


def test_a_slow_sender_is_cut() -> None:
    for protocol in ("fast", "asgi"):
        with Serving(limits=HASTY, protocol=protocol) as serving:
            client = serving.client()
            client.send(head(1_000_000), b"x")
            response = client.response()
            assert response.status == 408
            assert b"send at least" in response.body
