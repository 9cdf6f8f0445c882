"""Runs of classic agents on a server whose workers are killed: begun, waited for, and held against what they are."""

import http.client
import json
import time
from typing import Any

from tests.forehearth_server import ForehearthServer, wait_until_ready

SAID = "one two three four five six seven eight nine ten"
"""What the host says to who asks slowly."""
BROKEN = (OSError, http.client.HTTPException)
PATIENCE = 120.0


class Runs:
    """Asks a server anew each time, because whoever answered may be dead."""

    def __init__(self, server: ForehearthServer) -> None:
        self._server = server

    def begin(self) -> str:
        """The path of a new run, whose answer comes slowly."""
        agent = self._ask("POST", "/assistants", {"model": "m"})["id"]
        thread = self._ask("POST", "/threads", {"messages": [{"role": "user", "content": "slowly"}]})["id"]
        run = self._ask("POST", f"/threads/{thread}/runs", {"assistant_id": agent})["id"]
        return f"/threads/{thread}/runs/{run}"

    def finished(self, path: str) -> dict[str, Any]:
        """The run, once it is over."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            found = self._ask("GET", path)
            if found["status"] not in ("queued", "in_progress"):
                return found
            time.sleep(0.1)
        raise AssertionError(found)

    def cuts(self, path: str) -> int:
        """How often the answer was cut. What was cut says so, and the whole answer is there once, with its step."""
        thread = path.split("/")[2]
        run = self._ask("GET", path)
        said = self._ask("GET", f"/threads/{thread}/messages?order=asc&limit=100&run_id={run['id']}")["data"]
        *cut, whole = said
        assert (whole["status"], whole["content"][0]["text"]["value"]) == ("completed", SAID)
        for each in cut:
            assert (each["status"], each["incomplete_details"]) == ("incomplete", {"reason": "run_failed"})
            assert SAID.startswith(each["content"][0]["text"]["value"].strip())
        steps = self._ask("GET", f"{path}/steps?order=asc")["data"]
        assert [each["status"] for each in steps] == [*["failed"] * len(cut), "completed"]
        assert [each["step_details"]["message_creation"]["message_id"] for each in steps] == [
            each["id"] for each in said
        ]
        assert run["usage"]["completion_tokens"] > 0
        return len(cut)

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=60)
            headers = {"api-key": self._server.key, "content-type": "application/json", "connection": "close"}
            try:
                connection.request(method, f"/openai/v1{path}", None if body is None else json.dumps(body), headers)
                answer = connection.getresponse()
                found: dict[str, Any] = json.loads(answer.read())
            except BROKEN:
                wait_until_ready(self._server)
                continue
            finally:
                connection.close()
            assert answer.status == 200, found
            return found
