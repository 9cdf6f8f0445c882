"""Tools of published servers, through the official `openai` and `azure-ai-projects` packages, unmodified."""

import http.client
import json
from collections.abc import Iterator

import openai
import pytest
from openai import AzureOpenAI, OpenAI

from tests.conftest import StartForehearth
from tests.developer_shell import clean_environment, logged_in, run_python
from tests.forehearth_server import ForehearthServer
from tests.integration.server.toys import eventually
from tests.integration.tools.served import TIME, glances, running
from tests.openai_schemas import check, check_event

CONFIG = """
version: 1
egress: {{allow: ["127.0.0.1:{port}", "127.0.0.1:{api}"]}}
backends:
  script:
    provider: scripted
    rules:
      - when: {{contains: convert, every: 2}}
        answer: It is 21:30 there.
      - when: {{contains: convert}}
        tool_calls:
          - name: convert_time
            arguments: {{source_timezone: UTC, time: "12:30", target_timezone: Asia/Tokyo}}
      - when: {{contains: memory, every: 2}}
        answer: There is enough.
      - when: {{contains: memory}}
        tool_calls:
          - {{name: monitor__api_api_4__plugin__get, arguments: {{plugin: mem}}}}
          - {{name: report, arguments: {{enough: true}}}}
          - {{name: get_current_time, arguments: {{timezone: UTC}}}}
      - when: {{contains: again and again}}
        tool_calls: [{{name: get_current_time, arguments: {{timezone: UTC}}}}]
      - when: {{contains: nowhere, every: 2}}
        answer: There is no such place.
      - when: {{contains: nowhere}}
        tool_calls: [{{name: get_current_time, arguments: {{timezone: Nowhere/Land}}}}]
deployments:
  script: {{backends: [{{backend: script}}]}}
  tight:
    backends: [{{backend: script}}]
    limits: [{{requests_per_minute: 1}}]
"""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running("-c", TIME, "events") as found:
        yield found


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Glances, the system monitor, which has an OpenAPI document of its own."""
    with glances(tmp_path_factory.mktemp("glances")) as found:
        yield found


@pytest.fixture(scope="module")
def server(start_module_forehearth: StartForehearth, port: int, api: int) -> ForehearthServer:
    return start_module_forehearth(CONFIG.format(port=port, api=api), "--dev-issuer")


@pytest.fixture(params=["v1", "classic"])
def client(request: pytest.FixtureRequest, server: ForehearthServer) -> Iterator[OpenAI]:
    made: OpenAI = (
        OpenAI(base_url=f"{server.url}/openai/v1/", api_key=server.key, max_retries=0)
        if request.param == "v1"
        else AzureOpenAI(azure_endpoint=server.url, api_key=server.key, api_version="2025-03-01-preview", max_retries=0)
    )
    with made:
        yield made


def time_server(port: int, **more: object) -> dict[str, object]:
    url = f"http://127.0.0.1:{port}/mcp"
    return {"type": "mcp", "server_label": "time", "server_url": url, "require_approval": "never"} | more


def test_its_tools_are_called(client, port):
    response = client.responses.create(model="script", input="Please convert.", tools=[time_server(port)])
    listed, made, said = response.output
    assert {tool.name for tool in listed.tools} == {"get_current_time", "convert_time"}
    assert (made.type, made.server_label, made.name, made.status) == ("mcp_call", "time", "convert_time", "completed")
    assert json.loads(made.output)["target"]["datetime"].endswith("T21:30:00+09:00")
    assert response.output_text == said.content[0].text == "It is 21:30 there."
    shown = client.responses.with_raw_response.retrieve(response.id).http_response.json()
    check("Response", shown)


def test_its_tools_are_called_while_it_streams(client, port):
    with client.responses.stream(model="script", input="Please convert.", tools=[time_server(port)]) as stream:
        events = list(stream)
        final = stream.get_final_response()
    names = [event.type for event in events]
    for name in ("list_tools.in_progress", "list_tools.completed", "call.in_progress", "call_arguments.delta"):
        assert f"response.mcp_{name}" in names
    assert names.index("response.mcp_call_arguments.done") < names.index("response.mcp_call.completed")
    assert final.output_text == "It is 21:30 there."
    raw = client.responses.with_raw_response.create(
        model="script", input="Please convert.", tools=[time_server(port)], stream=True
    )
    for line in raw.http_response.iter_lines():
        if line.startswith("data: "):
            check_event(json.loads(line.removeprefix("data: ")))


def test_somebody_approves_of_one_call_and_not_of_the_other(client, port):
    tools = [time_server(port, require_approval={"never": {"tool_names": ["get_current_time"]}})]
    for approve in (True, False):
        first = client.responses.create(model="script", input="Please convert.", tools=tools)
        request = first.output[-1]
        assert (request.type, request.name, request.server_label) == ("mcp_approval_request", "convert_time", "time")
        answer = {"type": "mcp_approval_response", "approval_request_id": request.id, "approve": approve}
        second = client.responses.create(model="script", input=[answer], previous_response_id=first.id, tools=tools)
        assert [item.type for item in second.output] == ["mcp_call", "message"][not approve :]
        assert second.output_text == "It is 21:30 there."
        assert client.responses.input_items.list(second.id).data[0].approve is approve


def test_what_the_tool_cannot_do_is_an_item(client, port):
    response = client.responses.create(model="script", input="nowhere", tools=[time_server(port)])
    made = response.output[1]
    assert made.status == "failed"
    assert made.error.type == "mcp_tool_execution_error"
    assert "Nowhere/Land" in made.error.content[0]["text"]
    assert response.output_text == "There is no such place."


def test_in_the_background(client, port):
    with client.responses.create(
        model="script", input="Please convert.", tools=[time_server(port)], background=True, stream=True
    ) as stream:
        *_, last = stream
    assert last.type == "response.completed"
    assert [item.type for item in last.response.output] == ["mcp_list_tools", "mcp_call", "message"]


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("http://127.0.0.1:8099/mcp", 400),  # not allowed by the configuration
        ("http://127.0.0.1:PORT/nothing", 424),
    ],
)
def test_a_server_that_cannot_be_asked(client, port, url, status):
    tools = [time_server(port, server_url=url.replace("PORT", str(port)))]
    with pytest.raises(openai.APIStatusError) as caught:
        client.responses.create(model="script", input="Please convert.", tools=tools)
    assert (caught.value.status_code, caught.value.param) == (status, "tools[0].server_url")


def test_each_call_of_the_model_counts(server, port):
    """The deployment lets one call in a minute through, and it takes two to answer with a tool."""
    with OpenAI(base_url=f"{server.url}/openai/v1/", api_key=server.key, max_retries=0) as client:
        response = client.responses.create(model="tight", input="again and again", tools=[time_server(port)])
        assert [item.type for item in response.output] == ["mcp_list_tools", "mcp_call"]
        assert (response.status, response.error.code) == ("failed", "rate_limit_exceeded")
        with pytest.raises(openai.RateLimitError):
            client.responses.create(model="tight", input="again and again", tools=[time_server(port)])


def test_calls_are_bounded_and_each_is_in_the_ledger(server, port):
    with OpenAI(base_url=f"{server.url}/openai/v1/", api_key=server.key, max_retries=0) as client:
        raw = client.responses.with_raw_response.create(
            model="script", input="again and again", tools=[time_server(port)], max_tool_calls=2
        )
        response, request_id = raw.parse(), raw.headers["x-request-id"]
    assert [item.type for item in response.output] == ["mcp_list_tools", "mcp_call", "mcp_call"]
    assert response.usage.output_tokens > 0
    used = [_booked(server, f"{request_id}{end}") for end in ("", ".2", ".3")]
    assert sum(used) == response.usage.total_tokens


def _booked(server: ForehearthServer, request_id: str) -> int:
    """The tokens that the ledger has of a call."""

    def found() -> int | None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", f"/admin/requests/{request_id}", headers={"api-key": server.key})
        answer = connection.getresponse()
        told = json.loads(answer.read())
        connection.close()
        return int(told["tokens"]["prompt"] + told["tokens"]["completion"]) if answer.status == 200 else None

    return eventually(found)


AGENTS = """
import json, os, sys, urllib.request
from azure.ai.projects import AIProjectClient
from azure.ai.projects.models import *
from azure.identity import DefaultAzureCredential

