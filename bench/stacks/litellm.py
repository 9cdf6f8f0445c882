"""LiteLLM's proxy, one worker, master key, Rust switched on where it has a Rust path."""

from pathlib import Path

from bench import environments
from bench.errors import UnavailableError
from bench.processes import free_port
from bench.stacks.base import Dialogue, Launch, fresh_key
from bench.upstream import Upstream

# The newest first; a later release may pin packages that an index does not have yet, so then the next one.
_VERSIONS = ("1.109.1", "1.106.2")
_CONFIGURATION = """\
model_list:
  - model_name: bench
    litellm_params:
      model: openai/bench
      api_base: {base_url}
      api_key: {key}
general_settings:
  master_key: {key}
"""
_VARIABLES = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    # Its one switch for native code. Its catalogue keeps chat completions on Python in all of `_VERSIONS`, so on these
    # calls it moves only the logging; it is set so that a release that moves more is measured with it.
    "LITELLM_RUST": "1",
}


class LiteLLM:
    """Without a database: keys beyond the master key, budgets and spend logs are not at work."""

    name = "litellm"
    title = "LiteLLM"
    policy = (
        "Checks the master key, parses and translates the call, routes, prices it, runs its callbacks; "
        "no database. LITELLM_RUST=1, which in this release leaves chat completions on Python."
    )
    has_policy = True
    patience = 180.0

    def __init__(self) -> None:
        self._interpreter = Path()

    def prepare(self, work: Path) -> str:
        """Install the newest release whose requirements the index can satisfy."""
        refused: UnavailableError | None = None
        for version in _VERSIONS:
            try:
                folder = work / f"{self.name}-{version}"
                self._interpreter = environments.python(folder, [f"litellm[proxy]=={version}"])
            except UnavailableError as error:
                refused = refused or error
            else:
                return environments.python_version(self._interpreter, "litellm")
        raise refused or UnavailableError("there is no version to try")

    def launch(self, folder: Path, upstream: Upstream) -> Launch:
        """One uvicorn worker."""
        port, key = free_port(), fresh_key()
        (folder / "litellm.yaml").write_text(_CONFIGURATION.format(base_url=upstream.base_url, key=key))
        program = self._interpreter.with_name("litellm")
        where = ("--host", "127.0.0.1", "--port", str(port), "--num_workers", "1")
        return Launch(
            command=(str(program), "--config", "litellm.yaml", *where),
            dialogue=Dialogue(headers={"authorization": f"Bearer {key}"}, events=102),
            variables=_VARIABLES,
            port=port,
        )
