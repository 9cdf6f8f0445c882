"""T10: everything that a model host can get wrong, whole and streamed, on three surfaces; and what is booked of it."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence

from bench.faults.books import ledger
from bench.faults.figures import Figure, Outcome, Part, Stage, at_least, at_most
from bench.faults.served import Served, forehearth
from forehearth.core.ledger import LedgerRecord
from tests.soak.calls import SURFACES
from tests.soak.faults import FAULTS
from tests.soak.faulty_hosts import FaultyHosts, configuration
from tests.soak.verdicts import DEADLINE, KINDS, outcome
from tests.soak.verdicts import Outcome as Told

CELLS = [(surface, stream) for surface in SURFACES for stream in (False, True)]
_BOUND = 64 + 300 + 4_096
"""Of a prompt of some 100 bytes without a bound of its own."""


async def measure(stage: Stage) -> Outcome:
    """Each fault in each cell, the six cells of a fault at the same time."""
    names = list(FAULTS)[:: 8 if stage.short else 1]
    async with FaultyHosts() as hosts:
        wanted = json.loads(configuration(hosts)) | {"server": {"tls_port": None}}
        async with forehearth(json.dumps(wanted), stage.folder) as server:
            told = []
            for number, name in enumerate(names):
                told += await _cells(server, name)
                if number % 20 == 19:
                    stage.say(f"{number + 1} of {len(names)} faults")
        fired = {name: hosts.hosts[name].fired[name] if name in hosts.hosts else len(CELLS) for name in names}
    return Outcome(figures=[*_figures(told), *_booked(await ledger(stage.folder), names)], fired=fired)


async def _cells(server: Served, name: str) -> list[Told]:
    calls = (
        asyncio.to_thread(outcome, server, name, FAULTS[name], surface, stream=stream) for surface, stream in CELLS
    )
    return list(await asyncio.gather(*calls))


def _figures(told: Sequence[Told]) -> list[Figure]:
    wrong = Counter(each.kind for one in told for each in one.complaints)
    green = sum(not one.complaints for one in told)
    slowest = max(one.seconds for one in told)
    return [
        at_least("cells in which the caller is told what is owed", green, len(told)),
        *(at_most(f"cells with: {kind}", wrong[kind], 0) for kind in KINDS),
        at_most("seconds until the slowest call was over", slowest, DEADLINE, "s", digits=2),
    ]


def _booked(records: Sequence[LedgerRecord], names: Sequence[str]) -> list[Figure]:
    counts = Counter(each.account.deployment for each in records)
    wrong = sum(abs(counts[name] - len(CELLS)) for name in names)
    used = [each.prompt + each.completion for each in records if each.flag]
    return [
        at_most("calls without their one record in the ledger", wrong, 0),
        at_most("flagged records above the bound of the call", sum(each > _BOUND for each in used), 0),
    ]


PART = Part(
    title="Faults of model hosts",
    done=(
        f"{len(FAULTS)} faults, from a connection that is refused to usage beyond all numbers, each on the three "
        "surfaces, whole and streamed: status, shape, end and time of what the caller is told, that no word of the "
        "host is in it, and one record in the ledger for each call."
    ),
    measure=measure,
)