url, port, api = os.environ["FOREHEARTH_URL"], *sys.argv[1:]
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
with direct.open(f"http://127.0.0.1:{api}/openapi.json") as answer:
    document = json.load(answer)
document["servers"] = [{"url": f"http://127.0.0.1:{api}"}]
wanted = "/api/4/{plugin}"
document["paths"] = {path: its for path, its in document["paths"].items() if path == wanted}
monitor = OpenApiFunctionDefinition(name="monitor", spec=document, auth=OpenApiAnonymousAuthDetails())
form = StructuredOutputDefinition(
    name="report", description="Whether there is enough.", strict=True,
    schema={"type": "object", "properties": {"enough": {"type": "boolean"}}},
)
tools = [
    MCPTool(server_label="time", server_url=f"http://127.0.0.1:{port}/mcp", require_approval="always"),
    OpenApiTool(openapi=monitor),
    CaptureStructuredOutputsTool(outputs=form),
]
with DefaultAzureCredential() as credential, AIProjectClient(f"{url}/api/projects/default", credential) as project:
    agent = project.agents.create_version("keeper", definition=PromptAgentDefinition(model="script", tools=tools))
    client = project.get_openai_client()
    by = {"agent_reference": {"type": "agent_reference", "name": agent.name}}
    talk = client.conversations.create()
    first = client.responses.create(input="How much memory?", conversation=talk.id, extra_body=by)
    kinds = [item.type for item in first.output]
    assert kinds == [
        "mcp_list_tools", "openapi_call", "openapi_call_output", "structured_outputs", "mcp_approval_request"
    ], first
    assert json.loads(first.output[2].output)["total"] > 0, first.output[2]
    assert first.output[3].output == {"enough": True}, first.output[3]
    request = first.output[4]
    decided = {"type": "mcp_approval_response", "approval_request_id": request.id, "approve": True}
    with client.responses.create(input=[decided], conversation=talk.id, stream=True, extra_body=by) as events:
        *_, last = events
    made, said = last.response.output
    assert (made.type, made.status, made.approval_request_id) == ("mcp_call", "completed", request.id), made
    assert json.loads(made.output)["timezone"] == "UTC", made
    assert said.content[0].text == "There is enough.", said
    assert len(list(client.conversations.items.list(talk.id, limit=100))) == 9
"""


def test_an_agent_with_a_server_an_api_and_a_form(server, port, api):
    run_python(logged_in(server, clean_environment()), "-c", AGENTS, str(port), str(api))
