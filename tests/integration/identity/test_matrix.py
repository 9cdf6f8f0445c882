"""Every endpoint, asked by every kind of caller: what is answered is what `matrix.tsv` says, word for word.

The endpoints are those of the running code; the expected answers stand in a file of their own. An endpoint without a
line there fails the test, and so does a line without an endpoint.
"""

import csv
import http.client
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from forehearth.core.endpoint import Endpoint
from forehearth.identity import roles
from forehearth.routing.directory import Directory
from forehearth.server import app
from forehearth.wire import admin_table, descriptions
from forehearth.wire.surfaces import surfaces
from tests.conftest import StartForehearth
from tests.families import all_families
from tests.forehearth_server import ForehearthServer
from tests.integration.identity.loopback_issuer import LoopbackIssuer, new_key

MATRIX = Path(__file__).with_name("matrix.tsv")
ACCOUNT = "Microsoft.CognitiveServices/accounts/"
CONFIG = """
version: 1
backends: {{script: {{provider: scripted}}}}
deployments:
  chat: {{backends: [{{backend: script}}]}}
  vectors: {{backends: [{{backend: script}}], model: {{type: embeddings}}}}
projects: {{sales: {{}}}}
resources:
  contoso:
    deployments:
      chat: {{backends: [{{backend: script}}]}}
      vectors: {{backends: [{{backend: script}}], model: {{type: embeddings}}}}
identity:
  oidc:
    test: {{issuer: "{issuer}", keys_url: "{keys}", audiences: ["https://ai.azure.com"]}}
  assignments:
    - {{role: Reader, user: reader}}
    - {{role: Azure AI User, user: user}}
    - {{role: Foundry Project Manager, group: managers}}
    - {{role: azure ai owner, user: foundry_owner}}
    - {{role: Foundry Account Owner, user: account_owner}}
    - {{role: Owner, user: owner}}
    - {{role: Contributor, user: contributor}}
    - {{role: Cognitive Services OpenAI User, application: client-of-openai-user}}
    - {{role: cognitive services user, user: cognitive_user}}
    - {{role: Foundry Agent Consumer, app_role: consumers}}
    - {{role: Foundry User, user: sales_user, project: sales}}
    - {{role: Foundry User, user: contoso_user, resource: contoso}}
    - {{role: Owner, user: owner_of_sales, project: sales}}
    - {{role: Foundry User, user: at_agent, project: default, agent: the-one}}
    - {{role: Foundry User, user: at_other_agent, project: default, agent: another}}
"""
MANAGED = {"scp": None, "idtyp": "app", "azp": "client-of-openai-user"}
PEOPLE: Mapping[str, Mapping[str, Any]] = {
    "reader": {},
    "user": {},
    "manager": {"groups": ["others", "managers"]},
    "foundry_owner": {},
    "account_owner": {},
    "owner": {},
    "contributor": {},
    "openai_user": MANAGED,
    "cognitive_user": {},
    "consumer": {"roles": ["consumers"]},
    "sales_user": {},
    "contoso_user": {},
    "at_agent": {},
    "at_other_agent": {},
}
"""Holders of good tokens, and what theirs say besides who they are."""

