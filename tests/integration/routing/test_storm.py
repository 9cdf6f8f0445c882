"""A storm of 429: hosts that take a tenth of what is offered, and then all of it again.

`FOREHEARTH_ROUTING_CALLS` makes the storm longer; the figures are printed (`pytest -s`).
"""

import asyncio
import os
from itertools import pairwise

import pytest

from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer
from tests.integration.routing.conftest import Tell
from tests.integration.routing.stage import Done, Stage, attempts, succeeded

CALLS = int(os.environ.get("FOREHEARTH_ROUTING_CALLS", "300"))
PACE = 300.0
PAUSE = 0.3
"""Seconds that a host asks for."""
REFUSAL = b'{"error": {"code": "429", "message": "Too many requests."}}'


class Tight:
    """A host that takes so many calls a second while the storm lasts, and says when to come again, or not."""

    def __init__(self, per_second: float, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self.storm = True
        self.refused = 0
        self._per_second = per_second
        self._headers = headers
        self._left = 1.0
        self._when = asyncio.get_running_loop().time()

    def __call__(self, _: Seen) -> Answer | None:
        now = asyncio.get_running_loop().time()
        self._left = min(self._per_second * PAUSE, self._left + (now - self._when) * self._per_second)
        self._when = now
        if not self.storm or self._left >= 1:
            self._left -= 1
            return None
        self.refused += 1
        return Answer(status=429, headers=self._headers, body=REFUSAL)


def disobeyed(calls: list[Done], backend: str) -> int:
    """How many requests were sent to a host after it was known that it wants to be left alone, and before it did."""
    tries = sorted(
        (each for call in calls for each in call.record.attempts if each.backend == backend),
        key=lambda each: each.began,
    )
    pauses = [(each.began + each.seconds, each.began + each.seconds + PAUSE) for each in tries if each.status == 429]
    return sum(start < each.began < end for each in tries for start, end in pauses)


@pytest.mark.parametrize("hosts", [1, 3])
@pytest.mark.parametrize(
    "headers",
    [
        ((b"retry-after-ms", b"300"),),
        ((b"x-ratelimit-remaining-tokens", b"0"), (b"x-ratelimit-reset-tokens", b"300ms")),
    ],
    ids=["retry-after", "nothing-left"],
)
async def test_a_storm_is_not_made_worse_and_is_soon_over(
    hosts: int, headers: tuple[tuple[bytes, bytes], ...], tell: Tell
):
    async with Stage(hosts, strategy="weighted") as stage:
        tight = [Tight(PACE / 10 / hosts, headers) for _ in range(hosts)]
        stage.answering = list(tight)
        stormy = await stage.load(CALLS, PACE)
        for each in tight:
            each.storm = False
        loop = asyncio.get_running_loop()
        calm = loop.time()
        after = await stage.load(CALLS // 2, PACE)
    recovered = max((each.ended - calm for each in after if each.status != 200), default=0.0)
    requests = attempts(stormy)
    tell(
        offered=len(stormy),
        requests_per_call=requests / len(stormy),
        success=succeeded(stormy),
        refusals=sum(each.refused for each in tight),
        recovery_seconds=recovered,
    )
    assert sum(each.refused for each in tight) > 0
    assert requests <= 1.2 * len(stormy)
    assert [disobeyed(stormy + after, f"host-{number}") for number in range(hosts)] == [0] * hosts
    assert {each.status for each in stormy} == {200, 429}
    told = [int(each.headers[b"retry-after-ms"]) for each in stormy if each.status == 429]
    assert all(0 < each <= 300 for each in told)
    assert succeeded(after[-50:]) == 1.0


async def test_hosts_that_say_no_time_are_not_pressed(tell: Tell):
    async with Stage(3, strategy="weighted") as stage:
        tight = [Tight(PACE / 30, ()) for _ in range(3)]
        stage.answering = list(tight)
        stormy = await stage.load(CALLS, PACE)
    tell(requests_per_call=attempts(stormy) / len(stormy), success=succeeded(stormy))
    assert sum(each.refused for each in tight) > 0
    assert attempts(stormy) <= 1.2 * len(stormy)


async def test_a_storm_of_errors_is_held_to_the_retry_budget(tell: Tell):
    """Every host fails every call, with a status after which another one may be asked: the budget alone holds back."""
    async with Stage(3, strategy="weighted", retries={"at_least": 0}) as stage:
        stage.answering = [lambda _: Answer(status=500, body=b"{}")] * 3
        stormy = await stage.load(CALLS, PACE)
    tell(requests_per_call=attempts(stormy) / len(stormy))
    assert len(stormy) < attempts(stormy) <= 1.2 * len(stormy)
    assert {each.status for each in stormy} == {500}


async def test_a_storm_on_the_first_priority_spills_over(tell: Tell):
    async with Stage(2, backends=({}, {"priority": 2})) as stage:
        stage.answering[0] = Tight(PACE / 10, ((b"retry-after-ms", b"300"),))
        stormy = await stage.load(CALLS, PACE)
    spilled = [each for each in stormy if b"x-ms-spillover-from-deployment" in each.headers]
    changes = sum(one.record.backend != other.record.backend for one, other in pairwise(stormy))
    tell(success=succeeded(stormy), spilled=len(spilled) / len(stormy), changes=changes)
    assert succeeded(stormy) == 1.0
    assert {each.record.backend for each in spilled} == {"host-1"}
    assert len(spilled) == sum(each.record.backend == "host-1" for each in stormy)
    assert {each.headers[b"x-ms-spillover-error"] for each in spilled} == {b"429"}
    assert 0 < len(spilled) < len(stormy)
