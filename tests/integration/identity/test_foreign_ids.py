"""Everything that has an id, asked for where it is not: by every endpoint that takes an id, and by every id in a body.

The answer has to be the one for an id that nobody has, word for word, and what is elsewhere has to stay as it was. The
endpoints are those of the running code, so one that is new is walked, too.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest

from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer
from tests.integration.identity.loopback_issuer import LoopbackIssuer
from tests.integration.identity.test_matrix import (
    BODIES,
    DEFINITION,
    RESPONSE,
    UPLOAD,
    VERSIONS,
    Answer,
    Client,
    served,
)

CONFIG = """
version: 1
backends: {{script: {{provider: scripted}}}}
deployments: {{chat: {{backends: [{{backend: script}}]}}}}
projects:
  default: {{connections: {{of-default: {{type: ApiKey, target: x, entra: true}}}}}}
  sales: {{}}
resources: {{contoso: {{deployments: {{chat: {{backends: [{{backend: script}}]}}}}}}}}
identity:
  oidc:
    test: {{issuer: "{issuer}", keys_url: "{keys}", audiences: ["https://ai.azure.com"]}}
  assignments:
    - {{role: Foundry User, user: user}}
    - {{role: Foundry User, user: user, resource: contoso}}
"""
HELLO = {"role": "user", "content": "hi"}
CONTOSO = {"host": "contoso.services.ai.azure.com"}
ASSET = {"type": "ManagedAzureSearch", "vectorStoreId": "vs_1"}
DATASET = {"type": "uri_file", "dataUri": "https://example.com"}
MADE_BY_NAME = ("POST /agents/{agent_name}/versions", "PATCH /indexes/{name}/", "PATCH /datasets/{name}/")
"""Below a project, what makes something of a name where there is nothing: a name that others have is as free as any."""
NO_STATE = re.compile(r".*/(models|deployments)/{\w+}|/admin/.*|.*{deployment}.*")
"""Paths whose names are of nothing that callers made."""
EMPTY = re.compile(r'"(value|data)":\[\]')
"""A list that has nothing in it, where a list is of whatever has that name."""
ALWAYS = {"agent_version": "1", "version": "1"}
OF_THE_REQUEST = ("date", "x-request-id", "apim-request-id", "x-ms-request-id")
"""Header fields that differ from one answer to the next, whatever is asked."""


class World(msgspec.Struct, frozen=True, kw_only=True):
    """A place with one of everything in it."""

    name: str
    project: str = ""
    headers: Mapping[str, str]
    ids: dict[str, str]

    @property
    def v1(self) -> str:
        """Where OpenAI's part is."""
        return f"/api/projects/{self.project}/openai/v1" if self.project else "/openai/v1"

    @property
    def classic(self) -> str:
        """Where classic agents are."""
        return f"/api/projects/{self.project}" if self.project else "/openai/v1"


