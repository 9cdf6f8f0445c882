"""A server with limits, and callers."""

import json
import urllib.error
import urllib.request
from typing import Any, NamedTuple

from tests.forehearth_server import ForehearthServer


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any


def ask(server: ForehearthServer, key: str, body: dict[str, Any], *, path: str = "", **headers: str) -> Answer:
    """One chat completion."""
    request = urllib.request.Request(
        server.url + (path or "/openai/v1/chat/completions"),
        data=json.dumps({"messages": [{"role": "user", "content": "hi"}], **body}).encode(),
        headers={"api-key": key, "content-type": "application/json"}
        | {name.replace("_", "-"): value for name, value in headers.items()},
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, json.loads(error.read()))