CHAT = {"model": "chat", "messages": [{"role": "user", "content": "hi"}]}
TEXT = {"model": "chat", "prompt": "hi"}
VECTORS = {"model": "vectors", "input": "hi"}
RESPONSE = {"model": "chat", "input": "hi"}
CONNECTION = {"type": "ApiKey", "target": "x", "entra": True}
DEFINITION = {"kind": "prompt", "model": "chat"}
FORM = "multipart/form-data; boundary=b"
UPLOAD = (
    b"--b\r\nContent-Disposition: form-data; name=purpose\r\n\r\nevals\r\n"
    b"--b\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nx\r\n--b--\r\n"
)
RECORDING = (
    b"--b\r\nContent-Disposition: form-data; name=model\r\n\r\nchat\r\n"
    b"--b\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nx\r\n--b--\r\n"
)
PICTURE = {"model": "chat", "prompt": "hi"}
BODIES = (
    ("/files", UPLOAD),
    ("/audio/transcriptions", RECORDING),
    ("/audio/translations", RECORDING),
    ("/audio/speech", {"model": "chat", "input": "hi", "voice": "any"}),
    ("/images/generations", PICTURE),
    ("/images/edits", PICTURE | {"images": [{"image_url": "https://example.com"}]}),
    ("/chat/completions", CHAT),
    ("/completions", TEXT),
    ("/images/embeddings", {"model": "vectors", "input": [{"image": "data:image/png;base64,AAAA"}]}),
    ("/embeddings", VECTORS),
    ("/responses", RESPONSE),
    ("/responses/input_tokens", RESPONSE),
    ("/admin/keys", {"name": ""}),
    ("/admin/role-assignments", {"role": "Foundry User", "principalType": "user", "principalId": ""}),
    ("/admin/connections", CONNECTION | {"name": ""}),
    ("/admin/connections/{id}", CONNECTION),
    ("/admin/enrichments", {"version": 1}),
    ("/rotate", {}),
    ("/conversations", {}),
    ("/conversations/{id}", {"metadata": {}}),
    ("/chat/completions/{id}", {"metadata": {}}),
    ("/items", {"items": [{"role": "user", "content": "hi"}]}),
    ("/indexes/{name}/versions/{version}", {"type": "ManagedAzureSearch", "vectorStoreId": "vs_1"}),
    ("/datasets/{name}/versions/{version}", {"type": "uri_file", "dataUri": "https://example.com"}),
    ("/assistants", {"model": "chat"}),
    ("/threads/{thread_id}/messages", {"role": "user", "content": "hi"}),
    ("/threads/runs", {"assistant_id": "none"}),
    ("/threads/{thread_id}/runs", {"assistant_id": "none"}),
    ("/submit_tool_outputs", {"tool_outputs": []}),
    ("/agents", {"name": "", "definition": DEFINITION}),
    ("/versions", {"definition": DEFINITION}),
    ("/agents/{agent_name}", {"definition": DEFINITION}),
)
"""By how a path ends; the first that fits."""
VERSIONS = (
    ("/api/projects/{project}/openai/v1", ""),
    ("/api/projects/", "?api-version=v1"),
    ("/openai/v1", ""),
    ("/openai/", "?api-version=2024-10-21"),
)
"""By how a path begins; the first that fits."""
PROJECTS = "/api/projects/"
"""How the paths of all projects begin."""
OTHER_PATHS = {
    "/models/chat/completions": "/chat/completions",
    "/models/embeddings": "/embeddings",
    "/models/images/embeddings": "/images/embeddings",
    "/models/info": "/info",
    "/models/": "/models",
    "/openai/": "/openai?api-version=2024-10-21",
    "/openai/v1/": "/openai/v1",
    "/api/projects/{project}/": "/api/projects/{project}?api-version=v1",
    "/api/projects/{project}/deployments": "/api/projects/_project/deployments?api-version=v1",
    "/api/projects/{project}/openai/v1/chat/completions": "/api/projects/_project/openai/v1/chat/completions",
    "/api/projects/{project}/openai/v1/conversations": "/api/projects/_project/openai/v1/conversations",
}
"""Paths that are the same endpoint and stand in no table."""

TOKEN_WORDS = "Unauthorized. Access token is missing, invalid, audience is incorrect"
KEY_WORDS = "Access denied due to invalid subscription key or wrong API endpoint."
PROJECT_WORDS = (
    "Unauthorized. Access token is missing, invalid, audience is incorrect (https://ai.azure.com), or have expired."
)


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who asks: with which headers, and where."""

    headers: Mapping[str, str] = {}
    id: str = ""
    """Who a refusal says it is."""
    project: str = "default"
    agent: str = ""
    """The agent that it asks, where it has a role at that alone; else each time a new one."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint's line of the file."""

    method: str
    path: str
    let_in: str
    action: str
    cells: Mapping[str, str]

    @property
    def name(self) -> str:
        """The method and the path."""
        return f"{self.method} {self.path}"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    status: int
    body: bytes
    request_id: str = ""
    headers: Mapping[str, str] = {}

    @property
    def error(self) -> Mapping[str, Any]:
        """Its error object; empty where there is none."""
        try:
            found = json.loads(self.body).get("error")
        except (ValueError, AttributeError):
            return {}
        return found if isinstance(found, dict) else {}


