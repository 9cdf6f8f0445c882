"""Foundry Models inference: `/models/*`, and the same operations at the root for a base URL given as the host.

Without api-version a call is served as 2024-05-01-preview. Members of the body that the API does not define are
refused unless the header `extra-parameters` says `drop` or `pass-through`. A body without `model` asks for the route
or deployment named `default`.
"""

from collections.abc import Set as AbstractSet
from typing import cast

import msgspec

from forehearth.core.call import Call, Operation
from forehearth.core.endpoint import Endpoint
from forehearth.core.errors import (
    DeploymentNotFound,
    ForehearthError,
    InvalidField,
    MalformedBody,
    OperationNotSupported,
    UnknownField,
    VersionNotServed,
)
from forehearth.core.exchange import Head, Reply
from forehearth.core.permission import Permission
from forehearth.core.trace import Trace
from forehearth.dialects import json_members
from forehearth.ports.surface import Asked, Entry
from forehearth.routing.deployment import Deployment
from forehearth.routing.directory import Directory
from forehearth.wire import bodies, paths
from forehearth.wire.envelope import JSON, foundry_error
from forehearth.wire.verdict import verdict

PREFIX = b"/models"
_CALLS = {
    path.encode(): Asked(
        endpoint=Endpoint(method="POST", path=f"/models{path}", permission=permission, name=operation.value),
        operation=operation,
    )
    for path, operation, permission in (
        ("/chat/completions", Operation.CHAT, Permission.MODELS_CHAT),
        ("/embeddings", Operation.EMBEDDINGS, Permission.MODELS_EMBEDDINGS),
    )
}
_IMAGES = Asked(
    endpoint=Endpoint(
        method="POST",
        path="/models/images/embeddings",
        permission=Permission.MODELS_EMBEDDINGS,
        name="images_embeddings",
    )
)
_INFO, _INDEX = (
    Asked(endpoint=Endpoint(method="GET", path=f"/models/{name}", permission=Permission.MODELS_INFO, name=said))
    for name, said in (("info", "info"), ("", "index"))
)
_ALL = (*_CALLS.values(), _IMAGES, _INFO, _INDEX)
_OPERATIONS = tuple(f"{asked.endpoint.method} {asked.endpoint.path}" for asked in _ALL)
ROOT_PATHS = frozenset({*_CALLS, b"/images/embeddings", b"/info"})
"""Served without the prefix too."""
_DEFINED = {
    # ChatCompletionsOptions and EmbeddingsOptions of 2024-05-01-preview and 2025-05-15-preview together.
    Operation.CHAT: frozenset(
        {
            "messages",
            "model",
            "frequency_penalty",
            "presence_penalty",
            "temperature",
            "top_p",
            "max_tokens",
            "seed",
            "stop",
            "stream",
            "tools",
            "tool_choice",
            "response_format",
            "modalities",
            "user_security_context",
        }
    ),
    Operation.EMBEDDINGS: frozenset(["input", "model", "dimensions", "encoding_format", "input_type"]),
}
_EXTRA = frozenset({"error", "drop", "pass-through"})
_DEFAULT = "default"
_raw_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class FoundryModels:
    """The surface of `azure-ai-inference` and of Microsoft's integration page."""

    name = "foundry_models"
    keys = True
    endpoints = tuple(asked.endpoint for asked in _ALL)

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def find(self, head: Head) -> Asked:
        """See `ports.surface`."""
        path = head.raw_path.removeprefix(PREFIX)
        asked = _CALLS.get(path)
        if asked is not None:
            paths.require_post(head)
            _check_version(head)
            return asked
        if path == b"/info":
            paths.require_get(head)
            _check_version(head)
            return _INFO
        if path == b"/images/embeddings":
            paths.require_post(head)
            return _IMAGES
        if path in (b"", b"/") and head.method in (b"GET", b"HEAD"):
            return _INDEX
        raise paths.not_found(_OPERATIONS, head.method.decode(), head.raw_path)

    def page(self, entry: Entry) -> bytes:
        """See `ports.surface`."""
        if entry.asked is _IMAGES:
            raise OperationNotSupported("No such model: none of the deployments here embeds images.", param="model")
        if entry.asked is _INDEX:
            return msgspec.json.encode({"object": "list", "operations": _OPERATIONS})
        return self._info(entry)

    def read(self, entry: Entry, body: bytes) -> Call:
        """See `ports.surface`."""
        default = _DEFAULT if _DEFAULT in self._directory.named(entry.principal) else None
        call = bodies.read(entry, body, surface=self.name, default=default)
        extra = _keys(body) - _DEFINED[call.operation]
        if not extra:
            return call
        wish = entry.head.headers.get(b"extra-parameters", b"error").decode("latin-1").strip().lower()
        if wish not in _EXTRA:
            raise InvalidField(
                "The header 'extra-parameters' is error, drop or pass-through.", param="extra-parameters"
            )
        if wish == "pass-through":
            return call
        if wish == "drop":
            return msgspec.structs.replace(call, body=json_members.remove(body, extra))
        names = ", ".join(sorted(extra)[:20])
        raise UnknownField(
            f"Extra parameters [{names}] are not allowed when extra-parameters is not set or set to be 'error'. "
            "Set extra-parameters to 'pass-through' to pass to the model.",
            param=min(extra),
        )

    def render(self, call: Call, reply: Reply) -> Reply:
        """Give embeddings the `id` that this API requires and OpenAI-shaped hosts do not send."""
        if call.operation is not Operation.EMBEDDINGS or "id" in _keys(reply.body):
            return reply
        body = json_members.insert_first(reply.body, "id", msgspec.json.encode(call.request_id))
        return msgspec.structs.replace(reply, body=body)

    def refuse(self, error: ForehearthError, trace: Trace) -> Reply:
        """Say it flat, as documented, and as Azure Core's error object, as the SDK reads it."""
        said = verdict(error)
        detail = {"loc": ["body", said.param]} if said.param else None
        headers = [JSON, (b"x-ms-error-code", said.code.encode("latin-1", "replace")), *trace.headers(), *said.headers]
        return Reply(status=said.status, headers=headers, body=foundry_error(said, detail=detail))

    def _info(self, entry: Entry) -> bytes:
        head = entry.head
        asked = paths.parameter(head, b"model") or head.headers.get(b"azureml-model-deployment", b"").decode("latin-1")
        named = self._directory.named(entry.principal)
        found = named.get(asked or _DEFAULT) or (next(iter(named.values()), None) if not asked else None)
        if found is None:
            raise DeploymentNotFound(
                f"The model '{asked}' does not exist: no deployment or route has that name."
                if asked
                else "No model is deployed here.",
                param="model",
            )
        return msgspec.json.encode(_info_of(found))


def _check_version(head: Head) -> None:
    version = paths.parameter(head, b"api-version")
    if version is not None and not paths.is_dated(version):
        raise VersionNotServed(
            "API version not supported: 'api-version' has the form 2024-05-01-preview.", param="api-version"
        )


def _keys(body: bytes) -> AbstractSet[str]:
    """The keys of an object that is known to be JSON."""
    try:
        return _raw_members.decode(body).keys()
    except UnicodeDecodeError as error:
        raise MalformedBody("The body is not valid JSON: a key is not valid UTF-8.") from error


def _info_of(deployment: Deployment) -> dict[str, str]:
    facts = deployment.facts
    return {
        "model_name": facts.name or deployment.name,
        "model_type": "text_generation" if facts.type == "completion" else cast("str", facts.type),
        "model_provider_name": facts.publisher or "unknown",
    }
