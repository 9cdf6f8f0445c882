"""What is measured: calls, responses, and turns of an agent, each as requests to one server."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench import payloads
from bench.state.asking import Ask, Client

TOKENS = 256
TEXT = json.loads(payloads.request_body("bench"))["messages"][0]["content"]
"""What is asked: the words of the other benchmarks, about a kilobyte."""
AGENT = {"kind": "prompt", "model": "bench", "instructions": "Answer in one sentence."}
_ENDED, _COMPLETED = b"data: [DONE]", b"event: response.completed"
_PROJECT = "/api/projects/default"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row. `over` is the row that it is compared with."""

    name: str
    title: str
    over: str
    ask: Callable[["Stage", int], Sequence[Ask]]
    """So many requests of it; what they need is made before they are returned."""


class Stage:
    """A server's addresses and credentials, with an agent and a response that are there already."""

    def __init__(self, client: Client, key: str, token: str) -> None:
        self._client = client
        self._key, self._token = {"authorization": f"Bearer {key}"}, {"authorization": f"Bearer {token}"}
        client.one(self._ask(f"{_PROJECT}/agents?api-version=v1", {"name": "bench", "definition": AGENT}, below=True))
        self.previous: str = client.one(self.response())["id"]

    def _ask(self, target: str, body: object, *, below: bool, expects: bytes = b"") -> Ask:
        return Ask(target=target, headers=self._token if below else self._key, body=body, expects=expects)

    def chat(self, *, below: bool = False, stream: bool = False, **members: object) -> Ask:
        """A chat completion; `below` the project it is asked with a token, else with a key."""
        body: dict[str, object] = {"model": "bench", "messages": [{"role": "user", "content": TEXT}]}
        body |= {"max_tokens": TOKENS} | members
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        target = f"{_PROJECT if below else ''}/openai/v1/chat/completions"
        return self._ask(target, body, below=below, expects=_ENDED if stream else payloads.MARKER.encode())

    def response(self, *, below: bool = False, stream: bool = False, **members: object) -> Ask:
        """A response to the same words, with members of its own."""
        whole = {"model": "bench", "input": TEXT, "max_output_tokens": TOKENS} | members
        body = {name: value for name, value in whole.items() if value is not None}
        if stream:
            body["stream"] = True
        target = f"{_PROJECT if below else ''}/openai/v1/responses"
        return self._ask(target, body, below=below, expects=_COMPLETED if stream else payloads.MARKER.encode())

    def turn(self, *, stream: bool = False, **members: object) -> Ask:
        """A turn of the agent."""
        reference = {"type": "agent_reference", "name": "bench"}
        return self.response(below=True, stream=stream, model=None, agent_reference=reference, **members)

    def conversations(self, count: int, *, below: bool = False) -> list[str]:
        """The ids of new ones, each with a question and its answer in it."""
        told = [("user", TEXT), ("assistant", TEXT[:400])]
        items = [{"type": "message", "role": role, "content": text} for role, text in told]
        target = f"{_PROJECT if below else ''}/openai/v1/conversations"
        return [self._client.one(self._ask(target, {"items": items}, below=below))["id"] for _ in range(count)]


def _same(make: Callable[[Stage], Ask]) -> Callable[[Stage, int], Sequence[Ask]]:
    return lambda stage, count: [make(stage)] * count


def _talks(stage: Stage, count: int) -> Sequence[Ask]:
    return [stage.response(conversation=each) for each in stage.conversations(count)]


def _agent_talks(stage: Stage, count: int) -> Sequence[Ask]:
    return [stage.turn(conversation=each) for each in stage.conversations(count, below=True)]


def _row(name: str, title: str, ask: Callable[[Stage, int], Sequence[Ask]], over: str = "chat") -> Case:
    return Case(name=name, title=title, over=over, ask=ask)


CASES = (
    _row("chat", "plain chat call", _same(lambda at: at.chat())),
    _row("chat-token", "plain chat call below a project, with a token", _same(lambda at: at.chat(below=True))),
    _row("chat-stored", "chat call that is stored (`store: true`)", _same(lambda at: at.chat(store=True))),
    _row("not-stored", "response with `store: false`", _same(lambda at: at.response(store=False))),
    _row("stored", "stored response", _same(lambda at: at.response())),
    _row(
        "previous",
        "stored response with `previous_response_id`",
        _same(lambda at: at.response(previous_response_id=at.previous)),
    ),
    _row("conversation", "response in a conversation", _talks),
    _row("agent", "turn of an agent", _same(lambda at: at.turn())),
    _row("agent-conversation", "turn of an agent in a conversation", _agent_talks),
    _row("chat-stream", "plain chat call, streamed", _same(lambda at: at.chat(stream=True)), "chat-stream"),
    _row("stored-stream", "stored response, streamed", _same(lambda at: at.response(stream=True)), "chat-stream"),
    _row("agent-stream", "turn of an agent, streamed", _same(lambda at: at.turn(stream=True)), "chat-stream"),
)
"""In the order of the table. The first row of each kind is what the others are compared with."""
