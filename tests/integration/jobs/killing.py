"""Has workers killed in a process of its own, and tells what came of it."""

import asyncio
import sys
from pathlib import Path

import msgspec

from tests.conftest import ROOT
from tests.integration.jobs.mortal import Found


async def killed(store: str, folder: Path, kills: int, seed: int = 7) -> Found:
    """Let so many workers of a store be killed."""
    command = [sys.executable, "-m", "tests.integration.jobs.mortal", store, str(folder), str(kills), str(seed)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=pipe, stderr=pipe)
    said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()[-4_000:]
    return msgspec.json.decode(said, type=Found)


def require_sound(found: Found, *, kills: int) -> None:
    """Every step of every job was recorded once, and the deaths were worth their name."""
    assert found.wrong == []
    assert found.recorded == found.steps
    assert found.kills == kills
    assert found.killed_at_work > kills / 2
    assert found.taken_over > kills / 2, "hardly anything was taken over from the dead"
    assert found.repeats <= found.taken_over
