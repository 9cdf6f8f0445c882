"""The project endpoint: `/api/projects/{project}/*`. It takes tokens alone, as the service does.

Served: OpenAI v1 below it, the project's deployments, and the families of endpoints that it is given. `_project` is
another name of the project `default`. What the service has here and this server will have answers 501.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import partial

import msgspec

from forehearth.core.call import Call
from forehearth.core.endpoint import Endpoint
from forehearth.core.errors import (
    DeploymentNotFound,
    ForehearthError,
    InvalidField,
    NotAuthenticated,
    ProjectNotFound,
    VersionNotServed,
)
from forehearth.core.exchange import Head, Reply, Stream
from forehearth.core.permission import Permission
from forehearth.core.trace import Trace
from forehearth.ports.surface import Act, Asked, Entry, StreamedAct
from forehearth.routing.deployment import Deployment
from forehearth.routing.directory import Directory
from forehearth.wire import paths, project_later
from forehearth.wire.envelope import JSON, project_error
from forehearth.wire.openai_v1 import OpenAIV1, capabilities
from forehearth.wire.table import Row, Table
from forehearth.wire.verdict import verdict

PREFIX = b"/api"
DEFAULT = "default"
_BASE = "/api/projects/{project}"
_PROJECTS = b"/projects/"
_V1 = b"openai/v1"
_OTHER_NAME_OF_DEFAULT = "_project"
_OTHER_APIS = frozenset(
    {b"openai", b"files", b"vector_stores", b"applications"}
    | {b"sync_evals:run", b"evaluations", b"evaluationResults", b"redTeams"}
)
"""What else the service has below a project, by first segment: older forms of what is, or will be, at another path."""
_PAGE_SIZE = 100
_LARGEST_SKIP = 1_000_000
_TOKENS_ONLY = (
    "Unauthorized. Access token is missing, invalid, audience is incorrect (https://ai.azure.com), or have expired."
)


class Projects:
    """The surface of `azure-ai-projects`. `rows` are the project's own, `v1` those of OpenAI v1 below it."""

    name = "projects"
    keys = False

    def __init__(
        self, directory: Directory, projects: Collection[str], *, rows: Sequence[Row] = (), v1: Sequence[Row] = ()
    ) -> None:
        self._directory = directory
        self._projects = frozenset(projects) | {DEFAULT}
        self._v1 = OpenAIV1(directory, v1, base=f"{_BASE}/openai/v1", keys=False)
        self._table = Table([*project_later.ROWS, *rows], base=_BASE, keys=False)
        self._list, self._get, self._index = (
            Asked(
                endpoint=Endpoint(
                    method="GET", path=_BASE + path, permission=Permission.READ_DEPLOYMENTS, name=name, keys=False
                )
            )
            for path, name in (
                ("/deployments", "project_deployments_list"),
                ("/deployments/{name}", "project_deployments_get"),
                ("/", "project_index"),
            )
        )
        self.endpoints = (
            *self._v1.endpoints,
            *(asked.endpoint for asked in (self._list, self._get, self._index)),
            *(each for each in self._table.endpoints if each.name != project_later.NAME),
        )
        self._operations = tuple(f"{each.method} {each.path}" for each in self.endpoints)

    def find(self, head: Head) -> Asked:
        """See `ports.surface`."""
        below = head.raw_path[len(PREFIX) :]
        if not below.startswith(_PROJECTS):
            raise paths.not_found(self._operations, head.method.decode(), head.raw_path)
        raw_project, _, rest = below[len(_PROJECTS) :].partition(b"/")
        project = paths.segment(raw_project)
        asked = self._find(head, rest)
        act = None if asked.act is None else partial(self._act, asked.act)
        if asked.upload is not None:
            upload = msgspec.structs.replace(asked.upload, act=partial(self._upload, asked.upload.act))
            asked = msgspec.structs.replace(asked, upload=upload)
        project = DEFAULT if project == _OTHER_NAME_OF_DEFAULT else project
        return msgspec.structs.replace(asked, act=act, project=project)

    def _find(self, head: Head, rest: bytes) -> Asked:
        if rest.startswith(_V1) and rest[len(_V1) : len(_V1) + 1] in (b"/", b""):
            return self._v1.find_below(head, rest[len(_V1) :])
        if not rest and head.method in (b"GET", b"HEAD"):
            return self._index
        family, _, raw_name = rest.partition(b"/")
        if family == b"deployments" and b"/" not in raw_name:
            paths.require_get(head)
            _check_version(head)
            return msgspec.structs.replace(self._get, subject=paths.segment(raw_name)) if raw_name else self._list
        asked = self._table.find(head, b"/" + rest)
        if asked is not None:
            if asked.act is not None:
                _check_version(head)
            return _at_agent(asked)
        if family in _OTHER_APIS:
            raise paths.not_yet(family.decode("ascii", "replace"))
        raise paths.not_found(self._operations, head.method.decode(), head.raw_path)

    def page(self, entry: Entry) -> bytes:
        """See `ports.surface`."""
        asked = entry.asked
        self._require(asked.project)
        if asked.endpoint.name == project_later.NAME:
            raise paths.not_yet(f"{asked.endpoint.method} {asked.endpoint.path}")
        if asked.endpoint is self._index.endpoint:
            return msgspec.json.encode({"object": "list", "operations": self._operations})
        if asked.endpoint in self._v1.endpoints:
            return self._v1.page(entry)
        named = self._directory.named(entry.principal)
        if not asked.subject:
            return msgspec.json.encode(_listed(named, entry.head))
        found = named.get(asked.subject)
        if found is None:
            raise DeploymentNotFound(f"There is no deployment '{asked.subject}'.")
        return msgspec.json.encode(_deployment(asked.subject, found))

    def read(self, entry: Entry, body: bytes) -> Call:
        """See `ports.surface`."""
        self._require(entry.asked.project)
        return msgspec.structs.replace(self._v1.read(entry, body), surface=self.name)

    def render(self, call: Call, reply: Reply) -> Reply:
        """See `ports.surface`."""
        return self._v1.render(call, reply)

    def refuse(self, error: ForehearthError, trace: Trace) -> Reply:
        """Say it as `ApiErrorResponse` of the project's data plane, in whose members Azure Core's are contained."""
        said = verdict(error)
        if isinstance(error, NotAuthenticated):
            said = msgspec.structs.replace(said, message=_TOKENS_ONLY)
        headers = [JSON, (b"x-ms-error-code", said.code.encode("latin-1", "replace")), *trace.headers(), *said.headers]
        return Reply(status=said.status, headers=headers, body=project_error(said))

    async def _act(self, act: Act, entry: Entry, body: bytes) -> Reply:
        self._require(entry.asked.project)
        return await act(entry, body)

    async def _upload(self, act: StreamedAct, entry: Entry, body: Stream) -> Reply:
        self._require(entry.asked.project)
        return await act(entry, body)

    def _require(self, project: str) -> None:
        if project not in self._projects:
            raise ProjectNotFound(f"The project '{project}' does not exist.")


