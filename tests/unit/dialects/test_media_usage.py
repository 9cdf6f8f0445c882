"""Usage in answers of media: found wherever they are cut, and never made up."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.core.usage import Usage
from forehearth.dialects.media_usage import MediaUsage
from tests.unit.dialects.test_multipart import CUTS, cut

TOKENS = {"type": "tokens", "input_tokens": 14, "input_token_details": {"audio_tokens": 10}, "output_tokens": 5}
FOUND = Usage(prompt=14, completion=5)
PICTURE = "QUJD" * 5_000


def found(*pieces: bytes) -> Usage | None:
    watcher = MediaUsage()
    for piece in pieces:
        watcher.feed(piece)
    return watcher.usage


ANSWERS = [
    (json.dumps({"text": "Hi.", "usage": TOKENS}), FOUND),
    (json.dumps({"usage": TOKENS, "data": [{"b64_json": PICTURE}]}), FOUND),
    (json.dumps({"data": [{"b64_json": PICTURE}], "usage": TOKENS}, indent=4), FOUND),
    (f"data: {json.dumps({'type': 'x', 'usage': None})}\n\ndata: {json.dumps({'usage': TOKENS})}\n\n", FOUND),
    (json.dumps({"usage": {"prompt_tokens": 3, "completion_tokens": 2}}), Usage(prompt=3, completion=2)),
    (
        json.dumps({"usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}}}),
        Usage(prompt=9, cached=4),
    ),
    (json.dumps({"text": "Hi.", "usage": {"type": "duration", "seconds": 3}}), None),
    (json.dumps({"text": 'He said "usage": {"input_tokens": 5}.'}), None),
    (json.dumps({"text": '"usage":{"input_tokens":5}', "usage": TOKENS}), FOUND),
    (json.dumps({"usage": {"input_tokens": -1}}), None),
    (json.dumps({"usage": {"input_tokens": "many"}}), None),
    ('{"usage": {"input_tokens": 1', None),
    ("\0\1\2" * 1_000, None),
    ("", None),
]


@pytest.mark.parametrize(("answer", "usage"), ANSWERS, ids=range(len(ANSWERS)))
def test_it_is_found_wherever_the_bytes_are_cut(answer: str, usage: Usage | None) -> None:
    body = answer.encode()
    assert found(body) == usage
    for size in (1, 3, 7, 1_000):
        assert found(*(body[at : at + size] for at in range(0, len(body), size))) == usage


def test_what_never_ends_is_not_held() -> None:
    watcher = MediaUsage()
    watcher.feed(b'{"usage": {"input_tokens": 1, "x": "')
    for _ in range(100):
        watcher.feed(b"y" * 1_000)
        assert len(watcher._rest) <= 5_200
    assert watcher.usage is None


@given(
    pieces=st.lists(
        st.sampled_from(
            [b'"usage"', b":", b" ", b'{"input_tokens":7', b"}", b'{"usage":{"input_tokens":2}}', b"x" * 5_000, b'"']
        )
    ),
    cuts=CUTS,
)
def test_it_is_the_same_however_it_is_cut(pieces: list[bytes], cuts: list[int]) -> None:
    body = b"".join(pieces)
    assert found(*cut(body, cuts)) == found(body)
