"""Portkey's open gateway on Node."""

import json
from pathlib import Path

from bench import environments
from bench.processes import free_port
from bench.stacks.base import Dialogue, Launch, fresh_key
from bench.upstream import Upstream

_VERSION = "1.15.2"
# The package asks for any 1.x of its HTTP server. Under recent ones every stream ends in status 500 ("immutable"
# headers); this is the one that its own repository works with.
_OVERRIDES = {"@hono/node-server": "1.13.5"}


class Portkey:
    """The upstream is named by a header of every call, which is how this gateway is used without its cloud."""

    name = "portkey"
    title = "Portkey"
    policy = (
        "Reads provider and host from headers, parses and rewrites the call; the provider's key is passed on, "
        "no key of its own is checked, no limits, no metrics."
    )
    has_policy = True
    patience = 60.0

    def __init__(self) -> None:
        self._package = Path()

    def prepare(self, work: Path) -> str:
        """Install the npm package."""
        folder = environments.npm(work / self.name, f"@portkey-ai/gateway@{_VERSION}", _OVERRIDES)
        self._package = folder / "node_modules" / "@portkey-ai" / "gateway"
        version: str = json.loads((self._package / "package.json").read_text())["version"]
        return version

    def launch(self, folder: Path, upstream: Upstream) -> Launch:
        """Without its console page."""
        del folder
        port = free_port()
        headers = {
            "authorization": f"Bearer {fresh_key()}",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": upstream.base_url,
        }
        program = str(self._package / "build" / "start-server.js")
        return Launch(
            command=(environments.node(), program, f"--port={port}", "--headless"),
            dialogue=Dialogue(headers=headers, events=102),
            variables={"TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost", "NODE_ENV": "production"},
            port=port,
        )
