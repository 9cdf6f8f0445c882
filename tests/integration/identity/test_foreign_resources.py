"""What another resource has, asked for by its names: deployments, and what operators see. It is as if it was not."""

import re
from collections.abc import Iterator, Mapping

import pytest

from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer
from tests.integration.identity.loopback_issuer import LoopbackIssuer
from tests.integration.identity.test_foreign_ids import Asker, Way, World, absent, compared
from tests.integration.identity.test_matrix import BODIES, VERSIONS, Client, served

CONFIG = """
version: 1
backends: {{script: {{provider: scripted}}}}
deployments:
  chat: {{backends: [{{backend: script}}]}}
  our-chat: {{backends: [{{backend: script}}]}}
  our-vectors: {{backends: [{{backend: script}}], model: {{type: embeddings}}}}
resources:
  contoso:
    deployments:
      chat: {{backends: [{{backend: script}}]}}
      their-chat: {{backends: [{{backend: script}}]}}
      their-vectors: {{backends: [{{backend: script}}], model: {{type: embeddings}}}}
    projects: {{default: {{}}}}
identity:
  oidc:
    test: {{issuer: "{issuer}", keys_url: "{keys}", audiences: ["https://ai.azure.com"]}}
  assignments:
    - {{role: Foundry User, user: user}}
    - {{role: Foundry User, user: user, resource: contoso}}
    - {{role: Owner, user: owner}}
    - {{role: Owner, user: their_owner, resource: contoso}}
"""
CONTOSO = {"host": "contoso.services.ai.azure.com"}
OF_A_DEPLOYMENT = re.compile(r".*(/models/{id}|/deployments/{(id|name|deployment)}.*)")
ANY_MODEL = ("/assistants", "/input_tokens")
"""How paths end of what keeps a deployment's name, or counts for one, and looks for none."""
ADMIN_QUERIES = (
    "/admin/keys?resource={resource}",
    "/admin/keys?after={name}",
    "/admin/keys/{name}",
    "/admin/role-assignments?after={assignment}",
    "/admin/usage?resource={resource}",
    "/admin/audit?resource={resource}",
)
"""Names and ids of another resource in queries, and the other name that a key has."""


@pytest.fixture(scope="module")
def server(issuer: LoopbackIssuer, start_module_forehearth: StartForehearth) -> ForehearthServer:
    config = CONFIG.format(issuer=issuer.url, keys=issuer.keys_url)
    return start_module_forehearth(config, environment={"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"})


@pytest.fixture(scope="module")
def clients(server: ForehearthServer, issuer: LoopbackIssuer) -> Iterator[tuple[Client, Client]]:
    """The operator's at the server's own resource, and at contoso."""
    found = Client(server, issuer.token("user")), Client(server, issuer.token("user"), CONTOSO["host"])
    yield found
    for each in found:
        each.close()


class AnyAsker(Asker):
    """Asks on all surfaces, some of which have no api-version."""

    def told(self, world: World, method: str, path: str, body: object = None) -> tuple[int, str, str]:
        """See `Asker`."""
        starts = ((start.format(project=world.project), query) for start, query in VERSIONS)
        query = next((query for start, query in starts if path.startswith(start)), "")
        return self.answered(self._client.ask(method, path + query, body, world.headers))


def of(issuer: LoopbackIssuer, subject: str, headers: Mapping[str, str] = CONTOSO) -> Mapping[str, str]:
    return {"authorization": f"Bearer {issuer.token(subject)}", **headers}


def named(path: str) -> str:
    """The path with one word for whatever deployment it names."""
    return re.sub(r"(/models/|/deployments/){\w+}", r"\1{deployment}", path)


def with_model(body: object) -> object:
    """The body with a deployment's name where it has one."""
    if isinstance(body, bytes):
        return body
    return body | {"model": "{deployment}"} if isinstance(body, dict) and "model" in body else body