class Client:
    """Asks one server over one connection, which is opened anew where the server closes it."""

    def __init__(self, server: ForehearthServer, user: str, host: str | None = None) -> None:
        """`user` is the token of somebody who may do everything in each project; `host` is another resource's."""
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        self._user = {"authorization": f"Bearer {user}"}
        self._administrator = {"api-key": server.key} | ({} if host is None else {"host": host})
        self._names = (f"{'matrix' if host is None else 'theirs'}-{number}" for number in itertools.count())
        self.administered: Mapping[str, Callable[[], str]] = {
            "/admin/keys/": lambda: str(self.new_key()["id"]),
            "/admin/role-assignments/": self.new_assignment,
            "/admin/requests/": self.new_call,
            "/admin/connections/{id}": self.new_connection,
            "/admin/runs/": self.new_run,
        }
        """What makes the one thing that a path of operators is about, by how the path begins."""

    def close(self) -> None:
        self._connection.close()

    def ask(self, method: str, target: str, body: object, headers: Mapping[str, str]) -> Answer:
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        kind = (
            "application/merge-patch+json"
            if method == "PATCH"
            else FORM
            if isinstance(body, bytes)
            else "application/json"
        )
        given = dict(headers) if raw is None else {"content-type": kind, **headers}
        self._connection.request(method, target, raw, given)
        response = self._connection.getresponse()
        said = {name.lower(): value for name, value in response.headers.items()}
        request_id = said.get("x-request-id", "")
        return Answer(status=response.status, body=response.read(), request_id=request_id, headers=said)

    def new_name(self) -> str:
        """A name that no key had before."""
        return next(self._names)

    def new_assignment(self) -> str:
        """The id of a role assignment that was not there before: of a role that all assign who may assign any."""
        body = {"role": "Foundry User", "principalType": "user", "principalId": self.new_name()}
        answer = self.ask("POST", "/admin/role-assignments", body, self._administrator)
        assert answer.status // 100 == 2, answer
        return str(json.loads(answer.body)["id"])

    def new_call(self) -> str:
        """The id of a request that is in the ledger."""
        body = {"model": "chat", "messages": [{"role": "user", "content": "Hello?"}]}
        answer = self.ask("POST", "/openai/v1/chat/completions", body, self._administrator)
        assert answer.status // 100 == 2, answer
        return answer.request_id

    def new_connection(self) -> str:
        """The name of a connection."""
        body = CONNECTION | {"name": self.new_name()}
        answer = self.ask("POST", "/admin/connections", body, self._administrator)
        assert answer.status // 100 == 2, answer
        return str(body["name"])

    def new_run(self) -> str:
        """The id of a response that the administrator made."""
        answer = self.ask("POST", "/openai/v1/responses", RESPONSE, self._administrator)
        assert answer.status // 100 == 2, answer
        return str(json.loads(answer.body)["id"])

    def new_conversation(self, base: str, caller: Caller) -> tuple[str, str]:
        """The ids of a conversation where the caller asks, and of an item in it."""
        headers, query = self._headers(caller), _query(f"{base}/conversations")
        body = {"items": [{"role": "user", "content": "hi"}]}
        answer = self.ask("POST", f"{base}/conversations{query}", body, headers)
        assert answer.status // 100 == 2, answer
        made = json.loads(answer.body)["id"]
        listed = self.ask("GET", f"{base}/conversations/{made}/items{query}", None, headers)
        return made, json.loads(listed.body)["first_id"]

    def new_completion(self, base: str, caller: Caller) -> str:
        """The id of a chat completion that is stored where the caller asks."""
        headers = self._headers(caller)
        answer = self.ask("POST", f"{base}/chat/completions", CHAT | {"store": True}, headers)
        assert answer.status // 100 == 2, answer
        return str(json.loads(answer.body)["id"])

    def new_file(self, path: str, query: str, caller: Caller) -> str:
        """The id of a file that is kept where the caller asks."""
        headers = caller.headers if "host" in caller.headers else self._user
        answer = self.ask("POST", f"{path}/files{query}", UPLOAD, headers)
        assert answer.status // 100 == 2, answer
        return str(json.loads(answer.body)["id"])

    def new_agent(self, caller: Caller) -> str:
        """The name of an agent, made by somebody who may: of the caller's, or of one that was not there before."""
        name = caller.agent or self.new_name()
        target = f"/api/projects/{caller.project}/agents/{name}/versions?api-version=v1"
        answer = self.ask("POST", target, {"definition": DEFINITION}, self._headers(caller))
        assert answer.status // 100 == 2, answer
        return name

    def _headers(self, caller: Caller) -> Mapping[str, str]:
        """Of somebody who may do everything where the caller asks."""
        return caller.headers if "host" in caller.headers else self._user

    def new_role(self, key: str) -> None:
        """Give a key the role Cognitive Services OpenAI User."""
        body = {"role": "Cognitive Services OpenAI User", "principalType": "key", "principalId": key}
        answer = self.ask("POST", "/admin/role-assignments", body, self._administrator)
        assert answer.status // 100 == 2, answer

    def new_key(self, resource: str | None = None, **limits: object) -> Mapping[str, Any]:
        """A key that was not there before: its `id` and `name`, and its text as `key`."""
        body: dict[str, Any] = {"name": self.new_name(), **limits}
        target = "/admin/keys" if resource is None else f"/admin/keys?resource={resource}"
        answer = self.ask("POST", target, body, self._administrator)
        assert answer.status // 100 == 2, answer
        made = json.loads(answer.body)
        return {"id": made["id"], "key": made["key"], "name": body["name"]}


