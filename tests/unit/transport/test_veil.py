"""Nothing that a host sends back shows the credential that it was sent, however it is written or cut."""

import json
from urllib.parse import quote

import pytest

from forehearth.core.secret import Secret
from forehearth.core.upstream import Origin, Request, Response
from forehearth.transport.veil import Veil
from tests.unit.dice import by_dice, cut

KEY = "kEy+0123/4567\\89=ab"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2lnbmF0dXJl"
REQUEST = Request(origin=Origin(scheme="https", host="h"), target=b"/")


class Pieces:
    """A stream of given pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = list(pieces)
        self.closed = 0

    def __aiter__(self):
        return self

    async def __anext__(self) -> bytes:
        if not self.pieces:
            raise StopAsyncIteration
        return self.pieces.pop(0)

    async def aclose(self) -> None:
        self.closed += 1


class Host:
    """A sender that has one answer."""

    def __init__(self, response: Response) -> None:
        self.response = response

    async def send(self, request: Request) -> Response:
        return self.response


async def sent(response: Response, *fixed: str, issued: tuple[str, ...] = ()) -> Response:
    tokens = tuple(Secret(each) for each in issued)
    return await Veil(Host(response), [Secret(each) for each in fixed], lambda: tokens).send(REQUEST)


async def streamed(pieces: list[bytes], *fixed: str, issued: tuple[str, ...] = ()) -> list[bytes]:
    response = await sent(Response(status=200, stream=Pieces(pieces)), *fixed, issued=issued)
    return [piece async for piece in response.stream]


def numbered(form: str) -> str:
    """As .NET's writer of JSON and others have it."""
    return "".join(each if each.isalnum() else form % ord(each) for each in KEY)


@pytest.mark.parametrize(
    "written",
    [
        KEY,
        json.dumps(KEY)[1:-1],
        json.dumps(KEY)[1:-1].replace("/", "\\/"),
        numbered("\\u%04x"),
        numbered("\\u%04X"),
        quote(KEY, safe=""),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 401, 500])
async def test_a_key_is_taken_out_of_bodies_and_headers(written, status):
    body = f'{{"error": {{"message": "wrong key {written}!"}}}}'.encode()
    headers = {b"x-seen": f"api-key={written}".encode(), b"x-other": b"1"}
    response = await sent(Response(status=status, headers=headers, body=body), KEY)
    assert response.body == b'{"error": {"message": "wrong key ***!"}}'
    assert response.headers == {b"x-seen": b"api-key=***", b"x-other": b"1"}
    assert response.status == status


async def test_tokens_are_taken_out_the_one_before_too():
    body = f"{TOKEN} {KEY} {TOKEN}2".encode()
    response = await sent(Response(status=200, body=body), KEY, issued=(TOKEN, f"{TOKEN}2"))
    assert response.body == b"*** *** ***"


async def test_a_new_token_is_known_from_its_first_request_on():
    tokens: list[tuple[Secret, ...]] = [()]
    veil = Veil(Host(Response(status=200, body=TOKEN.encode())), [], lambda: tokens[0])
    assert (await veil.send(REQUEST)).body == TOKEN.encode()
    tokens[0] = (Secret(TOKEN),)
    assert (await veil.send(REQUEST)).body == b"***"


async def test_what_has_none_comes_as_it_is():
    response = Response(status=200, headers={b"a": b"b"}, body=b'{"a": 1}')
    assert await sent(response, KEY, issued=(TOKEN,)) is response


async def test_words_too_short_to_be_secrets_stay():
    response = Response(status=200, body=b"I am ollama, EMPTY of lm-studio.")
    assert await sent(response, "ollama", "EMPTY", "lm-studio") is response
    assert await streamed([b"I am oll", b"ama."], "ollama") == [b"I am oll", b"ama."]


async def test_a_stream_without_one_comes_piece_by_piece_as_it_is():
    pieces = [b'data: {"a": "ab"}\n\n', b'data: {"b": "' + KEY[:1].encode() + b' x"}\n\n', b"data: [DONE]\n\n"]
    assert await streamed(pieces, KEY, issued=(TOKEN,)) == pieces


@pytest.mark.parametrize("cut", range(1, len(TOKEN)))
async def test_one_that_is_cut_in_two_pieces_is_taken_out(cut):
    pieces = await streamed([b"data: " + TOKEN[:cut].encode(), TOKEN[cut:].encode() + b" x\n\n"], KEY, issued=(TOKEN,))
    assert pieces == [b"data: ", b"*** x\n\n"]


async def test_one_that_comes_byte_by_byte_is_taken_out():
    text = f"data: {TOKEN}{KEY} and {TOKEN[:-1]}".encode()
    pieces = await streamed([bytes([each]) for each in text], KEY, issued=(TOKEN,))
    assert b"".join(pieces) == f"data: ****** and {TOKEN[:-1]}".encode()


async def test_only_the_beginning_of_one_is_held_back():
    stream = (await sent(Response(status=200, stream=Pieces([b"data: eyJhb", b"-else\n\n"])), issued=(TOKEN,))).stream
    assert await anext(stream) == b"data: "
    assert await anext(stream) == b"eyJhb-else\n\n"


async def test_closing_closes_what_it_comes_from():
    pieces = Pieces([b"a"])
    response = await sent(Response(status=200, stream=pieces), KEY)
    await response.stream.aclose()
    assert pieces.closed == 1


SECRET = "abaababaabaab"


@by_dice(hidden=0.5, nothing=0.1)
def test_however_it_is_cut_it_is_what_it_would_be_in_one_piece(dice):
    parts = ["".join(dice.choices("ab", k=dice.randrange(21))) for _ in range(dice.randint(1, 4))]
    whole = SECRET.join(parts).encode()
    expected = whole.replace(SECRET.encode(), b"***")
    assert b"".join(run(streamed(cut(dice, whole, 8), SECRET))) == expected
    return "nothing" if expected == whole else "hidden"


def run(coroutine):
    """What a coroutine that waits for nothing returns."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")
