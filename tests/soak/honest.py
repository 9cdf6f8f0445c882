"""Honest clients: so many calls a second, whether or not those before were answered, and how they went."""

import asyncio
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.forehearth_server import ForehearthServer
from tests.soak.watching import processor_seconds

PER_SECOND = 50
LONGEST = 10.0
"""Seconds after which a call counts as an error."""
CHAT = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}


@dataclass
class Honest:
    """How honest calls went."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    held_up: float = 0.0
    """How many seconds late this process itself was at most: what the machine's other work costs anybody on it."""

    busy: float = 0.0
    """The share of a processor that the server used meanwhile."""

    @property
    def p50(self) -> float:
        return statistics.median(self.seconds)

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.seconds, n=100)[98]


async def calls(server: ForehearthServer, over: asyncio.Event) -> Honest:
    """Call until it is over, each time on a connection of its own."""
    found = Honest()
    options: dict[str, Any] = {
        "connector": aiohttp.TCPConnector(force_close=True, limit=0),
        "headers": {"api-key": server.key},
        "timeout": aiohttp.ClientTimeout(total=LONGEST),
    }
    async with aiohttp.ClientSession(**options) as session, asyncio.TaskGroup() as tasks:
        began = due = time.monotonic()
        used = processor_seconds(server.pid)
        while not over.is_set():
            tasks.create_task(_call(session, f"{server.url}/openai/v1/chat/completions", due, found))
            due += 1 / PER_SECOND
            await asyncio.sleep(max(0, due - time.monotonic()))
            found.held_up = max(found.held_up, time.monotonic() - due)
        found.busy = (processor_seconds(server.pid) - used) / (time.monotonic() - began)
    return found


async def calls_for(server: ForehearthServer, seconds: float) -> Honest:
    """Call for so many seconds."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    return await calls(server, over)


async def _call(session: aiohttp.ClientSession, url: str, due: float, found: Honest) -> None:
    """One call. Its time is counted from when it was due: a caller that is held up does not hide it."""
    try:
        async with session.post(url, json=CHAT) as answer:
            await answer.read()
            if answer.status != 200:
                found.errors.append(f"status {answer.status}")
    except (aiohttp.ClientError, TimeoutError) as error:
        found.errors.append(repr(error))
    found.seconds.append(time.monotonic() - due)
