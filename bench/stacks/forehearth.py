"""This project's server, as a user would start it: one worker, a key, one deployment on one backend."""

import os
import sys
from pathlib import Path

from bench import environments, payloads
from bench.errors import UnavailableError
from bench.processes import free_port
from bench.stacks.base import Dialogue, Launch, fresh_key
from bench.upstream import Upstream
from scripts import compiled_wheel

_CONFIGURATION = """\
version: 1
server:
  port: {port}
  tls_port: null
backends:
  mock:
    provider: openai_compatible
    base_url: {base_url}
    api_key: ${{BENCH_UPSTREAM_KEY}}
{connection}\
deployments:
  bench:
    backends:
      - backend: mock
{rest}"""
_NO_LEDGER = """\
ledger:
  enabled: false
"""
_LIMITS = """\
    limits:
      - tokens_per_minute: 1000000000
        counter_key: [key]
      - tokens_per_minute: 2000000000
"""
_CONNECTION = """\
    connection:
      ca_bundle: {authority}
"""


_ORDINARY = "Checks the key before the body, parses the call, routes it by deployment, counts usage, metrics."


class Forehearth:
    """The checkout that the benchmark runs from: its ordinary work, the same over TLS to the upstream, or all it does.

    `accounts` holds each call against two limits and writes it down in the ledger, as a server does unless told not to.
    It is compiled, as its wheels are (`make wheel`); `source` runs the same modules as they are in the checkout.
    """

    has_policy = True
    patience = 30.0

    def __init__(self, *, tls: bool = False, accounts: bool = False, source: bool = False) -> None:
        self._tls = tls
        self._accounts = accounts
        self._compiled: Path | None = None
        self._source = source
        self.name, self.title, self.policy = "forehearth", "Forehearth", _ORDINARY
        if tls:
            self.name, self.title = "forehearth-tls", "Forehearth, TLS upstream"
            self.policy += " The upstream is reached over TLS, its certificate checked."
        if accounts:
            self.name, self.title = "forehearth-accounts", "Forehearth, limits and ledger"
            self.policy += " Holds the call against two limits of tokens, and writes it down in the ledger."
        if source:
            self.name, self.title = f"{self.name}-source", f"{self.title}, not compiled"
            self.policy += " Its modules are not compiled, as in a checkout."

    def prepare(self, work: Path) -> str:
        """It is installed already: the environment that runs this is its own. Compile it, unless that was done."""
        if not self._source:
            try:
                self._compiled = compiled_wheel.unpacked(work / "compiled")
            except compiled_wheel.NotCompiledError as error:
                raise UnavailableError(str(error)) from None
        found = compiled_wheel.modules({**os.environ, **self._variables()})
        if found != ("source" if self._source else "compiled"):
            raise UnavailableError(f"its modules run as {found}")
        return environments.python_version(Path(sys.executable), "forehearth")

    def _variables(self) -> dict[str, str]:
        return {} if self._compiled is None else {"PYTHONPATH": str(self._compiled)}

    def launch(self, folder: Path, upstream: Upstream) -> Launch:
        """One worker on plain HTTP."""
        port, key = free_port(), fresh_key()
        base_url = upstream.tls_base_url if self._tls else upstream.base_url
        connection = _CONNECTION.format(authority=upstream.authority) if self._tls else ""
        rest = _LIMITS if self._accounts else _NO_LEDGER
        text = _CONFIGURATION.format(port=port, base_url=base_url, connection=connection, rest=rest)
        (folder / "forehearth.yaml").write_text(text)
        program = str(Path(sys.executable).with_name("forehearth"))
        data = str(folder / "data")
        return Launch(
            command=(program, "serve", "--config", "forehearth.yaml", "--data-dir", data, "--workers", "1"),
            dialogue=Dialogue(
                target="/openai/v1/chat/completions",
                headers={"authorization": f"Bearer {key}"},
                body_bytes=payloads.REPLY_BYTES,
                events=payloads.EVENTS,
            ),
            variables={"FOREHEARTH_API_KEY": key, "BENCH_UPSTREAM_KEY": fresh_key(), **self._variables()},
            port=port,
        )
