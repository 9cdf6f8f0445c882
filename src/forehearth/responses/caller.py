"""Who asks for a response, and by which way."""

import re
from collections.abc import Mapping
from typing import Final, Literal, Self

import msgspec

from forehearth.core.call import Call, Operation
from forehearth.core.place import Place
from forehearth.core.principal import Principal
from forehearth.core.record import CallRecord
from forehearth.dialects.responses.asked import Question

_KEPT_HEADER: Final = re.compile(
    rb"x-(?!.*(auth|cookie|credential|key|password|secret|session|signature|token))[a-z0-9-]+"
)
"""Headers that rules of the configuration look at, and in whose names nothing hints at a credential."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """The request behind a response. See `core.call` for what its members are."""

    place: Place
    principal: Principal
    request_id: str
    surface: str
    started: float
    """When its head arrived, on the monotonic clock."""
    headers: Mapping[bytes, bytes] = {}
    forward: Mapping[bytes, bytes] = {}
    record: CallRecord = msgspec.field(default_factory=CallRecord)

    def call(self, question: Question, body: bytes, passed: bytes | None = None) -> Call:
        """The call of chat completions with that `body`, which asks the `question`.

        `passed` is the same question for hosts that have this API; they alone can be asked one that is read loosely.
        """
        asked = question.body
        call = self.ask(
            asked.model, body, asked_as="responses", stream=bool(asked.stream), output=asked.max_output_tokens
        )
        truncation: Literal["auto", "disabled"] = "auto" if asked.truncation == "auto" else "disabled"
        return msgspec.structs.replace(call, responses=passed, only_responses=question.loose, truncation=truncation)

    def ask(self, model: str | None, body: bytes, *, asked_as: str, stream: bool, output: int | None) -> Call:
        """The call of chat completions with that `body`, made for what was `asked_as`; `output` is its bound."""
        return Call(
            request_id=self.request_id,
            surface=self.surface,
            operation=Operation.CHAT,
            asked_as=asked_as,
            project=self.place.project,
            name=model or "",
            body=body,
            model_in_body=model,
            has_model_member=True,
            stream=stream,
            usage_asked=True if stream else None,
            output=output,
            output_members=() if output is None else ("max_completion_tokens",),
            principal=self.principal,
            forward=self.forward,
            headers=self.headers,
            started=self.started,
            record=self.record,
        )


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a caller for as long as its response waits: who it is, and never what it showed for that."""

    name: str
    kind: Literal["key", "user", "application"]
    id: str
    tenant: str
    deployments: frozenset[str] | None
    product: str
    request_id: str
    surface: str
    headers: dict[str, str]
    forward: dict[str, str]

    @classmethod
    def of(cls, caller: Caller) -> Self:
        """Of the request that asked for the response."""
        principal = caller.principal
        return cls(
            name=principal.name,
            kind=principal.kind,
            id=principal.id,
            tenant=principal.tenant,
            deployments=principal.deployments,
            product=principal.product,
            request_id=caller.request_id,
            surface=caller.surface,
            headers=_texts({name: its for name, its in caller.headers.items() if _KEPT_HEADER.fullmatch(name)}),
            forward=_texts(caller.forward),
        )

    def caller(self, place: Place, *, attempt: int, started: float) -> Caller:
        """The same one, for an attempt at its response.

        Each attempt has an id of its own in the ledger; the first has the one that the caller was told.
        """
        principal = Principal(
            name=self.name,
            kind=self.kind,
            id=self.id,
            tenant=self.tenant,
            deployments=self.deployments,
            product=self.product,
        )
        return Caller(
            place=place,
            principal=principal,
            request_id=self.request_id if attempt == 1 else f"{self.request_id}-{attempt}",
            surface=self.surface,
            started=started,
            headers=_bytes(self.headers),
            forward=_bytes(self.forward),
        )


def _texts(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}


def _bytes(headers: Mapping[str, str]) -> dict[bytes, bytes]:
    return {name.encode("latin-1"): value.encode("latin-1") for name, value in headers.items()}