def deployment_ways() -> list[Way]:
    """Every endpoint that names a deployment in its path, and every one that does in its body."""
    ways = []
    for each in served():
        in_path = OF_A_DEPLOYMENT.fullmatch(each.path) is not None
        body = next((body for end, body in BODIES if each.path.endswith(end)), None) if each.method == "POST" else None
        in_body = isinstance(body, dict) and "model" in body and "{" not in each.path.replace("{project}", "")
        if in_path:
            ways.append(Way(method=each.method, path=named(each.path), body=body))
        elif in_body and not each.path.endswith(ANY_MODEL):
            ways.append(Way(method=each.method, path=each.path, body=with_model(body)))
    return ways


def test_a_deployment_of_another_resource_is_none(
    clients: tuple[Client, Client], issuer: LoopbackIssuer, record_property
):
    asker, wrong, ways = AnyAsker(clients[0]), [], deployment_ways()
    for headers, foreign in (
        ({}, "their-chat"),
        (CONTOSO, "our-chat"),
        ({}, "their-vectors"),
        (CONTOSO, "our-vectors"),
    ):
        at = World(name="here", project="default", headers=of(issuer, "user", headers), ids={})
        wrong += [compared(asker, way, at, {"deployment": foreign}) for way in ways]
    record_property("deployments asked for at another resource", len(wrong))
    assert not (faults := [each for each in wrong if each]), "\n".join(faults)
    assert len(ways) >= 48


def test_where_it_belongs_it_is_there(clients: tuple[Client, Client], issuer: LoopbackIssuer):
    asker = AnyAsker(clients[0])
    at = World(name="contoso", project="default", headers=of(issuer, "user"), ids={})
    for path in ("/openai/v1/models/their-chat", "/api/projects/default/deployments/their-chat"):
        assert asker.ask(at, "GET", path)[0] == 200


def admin_ways() -> list[Way]:
    """Every endpoint of operators that takes an id of something that can be made here."""
    kinds = {"keys": "key", "role-assignments": "assignment", "requests": "request", "connections": "connection"}
    ways = []
    for each in served():
        kind = (kinds | {"runs": "run"}).get(each.path.split("/")[2]) if each.path.startswith("/admin/") else None
        if kind is not None and "{id}" in each.path and each.method != "PUT":  # which makes what is not there
            body = {} if each.method == "POST" else None
            ways.append(Way(method=each.method, path=each.path.replace("{id}", f"{{{kind}}}"), body=body))
    role = {"role": "Foundry User", "principalType": "key", "principalId": "{key}"}
    ways.append(Way(method="POST", path="/admin/role-assignments", body=role))
    return ways + [Way(method="GET", path=each) for each in ADMIN_QUERIES]


def things(client: Client) -> dict[str, str]:
    """One of everything that operators see, where this client is the operator."""
    key = client.new_key()
    return {
        "key": key["id"],
        "name": key["name"],
        "assignment": client.new_assignment(),
        "request": client.new_call(),
        "connection": client.new_connection(),
        "run": client.new_run(),
    }


def test_an_owner_sees_nothing_of_another_resource(
    clients: tuple[Client, Client], issuer: LoopbackIssuer, record_property
):
    ours, theirs = clients
    asker, wrong = AnyAsker(ours), []
    made = (things(ours) | {"resource": "forehearth"}, things(theirs) | {"resource": "contoso"})
    sides = (("owner", {}, made[1]), ("their_owner", CONTOSO, made[0]))
    for owner, headers, foreign in sides:
        at = World(name=owner, headers=of(issuer, owner, headers), ids={})
        wrong += [compared(asker, way, at, foreign) for way in admin_ways()]
    record_property("things of operators asked for at another resource", len(wrong))
    assert not (faults := [each for each in wrong if each]), "\n".join(faults)
    assert len(admin_ways()) > 15
    for owner, headers, own in (("owner", {}, made[0]), ("their_owner", CONTOSO, made[1])):
        at = World(name=owner, headers=of(issuer, owner, headers), ids={})
        for way in (each for each in admin_ways() if each.method == "GET" and "?" not in each.path):
            assert asker.ask(at, *way.filled(at, own))[0] == 200, way.path


def test_absent_is_another_name():
    for each in ("their-chat", "key_0123", "contoso", "matrix-12"):
        assert absent(each) != each
