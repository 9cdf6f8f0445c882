"""The toy server as a process of its own: `python -m tests.http_apart LOOP` tells its port, and ends with its input."""

import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.http_toys import Serving

ROOT = Path(__file__).parent.parent


class Apart:
    """Such a process. What it does with its time does not wait for the threads of the test."""

    def __init__(self, loop: str = "uvloop") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.http_apart", loop],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self._process.stdout is not None
        self.address = ("127.0.0.1", int(self._process.stdout.readline()))

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.join()

    def stop(self) -> None:
        """Begin an orderly end."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def join(self, seconds: float = 10) -> None:
        assert self._process.stdout is not None
        assert self._process.wait(seconds) == 0
        self._process.stdout.close()


if __name__ == "__main__":
    with Serving(loop=sys.argv[1]) as serving:
        print(serving.address[1], flush=True)  # noqa: T201 - the address is what it says
        sys.stdin.read()
        serving.stop()
        serving.join()
