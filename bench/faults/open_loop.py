"""Callers who come at a steady pace, whether or not those before them are answered: nothing hides a stall.

A call's time is counted from when it was due.
"""

import asyncio
import contextlib
import json
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Self

import msgspec

from bench.faults.served import Served

PATIENCE = 60.0
"""Seconds after which a call counts as lost."""


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a call. Status 0: nothing, or only a part of an answer."""

    number: int
    status: int
    headers: Mapping[str, str]
    body: bytes
    due: float
    """On the event loop's clock."""
    first: float
    """Seconds from then until the answer began."""
    seconds: float
    """And until it ended."""

    @property
    def ended(self) -> float:
        """On the event loop's clock."""
        return self.due + self.seconds


class Callers:
    """They keep their connections. To be entered."""

    def __init__(self, server: Served) -> None:
        self._server = server
        self._kept: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def call(self, text: str = "hi", *, number: int = 0, due: float | None = None, **members: object) -> Came:
        """One chat. `key`, `model`, `stream` and such are members; the key is no member of the body."""
        clock = asyncio.get_running_loop().time
        due = clock() if due is None else due
        key = str(members.pop("key", self._server.key))
        body = {"model": "chat", "messages": [{"role": "user", "content": text}], **members}
        request = self._server.request(json.dumps(body).encode(), key=key)
        try:
            async with asyncio.timeout(PATIENCE):
                status, headers, began, content = await self._ask(request)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            status, headers, began, content = 0, {}, clock(), b""
        return Came(
            number=number,
            status=status,
            headers=headers,
            body=content,
            due=due,
            first=began - due,
            seconds=clock() - due,
        )

    async def offer(
        self,
        calls: int,
        per_second: float,
        *,
        during: Mapping[int, Callable[[], Awaitable[object]]] | None = None,
        **members: object,
    ) -> list[Came]:
        """So many calls a second, and what happens before some of them; the text of each is its number."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        tasks: list[asyncio.Task[Came]] = []
        try:
            for number in range(calls):
                due = began + number / per_second
                await asyncio.sleep(max(0.0, due - loop.time()))
                if during and number in during:
                    await during[number]()
                tasks.append(asyncio.create_task(self.call(f"call {number}", number=number, due=due, **members)))
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, request: bytes) -> tuple[int, dict[str, str], float, bytes]:
        reader, writer = self._kept.pop() if self._kept else await self._connect()
        whole = False
        try:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            began = asyncio.get_running_loop().time()
            pairs = [line.partition(":") for line in head[1:] if line]
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            content = b"".join([piece async for piece in _pieces(reader, headers)])
            whole = headers.get("connection") != "close"
            return int(head[0].split()[1]), headers, began, content
        finally:
            if whole:
                self._kept.append((reader, writer))
            else:
                writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._server.port)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def leave(self) -> None:
        """Close the connections that are kept."""
        kept, self._kept = self._kept, []
        for _, writer in kept:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _pieces(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
    if "content-length" in headers:
        yield await reader.readexactly(int(headers["content-length"]))
        return
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)


def answered(calls: Sequence[Came]) -> float:
    """The share with status 200."""
    return sum(each.status == 200 for each in calls) / len(calls)


def percentile(values: Sequence[float], percent: int) -> float:
    """Of at least two."""
    return statistics.quantiles(values, n=100)[percent - 1]
