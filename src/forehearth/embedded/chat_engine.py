"""The chat engine: llama.cpp within this process, by way of xllamacpp, which is imported when a model is first loaded.

After that the process must not fork: a child hangs. The engine brings an HTTP server of its own; it is shut away on a
Unix socket in a folder that only this user can enter, behind a key that nobody is told.
"""

import contextlib
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec

from forehearth.embedded.generation import Operation, Tell
from forehearth.embedded.gguf import ModelUnusable

PROMPT_BATCH: Final = 64
"""Tokens of a prompt that are read at a stretch: a call can be stopped between two of them."""

_LONGEST_SOCKET: Final = 100
_QUIET: Final = -1


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a chat model is run."""

    threads: int
    """Processor threads that compute. As many as there are cores is a trap: under any other load it collapses."""
    slots: int
    """Calls at once."""
    context_tokens: int
    """Of each call, prompt and answer together."""
    compact_cache: bool = False
    """Keep what was read in 8 bits a value instead of 16: half the memory."""


class LlamaEngine:
    """A GGUF model in memory."""

    def __init__(self, path: Path, settings: EngineSettings) -> None:
        """Load the model, which takes a while. Raises `ModelUnusable`."""
        import xllamacpp  # noqa: PLC0415 - only a process that runs a model pays for it

        self._folder = tempfile.mkdtemp(prefix="fh-")
        try:
            self._server: Any = xllamacpp.Server(self._parameters(xllamacpp, path, settings))
        except (RuntimeError, ValueError) as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise ModelUnusable(f"The model file {path.name} could not be loaded by the engine.") from error

    def _parameters(self, xllamacpp: Any, path: Path, settings: EngineSettings) -> Any:
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(path)
        parameters.n_parallel = settings.slots
        parameters.n_ctx = settings.slots * settings.context_tokens
        parameters.n_batch = parameters.n_ubatch = PROMPT_BATCH
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = settings.threads
        parameters.cache_ram_mib = 0
        parameters.n_ctx_checkpoints = 0
        parameters.force_pure_content_parser = True
        parameters.prefill_assistant = False
        parameters.verbosity = _QUIET
        if settings.compact_cache:
            parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_Q8_0
        socket = os.path.join(self._folder, "engine.sock")  # noqa: PTH118 - a string for the engine
        parameters.hostnames = [socket if len(socket) < _LONGEST_SOCKET else "127.0.0.1"]
        parameters.api_keys = [secrets.token_hex()]
        parameters.n_threads_http = 1
        parameters.ui = parameters.endpoint_slots = False
        return parameters

    def run(self, operation: Operation, body: bytes, tell: Tell) -> None:
        """See `generation.Engine`."""
        call = self._server.handle_chat_completions if operation == "chat" else self._server.handle_completions
        call(body, tell)

    def close(self) -> None:
        """See `generation.Engine`."""
        self._server = None
        with contextlib.suppress(OSError):
            shutil.rmtree(self._folder)
