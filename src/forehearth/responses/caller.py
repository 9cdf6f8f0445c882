"""Who asks for a response, and by which way."""

from collections.abc import Mapping

import msgspec

from forehearth.core.call import Call, Operation
from forehearth.core.place import Place
from forehearth.core.principal import Principal
from forehearth.core.record import CallRecord
from forehearth.dialects.responses.asked import Question


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

    def call(self, question: Question, body: bytes) -> Call:
        """The call of chat completions with that `body`, which asks the `question`."""
        asked = question.body
        bound = asked.max_output_tokens
        return Call(
            request_id=self.request_id,
            surface=self.surface,
            operation=Operation.CHAT,
            project=self.place.project,
            name=asked.model or "",
            body=body,
            model_in_body=asked.model,
            has_model_member=True,
            stream=bool(asked.stream),
            usage_asked=True if asked.stream else None,
            output=bound,
            output_members=() if bound is None else ("max_completion_tokens",),
            principal=self.principal,
            forward=self.forward,
            headers=self.headers,
            started=self.started,
            record=self.record,
        )
