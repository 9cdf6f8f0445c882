"""Many calls through a real server, with everything that can go wrong with them, and a host that keeps its own log.

What the host says of a call follows from the call's number, and no two numbers have the same: so each record of the
ledger that is settled tells by its tokens which call it is, and both logs can be laid side by side.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from random import Random

import msgspec

from forehearth.core.ledger import LedgerRecord
from forehearth.core.usage import Usage
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.ledger import SqliteLedger
from forehearth.testing.fault_proxy import Fault, FaultProxy
from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer, Upstream
from tests.forehearth_server import ForehearthServer, forehearth_server
from tests.unit.accounting.books import everything

LONGEST = 500
"""Tokens that every call allows its answer."""
KINDS = ("whole", "stream", "busy", "refused", "broken", "leaves", "leaves_at_once")
SHARES = (40, 30, 8, 4, 6, 8, 4)
_DONE = b"data: [DONE]\n\n"


def usage_of(number: int) -> Usage:
    """What the host says that a call used; no other call below 2,400,000 has the same."""
    rest, completion = divmod(number, 400)
    cached, prompt = divmod(rest, 150)
    return Usage(prompt=50 + prompt, completion=1 + completion, cached=cached % 40)


class Storm(msgspec.Struct, frozen=True, kw_only=True):
    """How much of it."""

    calls: int
    at_once: int = 24
    deaths: int = 0
    """Times that something is killed, each while the host has a call: the whole server, which is started anew, and one
    of its workers, by turns."""
    workers: int = 2
    seed: int = 1


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What both sides have in the end."""

    asked: Counter[str]
    """Calls by what became of them at the client: a status, `left`, or `lost` where no answer began."""
    served: Counter[int]
    """Calls that the host answered with tokens, by number, and how often."""
    fired: Counter[str]
    """Faults that took place."""
    deaths: int
    under_way: int
    """Calls that clients had under way at the deaths, together."""
    ledger: tuple[LedgerRecord, ...]

    def flagged(self, flag: str) -> list[LedgerRecord]:
        """The records with a flag."""
        return [each for each in self.ledger if each.flag == flag]

    @property
    def settled(self) -> list[LedgerRecord]:
        """The records whose tokens are the truth."""
        return [each for each in self.ledger if not each.flag and (each.prompt or each.completion)]


class _Host:
    """Answers, and keeps its log."""

    def __init__(self) -> None:
        self.served: Counter[int] = Counter()
        self.fired: Counter[str] = Counter()
        self.before_an_answer: Callable[[], None] | None = None
        """Done once, when a call has come that is not answered yet, and whose client stays."""

    def respond(self, seen: Seen) -> Answer:
        body = json.loads(seen.body)
        kind, number = body["messages"][0]["content"].split()
        if kind == "busy" and seen.target.startswith(b"/first/"):
            self.fired["busy"] += 1
            return Answer(status=429, body=b'{"error": {"message": "busy"}}')
        if kind == "refused":
            self.fired["refused"] += 1
            return Answer(status=400, body=b'{"error": {"message": "no"}}')
        if self.before_an_answer is not None and kind in {"whole", "stream"}:
            due, self.before_an_answer = self.before_an_answer, None
            due()
        self.served[int(number)] += 1
        used = usage_of(int(number))
        usage = {
            "prompt_tokens": used.prompt,
            "completion_tokens": used.completion,
            "total_tokens": used.prompt + used.completion,
            "prompt_tokens_details": {"cached_tokens": used.cached},
        }
        if not body.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
            delay = 5.0 if kind == "leaves_at_once" else 0.0
            return Answer(body=json.dumps({"choices": [choice], "usage": usage}).encode(), delay=delay)
        words = [_event({"choices": [{"index": 0, "delta": {"content": "x"}}]}) for _ in range(4)]
        if kind == "broken":
            self.fired["broken"] += 1
            return Answer(pieces=tuple(words), reset=True)
        pause = (5.0,) if kind == "leaves" else ()
        return Answer(pieces=(*words, *pause, _event({"choices": [], "usage": usage}), _DONE))


def _event(content: object) -> bytes:
    return b"data: " + json.dumps(content).encode() + b"\n\n"


async def blow(folder: Path, storm: Storm, *, say: Callable[[str], None] = lambda _: None) -> Found:
    """Let it happen, and bring what both sides know."""
    host, dice = _Host(), Random(storm.seed)
    harms = Random(storm.seed + 1)

    def harm(_: int) -> Fault | None:
        if harms.random() < 0.7:
            return None
        return Fault(kind=harms.choice(["reset", "truncate"]), after=harms.randrange(200, 6_000))

    async with Upstream(respond=host.respond) as upstream, FaultProxy(upstream.origin.port, choose=harm) as proxy:
        config = _config(proxy.port, upstream.origin.port, storm.workers)
        async with contextlib.AsyncExitStack() as servers:

            async def start() -> ForehearthServer:
                return await servers.enter_async_context(_served(folder, config))

            server = await start()
            clients = _Clients(server, host, storm, dice, say)
            killing = asyncio.create_task(clients.kill(start))
            await clients.run()
            await killing
        await _start_anew(folder, config, server.data_dir / "journal")
        fired = host.fired + proxy.fired
    return Found(
        asked=clients.asked,
        served=host.served,
        fired=fired,
        deaths=clients.deaths,
        under_way=clients.under_way,
        ledger=tuple(await _ledger(server.data_dir)),
    )


