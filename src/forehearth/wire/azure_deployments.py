"""Classic Azure OpenAI: `/openai/deployments/{d}/…?api-version=`. The path names the deployment; the body cannot.

A missing api-version is a path that does not exist, as on the service.
"""

from collections.abc import Sequence

import msgspec

from forehearth.core.call import Call
from forehearth.core.endpoint import Endpoint
from forehearth.core.errors import DeploymentNotFound, ForehearthError, PathNotFound
from forehearth.core.exchange import Head, Reply
from forehearth.core.permission import Permission
from forehearth.core.trace import Trace
from forehearth.ports.surface import Asked, Entry
from forehearth.routing.deployment import Deployment
from forehearth.routing.directory import Directory
from forehearth.wire import bodies, paths
from forehearth.wire.envelope import JSON, openai_error
from forehearth.wire.openai_v1 import NOT_YET, OPERATIONS, capabilities
from forehearth.wire.table import Row, Table
from forehearth.wire.verdict import verdict

PREFIX = b"/openai"
_CALLS = {
    path[1:]: Asked(
        endpoint=Endpoint(
            method="POST",
            path=f"/openai/deployments/{{deployment}}{path.decode()}",
            permission=permission,
            name=operation.value,
        ),
        operation=operation,
    )
    for path, (operation, permission) in OPERATIONS.items()
}
_PAGES = {
    (family.encode(), one): Asked(
        endpoint=Endpoint(
            method="GET",
            path=f"/openai/{family}/{{id}}" if one else f"/openai/{family}",
            permission=permission,
            name=f"{family}_get" if one else f"{family}_list",
        )
    )
    for family, permission in (
        ("models", Permission.READ_MODELS),
        ("deployments", Permission.READ_OPENAI_DEPLOYMENTS),
    )
    for one in (False, True)
}
_INDEX = Asked(endpoint=Endpoint(method="GET", path="/openai/", permission=Permission.READ_MODELS, name="index"))
_LATER = frozenset(
    {
        b"responses",
        b"batches",
        b"vector_stores",
        b"fine_tuning",
        b"realtime",
        b"evals",
    }
)


class AzureDeployments:
    """The surface of `AzureOpenAI` clients, connectors and most third-party modules."""

    name = "azure_deployments"
    keys = True

    def __init__(self, directory: Directory, rows: Sequence[Row] = ()) -> None:
        self._directory = directory
        self._table = Table(rows, base=PREFIX.decode(), keys=self.keys)
        own = (*_CALLS.values(), *_PAGES.values(), _INDEX)
        self.endpoints = (*(asked.endpoint for asked in own), *self._table.endpoints)
        self._operations = tuple(f"{each.method} {each.path}?api-version=" for each in self.endpoints)

    def find(self, head: Head) -> Asked:
        """See `ports.surface`."""
        path = head.raw_path[len(PREFIX) :]
        if path.startswith(b"/deployments/"):
            raw_name, _, rest = path[len(b"/deployments/") :].partition(b"/")
            asked = _CALLS.get(rest)
            if asked is not None:
                paths.require_post(head)
                _check_version(head)
                return msgspec.structs.replace(asked, deployment=paths.segment(raw_name))
        return self._find_page(head, path)

    def page(self, entry: Entry) -> bytes:
        """See `ports.surface`."""
        asked = entry.asked
        if asked.endpoint is _INDEX.endpoint:
            return msgspec.json.encode({"object": "list", "operations": self._operations})
        shape = _model if asked.endpoint.path.startswith("/openai/models") else _deployment
        created = self._directory.created
        named = self._directory.named(entry.principal)
        if not asked.subject:
            data = [shape(name, deployment, created) for name, deployment in named.items()]
            return msgspec.json.encode({"object": "list", "data": data})
        found = named.get(asked.subject)
        if found is None:
            raise DeploymentNotFound("The resource does not exist: no deployment or route has that name.")
        return msgspec.json.encode(shape(asked.subject, found, created))

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

    def _find_page(self, head: Head, path: bytes) -> Asked:
        if path in (b"", b"/") and head.method in (b"GET", b"HEAD"):
            return _INDEX
        if path in NOT_YET and head.method == b"POST":
            raise paths.not_yet(path[1:].decode())
        done = self._table.find(head, path)
        if done is not None:
            _check_version(head)
            return done
        family, _, raw_name = path[1:].partition(b"/")
        if family in _LATER or path.endswith(tuple(b"/" + name for name in _LATER)):
            raise paths.not_yet(family.decode("ascii", "replace"))
        asked = _PAGES.get((family, bool(raw_name)))
        if asked is None or b"/" in raw_name:
            raise paths.not_found(self._operations, head.method.decode(), head.raw_path)
        paths.require_get(head)
        _check_version(head)
        return msgspec.structs.replace(asked, subject=paths.segment(raw_name)) if raw_name else asked


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
