"""TensorZero: its Python package starts the real HTTP gateway inside one process, on a port it chooses."""

from pathlib import Path

from bench import environments
from bench.stacks.base import Dialogue, Launch, fresh_key
from bench.upstream import Upstream

_VERSION = "2026.6.0"
_CONFIGURATION = """\
[gateway]
observability.enabled = false

[models.bench]
routing = ["mock"]

[models.bench.providers.mock]
type = "openai"
model_name = "bench"
api_base = "{base_url}/"
"""
_PROGRAM = """\
import signal
import openai
import tensorzero

client = openai.OpenAI(api_key="unused")
tensorzero.patch_openai_client(client, config_file="tensorzero.toml", async_setup=False)
print("ports", client.base_url.port, flush=True)
signal.pause()
"""


class TensorZero:
    """Observability off, as in its own benchmark; warnings off, since it would write one per request."""

    name = "tensorzero"
    title = "TensorZero"
    policy = (
        "Parses the call, translates it to its own form and back, routes by model name, keeps metrics; "
        "no key is checked (that needs its database), observability is off."
    )
    has_policy = True
    patience = 60.0

    def __init__(self) -> None:
        self._interpreter = Path()

    def prepare(self, work: Path) -> str:
        """Install the package and the OpenAI client that it patches."""
        self._interpreter = environments.python(work / self.name, [f"tensorzero=={_VERSION}", "openai"])
        return environments.python_version(self._interpreter, "tensorzero")

    def launch(self, folder: Path, upstream: Upstream) -> Launch:
        """The process sleeps in Python while the Rust threads serve."""
        (folder / "tensorzero.toml").write_text(_CONFIGURATION.format(base_url=upstream.base_url))
        (folder / "start.py").write_text(_PROGRAM)
        dialogue = Dialogue(target="/openai/v1/chat/completions", model="tensorzero::model_name::bench", events=101)
        return Launch(
            command=(str(self._interpreter), "-W", "ignore", "start.py"),
            dialogue=dialogue,
            variables={"OPENAI_API_KEY": fresh_key(), "RUST_LOG": "error"},
        )