async def _start_anew(folder: Path, config: str, journals: Path) -> None:
    """What a worker left that died shortly before the end is folded at the next start."""
    left = set(await asyncio.to_thread(os.listdir, journals))
    async with asyncio.timeout(60), _served(folder, config):
        while left & set(await asyncio.to_thread(os.listdir, journals)):  # noqa: ASYNC110 - files do not tell that they go
            await asyncio.sleep(0.05)


class _Clients:
    """All who call, and who kills workers meanwhile."""

    def __init__(
        self, server: ForehearthServer, host: _Host, storm: Storm, dice: Random, say: Callable[[str], None]
    ) -> None:
        self._server = server
        self._host = host
        self._storm = storm
        self._dice = dice
        self._say = say
        self._port, self._key = server.port, server.key
        self._up = asyncio.Event()
        self._up.set()
        self._numbers = iter(range(storm.calls))
        self._begun = self._open = 0
        self._progress = asyncio.Event()
        self.asked: Counter[str] = Counter()
        self.deaths = self.under_way = 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._storm.at_once):
                tasks.create_task(self._call_again_and_again())

    async def kill(self, start: Callable[[], Awaitable[ForehearthServer]]) -> None:
        """Kill when so many calls are begun, evenly over all of them."""
        for number in range(self._storm.deaths):
            while self._begun < (number + 1) * self._storm.calls // (self._storm.deaths + 1):
                self._progress.clear()
                await self._progress.wait()
            killed = asyncio.get_running_loop().create_future()
            self._host.before_an_answer = partial(self._strike, number, killed)
            await killed
            if not self._up.is_set():
                self._server = await start()
                self._port = self._server.port
                self._up.set()

    def _strike(self, number: int, killed: asyncio.Future[None]) -> None:
        children = self._children()
        self.under_way += self._open
        victims = [self._dice.choice(children)]
        if number % 2 == 0:
            self._up.clear()
            victims = [self._server.pid, *children]
        for each in victims:
            os.kill(each, signal.SIGKILL)
        self.deaths += 1
        killed.set_result(None)

    def _children(self) -> list[int]:
        parent = self._server.pid
        return [int(each) for each in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]

    async def _call_again_and_again(self) -> None:
        for number in self._numbers:
            await self._up.wait()
            (kind,) = self._dice.choices(KINDS, SHARES)
            self._begun += 1
            if self._begun % 10_000 == 0:
                self._say(f"{self._begun:,} of {self._storm.calls:,} calls")
            self._open += 1
            self._progress.set()
            try:
                async with asyncio.timeout(60):
                    self.asked[await self._call(kind, number)] += 1
            except (OSError, asyncio.IncompleteReadError):
                self.asked["lost"] += 1
                await asyncio.sleep(0.02)
            finally:
                self._open -= 1

    async def _call(self, kind: str, number: int) -> str:
        stream = kind in ("stream", "broken", "leaves")
        body = {"model": "chat", "max_tokens": LONGEST, "messages": [{"role": "user", "content": f"{kind} {number}"}]}
        if stream:
            body["stream"] = True
        content = json.dumps(body).encode()
        head = (
            f"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: localhost\r\napi-key: {self._key}\r\n"
            f"content-type: application/json\r\nconnection: close\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(head.encode() + content)
            if kind == "leaves_at_once":
                await asyncio.sleep(0.05)
                return "left"
            status = (await reader.readuntil(b"\r\n")).split()[1].decode()
            if kind == "leaves" and status == "200":
                await reader.readuntil(b"data: ")
                return "left"
            while await reader.read(65_536):
                pass
            return status
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def _served(folder: Path, config: str) -> AsyncIterator[ForehearthServer]:
    starting = forehearth_server(folder, config)
    server = await asyncio.to_thread(starting.__enter__)
    try:
        yield server
    finally:
        await asyncio.to_thread(starting.__exit__, None, None, None)


def _config(first: int, second: int, workers: int) -> str:
    """The first backend has the faults; calls go on to the second one where they may."""
    return json.dumps(
        {
            "version": 1,
            "server": {"workers": workers, "resource": "here", "tls_port": None},
            "log": {"level": "error"},
            "backends": {
                "first": {"provider": "openai_compatible", "base_url": f"http://127.0.0.1:{first}/first/v1"},
                "second": {"provider": "openai_compatible", "base_url": f"http://127.0.0.1:{second}/second/v1"},
            },
            "deployments": {
                "chat": {
                    "backends": [{"backend": "first"}, {"backend": "second", "priority": 2}],
                    "health": {"failures": 1_000_000, "obey_seconds": 0},
                    "retries": {"share": 1},
                    "prices": {"input": "2.50", "cached_input": "1.25", "output": "10"},
                }
            },
        }
    )


async def _ledger(data: Path) -> list[LedgerRecord]:
    database = open_database(data / "ledger.db", schema="ledger")
    try:
        return await everything(SqliteLedger(database))
    finally:
        await database.aclose()
