"""Stores that several processes have: nothing is lost between them, nor when one ends suddenly."""

import asyncio
import random
import subprocess
import sys
import time
from pathlib import Path

from tests.integration.stores.opened import opened

ROOT = Path(__file__).parents[3]


def writer(place, name, count):
    command = [sys.executable, "-m", "tests.integration.stores.writer", place, name, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


async def kept(place):
    async with opened(place) as (documents, _):
        found = await documents.of_all_places("thing")
        assert await documents.version("thing") == len(found)
        return [each.id for each in found]


async def test_four_processes_write_one_store_and_lose_nothing(place):
    """They begin at once, with a store that is not there yet."""
    count = 200
    writers = [writer(place, f"w{number}", count) for number in range(4)]
    told = [line for each in writers for line in each.communicate(timeout=60)[0].split()]
    assert [each.returncode for each in writers] == [0] * 4
    assert sorted(await kept(place)) == sorted(told)
    assert len(told) == 4 * count


def ended_suddenly(process, seconds):
    """What it had told when it was killed, the last line only if it is whole."""
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    time.sleep(seconds)
    process.kill()
    lines += process.stdout.readlines()
    process.stdout.close()
    process.wait()
    return {line.strip() for line in lines if line.endswith("\n")}


async def test_what_was_acknowledged_survives_a_sudden_end(place, record_property):
    dice, kills = random.Random(7), 20
    told: set[str] = set()
    for number in range(kills):
        told |= ended_suddenly(writer(place, f"k{number}", 100_000), dice.uniform(0, 0.05))
    lost = told - set(await kept(place))
    record_property("kills", kills)
    record_property("acknowledged", len(told))
    record_property("lost", len(lost))
    assert len(told) >= kills
    assert lost == set()


async def test_several_who_begin_at_once_make_the_schema_once(place):
    """As the workers of several servers do. Whoever comes late finds it done."""

    async def begin():
        async with opened(place) as (documents, _):
            return await documents.version("thing")

    assert await asyncio.gather(*(begin() for _ in range(12))) == [0] * 12
