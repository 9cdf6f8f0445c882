"""Workers that are killed at each step of beginning a journal and of removing one: `each_step FOLDER`.

One process forks them one after the other. The first is killed before it touches a file for the first time, the next
one before the second time, until one comes to its end. After each of them somebody takes over what is left.
"""

import os
import signal
import sys
from itertools import count
from pathlib import Path

import msgspec

from forehearth.accounting.journal import Journal, remove, taken_over

_TOUCHES = ("open", "os.", "fcntl.", "shutil.")


def main(folder: Path) -> int:
    """Kill them; print how many, how the last one ended, and what nobody took over of which of them."""
    left: dict[int, list[str]] = {}
    for step in count(1):
        root = folder / str(step)
        _abandoned(root, step)
        child = os.fork()
        if not child:
            _die_at(step)
            os._exit(_live(root, step))
        _, status = os.waitpid(child, 0)
        _take_over(root)
        if found := [str(each.relative_to(root)) for each in root.rglob("*")]:
            left[step] = found
        if not os.WIFSIGNALED(status):
            break
    sys.stdout.write(msgspec.json.encode({"killed": step - 1, "ended": status, "left": left}).decode())
    return 0


def _abandoned(root: Path, number: int) -> None:
    """A journal whose worker is gone."""
    journal = Journal.create(root, f"1-{number}")
    journal.end(["call"], b"outcome")
    journal.close()


def _live(root: Path, number: int) -> int:
    Journal.create(root, f"0-{number}")
    _take_over(root, root / f"0-{number}")
    return 0


def _take_over(root: Path, mine: Path | None = None) -> None:
    with taken_over(root, mine) as folders:
        for each in folders:
            remove(each)


def _die_at(step: int) -> None:
    steps = count(1)

    def touched(event: str, _: object) -> None:
        if event.startswith(_TOUCHES) and next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(touched)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