def _at_agent(asked: Asked) -> Asked:
    """An agent's own endpoint asks for a role there; it is the first that its path names."""
    if asked.endpoint.permission is Permission.CALL_AGENT:
        return msgspec.structs.replace(asked, agent=asked.ids[0])
    return asked


def _check_version(head: Head) -> None:
    version = paths.parameter(head, b"api-version")
    if version is None or (version != "v1" and not paths.is_dated(version)):
        raise VersionNotServed(
            "API version not supported: add the query parameter api-version=v1.", param="api-version"
        )


def _listed(named: Mapping[str, Deployment], head: Head) -> dict[str, object]:
    """One page of the deployments that match the query, and where the next one is."""
    wanted = {
        "modelName": paths.parameter(head, b"modelname"),
        "modelPublisher": paths.parameter(head, b"modelpublisher"),
        "type": paths.parameter(head, b"deploymenttype"),
    }
    shown = [_deployment(name, deployment) for name, deployment in sorted(named.items())]
    found = [each for each in shown if all(each[key] == value for key, value in wanted.items() if value is not None)]
    skip, size = _whole(head, "skip", 0, _LARGEST_SKIP), _whole(head, "maxpagesize", _PAGE_SIZE, _PAGE_SIZE)
    page: dict[str, object] = {"value": found[skip : skip + size]}
    if skip + size < len(found):
        query = {"api-version": "v1", "skip": str(skip + size), "maxpagesize": str(size)}
        query |= {"deploymentType" if key == "type" else key: value for key, value in wanted.items() if value}
        page["nextLink"] = paths.link(head, query)
    return page


def _whole(head: Head, name: str, default: int, most: int) -> int:
    text = paths.parameter(head, name.encode())
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < len(str(most)) + 1 and int(text) <= most):
        raise InvalidField(f"'{name}' is a whole number from 0 to {most}.", param=name)
    return int(text) if name == "skip" else max(1, int(text))


def _deployment(name: str, deployment: Deployment) -> dict[str, object]:
    """A `ModelDeployment` of the project's API. Its sku is the service's plain one: capacity has no meaning here."""
    facts = deployment.facts
    return {
        "type": "ModelDeployment",
        "name": name,
        "modelName": facts.name or deployment.name,
        "modelVersion": facts.version or "1",
        "modelPublisher": facts.publisher or "unknown",
        "capabilities": {what: "true" for what, can in capabilities(deployment).items() if can and what != "inference"},
        "sku": {"name": "Standard", "tier": "Standard", "capacity": 1, "family": "", "size": ""},
    }
