"""One prompt in every shape."""

import pytest

from forehearth.connectors.asking import Prompt, ask, credential_header
from forehearth.connectors.places import Address
from forehearth.connectors.shapes import SHAPES

ADDRESS = Address.of_url("http://127.0.0.1:8080")
MESSAGES = [{"role": "user", "content": "Hello."}]


@pytest.mark.parametrize(
    ("shape", "path", "body"),
    [
        (
            "foundry",
            "/models/chat/completions?api-version=2024-05-01-preview",
            {"model": "gpt 4", "messages": MESSAGES, "stream": True},
        ),
        ("v1", "/openai/v1/chat/completions", {"model": "gpt 4", "messages": MESSAGES, "stream": True}),
        ("responses", "/openai/v1/responses", {"model": "gpt 4", "input": "Hello.", "stream": True}),
        (
            "classic",
            "/openai/deployments/gpt%204/chat/completions?api-version=2024-10-21",
            {"messages": MESSAGES, "stream": True},
        ),
        (
            "project",
            "/api/projects/default/openai/v1/responses",
            {"model": "gpt 4", "input": "Hello.", "stream": True},
        ),
    ],
)
def test_the_request_that_the_shapes_own_client_sends(shape, path, body):
    asked = ask(SHAPES[shape], ADDRESS, Prompt(text="Hello.", deployment="gpt 4"))
    assert (asked.method, asked.url, asked.body) == ("POST", f"http://127.0.0.1:8080{path}", body)


@pytest.mark.parametrize("shape", SHAPES)
def test_another_version_is_sent_in_every_shape(shape):
    asked = ask(SHAPES[shape], ADDRESS, Prompt(text="a", deployment="b", version="2025-05-01&x"))
    assert asked.url.endswith("?api-version=2025-05-01%26x")


@pytest.mark.parametrize(("shape", "member"), [("v1", "messages"), ("responses", "input")])
def test_a_conversation_is_sent_whole(shape, member):
    before = ({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"})
    body = ask(SHAPES[shape], ADDRESS, Prompt(text="c", deployment="d", before=before, stream=False)).body
    assert body[member] == [*before, {"role": "user", "content": "c"}]
    assert "stream" not in body


@pytest.mark.parametrize(
    ("shape", "auth", "header"),
    [
        ("foundry", "key", ("api-key", "K")),
        ("classic", "key", ("api-key", "K")),
        ("v1", "key", ("Authorization", "Bearer K")),
        ("foundry", "token", ("Authorization", "Bearer K")),
        ("project", "token", ("Authorization", "Bearer K")),
    ],
)
def test_where_a_credential_goes(shape, auth, header):
    assert credential_header(SHAPES[shape], auth, "K") == header
