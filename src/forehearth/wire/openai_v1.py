"""OpenAI v1: `/openai/v1/*`. The body's `model` is the deployment; no api-version is needed.

Also served, because clients in the wild use it: a deployment path under v1,
`/openai/v1/deployments/{d}/chat/completions?api-version=preview`. Projects have the same surface below their own paths.
"""

from collections.abc import Sequence

import msgspec

from forehearth.core.call import Call, Operation
from forehearth.core.endpoint import Endpoint
from forehearth.core.errors import DeploymentNotFound, ForehearthError, MethodNotAllowed, VersionNotServed
from forehearth.core.exchange import Head, Reply
from forehearth.core.permission import Permission
from forehearth.core.trace import Trace
from forehearth.ports.surface import Asked, Entry
from forehearth.routing.deployment import Deployment
from forehearth.routing.directory import Directory
from forehearth.wire import bodies, paths
from forehearth.wire.envelope import JSON, openai_error
from forehearth.wire.table import Row, Table
from forehearth.wire.verdict import verdict

PREFIX = b"/openai/v1"
OPERATIONS = {
    b"/chat/completions": (Operation.CHAT, Permission.CHAT),
    b"/completions": (Operation.COMPLETIONS, Permission.COMPLETIONS),
    b"/embeddings": (Operation.EMBEDDINGS, Permission.EMBEDDINGS),
}
_LATER = frozenset(
    {b"responses", b"uploads", b"batches", b"vector_stores", b"evals"}
    | {b"fine_tuning", b"containers", b"realtime", b"videos"}
)
NOT_YET = frozenset({b"/responses/compact"})
"""What is posted to paths that look as if they named one of the things that there are."""
_TEXT_MODELS = frozenset({"chat_completion", "completion"})
_MEDIA_MODELS = frozenset({"audio_transcription", "audio_generation", "image_generation"})
VERSIONS = ("v1", "preview", "latest")
"""What an api-version may be besides a date."""


