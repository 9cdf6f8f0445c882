"""A model host and an MCP server in one, in a thread of the test: what they were asked is there after every death.

The model calls tools by turns, as many as the question's number says, each call with a number of its own; then it says
how many there were. `look` says that it changes nothing, `push` does not.
"""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

TOOLS = ("look", "push")
_ASKED = re.compile(r"(\w+) calls (\d+)")


class ToolHost:
    """Where it is, and what it was asked."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.calls: Counter[tuple[str, str, int]] = Counter()
        """How often each call was made: the tool, who asked, and the call's number."""
        self.pause = 0.1
        """Seconds that a tool takes."""

    @property
    def config(self) -> dict[str, str]:
        """What a configuration has of it: a backend, a deployment, and what egress allows."""
        return {
            "backend": f"  host: {{provider: openai_compatible, base_url: 'http://127.0.0.1:{self.port}/v1'}}\n",
            "deployment": "  tools: {backends: [{backend: host, model: m}]}\n",
            "egress": f'egress: {{allow: ["127.0.0.1:{self.port}"]}}\n',
        }

    def asking(self, who: str, calls: int) -> dict[str, Any]:
        """The body of a response in the background that takes so many calls of tools."""
        url = f"http://127.0.0.1:{self.port}/mcp"
        server = {"type": "mcp", "server_label": "host", "server_url": url, "require_approval": "never"}
        return {
            "model": "tools",
            "input": f"{who} calls {calls}",
            "background": True,
            "tools": [server | {"authorization": "canary-Cr3dentialOfAServer"}],
        }

    def require_sound(self, who: str, response: dict[str, Any], *, deaths: int) -> int:
        """What changes something was done at most once, and nothing was lost without a word; how many were lost."""
        made = [item for item in response["output"] if item["type"] == "mcp_call"]
        lost = 0
        for number, item in enumerate(made):
            name = TOOLS[number % 2]
            assert (item["name"], json.loads(item["arguments"])) == (name, {"who": who, "number": number})
            times = self.calls[name, who, number]
            if item["status"] == "failed":
                assert (name, times <= 1) == ("push", True)
                lost += 1
            elif name == "push":
                assert times == 1
            else:
                assert 1 <= times <= 1 + deaths
        assert response["output"][-1]["content"][0]["text"] == f"{len(made)} calls"
        return lost


@contextmanager
def tool_host() -> Iterator[ToolHost]:
    """A host while the context lasts."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.host = ToolHost(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.host
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    host: ToolHost

    def handle_error(self, *_: Any) -> None:
        """Whoever asked was killed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_DELETE(self) -> None:
        self._answer({}, 200)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/mcp":
            self._answer({"jsonrpc": "2.0", "id": asked.get("id"), "result": self._mcp(asked)}, 200)
        else:
            self._say(asked)

    def _mcp(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["method"] == "initialize":
            return {"protocolVersion": asked["params"]["protocolVersion"], "capabilities": {}, "serverInfo": {}}
        if asked["method"] == "tools/list":
            hints = ({"readOnlyHint": True}, {})
            schema = {"type": "object"}
            listed = zip(TOOLS, hints, strict=True)
            return {"tools": [{"name": name, "inputSchema": schema, "annotations": hint} for name, hint in listed]}
        if asked["method"] != "tools/call":
            return {}
        host = cast("_Server", self.server).host
        its = asked["params"]["arguments"]
        host.calls[asked["params"]["name"], its["who"], its["number"]] += 1
        time.sleep(host.pause)
        return {"content": [{"type": "text", "text": "done"}]}

    def _say(self, asked: dict[str, Any]) -> None:
        who, calls = _ASKED.findall(json.dumps(asked["messages"]))[0]
        number = sum(each["role"] == "tool" for each in asked["messages"])
        delta: dict[str, Any] = {"role": "assistant", "content": f"{number} calls"}
        if number < int(calls):
            arguments = json.dumps({"who": who, "number": number})
            function = {"name": TOOLS[number % 2], "arguments": arguments}
            delta = {"role": "assistant", "tool_calls": [{"index": 0, "id": f"c{number}", "function": function}]}
        finish = "tool_calls" if number < int(calls) else "stop"
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        chunks = [
            {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
            {"choices": [], "usage": usage},
        ]
        body = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks) + b"data: [DONE]\n\n"
        self._send(body, 200, "text/event-stream")

    def _answer(self, value: Any, status: int) -> None:
        self._send(json.dumps(value).encode(), status, "application/json")

    def _send(self, body: bytes, status: int, media: str) -> None:
        self.send_response(status)
        self.send_header("content-type", media)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
