"""T15: callers that leave at every moment of a call; what stays open, what stays reserved, and what is booked."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from bench.faults.books import ledger
from bench.faults.figures import Figure, Outcome, Part, Stage, at_least, at_most, plain
from bench.faults.hosts import Hosts, event, until
from bench.faults.open_loop import PATIENCE
from forehearth.core.ledger import LedgerRecord
from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer

TIMES, AT_ONCE, SLOTS, OUTPUT = 1_000, 100, 200, 100
GONE_WITHIN = 1.0
"""Seconds after the last caller has left in which everything of theirs is over."""
LONG, SHORT, TOGETHER = 30.0, 0.3, 3.0
"""Seconds that the host takes: where it is left too; where the answer is read to its end; for calls that all stay."""
_USED = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
_BOUND = 64 + 200 + OUTPUT
PHASES: dict[str, dict[str, Any]] = {
    "in the head": {},
    "in the body": {},
    "before the answer": {"text": "silent"},
    "before the first event": {"text": "silent", "stream": True},
    "in the stream": {"text": "begins", "stream": True},
    "after the last event": {"text": "whole", "stream": True},
}
DRAINED = ("before the answer", "before the first event", "in the stream")
"""Phases in which the host goes on, when it is not left too."""


class _Host:
    """How long it takes depends on whether its deployment says that it is left together with the caller."""

    def __init__(self) -> None:
        self.lasts = LONG
        self.begun = Counter[str]()

    def __call__(self, seen: Seen) -> Answer:
        body = json.loads(seen.body)
        text = body["messages"][-1]["content"]
        self.begun[text] += 1
        first = event({"choices": [{"index": 0, "delta": {"content": "x"}}]})
        last = (event({"choices": [], "usage": _USED}), b"data: [DONE]\n\n")
        late = self.lasts if text == "silent" else 0.0
        if body.get("stream"):
            pieces = (first, self.lasts, *last) if text == "begins" else (first, *last)
            return Answer(pieces=pieces, delay=late, close=True)
        choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
        return Answer(body=json.dumps({"choices": [choice], "usage": _USED}).encode(), delay=late, close=True)


async def leave(hosts: Hosts, phase: str, times: int, model: str) -> None:
    """So many callers leave, a hundred at a time."""
    gate = asyncio.Semaphore(AT_ONCE)
    how = {"text": "hi", "stream": False} | PHASES[phase]
    text = {"role": "user", "content": how["text"]}
    body = {"model": model, "stream": how["stream"], "max_tokens": OUTPUT, "messages": [text]}
    request = hosts.served.request(json.dumps(body).encode())
    cut = {"in the head": 60, "in the body": len(request) - 20}.get(phase, len(request))

    async def one() -> None:
        async with gate, asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", hosts.served.port)
            writer.write(request[:cut])
            await writer.drain()
            if how["stream"] and how["text"] != "silent":
                await reader.readuntil(b"data: " if how["text"] == "begins" else b"[DONE]")
            else:
                await asyncio.sleep(0.05)
            writer.transport.abort()

    await asyncio.gather(*(one() for _ in range(times)))


async def _wait_and_leave(hosts: Hosts, times: int) -> None:
    """One call has the only slot; so many others wait for it, and leave."""
    text = {"role": "user", "content": "silent"}
    request = hosts.served.request(json.dumps({"model": "narrow", "messages": [text], "max_tokens": OUTPUT}).encode())
    writers = []
    for _ in range(times):
        _, writer = await asyncio.open_connection("127.0.0.1", hosts.served.port)
        writer.write(request)
        writers.append(writer)
    await asyncio.sleep(0.3)
    for writer in writers:
        writer.transport.abort()


async def measure(stage: Stage) -> Outcome:
    """Leave in each phase and look what is open; then see whether every slot can be taken, and what was booked."""
    times, host = stage.count(TIMES, 20), _Host()
    limit = {"concurrent_calls": SLOTS, "wait_up_to": 10}
    narrow = {"limits": [{"concurrent_calls": 1, "wait_up_to": 30}]}
    others = {"drained": {"on_client_gone": "drain"}, "narrow": narrow}
    slowest, still, left = 0.0, 0, Counter[str]()
    async with Hosts(stage.folder, rest={"deployments": others}, limits=[limit]) as hosts:
        hosts.answering = [host]
        await hosts.callers.offer(50, 200.0)
        await hosts.callers.leave()
        await _over(hosts)
        files = hosts.served.descriptors()
        for phase in PHASES:
            stage.say(f"{times} leave {phase}")
            await leave(hosts, phase, times, "chat")
            slowest = max(slowest, await _over(hosts))
            still, left[phase] = max(still, _begun(hosts)), times
        await _wait_and_leave(hosts, times)
        slowest = max(slowest, await _over(hosts))
        still, left["waiting for a turn"] = max(still, _begun(hosts)), times
        host.lasts = SHORT
        for phase in DRAINED:
            stage.say(f"{times} leave {phase}, and the answer is read to its end")
            await leave(hosts, phase, times, "drained")
        await until(lambda: not _begun(hosts), PATIENCE)
        host.lasts = TOGETHER
        most = await _take_all(hosts)
        await hosts.callers.leave()
        await _over(hosts)
        await until(lambda: hosts.served.descriptors() <= files, GONE_WITHIN)
        more = hosts.served.descriptors() - files
    records = await ledger(stage.folder)
    booked = _booked(records, times)
    return Outcome(
        figures=[
            at_most(f"calls at the host still open {GONE_WITHIN:g} s after the last caller left", still, 0),
            at_most("until all of a thousand are over at the host, slowest phase", slowest, GONE_WITHIN, "s", digits=2),
            at_least(f"slots of a limit of {SLOTS} that can be taken afterwards", most, SLOTS),
            at_most("open files of the server more than before", max(0, more), 0),
            *booked,
        ],
        fired=left,
    )


def _begun(hosts: Hosts) -> int:
    """Calls at the host: each has a connection of its own, which ends with it."""
    return hosts.upstreams[0].open


async def _over(hosts: Hosts) -> float:
    """Seconds until none is; at most as long as it may take."""
    return await until(lambda: not _begun(hosts), GONE_WITHIN)


async def _take_all(hosts: Hosts) -> int:
    """How many calls come to the host at the same time, of as many as the limit allows."""
    calls = [asyncio.create_task(hosts.callers.call("silent", max_tokens=OUTPUT)) for _ in range(SLOTS)]
    most = 0
    while not all(each.done() for each in calls):
        most = max(most, _begun(hosts))
        await asyncio.sleep(0.01)
    return most


def _booked(records: Sequence[LedgerRecord], times: int) -> list[Figure]:
    drained = [each for each in records if each.account.deployment == "drained"]
    cut = [each for each in records if each.account.deployment == "chat" and each.flag == "cut"]
    outside = sum(not 0 < each.prompt + each.completion <= _BOUND for each in cut)
    truth = sum((each.prompt, each.completion) == (11, 7) and not each.flag for each in drained)
    return [
        at_least("drained calls booked with what the host says, not flagged", truth, times * len(DRAINED)),
        at_most("drained calls that are booked twice", max(0, len(drained) - times * len(DRAINED)), 0),
        plain("calls that were cancelled without usage: flagged", len(cut)),
        at_most("of them booked with nothing, or above the bound", outside, 0),
    ]


PART = Part(
    title="Callers that leave",
    done=(
        f"{TIMES:,} callers leave in each phase of a call, {AT_ONCE} at a time, whole and streamed, to two workers: in "
        "the head, in the body, before the answer, before the first event, in the stream, after the last event, and "
        "while they wait for their turn; then again where the answer is read to its end without them."
    ),
    measure=measure,
)
