"""This project's server, as a user would start it: one worker, a key, one deployment on one backend."""

import sys
from pathlib import Path

from bench import environments, payloads
from bench.processes import free_port
from bench.stacks.base import Dialogue, Launch, fresh_key
from bench.upstream import Upstream

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
    """

    has_policy = True
    patience = 30.0

    def __init__(self, *, tls: bool = False, accounts: bool = False) -> None:
        self._tls = tls
        self._accounts = accounts
        self.name, self.title, self.policy = "forehearth", "Forehearth", _ORDINARY
        if tls:
            self.name, self.title = "forehearth-tls", "Forehearth, TLS upstream"
            self.policy += " The upstream is reached over TLS, its certificate checked."
        if accounts:
            self.name, self.title = "forehearth-accounts", "Forehearth, limits and ledger"
            self.policy += " Holds the call against two limits of tokens, and writes it down in the ledger."

    def prepare(self, work: Path) -> str:
        """It is installed already: the environment that runs this is its own."""
        del work
        return environments.python_version(Path(sys.executable), "forehearth")

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
            variables={"FOREHEARTH_API_KEY": key, "BENCH_UPSTREAM_KEY": fresh_key()},
            port=port,
        )
