import json
from typing import Any

import pytest

from forehearth.core.call import Operation
from forehearth.dialects.prompts import attached, prompt


def body(**members: Any) -> bytes:
    return json.dumps({"model": "m"} | members).encode()


def chat(*content: Any, **members: Any) -> bytes:
    return body(messages=[{"role": "user", "content": each} for each in content], **members)


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "high"}}


def test_most_bodies_have_nothing_attached() -> None:
    assert attached(Operation.CHAT, chat("the word image, and é")) == (0, 0)
    assert attached(Operation.EMBEDDINGS, body(input="image")) == (0, 0)


def test_images_are_found_whoever_hides_them() -> None:
    assert attached(Operation.CHAT, chat([{"type": "text", "text": "see"}, PICTURE, PICTURE])) == (2, 52)
    plain = {"type": "image_url", "image_url": "https://example.com/a.png"}
    assert attached(Operation.CHAT, chat([plain])) == (1, 25)
    hidden = chat([PICTURE]).replace(b"image", rb"\u0069\u006d\u0061\u0067\u0065")
    assert b"image" not in hidden
    assert attached(Operation.CHAT, hidden) == (1, 26)


def test_what_cannot_be_read_has_its_length_alone() -> None:
    assert attached(Operation.CHAT, chat([{"type": 7, "image_url": 3}])) == (0, 0)


def test_a_chat_taken_apart() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    found = prompt(
        Operation.CHAT,
        body(
            messages=[
                {"role": "system", "content": "be kind", "name": "boss"},
                {"role": "user", "content": [{"type": "text", "text": "see"}, PICTURE, {"type": "file", "id": "f"}]},
                {"role": "assistant", "content": None, "tool_calls": [1, 2]},
            ],
            tools=tools,
            temperature=1,
            never_heard_of={"a": 1},
        ),
    )
    assert found.texts == ("be kind", "boss", "see")
    assert found.tokens == 3 + 3 * 4
    assert found.images == 1
    known = ({"type": "file", "id": "f"}, {"tool_calls": [1, 2]}, tools, {"a": 1})
    assert found.size == sum(len(json.dumps(each, separators=(",", ":"))) for each in known)


@pytest.mark.parametrize(
    ("operation", "members", "texts", "tokens"),
    [
        (Operation.COMPLETIONS, {"prompt": "a b"}, ("a b",), 0),
        (Operation.COMPLETIONS, {"prompt": ["a", "b"]}, ("a", "b"), 0),
        (Operation.COMPLETIONS, {"prompt": [1, 2, 3]}, (), 3),
        (Operation.EMBEDDINGS, {"input": [[1, 2], [3]]}, (), 3),
        (Operation.EMBEDDINGS, {"input": "x"}, ("x",), 0),
    ],
)
def test_other_operations(operation: Operation, members: dict[str, Any], texts: tuple[str, ...], tokens: int) -> None:
    found = prompt(operation, body(**members))
    assert (found.texts, found.tokens, found.size) == (texts, tokens, 0)
