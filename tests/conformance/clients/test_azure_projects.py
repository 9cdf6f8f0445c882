"""`azure-ai-projects`, unmodified, over TLS, with `DefaultAzureCredential` and no cloud: all that it can ask."""

import csv
import json
from pathlib import Path

import pytest

from tests.conftest import StartForehearth
from tests.developer_shell import clean_environment, logged_in, run_python

METHODS = Path(__file__).with_name("azure_ai_projects.tsv")
PROGRAM = Path(__file__).with_name("every_project_method.py")
SECRET = "a key of the tests"
CONFIG = """
version: 1
backends:
  script:
    provider: scripted
    rules:
      - when: {contains: "call get_weather", first: 1}
        tool_calls: [{name: get_weather, arguments: {city: Lisbon}}]
deployments:
  x1: {backends: [{backend: script}]}
projects:
  default:
    connections:
      x1: {type: AzureOpenAI, target: "https://example.com", default: true, key: "${KEY}", metadata: {a: b}}
      insights: {type: AppInsights, target: "https://example.com", key: "${KEY}"}
  sales: {description: What the sales people do.}
"""


@pytest.fixture(scope="module")
def shell(start_module_forehearth: StartForehearth) -> dict[str, str]:
    """A shell in which the developer has logged in."""
    return logged_in(start_module_forehearth(CONFIG, "--dev-issuer", environment={"KEY": SECRET}), clean_environment())


AGENTS = """
import os
from azure.ai.projects import AIProjectClient
from azure.ai.projects.models import *
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential

url = os.environ["FOREHEARTH_URL"]
assert url.startswith("https://")
definition = PromptAgentDefinition(
    model="x1",
    instructions="You greet {{who}}.",
    temperature=0.5,
    tools=[
        FunctionTool(name="greet", parameters={"type": "object", "properties": {}}, strict=True),
        MCPTool(server_label="files", server_url="https://example.com/mcp", require_approval="never"),
        OpenApiTool(openapi=OpenApiFunctionDefinition(name="w", spec={"a": 1}, auth=OpenApiAnonymousAuthDetails())),
    ],
    text=PromptAgentDefinitionTextOptions(format=TextResponseFormatJsonSchema(name="g", schema={"type": "object"})),
    structured_inputs={"who": StructuredInputDefinition(description="Whom.", default_value="you")},
)
with DefaultAzureCredential() as credential, AIProjectClient(f"{url}/api/projects/default", credential) as project:
    agents = project.agents
    described = {"definition": definition, "description": "It greets.", "metadata": {"a": "b"}}
    first = agents.create_version("greeter", **described)
    assert (first.id, first.version, first.status, first.draft) == ("greeter:1", "1", "active", False), first
    assert first.definition == definition, first.definition
    assert agents.create_version("greeter", **described) == first
    definition.instructions = "You greet {{who}} warmly."
    assert agents.create_version("greeter", definition=definition).version == "2"
    for number in range(25):
        agents.create_version(f"other-{number}", definition=PromptAgentDefinition(model="x1"))
    agent = agents.get("greeter")
    assert (agent.state, agent.versions.latest.version) == ("enabled", "2"), agent
    assert agents.get_version("greeter", "1") == first
    assert [each.version for each in agents.list_versions("greeter")] == ["2", "1"]
    assert [each.version for each in agents.list_versions("greeter", limit=1, order="asc")] == ["1", "2"]
    names = [each.name for each in agents.list(kind="prompt", limit=7)]
    assert names == [*(f"other-{number}" for number in range(24, -1, -1)), "greeter"], names
    agents.disable("greeter")
    assert agents.get("greeter").state == "disabled"
    agents.enable("greeter")
    assert agents.get("greeter").state == "enabled"
    assert agents.delete_version("greeter", "2").deleted
    assert agents.get("greeter").versions.latest.version == "1"
    assert agents.delete("greeter").deleted
    for gone in (agents.get, agents.delete, agents.enable, lambda name: list(agents.list_versions(name))):
        try:
            gone("greeter")
        except ResourceNotFoundError as error:
            assert error.error.code == "NotFound", error
        else:
            raise AssertionError(gone)
    for other in (
        WorkflowAgentDefinition(workflow="x"),
        PromptAgentDefinition(model="x1", tools=[CodeInterpreterTool()]),
        PromptAgentDefinition(model="x1", temperature=3),
    ):
        try:
            agents.create_version("wrong", definition=other)
        except HttpResponseError as error:
            assert error.status_code == 400 and '"param":"definition.' in error.response.text(), error
        else:
            raise AssertionError(other)
with DefaultAzureCredential() as credential, AIProjectClient(f"{url}/api/projects/sales", credential) as project:
    assert list(project.agents.list()) == []
"""


def test_agents_are_made_listed_read_switched_and_deleted(shell: dict[str, str]):
    run_python(shell, "-c", AGENTS)