class Asker:
    """Asks as somebody who may do everything everywhere."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def ask(self, world: World, method: str, path: str, body: object = None) -> tuple[int, str]:
        """Status and text."""
        return self.told(world, method, path, body)[:2]

    def told(self, world: World, method: str, path: str, body: object = None) -> tuple[int, str, str]:
        """Status, text, and the header fields but for those of the request."""
        query = next(query for start, query in VERSIONS if path.startswith(start.format(project=world.project)))
        target = path + (query.replace("?", "&") if "?" in path else query)
        answer = self._client.ask(method, target, body, world.headers)
        return self.answered(answer)

    @staticmethod
    def answered(answer: Answer) -> tuple[int, str, str]:
        """The same, of an answer."""
        headers = [f"{name}: {value}" for name, value in answer.headers.items() if name not in OF_THE_REQUEST]
        return answer.status, answer.body.decode(errors="replace"), "\n".join(headers)

    def made(self, world: World, path: str, body: object, method: str = "POST") -> dict[str, Any]:
        """What was made."""
        status, text = self.ask(world, method, path, body)
        assert status // 100 == 2, (path, text)
        return dict(json.loads(text))

    def fill(self, world: World) -> World:
        """Make one of everything."""
        ids, v1 = world.ids, world.v1
        self._openai(world, v1, "")
        stored = {"model": "chat", "messages": [HELLO], "store": True}
        ids["completion"] = self.made(world, f"{v1}/chat/completions", stored)["id"]
        ids["file_id"] = self.made(world, f"{v1}/files", UPLOAD)["id"]
        self._classic(world, world.classic)
        if world.project:
            name = ids["agent_name"] = ids["name"] = f"of-{world.name}"
            base = f"/api/projects/{world.project}"
            for agent in (name, "shared"):
                self.made(world, f"{base}/agents/{agent}/versions", {"definition": DEFINITION})
            self.made(world, f"{base}/indexes/{name}/versions/1", ASSET, "PATCH")
            self.made(world, f"{base}/datasets/{name}/versions/1", DATASET, "PATCH")
            self._openai(world, f"{base}/agents/shared/endpoint/protocols/openai", "agents_")
        return world

    def _openai(self, world: World, base: str, kind: str) -> None:
        response = self.made(world, f"{base}/responses", RESPONSE)
        conversation = self.made(world, f"{base}/conversations", {"items": [HELLO]})["id"]
        item = json.loads(self.ask(world, "GET", f"{base}/conversations/{conversation}/items")[1])["first_id"]
        said = json.loads(self.ask(world, "GET", f"{base}/responses/{response['id']}/input_items")[1])["first_id"]
        found = {"response_id": response["id"], "output": response["output"][0]["id"], "said": said}
        world.ids.update({f"{kind}{key}": value for key, value in found.items()})
        world.ids.update({f"{kind}conversation": conversation, f"{kind}item": item})

    def _classic(self, world: World, base: str) -> None:
        ids = world.ids
        ids["assistant_id"] = self.made(world, f"{base}/assistants", {"model": "chat"})["id"]
        thread = ids["thread_id"] = self.made(world, f"{base}/threads", {"messages": [HELLO]})["id"]
        run = self.made(world, f"{base}/threads/{thread}/runs", {"assistant_id": ids["assistant_id"]})
        ids["run_id"] = run["id"]
        end = time.monotonic() + 30
        while run["status"] != "completed":
            assert time.monotonic() < end, run
            time.sleep(0.02)
            run = json.loads(self.ask(world, "GET", f"{base}/threads/{thread}/runs/{run['id']}")[1])
        ids["message_id"] = json.loads(self.ask(world, "GET", f"{base}/threads/{thread}/messages")[1])["last_id"]
        steps = self.ask(world, "GET", f"{base}/threads/{thread}/runs/{run['id']}/steps")[1]
        ids["step_id"] = json.loads(steps)["first_id"]


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that takes ids, or a request with ids in its query or body."""

    method: str
    path: str
    body: Any = None

    @property
    def names(self) -> list[str]:
        """Which ids, in their order."""
        found = re.findall(r"{(\w+)}", self.path + json.dumps(self.body or "", default=str))
        return [each for each in found if each not in {"project", *ALWAYS}]

    def filled(self, at: World, ids: Mapping[str, str]) -> tuple[str, str, object]:
        """Method, path and body."""
        text = self.path.replace("{project}", at.project)
        raw = None if self.body is None or isinstance(self.body, bytes) else json.dumps(self.body)
        for name, value in (*ids.items(), *ALWAYS.items()):
            text = text.replace(f"{{{name}}}", value)
            raw = raw and raw.replace(f"{{{name}}}", value)
        return self.method, text, self.body if raw is None else json.loads(raw)


def endpoint_ways() -> list[Way]:
    """Every endpoint that takes an id."""
    ways = []
    for each in served():
        kind = "completion" if "/chat/completions/" in each.path else "conversation"
        path = each.path.replace("{id}", f"{{{kind}}}")
        if "/endpoint/" in path:
            path = path.replace("{agent_name}", "shared")
            path = re.sub(r"{(response_id|conversation|item)}", r"{agents_\1}", path)
        body = next((body for end, body in BODIES if each.path.endswith(end)), None)
        way = Way(method=each.method, path=path, body=body if each.method in ("POST", "PUT", "PATCH") else None)
        if way.names and not NO_STATE.fullmatch(each.path):
            ways.append(way)
    return ways


def asks(**members: Any) -> dict[str, Any]:
    return {"model": "chat", "input": "hi"} | members