def lines() -> list[Line]:
    """The file."""
    text = [line for line in MATRIX.read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(text, delimiter="\t"))
    own = ("method", "path", "let_in", "action")
    return [
        Line(**{name: row[name] for name in own}, cells={k: v for k, v in row.items() if k not in own}) for row in rows
    ]


def served() -> list[Endpoint]:
    """Every line of every table of endpoints."""
    tables = [surface.endpoints for _, surface in surfaces(Directory({}, {}, created=0), families=all_families())]
    return [
        endpoint
        for table in (*tables, admin_table.ENDPOINTS, app.ENDPOINTS, descriptions.ENDPOINTS)
        for endpoint in table
    ]


@pytest.fixture(scope="module")
def server(issuer: LoopbackIssuer, start_module_forehearth: StartForehearth) -> ForehearthServer:
    config = CONFIG.format(issuer=issuer.url, keys=issuer.keys_url)
    return start_module_forehearth(config, environment={"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"})


@pytest.fixture(scope="module")
def client(server: ForehearthServer, issuer: LoopbackIssuer) -> Iterator[Client]:
    client = Client(server, issuer.token("user"))
    yield client
    client.close()


@pytest.fixture(scope="module")
def callers(issuer: LoopbackIssuer, server: ForehearthServer, client: Client) -> Mapping[str, Caller]:
    """By the names that the file's columns have."""

    def holder(token: str, subject: str, **rest: str) -> Caller:
        return Caller(headers={"authorization": f"Bearer {token}", **rest}, id=subject)

    elsewhere = LoopbackIssuer(f"{issuer.url}/elsewhere")
    plain, contosos = client.new_key(), client.new_key(resource="contoso")
    keys = {
        "admin_key": client.new_key(admin=True),
        "role_key": client.new_key(),
        "roles_only_key": client.new_key(rolesOnly=True),
        "other_project_key": client.new_key(projects=["sales"]),
    }
    client.new_role(keys["role_key"]["id"])
    tokens = {name: issuer.token(name, **claims) for name, claims in PEOPLE.items()}
    return {
        "none": Caller(),
        "bad_key": Caller(headers={"api-key": f"{server.key[:-4]}0000"}),
        "bad_token": holder(issuer.token("user", signed_by=new_key()), "user"),
        "expired": holder(issuer.token("user", exp=1_700_000_000, nbf=1_600_000_000, iat=1_600_000_000), "user"),
        "other_issuer": holder(elsewhere.token("user"), "user"),
        "other_audience": holder(issuer.token("user", aud="https://graph.microsoft.com"), "user"),
        "contoso_key": Caller(headers={"api-key": contosos["key"]}),
        **{name: holder(token, name) for name, token in tokens.items()},
        **{name: Caller(headers={"api-key": each["key"]}, id=each["id"]) for name, each in keys.items()},
        "key": Caller(headers={"api-key": plain["key"]}, id=plain["id"]),
        "development": Caller(headers={"api-key": server.key}, id="development"),
        "at_agent": msgspec.structs.replace(holder(tokens["at_agent"], "at_agent"), agent="the-one"),
        "at_sales": msgspec.structs.replace(holder(tokens["sales_user"], "sales_user"), project="sales"),
        "at_contoso": holder(tokens["contoso_user"], "contoso_user", host="contoso.services.ai.azure.com"),
    }