CONNECTIONS = """
import os
from azure.ai.projects import AIProjectClient
from azure.core.exceptions import ResourceNotFoundError
from azure.identity import DefaultAzureCredential

project = f"{os.environ['FOREHEARTH_URL']}/api/projects/default"
with DefaultAzureCredential() as credential, AIProjectClient(project, credential) as client:
    assert [each.name for each in client.connections.list()] == ["insights", "x1"]
    assert [each.name for each in client.connections.list(connection_type="AppInsights")] == ["insights"]
    plain = client.connections.get_default("AzureOpenAI")
    assert (plain.name, plain.type, plain.is_default, plain.metadata) == ("x1", "AzureOpenAI", True, {"a": "b"})
    assert (plain.credentials.type, plain.credentials.get("key")) == ("ApiKey", None), plain
    whole = client.connections.get("x1", include_credentials=True)
    assert whole.credentials.api_key == "a key of the tests"
    assert client.telemetry.get_application_insights_connection_string() == "a key of the tests"
    try:
        client.connections.get("none")
    except ResourceNotFoundError as error:
        assert error.error.code == "NotFound"
    else:
        raise AssertionError
"""


def test_connections_are_listed_and_read_with_and_without_credentials(shell: dict[str, str]):
    run_python(shell, "-c", CONNECTIONS)


ASSETS = """
import os
from azure.ai.projects import AIProjectClient
from azure.ai.projects.models import *
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential

url = os.environ["FOREHEARTH_URL"]
assert url.startswith("https://")
indexes = {
    "search": AzureAISearchIndex(connection_name="x1", index_name="i", description="Manuals.", tags={"a": "b"}),
    "cosmos": CosmosDBIndex(
        connection_name="x1", database_name="d", container_name="c",
        embedding_configuration=EmbeddingConfiguration(model_deployment_name="x1", embedding_field="v"),
        field_mapping=FieldMapping(content_fields=["text"], vector_fields=["v"]),
    ),
    "managed": ManagedAzureAISearchIndex(vector_store_id="vs_1"),
}
datasets = {
    "file": FileDatasetVersion(data_uri="https://example.com/a.jsonl", connection_name="x1", tags={"a": "b"}),
    "folder": FolderDatasetVersion(data_uri="https://example.com/a/"),
}

def told(call, *given, status, **named):
    try:
        call(*given, **named)
    except HttpResponseError as error:
        assert error.status_code == status, error
        assert status != 404 or isinstance(error, ResourceNotFoundError)
        return error.response.json()["error"]
    raise AssertionError(call)

def used(family, given, called, changed):
    for name, wanted in given.items():
        made = family.create_or_update(name, "1", wanted)
        where = f"azureai://accounts/forehearth/projects/default/{called}/{name}/versions/1"
        assert (made.id, made.name, made.version) == (where, name, "1"), made
        assert type(made) is type(wanted), made
        assert wanted.items() <= made.items(), made
        assert family.get(name, "1") == made
        assert family.create_or_update(name, "1", made) == made
    assert [each.name for each in family.list()] == [*given][::-1]
    first = next(iter(given))
    tagged = {"type": given[first].type, "description": "New.", "tags": {"a": None, "c": "d"}}
    assert family.create_or_update(first, "1", tagged).tags == {"c": "d"}
    assert told(family.create_or_update, first, "1", changed, status=400)["param"] in changed
    assert (family.get(first, "1").description, family.get(first, "1").tags) == ("New.", {"c": "d"})
    for number in range(2, 60):
        family.create_or_update(first, str(number), given[first])
    versions = [each.version for each in family.list_versions(first)]
    assert versions == [str(number) for number in range(59, 0, -1)], versions
    assert [(each.name, each.version) for each in family.list()][-1] == (first, "59")
    for each in family.list_versions(first):
        family.delete(first, each.version)
    assert list(family.list_versions(first)) == []
    family.delete(first, "1")
    assert told(family.get, first, "1", status=404)["code"] == "NotFound"
    assert told(family.create_or_update, "a b", "1", given[first], status=400)["param"] == "name"

with DefaultAzureCredential() as credential, AIProjectClient(f"{url}/api/projects/default", credential) as project:
    used(project.indexes, indexes, "indexes", {"indexName": "other"})
    used(project.datasets, datasets, "data", {"dataUri": "https://example.com/other"})
    assert all(each.is_reference for each in project.datasets.list())
    told(project.datasets.upload_file, name="a", version="1", file_path=os.__file__, status=501)
with DefaultAzureCredential() as credential, AIProjectClient(f"{url}/api/projects/sales", credential) as project:
    assert list(project.indexes.list()) == list(project.datasets.list()) == []
    assert told(project.indexes.get, "cosmos", "1", status=404)["code"] == "NotFound"
"""


def test_indexes_and_datasets_are_registered_listed_changed_and_deleted(shell: dict[str, str]):
    run_python(shell, "-c", ASSETS)


