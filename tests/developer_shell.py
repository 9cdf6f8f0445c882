"""A developer's shell for tests: a clean environment, the variables that `forehearth login` prints, programs in it."""

import shlex
import subprocess
import sys
from collections.abc import Mapping

from tests.forehearth_server import PROGRAM, ForehearthServer

_STRANGERS = ("AZURE_", "IDENTITY_", "MSI_", "SSL_CERT", "REQUESTS_CA", "CURL_CA", "NODE_EXTRA", "FOREHEARTH_")


def clean_environment() -> dict[str, str]:
    """This process's environment without what decides about trust, identity and proxies."""
    with subprocess.Popen(["env", "-0"], stdout=subprocess.PIPE, text=True) as program:
        found = dict(line.partition("=")[::2] for line in program.communicate()[0].split("\0") if line)
    return {
        name: value
        for name, value in found.items()
        if not name.startswith(_STRANGERS) and not name.lower().endswith("_proxy")
    }


def logged_in(server: ForehearthServer, clean: Mapping[str, str], *arguments: str) -> dict[str, str]:
    """The environment after `eval "$(forehearth login …)"`, as a shell has it."""
    command = shlex.join([str(PROGRAM), "login", "--data-dir", str(server.data_dir), *arguments])
    script = f'exports="$({command})" && eval "$exports" && env -0'
    done = subprocess.run(["sh", "-c", script], env=clean, capture_output=True, text=True, check=True, timeout=60)
    return dict(line.partition("=")[::2] for line in done.stdout.split("\0") if line)


def run_python(environment: Mapping[str, str], *arguments: str) -> str:
    """What a program prints, run with warnings as errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