def ask(client: Client, line: Line, caller: Caller, path: str | None = None) -> Answer:
    """Ask one endpoint as one caller. What may be changed or deleted by it is made for it."""
    target = path or line.path + next((query for start, query in VERSIONS if line.path.startswith(start)), "")
    body = (
        next((body for end, body in BODIES if line.path.endswith(end)), None)
        if line.method in ("POST", "PUT", "PATCH")
        else None
    )
    if isinstance(body, dict):
        body = {name: value if value != "" else client.new_name() for name, value in body.items()}
    one, item = "chat", ""
    agent = client.new_agent(caller) if "{agent_name}" in line.path else ""
    made = next((make for start, make in client.administered.items() if line.path.startswith(start)), None)
    if made is not None:
        one = made()
    elif "/conversations/{id}" in line.path:
        base = line.path.partition("/conversations/")[0].format(project=caller.project, agent_name=agent)
        one, item = client.new_conversation(base, caller)
    elif "/chat/completions/{id}" in line.path:
        one = client.new_completion(line.path.partition("/chat/")[0].format(project=caller.project), caller)
    deployment = "vectors" if line.path.endswith("/embeddings") else "chat"
    names = {"agent_name": agent, "agent_version": "1", "version": "1"}
    names |= dict.fromkeys(("assistant_id", "thread_id", "message_id", "run_id", "step_id"), "none")
    names |= {"project": caller.project, "id": one, "name": one, "deployment": deployment, "item": item}
    if "{file_id}" in line.path:
        path, query = target.partition("/files/")[0].format(**names), target.partition("?")[2]
        names["file_id"] = client.new_file(path, query and f"?{query}", caller)
    if "{response_id}" in line.path:
        names["response_id"] = made_response(client, target.partition("/{response_id}")[0].format(**names), caller)
    return client.ask(line.method, target.format(**names), body, caller.headers)


def made_response(client: Client, path: str, caller: Caller) -> str:
    """The id of a response that this caller made at `path`; of none, where it may not make any."""
    answer = client.ask("POST", path + _query(path), RESPONSE, caller.headers)
    return str(json.loads(answer.body).get("id", "resp_none"))


def _query(path: str) -> str:
    """What the path of responses or conversations needs: below a project, an agent's alone takes an api-version."""
    if path.startswith(PROJECTS):
        return "?api-version=v1" if "/agents/" in path else ""
    return next(query for start, query in VERSIONS if path.startswith(start))


