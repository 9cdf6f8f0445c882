"""T14: two thousand clients that send or read as slowly as they can, and honest ones among them."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.faults.figures import Outcome, Part, Stage, at_most, plain
from bench.faults.served import forehearth, program
from tests.soak import honest

HEADER, BODY, WRITE = 8, 10, 5
LATE = 1.0
COUNTS = {"headers": 450, "one header": 350, "body": 450, "chunks": 350, "idle": 300, "read": 100}
LASTS = {"headers": HEADER, "one header": HEADER, "body": BODY, "chunks": BODY, "idle": HEADER}
"""Seconds after which such a client is sent away; one that does not read does not notice it."""
ALONE, AMONG = 15.0, 45.0
WORSE = 2.0
_ROOT = Path(__file__).resolve().parent.parent.parent
_CONFIGURATION = json.dumps(
    {
        "version": 1,
        "server": {
            "tls_port": None,
            "limits": {"header_seconds": HEADER, "body_seconds": BODY, "write_seconds": WRITE},
        },
        "backends": {
            "long": {"provider": "openai_compatible", "base_url": "http://127.0.0.1:{endless}/v1"},
            "script": {"provider": "scripted"},
        },
        "deployments": {"long": {"backends": [{"backend": "long"}]}, "chat": {"backends": [{"backend": "script"}]}},
    }
)


async def measure(stage: Stage) -> Outcome:
    """Honest calls alone, then among the others."""
    counts = {name: max(2, number // (20 if stage.short else 1)) for name, number in COUNTS.items()}
    async with program("tests.soak.endless_host") as host:
        text = _CONFIGURATION.replace("{endless}", str(host.port))
        async with forehearth(text, stage.folder) as server:
            before = await honest.calls_for(server, stage.count(int(ALONE), 2))
            stage.say(f"{sum(counts.values())} slow clients")
            crowd = {"port": server.port, "key": server.key, "seconds": AMONG, "patterns": counts}
            if stage.short:
                crowd["seconds"] = BODY + 4
            over = asyncio.Event()
            during, told = await asyncio.gather(
                honest.calls(server, over),
                _besiege(crowd, over),
            )
    return _outcome(before, during, told)


async def _besiege(crowd: dict[str, Any], over: asyncio.Event) -> dict[str, Any]:
    pipe = subprocess.PIPE
    words = (sys.executable, "-m", "tests.soak.slow_clients")
    process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, cwd=_ROOT)
    try:
        told, _ = await process.communicate(json.dumps(crowd).encode())
        return dict(json.loads(told))
    finally:
        over.set()


def _outcome(before: honest.Honest, during: honest.Honest, told: dict[str, Any]) -> Outcome:
    fates = {name: told["fates"][name] for name in LASTS}
    late = [seconds - LASTS[name] for name, fate in fates.items() for seconds in fate["seconds"]]
    refused = sum(fate["refused"] for fate in told["fates"].values())
    bound = round(WORSE * before.p99 * 1_000, 1)
    return Outcome(
        figures=[
            plain("slow connections at once", told["most"]),
            plain("honest calls among them", len(during.seconds)),
            at_most("honest calls that failed", len(before.errors) + len(during.errors), 0),
            plain("honest calls alone, p99", before.p99 * 1_000, "ms", digits=1),
            at_most("among the slow ones, p99", during.p99 * 1_000, bound, "ms", digits=1),
            plain("how late the callers themselves were at most", during.held_up * 1_000, "ms", digits=0),
            at_most("slow ones sent away after their time, latest", max(late, default=0.0), LATE, "s", digits=2),
            at_most("slow ones sent away before their time", sum(each < -0.1 for each in late), 0),
            at_most("connections that were refused", refused, 0),
        ],
        fired={f"slow in {name}": fate["opened"] for name, fate in told["fates"].items()},
    )


PART = Part(
    title="Slow clients",
    done=(
        f"{sum(COUNTS.values()):,} connections send their head or body, or read their answer, as slowly as they can, "
        f"and come again when they are sent away; {honest.PER_SECOND} honest calls a second among them, each on a "
        f"connection of its own. A head may take {HEADER} s, a body {BODY} s."
    ),
    measure=measure,
)
