"""Compile what wheels have compiled, and ask it what the modules in Python are asked: suites that run a whole server.

Usage: python -m scripts.check_compiled [PYTEST OPTIONS]. Prints one line, and all there is to tell where it fails.
"""

import os
import subprocess
import sys

from scripts.compiled_wheel import INTERRUPTED, ROOT, NotCompiledError, modules, unpacked

SUITES = (
    "tests/conformance/clients",
    "tests/conformance/http",
    *(
        f"tests/integration/{name}"
        for name in ("caching", "http", "identity", "ledger", "limits", "responses", "routing", "server", "upstreams")
    ),
)
"""Clients as published, and suites that put what is compiled together. Unit tests stand in for parts, which compiled
modules do not let anybody do."""


def main() -> int:
    """Build, and run the suites with what was built."""
    print("compiling, and testing what was compiled; it takes four minutes", file=sys.stderr, flush=True)
    try:
        environ = os.environ | {"PYTHONPATH": str(unpacked(ROOT / "build" / "compiled"))}
    except NotCompiledError as error:
        print(f"compiled   FAILED: {error}")
        return 1
    if (found := modules(environ)) != "compiled":
        print(f"compiled   FAILED: the modules run as {found}")
        return 1
    command = (sys.executable, "-m", "pytest", "-q", *SUITES, *sys.argv[1:])
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"compiled   FAILED:\n{done.stdout}{done.stderr}")
        return 1
    print(f"compiled   ok    {done.stdout.strip().splitlines()[-1]}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
