"""One call to a model, after its surface was recognised and its body parsed, once."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal

import msgspec

from forehearth.core.form import Form
from forehearth.core.principal import Principal
from forehearth.core.record import CallRecord


class Operation(StrEnum):
    """What is asked of a model."""

    CHAT = "chat_completions"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    TRANSCRIPTIONS = "audio_transcriptions"
    TRANSLATIONS = "audio_translations"
    SPEECH = "audio_speech"
    IMAGES = "images_generations"
    IMAGE_EDITS = "images_edits"


MEDIA: Final = frozenset(
    {
        Operation.TRANSCRIPTIONS,
        Operation.TRANSLATIONS,
        Operation.SPEECH,
        Operation.IMAGES,
        Operation.IMAGE_EDITS,
    }
)
"""Those whose answers may be sound or pictures: they pass as they come, whatever they are."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked. The raw body is kept, so that what nobody here knows still reaches the backend."""

    request_id: str
    surface: str
    """Which surface it came in by: `foundry_models`, `openai_v1`, `azure_deployments` or `projects`."""
    operation: Operation
    asked_as: str = ""
    """What the caller asked for, where that is another operation, answered by this one: `responses` or `runs`."""
    name: str
    """The deployment or route asked for, by path or by the body's `model`."""
    body: bytes
    """The body as the client sent it, but for members that its surface told us to drop. Empty where it is a form."""
    form: Form | None = None
    """The body, where it is an uploaded form; None where it is JSON."""
    model_in_body: str | None = None
    """The body's own `model`; on a classic path it decides nothing."""
    has_model_member: bool = False
    """Whether the body has such a member at all, if only null."""
    stream: bool = False
    usage_asked: bool | None = None
    """Whether the body asks for usage at the end of the stream; None where it has no `stream_options` at all."""
    output: int | None = None
    """The longest answer that the body asks for, in tokens, of each choice; None where it sets no bound."""
    output_members: tuple[str, ...] = ()
    """The members in which it could, and which it has, if only null."""
    choices: int = 1
    """How many answers it asks for; 0 where the operation has none (embeddings, media)."""
    responses: bytes | None = None
    """The same question as a body of the Responses API, for backends that have it; None where it is no such one."""
    only_responses: bool = False
    """Whether it can be asked in no other way: then `body` is that body, too."""
    truncation: Literal["", "auto", "disabled"] = ""
    """What becomes of a conversation that is too long for its model: made shorter, or refused; empty where nobody said
    anything of that, and its host decides."""
    keep: Mapping[str, str] | None = None
    """Where the answer is to be stored, the metadata it is stored with; None where it is not."""
    project: str = ""
    """The project whose path it came in by; empty on the resource's own paths."""
    principal: Principal
    forward: Mapping[bytes, bytes] = {}
    """Request headers that are handed on to backends: named ones only, never a credential."""
    headers: Mapping[bytes, bytes] = {}
    """All headers as they came, for rules that look at one. Credentials are among them: never kept, told or sent on."""
    started: float
    """When the head arrived, on the monotonic clock."""
    record: CallRecord = msgspec.field(default_factory=CallRecord)
    """What becomes of it; shared by every copy that a policy makes of the call."""
