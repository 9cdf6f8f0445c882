"""Whatever breaks after an answer began: no call is carried out twice.

`FOREHEARTH_ROUTING_CALLS` makes the run longer; the figures are printed (`pytest -s`).
"""

import json
import os
import random
from collections import Counter

import pytest

from forehearth.core.settings import OutboundSettings
from forehearth.testing.fault_proxy import Fault
from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer
from tests.integration.routing.conftest import Tell
from tests.integration.routing.stage import Stage

CALLS = int(os.environ.get("FOREHEARTH_ROUTING_CALLS", "160"))
ANSWER = json.dumps({"id": "x", "choices": [{"message": {"content": "y" * 400}}]}).encode()
EVENTS = (*(b"data: %d\n\n" % number for number in range(40)), b"data: [DONE]\n\n")


class Ledger:
    """What hosts carried out: by the text of the call."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()

    def __call__(self, seen: Seen) -> Answer:
        body = json.loads(seen.body)
        self.done[body["messages"][-1]["content"]] += 1
        return Answer(pieces=EVENTS, close=True) if body["stream"] else Answer(body=ANSWER, close=True)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_no_call_is_carried_out_twice(stream: bool, tell: Tell):
    dice = random.Random(1)
    quick = OutboundSettings(idle_seconds=0.3, first_byte_seconds=0.3)

    def harm(_: int) -> Fault | None:
        kind = dice.choice((None, "reset", "truncate", "hang", "half_close"))
        return kind and Fault(kind=kind, after=dice.choice((1, 20, 150, 300, 500)))

    async with Stage(3, connection=quick, harm=harm, strategy="weighted", health={"failures": 1_000_000}) as stage:
        ledger = Ledger()
        stage.answering = [ledger] * 3
        done = await stage.load(CALLS, 200.0, stream=stream)
        fired = sum((proxy.fired for proxy in stage.proxies), Counter())
    broken = sum(each.record.outcome != "ok" for each in done)
    tell(calls=len(done), broken=broken, faults=dict(fired), carried_out=ledger.done.total())
    assert set(fired) == {"reset", "truncate", "hang", "half_close"}
    assert broken > CALLS // 10
    assert max(ledger.done.values()) == 1
    assert ledger.done.total() == len(done) == sum(len(each.record.attempts) for each in done)
