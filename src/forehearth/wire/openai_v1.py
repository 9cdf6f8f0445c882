"""OpenAI v1: `/openai/v1/*`. The body's `model` is the deployment; no api-version is needed.

Also served, because clients in the wild use it: a deployment path under v1,
`/openai/v1/deployments/{d}/chat/completions?api-version=preview`.
"""

import msgspec

from forehearth.core.call import Call, Operation
from forehearth.core.errors import DeploymentNotFound, ForehearthError, VersionNotServed
from forehearth.core.exchange import Head, Reply
from forehearth.core.trace import Trace
from forehearth.ports.surface import Entry, Page
from forehearth.routing.directory import Deployment, Directory
from forehearth.wire import bodies, paths
from forehearth.wire.envelope import JSON, openai_error
from forehearth.wire.verdict import verdict

PREFIX = b"/openai/v1"
_OPERATIONS = {
    b"/chat/completions": Operation.CHAT,
    b"/completions": Operation.COMPLETIONS,
    b"/embeddings": Operation.EMBEDDINGS,
}
_INDEX = (
    "POST /openai/v1/chat/completions",
    "POST /openai/v1/completions",
    "POST /openai/v1/embeddings",
    "GET /openai/v1/models",
    "GET /openai/v1/models/{id}",
)
_LATER = frozenset(
    {b"responses", b"conversations", b"images", b"audio", b"files", b"uploads", b"batches", b"vector_stores", b"evals"}
    | {b"fine_tuning", b"containers", b"realtime", b"videos"}
)
_VERSIONS = frozenset({"v1", "preview", "latest"})


class OpenAIV1:
    """The surface that today's SDKs are pointed at."""

    name = "openai_v1"

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def find(self, head: Head) -> Operation | tuple[Operation, str] | Page:
        """See `ports.surface`."""
        path = head.raw_path[len(PREFIX) :]
        operation = _OPERATIONS.get(path)
        if operation is not None:
            paths.require_post(head)
            self._check_version(head)
            return operation
        if path.startswith(b"/deployments/"):
            return self._deployment_path(head, path)
        self._check_version(head)
        if path == b"/models" or path.startswith(b"/models/"):
            paths.require_get(head)
            return self._models(path[len(b"/models") :])
        if path in (b"", b"/") and head.method in (b"GET", b"HEAD"):
            return Page(name="index", body=msgspec.json.encode({"object": "list", "operations": _INDEX}))
        family = path[1:].partition(b"/")[0]
        raise paths.not_yet(family.decode()) if family in _LATER else paths.not_found(_INDEX)

    def read(self, entry: Entry, body: bytes) -> Call:
        """See `ports.surface`."""
        return bodies.read(entry, body, surface=self.name)

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
        if version is not None and version not in _VERSIONS and not paths.is_dated(version):
            raise VersionNotServed(
                "API version not supported: leave 'api-version' out, or write v1 or preview.", param="api-version"
            )

    def _deployment_path(self, head: Head, path: bytes) -> tuple[Operation, str]:
        raw_name, _, rest = path[len(b"/deployments/") :].partition(b"/")
        operation = _OPERATIONS.get(b"/" + rest)
        if operation is None:
            raise paths.not_found(_INDEX)
        paths.require_post(head)
        self._check_version(head)
        return operation, paths.segment(raw_name)

    def _models(self, rest: bytes) -> Page:
        models = self._directory.named()
        if not rest:
            listed = [_model(name, deployment, self._directory.created) for name, deployment in models.items()]
            return Page(name="models_list", body=msgspec.json.encode({"object": "list", "data": listed}))
        name = paths.segment(rest[1:])
        if name not in models:
            raise DeploymentNotFound(f"The model '{name}' does not exist: no deployment or route has that name.")
        return Page(name="models_get", body=msgspec.json.encode(_model(name, models[name], self._directory.created)))


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
    """What a deployment can be asked for, in the words of Azure's model lists."""
    kind = deployment.facts.type
    return {
        "fine_tune": False,
        "inference": True,
        "completion": kind != "embeddings",
        "chat_completion": kind == "chat_completion",
        "embeddings": kind == "embeddings",
    }
