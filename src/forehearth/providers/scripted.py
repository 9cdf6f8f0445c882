"""A model host that answers by script, inside the gateway: for tests, and for other people's CI."""

from typing import Annotated, Literal

import msgspec

from forehearth.core.call import MEDIA, Call
from forehearth.core.errors import NotSupported
from forehearth.core.settings import ProviderSettings
from forehearth.core.settings_types import Seconds, Values
from forehearth.core.upstream import Origin, Request, Timeouts
from forehearth.providers.body import JSON_HEADERS, OPERATION_PATHS, named
from forehearth.providers.scripted_rules import Pace, Rule, Wait

LARGEST_VECTOR = 16_384


class ScriptedConnection(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the gateway waits for this backend: the same keys as for a real host."""

    first_byte_seconds: Seconds = 120.0
    """Seconds from the request to the first byte of the response."""
    idle_seconds: Seconds = 60.0
    """Seconds between two pieces of a response's body."""
    total_seconds: Seconds = 600.0
    """Seconds for the whole call, streams included."""


class ScriptedSettings(ProviderSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answers, delays and faults by rule. Without rules every call is answered with its own last message."""

    rules: tuple[Rule, ...] = ()
    """The first one that fits a call decides what happens to it; a call that none fits is echoed."""
    seed: int = 0
    """Chooses the calls that a `chance` hits: the same seed, the same fates."""
    chance_by: Literal["question", "call"] = "question"
    """What a call's fate hangs on besides the seed. `question`: model and messages, and how often they were asked
    before, whatever else is asked at the same time. `call`: the call's number, for prompts that differ at each run."""
    delay: Wait = 0.0
    """Seconds before the first byte of an answer."""
    tokens_per_second: Pace | None = None
    """How fast answers come; at once, when not given."""
    dimensions: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_VECTOR)] = 1536
    """Length of an embedding, where the call does not ask for another."""
    connection: ScriptedConnection = ScriptedConnection()
    """How long the gateway waits for it."""


class Scripted:
    """Makes requests that a `scripted` sender answers; nothing leaves the process."""

    def __init__(self, name: str, settings: ScriptedSettings) -> None:
        self.name = name
        self._origin = Origin(scheme="scripted", host=name)
        self._timeouts = Timeouts(
            first_byte=settings.connection.first_byte_seconds,
            idle=settings.connection.idle_seconds,
            total=settings.connection.total_seconds,
        )

    def request(self, call: Call, model: str) -> Request:
        """The call in the OpenAI dialect, with `model` in its body. Raises `NotSupported` for sound and pictures."""
        if call.operation in MEDIA:
            raise NotSupported("A backend that answers by script has no sound and no pictures.", param="model")
        return Request(
            origin=self._origin,
            target=b"/v1" + OPERATION_PATHS[call.operation].encode(),
            headers=(*JSON_HEADERS, *call.forward.items()),
            body=named(call, model),
            timeouts=self._timeouts,
        )
