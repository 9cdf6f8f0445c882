"""Calls for the tests of caches."""

import json
from typing import Any

from forehearth.core.call import Call, Operation
from forehearth.core.principal import Principal

ALICE = Principal(name="alice", kind="key", id="key_a")
BOB = Principal(name="bob", kind="key", id="key_b")


def chat(*messages: Any, **rest: Any) -> dict[str, Any]:
    """The body of a chat; a text is a message of the user."""
    said = [{"role": "user", "content": each} if isinstance(each, str) else each for each in messages]
    return {"model": "chat", "messages": said} | rest


def call(body: object = "", **rest: Any) -> Call:
    """A call with this body: bytes as they are, all else as JSON."""
    if body == "":
        body = chat("Hello?")
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {
        "request_id": "id-1",
        "surface": "openai_v1",
        "operation": Operation.CHAT,
        "name": "chat",
        "body": raw,
        "stream": isinstance(body, dict) and bool(body.get("stream")),
        "principal": ALICE,
        "started": 0.0,
    }
    return Call(**given | rest)