def test_each_method_gets_its_answer_or_is_told_that_it_is_not_served_yet(shell: dict[str, str]):
    text = [line for line in METHODS.read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(text, delimiter="\t"))
    names = {"agent": "x1", "version": "1"}
    expected = {
        row["method"]: [row["request"], row["path"].format(**names), row["features"], int(row["answer"])]
        for row in rows
    }
    printed = run_python(shell, str(PROGRAM), *expected).splitlines()
    found = {name: seen for name, *seen in map(json.loads, printed)}
    assert {name: seen[:4] for name, seen in found.items()} == expected
    assert {name for name, seen in found.items() if seen[3] == 501} == {
        name for name, seen in found.items() if seen[4] == "NotServedYet"
    }
    assert len(expected) == 179


CALLS = """
import os
from azure.ai.projects import AIProjectClient
from azure.ai.projects.models import FunctionTool, PromptAgentDefinition, StructuredInputDefinition
from azure.identity import DefaultAzureCredential
from openai import BadRequestError, ConflictError, NotFoundError

url = os.environ["FOREHEARTH_URL"]
with DefaultAzureCredential() as credential, AIProjectClient(
    f"{url}/api/projects/default", credential, allow_preview=True
) as project:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    weather = FunctionTool(name="get_weather", parameters=parameters, strict=False)
    who = {"who": StructuredInputDefinition(description="Whom.", required=True)}
    teller = PromptAgentDefinition(
        model="x1", instructions="You greet {{who}}.", tools=[weather], structured_inputs=who
    )
    version = project.agents.create_version("teller", definition=teller)
    plain = project.agents.create_version("plain", definition=PromptAgentDefinition(model="x1")).name

    def by(name, **more):
        return {"agent_reference": {"type": "agent_reference", "name": name}, **more}

    client = project.get_openai_client()
    ann = {"structured_inputs": {"who": "Ann"}}
    made = client.responses.create(input="Hello.", extra_body=by("plain"))
    assert made.output_text and made.model == "x1", made
    assert made.agent_reference == {"type": "agent_reference", "name": "plain", "version": "1"}, made
    assert made.output[0].agent_reference == made.agent_reference and made.output[0].response_id == made.id
    assert client.responses.retrieve(made.id) == made

    conversation = client.conversations.create(items=[{"type": "message", "role": "user", "content": "I am Ann."}])
    for text in ("Who am I?", "And now?"):
        client.responses.create(input=text, conversation=conversation.id, extra_body=by("plain"))
    said = list(client.conversations.items.list(conversation.id, order="asc"))
    assert [each.role for each in said] == ["user", "user", "assistant", "user", "assistant"], said

    first = client.responses.create(input="call get_weather", extra_body=by("teller", **ann))
    assert first.instructions == "You greet Ann."
    call, = [each for each in first.output if each.type == "function_call"]
    assert call.name == "get_weather", call
    answer = {"type": "function_call_output", "call_id": call.call_id, "output": "Sunny."}
    last = client.responses.create(
        input=[answer], previous_response_id=first.id, tool_choice="none", extra_body=by("teller", **ann)
    )
    assert last.status == "completed" and last.output_text, last

    with client.responses.stream(model="x1", input="Hello.", extra_body=by("plain")) as stream:
        kinds = [event.type for event in stream]
        assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
        assert stream.get_final_response().agent_reference["name"] == "plain"

    for error, code, body in (
        (BadRequestError, "invalid_payload", {"instructions": "No.", "extra_body": by("plain")}),
        (BadRequestError, "invalid_payload", {"temperature": 1, "extra_body": by("plain")}),
        (BadRequestError, "invalid_value", {"extra_body": by("teller")}),
        (NotFoundError, "NotFound", {"extra_body": by("nobody")}),
    ):
        try:
            client.responses.create(input="Hello.", **body)
        except error as refused:
            assert refused.code == code, refused
        else:
            raise AssertionError(body)
    queued = client.responses.create(input="Hello.", background=True, extra_body=by("plain"))
    assert (queued.status, queued.agent_reference["version"]) == ("queued", "1"), queued
    with client.responses.retrieve(queued.id, stream=True) as events:
        last = list(events)[-1]
    assert last.type == "response.completed" and last.response.agent_reference == queued.agent_reference, last
    assert last.response == client.responses.retrieve(queued.id)

    project.agents.disable("plain")
    try:
        client.with_options(max_retries=0).responses.create(input="Hello.", extra_body=by("plain"))
    except ConflictError as refused:
        assert "disabled" in refused.message
    else:
        raise AssertionError
    project.agents.enable("plain")

    own = project.get_openai_client(agent_name="plain")
    talk = own.conversations.create()
    there = own.responses.create(input="Hello.", conversation=talk.id)
    assert there.agent_reference["name"] == "plain" and there.output_text
    assert own.responses.retrieve(there.id) == there
    assert len(list(own.conversations.items.list(talk.id))) == 2
    try:
        client.responses.retrieve(there.id)
    except NotFoundError:
        pass
    else:
        raise AssertionError
    own.responses.delete(there.id)
"""


def test_agents_are_asked_with_conversations_functions_and_at_their_own_endpoint(shell: dict[str, str]):
    run_python(shell, "-c", CALLS)
