"""What each endpoint of the surfaces reads and answers, by its name: what their OpenAPI documents are made of.

An endpoint that is not here is described by its method alone: an object in, an object out.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from forehearth.core.endpoint import Endpoint
from forehearth.wire.summaries import names
from forehearth.wire.table import BODIES

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
FORM: Final = "multipart/form-data"
BYTES: Final = "application/octet-stream"


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What goes in and out. Schemas are named as in `description_schemas`."""

    query: tuple[str, ...] = ()
    """Parameters besides `api-version`."""
    headers: tuple[str, ...] = ()
    reads: str | None = None
    """None where there is no body."""
    needs_body: bool = True
    media: str = JSON
    answers: str | None = "AnyObject"
    """None where the answer has no body."""
    status: int = 200
    answers_media: str = JSON
    reads_json: str | None = None
    """The schema of JSON that it reads as well, where its body is mostly something else."""
    answers_also: tuple[str, ...] = ()
    """Media types that it may answer in as well: texts, or bytes where they are sounds."""
    streams: bool = False
    """Whether it answers in events where it is asked to."""
    asks_models: bool = False
    """Whether a model's host may refuse it, too."""


_LISTED: Final = ("limit", "order", "after")
_PAGED: Final = (*_LISTED, "before")


def _get(answers: str, *query: str) -> Described:
    return Described(answers=answers, query=query)


