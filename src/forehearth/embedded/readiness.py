"""Whether an engine can start on this machine, tried in a process of its own, where it may crash."""

import asyncio
import contextlib
import signal
import sys
from typing import Final

import msgspec

from forehearth.embedded.pins import Kind

PROBE_SECONDS: Final = 60.0

_IMPORTS: Final = {
    "chat": "import xllamacpp; xllamacpp.CommonParams()",
    "embeddings": "import numpy, onnxruntime, tokenizers",
    "transcription": "import numpy, soundfile, tokenizers",
    "speech": "import numpy, onnxruntime, soundfile",
}
_KNOWN: Final = (
    ("ModuleNotFoundError", "it is not installed: install Forehearth again on a platform that its wheels support"),
    ("GLIBC", "this system's C library is too old for it"),
    ("ImportError", "its library cannot be loaded on this system"),
)


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """What came of trying. `reason` says in one line why not."""

    ok: bool
    reason: str = ""


async def probe(kind: Kind, *, seconds: float = PROBE_SECONDS) -> Readiness:
    """Import the engine for models of `kind` in a fresh interpreter."""
    return await _try(f"the {kind} engine", _IMPORTS[kind], seconds)


async def _try(what: str, code: str, seconds: float) -> Readiness:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        _, said = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        return Readiness(ok=False, reason=f"{what} cannot start here: it did not load within {seconds:g} s")
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode == 0:
        return Readiness(ok=True)
    return Readiness(ok=False, reason=f"{what} cannot start here: {_why(process.returncode or 0, said)}")


def _why(status: int, said: bytes) -> str:
    if status == -signal.SIGILL:
        return "this processor lacks instructions that it needs"
    if status < 0:
        return f"it was ended by {signal.Signals(-status).name}"
    last = said.decode(errors="replace").strip().rpartition("\n")[2]
    return next((reason for mark, reason in _KNOWN if mark in last), f"it ended by status {status}")
