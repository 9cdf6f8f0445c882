"""What the project endpoint replies fits the classes that its client reads it into, member for member.

The schemas are closed: a member that the client does not know fails as one that is missing does.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from forehearth.core.connection_settings import ConnectionSettings
from forehearth.core.place import Place
from forehearth.core.secret import Secret
from tests.families import all_families
from tests.unit.doors import Door, Known, answer, head, make_door, principal

DOCUMENT = json.loads((Path(__file__).parent / "schemas" / "foundry-projects.json").read_text())
BASE = "/api/projects/default"
DEFINITION = {
    "kind": "prompt",
    "model": "chat",
    "instructions": "You greet {{who}}.",
    "temperature": 0.5,
    "top_p": 1,
    "reasoning": {"effort": "low"},
    "tools": [
        {"type": "function", "name": "greet", "parameters": {"type": "object"}, "strict": True},
        {"type": "mcp", "server_label": "files", "server_url": "https://example.com/mcp", "require_approval": "never"},
        {"type": "openapi", "openapi": {"name": "weather", "spec": {"a": 1}, "auth": {"type": "anonymous"}}},
        {
            "type": "capture_structured_outputs",
            "outputs": {"name": "order", "description": "An order.", "schema": {"type": "object"}, "strict": True},
        },
    ],
    "tool_choice": {"type": "function", "name": "greet"},
    "text": {"format": {"type": "json_schema", "name": "greeting", "schema": {"type": "object"}}},
    "structured_inputs": {"who": {"description": "Whom.", "default_value": "you", "required": False}},
}
VERSION = {"definition": DEFINITION, "description": "It greets.", "metadata": {"team": "a"}}
TAGGED = {"description": "What it is.", "tags": {"team": "a"}}
SEARCH = TAGGED | {"type": "AzureSearch", "connectionName": "search", "indexName": "manuals"}
COSMOS = TAGGED | {
    "type": "CosmosDBNoSqlVectorStore",
    "connectionName": "cosmos",
    "databaseName": "d",
    "containerName": "c",
    "embeddingConfiguration": {"modelDeploymentName": "vectors", "embeddingField": "v"},
    "fieldMapping": {
        "contentFields": ["text"],
        "filepathField": "path",
        "titleField": "title",
        "urlField": "url",
        "vectorFields": ["v"],
        "metadataFields": ["m"],
    },
}
MANAGED = TAGGED | {"type": "ManagedAzureSearch", "vectorStoreId": "vs_1"}
FILE = TAGGED | {"type": "uri_file", "dataUri": "https://example.com/a.jsonl"}
FOLDER = TAGGED | {"type": "uri_folder", "dataUri": "https://example.com/a/", "connectionName": "blob"}
ASSETS = (("indexes", "a", SEARCH), ("datasets", "a", FILE))
"""What is there before."""
_INDEX, _DATASET = "/indexes/{name}/versions/{version}", "/datasets/{name}/versions/{version}"
_SECRETS = "getConnectionWithCredentials"
CALLS: list[tuple[str, str, str, object]] = [
    ("POST /agents/{agent_name}/versions", "/agents/a/versions", "200", VERSION),
    ("GET /agents", "/agents", "200", None),
    ("GET /agents", "/agents?kind=hosted", "200", None),
    ("GET /agents/{agent_name}", "/agents/a", "200", None),
    ("GET /agents/{agent_name}/versions", "/agents/a/versions", "200", None),
    ("GET /agents/{agent_name}/versions/{agent_version}", "/agents/a/versions/1", "200", None),
    ("DELETE /agents/{agent_name}/versions/{agent_version}", "/agents/a/versions/1", "200", None),
    ("DELETE /agents/{agent_name}", "/agents/a", "200", None),
    ("POST /agents/{agent_name}:enable", "/agents/a:enable", "204", None),
    ("POST /agents/{agent_name}:disable", "/agents/a:disable", "204", None),
    ("PATCH /agents/{agent_name}", "/agents/a", "501", {}),
    ("GET /deployments", "/deployments", "200", None),
    ("GET /deployments/{name}", "/deployments/chat", "200", None),
    ("GET /connections", "/connections", "200", None),
    ("GET /connections/{name}", "/connections/search", "200", None),
    ("POST /connections/{name}/getConnectionWithCredentials", *(f"/connections/search/{_SECRETS}", "200", None)),
    ("POST /connections/{name}/getConnectionWithCredentials", *(f"/connections/tool/{_SECRETS}", "200", None)),
    ("POST /connections/{name}/getConnectionWithCredentials", *(f"/connections/blob/{_SECRETS}", "200", None)),
    ("GET /indexes", "/indexes", "200", None),
    ("GET /indexes/{name}/versions", "/indexes/a/versions", "200", None),
    (f"GET {_INDEX}", "/indexes/a/versions/1", "200", None),
    (f"PATCH {_INDEX}", "/indexes/a/versions/1", "200", {"description": "New."}),
    (f"PATCH {_INDEX}", "/indexes/a/versions/2", "201", SEARCH | {"fieldMapping": COSMOS["fieldMapping"]}),
    (f"PATCH {_INDEX}", "/indexes/b/versions/1", "201", COSMOS),
    (f"PATCH {_INDEX}", "/indexes/c/versions/1", "201", MANAGED),
    (f"DELETE {_INDEX}", "/indexes/a/versions/1", "204", None),
    ("GET /datasets", "/datasets", "200", None),
    ("GET /datasets/{name}/versions", "/datasets/a/versions", "200", None),
    (f"GET {_DATASET}", "/datasets/a/versions/1", "200", None),
    (f"PATCH {_DATASET}", "/datasets/a/versions/1", "200", {"tags": None}),
    (f"PATCH {_DATASET}", "/datasets/b/versions/1", "201", FOLDER),
    (f"DELETE {_DATASET}", "/datasets/nobody/versions/1", "204", None),
    ("GET /agents/{agent_name}", "/agents/nobody", "404", None),
    ("GET /agents", "/agents?limit=0", "400", None),
    ("POST /agents/{agent_name}/versions", "/agents/a/versions", "400", {"definition": {"kind": "hosted"}}),
]


CONNECTIONS = {
    Place(resource="here", project="default"): {
        "search": ConnectionSettings(type="CognitiveSearch", target="https://example.com", key=Secret("k")),
        "tool": ConnectionSettings(type="CustomKeys", target="x", keys={"one": Secret("k")}, metadata={"a": "b"}),
        "blob": ConnectionSettings(type="AzureBlob", target="x", sas=Secret("k")),
        "plain": ConnectionSettings(type="ApiKey", target="x"),
        "own": ConnectionSettings(type="ApiKey", target="x", entra=True),
    }
}


async def ask(door: Door, method: str, path: str, body: object) -> tuple[int, bytes]:
    target = f"{BASE}{path}{'&' if '?' in path else '?'}api-version=v1"
    kind = "application/merge-patch+json" if method == "PATCH" and "/agents" not in path else "application/json"
    accepted: Any = door.gateway.accept(
        head(target, method=method, key=None, authorization="Bearer t", content_type=kind)
    )
    if hasattr(accepted, "answer"):
        accepted = await accepted.answer(b"" if body is None else json.dumps(body).encode())
    return accepted.status, accepted.body


async def reply(method: str, path: str, body: object) -> tuple[int, bytes]:
    door = make_door(answer({}), known=Known({"t": principal()}), families=all_families(connections=CONNECTIONS))
    await ask(door, "POST", "/agents/a/versions", VERSION)
    for family, name, members in ASSETS:
        await ask(door, "PATCH", f"/{family}/{name}/versions/1", members)
    return await ask(door, method, path, body)


def validator(operation: str, status: str) -> Draft202012Validator:
    said = DOCUMENT["operations"][operation]
    schema = said[status if status in said else "default"]
    return Draft202012Validator({"schemas": DOCUMENT["schemas"], **schema})


@pytest.mark.parametrize(("operation", "path", "status", "body"), CALLS)
async def test_a_reply_is_what_the_client_reads(operation: str, path: str, status: str, body: object) -> None:
    found, raw = await reply(operation.partition(" ")[0], path, body)
    assert str(found) == status, raw
    if DOCUMENT["operations"][operation].get(status, {}) is None:
        assert raw == b""
        return
    validator(operation, status).validate(json.loads(raw))


@pytest.mark.parametrize(("path", "body"), [("/agents", VERSION | {"name": "b"}), ("/agents/a", VERSION)])
async def test_an_agent_is_shown_alike_where_it_is_made_and_where_it_is_read(path: str, body: object) -> None:
    """No document has these two operations, which older clients use."""
    found, raw = await reply("POST", path, body)
    assert found == 200, raw
    validator("GET /agents/{agent_name}", "200").validate(json.loads(raw))
    assert not validator("GET /agents/{agent_name}", "200").is_valid(json.loads(raw) | {"a_stranger": 1})


def mutated(value: Any, at: str = "$") -> Iterator[tuple[str, Any]]:
    """A reply in which one member is of another type, or one is too much; each time another one, and where it is."""
    if isinstance(value, list):
        for position, each in enumerate(value):
            for where, changed in mutated(each, f"{at}[{position}]"):
                yield where, [*value[:position], changed, *value[position + 1 :]]
    elif isinstance(value, dict):
        yield f"{at} with a stranger", value | {"a_stranger": 1}
        for name, each in value.items():
            yield f"{at}.{name} of another type", value | {name: 0.5 if isinstance(each, list) else [[0.5]]}
            for where, changed in mutated(each, f"{at}.{name}"):
                yield where, value | {name: changed}


OPEN = (".metadata", ".tags", ".definition.tools[0].parameters", ".outputs.schema", ".openapi.spec", ".format.schema")
ANYTHING = (".default_value", ".capabilities", ".additionalInfo", ".debugInfo")
"""Where the client takes objects with members of any name, or any value at all."""


@pytest.mark.parametrize(("operation", "path", "status", "body"), [each for each in CALLS if each[2] != "204"])
async def test_a_reply_with_something_wrong_is_found(operation: str, path: str, status: str, body: object) -> None:
    whole = json.loads((await reply(operation.partition(" ")[0], path, body))[1])
    checked = validator(operation, status)
    count = 0
    for where, changed in mutated(whole):
        place = where.split(" ")[0]
        inside = any(f"{each}." in where or (place.endswith(each) and "stranger" in where) for each in OPEN)
        if inside or any(each in place for each in ANYTHING):
            continue
        assert not checked.is_valid(changed), where
        count += 1
    assert count >= 3


REQUIRED = {
    "GET /agents": ("object", "data", "first_id", "last_id", "has_more"),
    "GET /agents/{agent_name}": ("object", "id", "name", "state", "configuration_state", "versions"),
    "GET /agents/{agent_name}/versions/{agent_version}": ("metadata", "object", "id", "name", "version", "created_at"),
}


@pytest.mark.parametrize(("operation", "path"), [(each[0], each[1]) for each in CALLS[1:6] if "?" not in each[1]])
async def test_a_reply_without_a_member_that_has_to_be_there_is_found(operation: str, path: str) -> None:
    whole = json.loads((await reply("GET", path, None))[1])
    for name in REQUIRED.get(operation, ("object", "data", "has_more")):
        assert not validator(operation, "200").is_valid({k: v for k, v in whole.items() if k != name}), name
