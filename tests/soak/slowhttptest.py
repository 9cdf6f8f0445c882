"""Debian's slowhttptest, an attacker that others wrote, and what it says of a server.

It has no slow reader here: for that it needs an answer to a GET that is larger than what kernels keep for a reader.
"""

import asyncio
import csv
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "slowhttptest"
MODES = {"slow headers": ["-H"], "slow body": ["-B", "-s", "65536"]}
CONNECTIONS = 500
PER_SECOND = 200
LONGEST = 60
"""Seconds after which it ends in any case."""
PROBE = 3
"""Seconds in which the server must answer it in between."""

_ENDED = re.compile(r"Test ended on (\d+)th second\s+Exit status:\s+(.+)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, kw_only=True)
class Attack:
    """What it said at the end."""

    seconds: int
    status: str
    unanswered: int
    """How many of its looks at the server found it unavailable."""

    @property
    def beaten_off(self) -> bool:
        """Whether the server closed every connection by itself, and answered in between."""
        return self.status == "No open connections left" and not self.unanswered


def installed() -> bool:
    return shutil.which(PROGRAM) is not None


async def attack(url: str, mode: str, folder: Path) -> Attack:
    """Attack until the server has closed all connections."""
    report = folder / "attack"
    numbers = {"-c": CONNECTIONS, "-r": PER_SECOND, "-i": 1, "-l": LONGEST, "-p": PROBE, "-u": url, "-o": report}
    options = [str(each) for pair in numbers.items() for each in pair]
    process = await asyncio.create_subprocess_exec(
        PROGRAM, *MODES[mode], "-g", *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    ended = _ENDED.search(_COLOUR.sub("", said.decode()))
    assert ended, said.decode()
    with report.with_suffix(".csv").open() as lines:
        looks = [int(line["Service Available"]) for line in csv.DictReader(lines)]
    return Attack(seconds=int(ended[1]), status=ended[2].strip(), unanswered=looks.count(0))