def fault(line: Line, expected: str, caller: Caller, answer: Answer) -> str | None:
    """What is wrong with an answer; None when it is as expected."""
    if expected == "ok":
        status = str(answer.status)
        right = status == line.let_in or (line.let_in == "2xx" and answer.status // 100 == 2)
        return None if right else f"{status} and not {line.let_in}: {answer.body[:200]!r}"
    if str(answer.status) != expected:
        return f"{answer.status} and not {expected}: {answer.body[:200]!r}"
    code, message = answer.error.get("code"), answer.error.get("message", "")
    if expected == "401":
        as_said = (
            message == PROJECT_WORDS if "/projects/" in line.path else message.startswith((TOKEN_WORDS, KEY_WORDS))
        )
        return None if code == "401" and as_said else f"in other words: {code} {message}"
    wanted = (
        f"The principal `{caller.id}` lacks the required data action `{ACCOUNT}{line.action}` to perform "
        f"`{line.method} {line.path}` operation."
    )
    return None if (code, message) == ("PermissionDenied", wanted) else f"in other words: {code} {message}"


def test_every_endpoint_has_its_line_and_every_line_its_endpoint():
    there, expected = [f"{each.method} {each.path}" for each in served()], [line.name for line in lines()]
    assert sorted(there) == sorted(expected)
    assert len(set(expected)) == len(expected)


def test_every_role_is_somebodys():
    given = yaml.safe_load(CONFIG.format(issuer="", keys=""))["identity"]["assignments"]
    assert {roles.named(each["role"]).name for each in given} == {each.name for each in roles.ROLES}


def test_every_cell_is_filled_with_something_that_can_be_expected(callers: Mapping[str, Caller]):
    for line in lines():
        assert set(line.cells) == set(callers), line.name
        assert set(line.cells.values()) <= {"ok", "401", "403", "404"}, line.name
        assert (line.action == "-") is (set(line.cells.values()) == {"ok"}), line.name


def test_every_endpoint_answers_every_caller_as_expected(
    client: Client, callers: Mapping[str, Caller], record_property
):
    wrong = []
    cells = [(line, name, expected) for line in lines() for name, expected in line.cells.items()]
    for line, name, expected in cells:
        found = fault(line, expected, callers[name], ask(client, line, callers[name]))
        if found is not None:
            wrong.append(f"{line.name}, {name}: {found}")
    record_property("endpoints", len(lines()))
    record_property("cells", len(cells))
    record_property("wrong cells", len(wrong))
    assert not wrong, "\n".join(wrong)


def test_the_page_says_how_many_there_are(repository_root: Path):
    page = " ".join((repository_root / "docs" / "reference" / "roles.md").read_text().split())
    found = lines()
    callers = len(found[0].cells)
    assert f"{len(found)} endpoints and {callers} callers, {len(found) * callers:,} cells" in page


def test_another_path_of_an_endpoint_opens_nothing_more(client: Client, callers: Mapping[str, Caller], record_property):
    wrong, count = [], 0
    for line in lines():
        path = OTHER_PATHS.get(line.path)
        for name, expected in line.cells.items() if path else ():
            caller = callers[name]
            if name == "at_sales" and path and "_project" in path:
                expected = "403"  # noqa: PLW2901 - `_project` is the project `default`
            count += 1
            found = fault(line, expected, caller, ask(client, line, caller, path))
            if found is not None:
                wrong.append(f"{line.method} {path}, {name}: {found}")
    record_property("cells of other paths", count)
    record_property("wrong cells of other paths", len(wrong))
    assert not wrong, "\n".join(wrong)
    assert count >= len(OTHER_PATHS) * len(callers)


def test_owning_a_project_opens_no_admin(client: Client, issuer: LoopbackIssuer):
    answer = client.ask("GET", "/admin/keys", None, {"authorization": f"Bearer {issuer.token('owner_of_sales')}"})
    assert (answer.status, answer.error["code"]) == (403, "PermissionDenied")


def test_a_project_that_is_not_there_is_as_closed_as_one_that_is(client: Client, callers: Mapping[str, Caller]):
    for path in ("deployments?api-version=v1", "openai/v1/models"):
        there, nowhere = (
            client.ask("GET", f"/api/projects/{project}/{path}", None, callers["sales_user"].headers)
            for project in ("default", "nowhere")
        )
        assert there.status == nowhere.status == 403
        assert there.error == nowhere.error
        assert client.ask("GET", f"/api/projects/nowhere/{path}", None, callers["user"].headers).status == 404