class OpenAIV1:
    """The surface that today's SDKs are pointed at. `base` is where it is: a project has one of its own."""

    name = "openai_v1"

    def __init__(
        self, directory: Directory, rows: Sequence[Row] = (), *, base: str = PREFIX.decode(), keys: bool = True
    ) -> None:
        self._directory = directory
        self.keys = keys
        self._table = Table(rows, base=base, keys=keys)
        self._calls = {
            path: Asked(
                endpoint=Endpoint(
                    method="POST", path=base + path.decode(), permission=permission, name=operation.value, keys=keys
                ),
                operation=operation,
            )
            for path, (operation, permission) in OPERATIONS.items()
        }
        self._deployment_calls = {
            path: msgspec.structs.replace(
                asked,
                endpoint=msgspec.structs.replace(
                    asked.endpoint, path=f"{base}/deployments/{{deployment}}{path.decode()}"
                ),
            )
            for path, asked in self._calls.items()
        }
        self._list, self._get, self._index = (
            Asked(endpoint=Endpoint(method="GET", path=base + path, permission=permission, name=name, keys=keys))
            for path, permission, name in (
                ("/models", Permission.READ_MODELS, "models_list"),
                ("/models/{id}", Permission.READ_MODELS, "models_get"),
                ("/", Permission.READ_MODELS, "index"),
            )
        )
        pages = (self._list, self._get, self._index)
        asked = (*self._calls.values(), *self._deployment_calls.values(), *pages)
        self.endpoints = (*(each.endpoint for each in asked), *self._table.endpoints)
        self._operations = tuple(f"{each.method} {each.path}" for each in self.endpoints)

    def find(self, head: Head) -> Asked:
        """See `ports.surface`."""
        return self.find_below(head, head.raw_path[len(PREFIX) :])

    def find_below(self, head: Head, path: bytes) -> Asked:
        """The same for a `path` from which the base was taken."""
        asked = self._calls.get(path) if head.method == b"POST" else None
        if asked is not None:
            paths.require_post(head)
            self._check_version(head)
            return asked
        if path.startswith(b"/deployments/"):
            return self._deployment_path(head, path)
        self._check_version(head)
        if path in NOT_YET and head.method == b"POST":
            raise paths.not_yet(path[1:].decode())
        done = self._done(head, path)
        if done is not None:
            return done
        if path in self._calls:
            paths.require_post(head)
        if path == b"/models":
            paths.require_get(head)
            return self._list
        if path.startswith(b"/models/"):
            paths.require_get(head)
            return msgspec.structs.replace(self._get, subject=paths.segment(path[len(b"/models/") :]))
        if path in (b"", b"/") and head.method in (b"GET", b"HEAD"):
            return self._index
        family = path[1:].partition(b"/")[0]
        raise (
            paths.not_yet(family.decode())
            if family in _LATER
            else paths.not_found(self._operations, head.method.decode(), head.raw_path)
        )

    def _done(self, head: Head, path: bytes) -> Asked | None:
        """What the table has there. A path of calls takes POST besides."""
        try:
            return self._table.find(head, path)
        except MethodNotAllowed as refused:
            if path not in self._calls:
                raise
            allowed = tuple(sorted({*refused.allowed, "POST"}))
            raise MethodNotAllowed(f"This path takes {' and '.join(allowed)}.", allowed=allowed) from None

    def page(self, entry: Entry) -> bytes:
        """See `ports.surface`."""
        name = entry.asked.subject
        models = self._directory.named(entry.principal)
        created = self._directory.created
        if entry.asked.endpoint is self._index.endpoint:
            return msgspec.json.encode({"object": "list", "operations": self._operations})
        if not name:
            listed = [_model(each, deployment, created) for each, deployment in models.items()]
            return msgspec.json.encode({"object": "list", "data": listed})
        if name not in models:
            raise DeploymentNotFound(f"The model '{name}' does not exist: no deployment or route has that name.")
        return msgspec.json.encode(_model(name, models[name], created))

    def read(self, entry: Entry, body: bytes) -> Call:
        """See `ports.surface`."""
        return bodies.read(entry, body, surface=self.name, stores=True)

    def render(self, call: Call, reply: Reply) -> Reply:  # noqa: ARG002 - the port's shape; here nothing needs changing
        """See `ports.surface`."""
        return reply

    def refuse(self, error: ForehearthError, trace: Trace) -> Reply:
        """Say it as `AzureErrorResponse` of the v1 specification."""
        said = verdict(error)
        headers = [JSON, *trace.headers(), *said.headers]
        return Reply(status=said.status, headers=headers, body=openai_error(said))

    def _check_version(self, head: Head) -> None:
        version = paths.parameter(head, b"api-version")
        if version is not None and version not in VERSIONS and not paths.is_dated(version):
            raise VersionNotServed(
                "API version not supported: leave 'api-version' out, or write v1 or preview.", param="api-version"
            )

    def _deployment_path(self, head: Head, path: bytes) -> Asked:
        raw_name, _, rest = path[len(b"/deployments/") :].partition(b"/")
        asked = self._deployment_calls.get(b"/" + rest)
        if asked is None:
            self._check_version(head)
            done = self._table.find(head, path)
            if done is None:
                raise paths.not_found(self._operations, head.method.decode(), head.raw_path)
            return done
        paths.require_post(head)
        self._check_version(head)
        return msgspec.structs.replace(asked, deployment=paths.segment(raw_name))


def _model(name: str, deployment: Deployment, created: int) -> dict[str, object]:
    """A model as v1 shows it: OpenAI's members, and the capabilities that Azure adds."""
    facts = deployment.facts
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": facts.publisher or "forehearth",
        "capabilities": capabilities(deployment),
        "lifecycle_status": "generally-available",
        "status": "succeeded",
    }


def capabilities(deployment: Deployment) -> dict[str, bool]:
    """What a deployment can be asked for, in the words of Azure's model lists, which have none for sound."""
    kind = deployment.facts.type
    return {
        "fine_tune": False,
        "inference": True,
        "completion": kind in _TEXT_MODELS,
        "chat_completion": kind == "chat_completion",
        "embeddings": kind == "embeddings",
        **({kind: True} if kind in _MEDIA_MODELS else {}),
    }
