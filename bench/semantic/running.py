"""The same questions asked of the running server: two tenants, the embedded model, a host that repeats the question.

Because the host repeats, an answer says whose question it was made for.
"""

import contextlib
import http.client
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.semantic.questions import Group, Question

_SEED = 11
_PATIENCE = 120.0
_HERE, _THERE = "localhost", "contoso.services.ai.azure.com"
_CHAT = {
    "backends": [{"backend": "echo"}],
    "cache": {"exact": {}, "semantic": {"mode": "on", "embeddings": "vectors", "embedding_seconds": 30}},
}
_DEPLOYMENTS = {
    "chat": _CHAT,
    "vectors": {"model": {"type": "embeddings"}, "backends": [{"backend": "here", "model": "all-minilm-l6-v2"}]},
}
_CONFIG = {
    "version": 1,
    "server": {"port": 0, "tls_port": None},
    "backends": {"echo": {"provider": "scripted"}, "here": {"provider": "embedded"}},
    "deployments": _DEPLOYMENTS,
    "resources": {"contoso": {"deployments": _DEPLOYMENTS}},
}


@dataclass(frozen=True, kw_only=True)
class AsUsed:
    """What one tenant's questions came to, each kept unless it was answered from the cache."""

    asked: int
    hits: int
    wrong: int
    foreign: int
    """Answers to questions that only the other tenant had asked."""


class Server:
    """A running server, asked over one connection."""

    def __init__(self, folder: Path) -> None:
        data = folder / "data"
        (folder / "server.yaml").write_text(json.dumps(_CONFIG))
        program = Path(sys.executable).parent / "forehearth"
        command = [program, "serve", "--config", folder / "server.yaml", "--data-dir", data]
        self._log = (folder / "server.log").open("w+")
        self._process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self._data = data
        self._connection: http.client.HTTPConnection | None = None

    def ready(self) -> None:
        """Return when it answers. Raises `TimeoutError`."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException, IndexError):
                if self._ask("GET", "/health/ready", {}, None)[0] == 200:
                    return
            time.sleep(0.2)
        raise TimeoutError(f"the server did not start:\n{(self._data.parent / 'server.log').read_text()[-2_000:]}")

    def vectors(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of texts, as its embedded model makes them."""
        found: list[list[float]] = []
        for start in range(0, len(texts), 100):
            body = {"model": "vectors", "input": texts[start : start + 100]}
            status, _, answer = self._ask("POST", "/openai/v1/embeddings", {}, body)
            if status != 200:
                raise RuntimeError(f"no vectors: {status}")
            found += [each["embedding"] for each in json.loads(answer)["data"]]
        return found

    def chat(self, text: str, host: str) -> tuple[str, str]:
        """What the header says, and the question that the answer was made for."""
        body = {"model": "chat", "messages": [{"role": "user", "content": text}], "temperature": 0}
        status, headers, answer = self._ask("POST", "/openai/v1/chat/completions", {"host": host}, body)
        if status != 200:
            raise RuntimeError(f"no answer: {status} {answer!r}")
        return headers.get("x-forehearth-cache", ""), json.loads(answer)["choices"][0]["message"]["content"]

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(60)
        self._log.close()

    def _ask(self, method: str, path: str, headers: dict[str, str], body: Any) -> tuple[int, dict[str, str], bytes]:
        if self._connection is None:
            address = (self._data / "run" / "addresses").read_text().split()[0]
            self._connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
        content = None if body is None else json.dumps(body)
        key_file = self._data / "keys" / "development"
        key = key_file.read_text().strip() if key_file.exists() else ""
        fields = {"api-key": key, "content-type": "application/json"} | headers
        self._connection.request(method, path, content, fields)
        answer = self._connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A server whose files are in `folder`."""
    server = Server(folder)
    try:
        server.ready()
        yield server
    finally:
        server.stop()


def as_used(server: Server, groups: Sequence[Group]) -> tuple[AsUsed, AsUsed]:
    """Both tenants: the first keeps what is to be kept and then asks all the rest, the second only asks."""
    meanings = {each.text: each.meaning for group in groups for each in (group.kept, *group.asked)}
    here: set[str] = set()
    for group in groups:
        server.chat(group.kept.text, _HERE)
        here.add(group.kept.text)
    asked = [question for group in groups for question in group.asked]
    random.Random(_SEED).shuffle(asked)
    there = _ask_all(server, asked, _THERE, meanings, set())
    return _ask_all(server, asked, _HERE, meanings, here), there


def _ask_all(
    server: Server, asked: Sequence[Question], host: str, meanings: dict[str, tuple[int, int]], own: set[str]
) -> AsUsed:
    hits = wrong = foreign = 0
    for question in asked:
        said, answered = server.chat(question.text, host)
        if said == "hit":
            hits += 1
            wrong += meanings[answered] != question.meaning
            foreign += answered not in own
        own.add(question.text)
    return AsUsed(asked=len(asked), hits=hits, wrong=wrong, foreign=foreign)