_CONVERSATION: Final = Described(reads="NewConversation", needs_body=False, answers="Conversation")
_GONE: Final = Described(answers=None, status=204)
_DELETED: Final = Described(answers="Deleted")
_HEARD: Final = Described(
    reads="AnyObject", media=FORM, answers="Transcript", answers_also=("text/plain", "text/vtt"), asks_models=True
)
_ASSETS: Final = {
    f"{family}_{name}": described
    for family in ("indexes", "datasets")
    for name, described in (
        ("list", _get("AssetVersionPage", "skipToken")),
        ("list_versions", _get("AssetVersionPage", "skipToken")),
        ("get", _get("AssetVersion")),
        ("create_or_update", Described(reads="AssetPatch", media=MERGE_PATCH, answers="AssetVersion")),
        ("delete", _GONE),
    )
}
_CLASSIC: Final = {
    **{
        f"{family}_{name}": described
        for family in ("assistants", "threads", "messages")
        for name, described in (
            ("create", Described(reads="AnyObject", needs_body=False, answers="Identified")),
            ("get", _get("Identified")),
            ("update", Described(reads="AnyObject", needs_body=False, answers="Identified")),
            ("delete", _DELETED),
        )
    },
    "assistants_list": _get("IdentifiedList", *_PAGED),
    "project_threads_list": _get("IdentifiedList", *_PAGED),
    "messages_list": _get("IdentifiedList", "run_id", *_PAGED),
    **{
        f"runs_{name}": Described(
            reads="AnyObject", needs_body=False, answers="Identified", streams=True, asks_models=True
        )
        for name in ("create", "create_with_thread", "submit")
    },
    "runs_list": _get("IdentifiedList", *_PAGED),
    "runs_get": _get("Identified"),
    "runs_update": Described(reads="AnyObject", needs_body=False, answers="Identified"),
    "runs_cancel": Described(reads="AnyObject", needs_body=False, answers="Identified"),
    "run_steps_list": _get("IdentifiedList", *_PAGED, "include"),
    "run_steps_get": _get("Identified", "include"),
}
DESCRIBED: Final[Mapping[str, Described]] = {
    "chat_completions": Described(reads="ChatRequest", answers="ChatCompletion", streams=True, asks_models=True),
    "completions": Described(reads="CompletionRequest", answers="Completion", streams=True, asks_models=True),
    "embeddings": Described(reads="EmbeddingRequest", answers="EmbeddingList", asks_models=True),
    "audio_transcriptions": msgspec.structs.replace(_HEARD, reads="NewTranscription", streams=True),
    "audio_translations": msgspec.structs.replace(_HEARD, reads="NewTranslation"),
    "audio_speech": Described(
        reads="SpeechRequest",
        answers=BYTES,
        answers_media=BYTES,
        answers_also=("audio/mpeg", "audio/opus", "audio/aac", "audio/flac", "audio/wav", "audio/pcm"),
        streams=True,
        asks_models=True,
    ),
    "images_generations": Described(reads="PicturesRequest", answers="Pictures", streams=True, asks_models=True),
    "images_edits": Described(
        reads="NewEdit", media=FORM, reads_json="EditRequest", answers="Pictures", streams=True, asks_models=True
    ),
    "images_embeddings": Described(reads="AnyObject", needs_body=False),
    "info": Described(answers="ModelInfo", query=("model",), headers=("azureml-model-deployment",)),
    "index": _get("Operations"),
    "project_index": _get("Operations"),
    "models_list": _get("IdentifiedList"),
    "models_get": _get("Identified"),
    "deployments_list": _get("IdentifiedList"),
    "deployments_get": _get("Identified"),
    "project_deployments_list": _get("NamedPage", "modelName", "modelPublisher", "deploymentType", "maxpagesize"),
    "project_deployments_get": _get("Named"),
    "responses_create": Described(reads="ResponseRequest", answers="Response", streams=True, asks_models=True),
    "responses_count": Described(reads="AnyObject", answers="TokenCount", asks_models=True),
    "responses_get": Described(answers="Response", query=("stream", "starting_after"), streams=True),
    "responses_delete": _DELETED,
    "responses_cancel": Described(reads="AnyObject", needs_body=False, answers="Response"),
    "responses_input_items": _get("ItemList", *_PAGED),
    "conversations_create": _CONVERSATION,
    "conversations_get": _get("Conversation"),
    "conversations_update": Described(reads="Metadata", answers="Conversation"),
    "conversations_delete": _DELETED,
    "conversation_items_create": Described(reads="NewItems", answers="ItemList", query=("include",)),
    "conversation_items_list": _get("ItemList", *_LISTED, "include"),
    "conversation_items_get": _get("Item", "include"),
    "conversation_items_delete": _get("Conversation"),
    "stored_completions_list": _get("IdentifiedList", "model", *_LISTED),
    "stored_completions_get": _get("Identified"),
    "stored_completions_update": Described(reads="Metadata", answers="Identified"),
    "stored_completions_delete": _DELETED,
    "stored_completions_messages": Described(answers="AnyObject", query=_LISTED),
    "files_list": _get("FileList", "purpose", *_LISTED),
    "files_create": Described(reads="NewFile", media=FORM, answers="File"),
    "files_get": _get("File"),
    "files_delete": _DELETED,
    "files_content": Described(answers=BYTES, answers_media=BYTES),
    "agents_list": _get("AgentList", "kind", *_PAGED),
    "agents_create": Described(reads="NewAgent", answers="Agent"),
    "agents_get": _get("Agent"),
    "agents_update": Described(reads="NewAgentVersion", answers="Agent"),
    "agents_delete": Described(answers="AnyObject"),
    "agents_enable": Described(answers=None, status=204),
    "agents_disable": Described(answers=None, status=204),
    "agent_versions_list": _get("AgentVersionList", *_PAGED),
    "agent_versions_create": Described(reads="NewAgentVersion", answers="AgentVersion"),
    "agent_versions_get": _get("AgentVersion"),
    "agent_versions_delete": Described(answers="AnyObject"),
    "connections_list": _get("NamedPage", "connectionType", "defaultConnection"),
    "connections_get": _get("Named"),
    "connections_get_with_credentials": _get("Named"),
    **_ASSETS,
    **_CLASSIC,
}


def described(endpoint: Endpoint) -> Described:
    """What it reads and answers."""
    found = next((DESCRIBED[each] for each in names(endpoint) if each in DESCRIBED), None)
    if found is not None:
        return found
    if endpoint.method.encode() in BODIES:
        return Described(reads="AnyObject", needs_body=False)
    return Described()