def shows(**part: str) -> dict[str, Any]:
    return asks(input=[{"role": "user", "content": [{**part, "type": f"input_{part['type']}"}]}])


IN_RESPONSES = (
    asks(previous_response_id="{response_id}"),
    asks(previous_response_id="{response_id}", background=True),
    asks(previous_response_id="{response_id}", stream=True),
    asks(conversation="{conversation}"),
    asks(conversation={"id": "{conversation}"}),
    asks(input=[{"type": "item_reference", "id": "{output}"}]),
    asks(input=[{"type": "item_reference", "id": "{item}"}], conversation="{own_conversation}"),
    asks(input=[{"type": "mcp_approval_response", "approval_request_id": "{output}", "approve": True}]),
    shows(type="file", file_id="{file_id}"),
    shows(type="image", file_id="{file_id}"),
)
IN_PROJECTS = (
    {"input": "hi", "agent_reference": {"type": "agent_reference", "name": "{agent_name}"}},
    {"input": "hi", "agent_reference": {"type": "agent_reference", "name": "{agent_name}", "version": "1"}},
    {"input": "hi", "agent": {"type": "agent_reference", "name": "{agent_name}"}},
)
IN_QUERIES = (
    "{v1}/responses/{own_response_id}/input_items?after={said}",
    "{v1}/conversations/{own_conversation}/items?after={item}",
    "{v1}/chat/completions?after={completion}",
    "{v1}/files?after={file_id}",
    "{classic}/assistants?after={assistant_id}",
    "{classic}/threads/{own_thread_id}/messages?after={message_id}",
    "{classic}/threads/{own_thread_id}/messages?run_id={run_id}",
    "{classic}/threads/{own_thread_id}/runs?before={run_id}",
    "{classic}/threads/{own_thread_id}/runs/{own_run_id}/steps?after={step_id}",
)


def inner_ways(at: World) -> list[Way]:
    """Ids within bodies and queries."""
    ways = [Way(method="POST", path=f"{at.v1}/responses", body=body) for body in IN_RESPONSES]
    ways += [Way(method="POST", path=f"{at.v1}/responses/input_tokens", body=body) for body in IN_RESPONSES[3:6]]
    ways += [Way(method="POST", path=f"{at.v1}/responses", body=body) for body in IN_PROJECTS if at.project]
    run = {"assistant_id": "{assistant_id}"}
    ways += [
        Way(method="POST", path=f"{at.classic}/threads/{{own_thread_id}}/runs", body=run),
        Way(method="POST", path=f"{at.classic}/threads/runs", body=run | {"thread": {"messages": [HELLO]}}),
    ]
    queries = (each.replace("{v1}", at.v1).replace("{classic}", at.classic) for each in IN_QUERIES)
    return ways + [Way(method="GET", path=each) for each in queries]


def absent(value: str) -> str:
    """An id of the same form that nobody has."""
    start = re.match(r"[a-z]+[_-]", value)
    kept = start[0] if start else ""
    return kept + value[len(kept) :][::-1]


def mixtures(way: Way, at: World, of: World) -> Iterator[dict[str, str]]:
    """Ids for a way, all of them foreign, and the first of several one's own; none where there are none such."""
    names = [each for each in way.names if not each.startswith("own_")]
    own = {f"own_{name}": value for name, value in at.ids.items()}
    if set(names) <= set(of.ids):
        for count in range(len(names) if set(names) <= set(at.ids) else 1):
            yield own | {name: (at if position < count else of).ids[name] for position, name in enumerate(names)}


@pytest.fixture(scope="module")
def server(issuer: LoopbackIssuer, start_module_forehearth: StartForehearth) -> ForehearthServer:
    config = CONFIG.format(issuer=issuer.url, keys=issuer.keys_url)
    return start_module_forehearth(config, environment={"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"})


@pytest.fixture(scope="module")
def asker(server: ForehearthServer, issuer: LoopbackIssuer) -> Iterator[Asker]:
    client = Client(server, issuer.token("user"))
    yield Asker(client)
    client.close()


