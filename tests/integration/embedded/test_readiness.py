"""Whether the engines start on this machine, and what is said where they do not."""

from typing import get_args

import pytest

from forehearth.embedded.pins import Kind
from forehearth.embedded.readiness import _try, probe

FAILS = {
    "import os, signal; os.kill(os.getpid(), signal.SIGILL)": "this processor lacks instructions that it needs",
    "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)": "it was ended by SIGSEGV",
    "import no_such_engine": "it is not installed",
    "raise ImportError('libx.so: version GLIBC_2.99 not found')": "this system's C library is too old for it",
    "raise ImportError('libx.so: cannot open')": "its library cannot be loaded on this system",
    "raise SystemExit(3)": "it ended by status 3",
}


@pytest.mark.parametrize("kind", get_args(Kind))
async def test_the_engines_start_here(kind: Kind) -> None:
    readiness = await probe(kind)
    assert readiness.reason == ""
    assert readiness.ok


@pytest.mark.parametrize("code", FAILS)
async def test_a_reason_is_told_in_one_line(code: str) -> None:
    readiness = await _try("the engine", code, 20)
    assert not readiness.ok
    assert readiness.reason.startswith(f"the engine cannot start here: {FAILS[code]}")
    assert "\n" not in readiness.reason


async def test_one_that_hangs_is_ended() -> None:
    readiness = await _try("the engine", "import time; time.sleep(60)", 0.2)
    assert readiness.reason == "the engine cannot start here: it did not load within 0.2 s"
