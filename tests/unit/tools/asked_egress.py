"""An `Egress` that asks nobody: it answers by script, and keeps what was asked."""

import json
from collections.abc import Callable

from forehearth.core.egress import EgressRequest
from forehearth.core.upstream import Response


class Pieces:
    """A stream of given pieces; `closed` counts who let go of it."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = list(pieces)
        self.closed = 0

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop(0)

    async def aclose(self):
        self.closed += 1


class ScriptedEgress:
    """`answer` gets each request and says what comes back, or raises."""

    def __init__(self, answer: Callable[[EgressRequest], Response]) -> None:
        self._answer = answer
        self.asked: list[EgressRequest] = []
        self.streams: list[Pieces] = []

    async def send(self, request: EgressRequest) -> Response:
        self.asked.append(request)
        response = self._answer(request)
        if response.stream is not None:
            self.streams.append(response.stream)
        return response

    def headers(self, position: int) -> dict[bytes, bytes]:
        return dict(self.asked[position].headers)


def as_json(value: object, status: int = 200, **headers: str) -> Response:
    found = {name.replace("_", "-").encode(): text.encode() for name, text in headers.items()}
    return Response(
        status=status, headers={b"content-type": b"application/json", **found}, body=json.dumps(value).encode()
    )


def as_events(*messages: object, raw: bytes = b"", cut: int = 7, **headers: str) -> Response:
    found = {name.replace("_", "-").encode(): text.encode() for name, text in headers.items()}
    text = b"".join(b"event: message\ndata: %b\n\n" % json.dumps(each).encode() for each in messages) + raw
    return Response(
        status=200,
        headers={b"content-type": b"text/event-stream", **found},
        stream=Pieces([text[at : at + cut] for at in range(0, len(text), cut)]),
    )
