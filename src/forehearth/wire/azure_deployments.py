"""Classic Azure OpenAI: `/openai/deployments/{d}/…?api-version=`. The path names the deployment; the body cannot.

A missing api-version is a path that does not exist, as on the service.
"""

import msgspec

from forehearth.core.call import Call, Operation
from forehearth.core.errors import DeploymentNotFound, ForehearthError, PathNotFound
from forehearth.core.exchange import Head, Reply
from forehearth.core.trace import Trace
from forehearth.ports.surface import Entry, Page
from forehearth.routing.directory import Deployment, Directory
from forehearth.wire import bodies, paths
from forehearth.wire.envelope import JSON, openai_error
from forehearth.wire.openai_v1 import capabilities
from forehearth.wire.verdict import verdict

PREFIX = b"/openai"
_OPERATIONS = {
    b"chat/completions": Operation.CHAT,
    b"completions": Operation.COMPLETIONS,
    b"embeddings": Operation.EMBEDDINGS,
}
_LATER = frozenset(
    {
        b"responses",
        b"files",
        b"batches",
        b"assistants",
        b"threads",
        b"vector_stores",
        b"fine_tuning",
        b"realtime",
        b"evals",
    }
    | {b"transcriptions", b"translations", b"speech", b"generations", b"edits"}
)
_INDEX = (
    "POST /openai/deployments/{deployment}/chat/completions?api-version=",
    "POST /openai/deployments/{deployment}/completions?api-version=",
    "POST /openai/deployments/{deployment}/embeddings?api-version=",
    "GET /openai/deployments?api-version=",
    "GET /openai/models?api-version=",
)


class AzureDeployments:
    """The surface of `AzureOpenAI` clients, connectors and most third-party modules."""

    name = "azure_deployments"

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def find(self, head: Head) -> Operation | tuple[Operation, str] | Page:
        """See `ports.surface`."""
        path = head.raw_path[len(PREFIX) :]
        if path.startswith(b"/deployments/"):
            raw_name, _, rest = path[len(b"/deployments/") :].partition(b"/")
            operation = _OPERATIONS.get(rest)
            if operation is not None:
                paths.require_post(head)
                _check_version(head)
                return operation, paths.segment(raw_name)
        return self._page(head, path)

    def read(self, entry: Entry, body: bytes) -> Call:
        """See `ports.surface`."""
        return bodies.read(entry, body, surface=self.name)

    def render(self, call: Call, reply: Reply) -> Reply:  # noqa: ARG002 - the port's shape; here nothing needs changing
        """See `ports.surface`."""
        return reply

    def refuse(self, error: ForehearthError, trace: Trace) -> Reply:
        """Say it as classic Azure OpenAI does."""
        said = verdict(error)
        headers = [JSON, *trace.headers(), *said.headers]
        return Reply(status=said.status, headers=headers, body=openai_error(said))

    def _page(self, head: Head, path: bytes) -> Page:
        if path in (b"", b"/") and head.method in (b"GET", b"HEAD"):
            return Page(name="index", body=msgspec.json.encode({"object": "list", "operations": _INDEX}))
        family, _, raw_name = path[1:].partition(b"/")
        if family in _LATER or path.endswith(tuple(b"/" + name for name in _LATER)):
            raise paths.not_yet(family.decode("ascii", "replace"))
        shape = {b"models": _model, b"deployments": _deployment}.get(family)
        if shape is None or b"/" in raw_name:
            raise paths.not_found(_INDEX)
        paths.require_get(head)
        _check_version(head)
        created = self._directory.created
        if not raw_name:
            data = [shape(name, deployment, created) for name, deployment in self._directory.named().items()]
            return Page(name=family.decode() + "_list", body=msgspec.json.encode({"object": "list", "data": data}))
        name = paths.segment(raw_name)
        found = self._directory.named().get(name)
        if found is None:
            raise DeploymentNotFound("The resource does not exist: no deployment or route has that name.")
        return Page(name=family.decode() + "_get", body=msgspec.json.encode(shape(name, found, created)))


def _check_version(head: Head) -> None:
    version = paths.parameter(head, b"api-version")
    if version is None:
        raise PathNotFound("Resource not found: add the query parameter 'api-version', such as api-version=2024-10-21.")
    if not paths.is_dated(version):
        raise PathNotFound("Resource not found: 'api-version' has the form 2024-10-21 or 2025-04-01-preview.")


def _model(name: str, deployment: Deployment, created: int) -> dict[str, object]:
    return {
        "id": name,
        "object": "model",
        "model": deployment.facts.name or deployment.name,
        "status": "succeeded",
        "lifecycle_status": "generally-available",
        "capabilities": capabilities(deployment),
        "created_at": created,
        "updated_at": created,
    }


def _deployment(name: str, deployment: Deployment, created: int) -> dict[str, object]:
    return {
        "id": name,
        "object": "deployment",
        "model": deployment.facts.name or deployment.name,
        "owner": "organization-owner",
        "status": "succeeded",
        "scale_settings": {"scale_type": "standard"},
        "created_at": created,
        "updated_at": created,
    }
