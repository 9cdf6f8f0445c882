"""How AI functions are set: for the whole session in `default_conf`, for one call in a `Conf` of its own.

This file has the state of a session, and no other file of the package has any but `stats`: Fabric's surface has it so.
"""

import sys
from typing import Any, Final, Literal

import msgspec

from forehearth.accounting.tokens import output_member
from forehearth.core.enrichment_settings import JobDeployment
from forehearth.core.settings import ProviderSettings
from forehearth.functions.endpoints import host_of

_MOST_AT_ONCE: Final = 1_000
_SENTINELS: Final = ("NotGiven", "Omit")
"""What such a sentinel is called in the releases of the OpenAI library."""


class NotGiven:
    """The type of `NOT_GIVEN`: the host decides."""

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "NOT_GIVEN"


NOT_GIVEN: Final = NotGiven()


SUGGESTED: Final = "reasoning_effort"


class Suggested(str):
    """A default that is sent only to models whose name says that they take it, and to no host that refuses it."""

    __slots__ = ()


def _as_now(name: str) -> Any:
    """What the session says when the value is made."""
    return msgspec.field(default_factory=lambda: getattr(default_conf, name))


class Conf(msgspec.Struct, kw_only=True):
    """Settings of a call. What is not given is as `default_conf` has it at that moment."""

    model_deployment_name: str = _as_now("model_deployment_name")
    """The deployment that is asked for texts."""
    embedding_deployment_name: str = _as_now("embedding_deployment_name")
    """The deployment that is asked for vectors."""
    reasoning_effort: Any = _as_now("reasoning_effort")
    """How long a reasoning model may think: `minimal`, `low`, `medium`, `high`."""
    verbosity: Any = _as_now("verbosity")
    """How long answers are: `low`, `medium`, `high`."""
    temperature: Any = _as_now("temperature")
    """How much chance there is in answers."""
    top_p: Any = _as_now("top_p")
    """The share of likely tokens among which the model chooses."""
    seed: Any = _as_now("seed")
    """Hosts that take one give the same answer again, as far as they can."""
    timeout: float | None = _as_now("timeout")
    """Seconds after which a function raises `TimeoutError`."""
    concurrency: int = _as_now("concurrency")
    """Calls at the same time, at most. Fewer are made while the host asks for it."""
    api_type: Literal["responses", "chat_completions"] = _as_now("api_type")
    """Taken, and of no effect: what is asked is the same in both."""
    progress_bar_mode: Literal["basic", "stats", "disable"] = _as_now("progress_bar_mode")
    """What is shown while a function runs, where tqdm is installed."""
    client: Any = _as_now("client")
    """Who is asked, for this call alone: see `setup`."""
    max_output_tokens: int = _as_now("max_output_tokens")
    """The longest answer that is asked for."""
    patience: float = _as_now("patience")
    """Seconds without any answer after which the rows that are left are given up."""

    @property
    def max_concurrency(self) -> int:
        """What `concurrency` was called first."""
        return self.concurrency

    @max_concurrency.setter
    def max_concurrency(self, most: int) -> None:
        self.concurrency = most

    @property
    def use_progress_bar(self) -> bool:
        """What `progress_bar_mode` was before it had more modes than two."""
        return self.progress_bar_mode != "disable"

    @use_progress_bar.setter
    def use_progress_bar(self, shown: bool) -> None:
        self.progress_bar_mode = "basic" if shown else "disable"

    def options(self) -> dict[str, Any]:
        """The members of a request for text. Reasoning models take no temperature, and others no effort."""
        reasons = output_member(self.model_deployment_name) == "max_completion_tokens"
        wanted = {"seed": self.seed, "verbosity": self.verbosity, "reasoning_effort": self.reasoning_effort}
        if not reasons:
            wanted |= {"temperature": self.temperature, "top_p": self.top_p}
            if isinstance(self.reasoning_effort, Suggested):
                del wanted["reasoning_effort"]
        return {name: str(value) if isinstance(value, str) else value for name, value in wanted.items() if given(value)}

    def deployment(self, name: str) -> JobDeployment:
        """Whom to ask for this deployment."""
        client = session.client if self.client is None else self.client
        return JobDeployment(name=name, backend=None if client is None else host_of(client))

    def check(self) -> "Conf":
        """Raises `ValueError` for what cannot be."""
        if not 1 <= self.concurrency <= _MOST_AT_ONCE:
            raise ValueError(f"concurrency is 1 to {_MOST_AT_ONCE:,}, and not {self.concurrency}")
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                raise ValueError(f"{name} is one of {', '.join(words)}, and not {getattr(self, name)!r}")
        return self


_WORDS: Final = {"api_type": ("responses", "chat_completions"), "progress_bar_mode": ("basic", "stats", "disable")}


def given(value: Any) -> bool:
    """Whether a setting is one: None leaves it to the host, and so do the sentinels of the OpenAI library."""
    return value is not None and not isinstance(value, NotGiven) and type(value).__name__ not in _SENTINELS


class Session(msgspec.Struct):
    """What a notebook makes a client of the OpenAI library with, and the client that it then gave to `setup`."""

    api_version: str = "2025-04-01-preview"
    max_retries: int = sys.maxsize
    client: ProviderSettings | None = None


default_conf: Final = Conf(
    model_deployment_name="gpt-5-mini",
    embedding_deployment_name="text-embedding-ada-002",
    reasoning_effort=Suggested("low"),
    verbosity=NOT_GIVEN,
    temperature=NOT_GIVEN,
    top_p=NOT_GIVEN,
    seed=NOT_GIVEN,
    timeout=None,
    concurrency=200,
    api_type="responses",
    progress_bar_mode="basic",
    client=None,
    max_output_tokens=4_096,
    patience=600.0,
)
"""The settings of all calls that have none of their own. Change them by assignment."""

session: Final = Session()


def setup(client: Any = None) -> None:
    """Ask this host from now on: a client of the OpenAI library, or an `endpoint`; with None what the environment says.

    Raises `ValueError` for what is neither.
    """
    session.client = None if client is None else host_of(client)
