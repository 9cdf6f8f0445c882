"""What a stack is to the benchmark: something to prepare, to start, and to talk to."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench.upstream import Upstream


@dataclass(frozen=True, kw_only=True)
class Dialogue:
    """How a stack is spoken to, and what a good answer of it looks like."""

    target: str = "/v1/chat/completions"
    model: str = "bench"
    headers: Mapping[str, str] = field(default_factory=dict)
    body_bytes: int = 0
    """Exact length of the reply; 0 where the gateway writes the reply anew."""
    events: int = 0
    """Exact number of events in a stream."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """How a stack is started for one turn."""

    command: Sequence[str]
    dialogue: Dialogue
    variables: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    """Where it will listen; 0 when it chooses by itself and prints a line `ports N`."""


class Stack(Protocol):
    """One row of the table; each is a file of this folder."""

    name: str
    title: str
    policy: str
    """One plain sentence: the work it does on a call, and the work it does not."""
    has_policy: bool
    """Whether it does a gateway's work for models, so that it is a peer and not a plain proxy."""
    patience: float
    """Seconds it may take to its first good answer."""

    def prepare(self, work: Path) -> str:
        """Install it in an environment of its own and return its version; raise `UnavailableError`."""

    def launch(self, folder: Path, upstream: Upstream) -> Launch:
        """Write its configuration into `folder` and say how to start it."""


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A stack with the version that was found."""

    stack: Stack
    version: str


def fresh_key() -> str:
    """A credential for one turn, strong enough for stacks that look."""
    return "sk-" + secrets.token_hex(24)


Say = Callable[[str], None]