@pytest.fixture(scope="module")
def worlds(asker: Asker, issuer: LoopbackIssuer) -> dict[str, World]:
    """By their names."""
    token = {"authorization": f"Bearer {issuer.token('user')}"}
    there = token | CONTOSO
    places = [("default", "default", token), ("sales", "sales", token), ("resource", "", token)]
    places += [("contoso", "", there), ("contoso-default", "default", there)]
    made = [World(name=name, project=project, headers=headers, ids={}) for name, project, headers in places]
    found = {each.name: asker.fill(each) for each in made}
    inside = ("response_id", "conversation", "item")
    ids = found["default"].ids
    turned = {name: ids[f"agents_{name}"] for name in inside} | {f"agents_{name}": ids[name] for name in inside}
    return found | {"agent": World(name="agent", headers={}, ids=turned)}


PROJECTS = (("sales", "default"), ("contoso-default", "default"), ("default", "resource"), ("default", "agent"))
"""Where is asked, for what of which other place; `agent` is what was made at an agent's own endpoint."""
RESOURCES = (("contoso", "resource"), ("resource", "default"))


def kept(asker: Asker, worlds: Mapping[str, World]) -> dict[str, str]:
    """All that there is, as it is read where it belongs."""
    found = {}
    for way in (each for each in endpoint_ways() if each.method == "GET"):
        at = worlds["default" if "{project}" in way.path else "resource"]
        method, path, _ = way.filled(at, at.ids)
        status, found[path] = asker.ask(at, method, path)
        assert status == 200, (path, found[path])
    return found


def compared(asker: Asker, way: Way, at: World, ids: dict[str, str]) -> str | None:
    """What is wrong with what is said of ids that are elsewhere; None where nothing is."""
    foreign = {name: value for name, value in ids.items() if value != at.ids.get(name.removeprefix("own_"))}
    nobodys = ids | {name: absent(value) for name, value in foreign.items()}
    method, path, body = way.filled(at, ids)
    status, text, headers = asker.told(at, method, path, body)
    said, of_nobody = (status, text, headers), asker.told(at, *way.filled(at, nobodys))
    for name, value in foreign.items():
        said = (status, *(each.replace(value, "ID") for each in said[1:]))
        of_nobody = (of_nobody[0], *(each.replace(nobodys[name], "ID") for each in of_nobody[1:]))
    if said != of_nobody:
        return f"{method} {path} {body}: {said}, and of nobody's {of_nobody}"
    nothing = (method, status) == ("DELETE", 204) or (method == "GET" and EMPTY.search(text))
    return None if status >= 400 or nothing else f"{method} {path} {body}: {status} {text}"


def test_what_is_elsewhere_is_answered_as_what_nobody_has(asker: Asker, worlds: dict[str, World], record_property):
    before, wrong, count = kept(asker, worlds), [], 0
    for way in endpoint_ways():
        form = f"{way.method} {way.path.removeprefix('/api/projects/{project}')}"
        if form.startswith(MADE_BY_NAME):
            continue
        for here, there in PROJECTS if "{project}" in way.path else RESOURCES:
            for ids in mixtures(way, worlds[here], worlds[there]):
                wrong.append(compared(asker, way, worlds[here], ids))
                count += 1
    for here, there in (*PROJECTS, *RESOURCES):
        for way in inner_ways(worlds[here]):
            for ids in list(mixtures(way, worlds[here], worlds[there]))[:1]:
                wrong.append(compared(asker, way, worlds[here], ids))
                count += 1
    record_property("ids asked for where they are not", count)
    assert not (faults := [each for each in wrong if each]), "\n".join(faults)
    assert count > 400
    assert kept(asker, worlds) == before


def test_a_connection_of_another_project_is_answered_as_one_that_nobody_has(asker: Asker, worlds: dict[str, World]):
    sales, said = worlds["sales"], []
    mcp = {"type": "mcp", "server_label": "L", "server_url": "https://a.example/mcp"}
    for name in ("of-default", "of-nobody"):
        definition = DEFINITION | {"tools": [mcp | {"project_connection_id": name}]}
        asker.made(sales, "/api/projects/sales/agents/tooled/versions", {"definition": definition})
        asked = {"input": "hi", "agent_reference": {"type": "agent_reference", "name": "tooled"}}
        status, text = asker.ask(sales, "POST", f"{sales.v1}/responses", asked)
        assert status // 100 == 4, text
        said.append((status, text.replace(name, "ID")))
    assert said[0] == said[1]
