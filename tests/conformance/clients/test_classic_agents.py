"""Classic agents through their clients, unmodified: `azure-ai-agents` over TLS with `DefaultAzureCredential` and no
cloud, and `openai` on v1 and on classic paths."""

from collections.abc import Iterator

import openai
import pytest
from openai import AssistantEventHandler, AzureOpenAI, OpenAI

from tests.conftest import StartForehearth
from tests.developer_shell import clean_environment, logged_in, run_python
from tests.forehearth_server import ForehearthServer

pytestmark = [
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning"),
]

CONFIG = """
version: 1
backends:
  script:
    provider: scripted
    rules:
      - when: {contains: weather, every: 2}
        answer: It is sunny in Paris.
      - when: {contains: weather}
        tool_calls: [{name: get_weather, arguments: {city: Paris}}]
      - when: {contains: break off}
        answer: This is cut before it is over.
        fault: reset_mid_stream
      - when: {contains: for ever}
        answer: one two three
        delay: 600
      - when: {contains: hello}
        answer: Hello to you.
deployments:
  chat: {backends: [{backend: script}]}
projects:
  sales: {}
"""


TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module")
def scripted(start_module_forehearth: StartForehearth) -> ForehearthServer:
    return start_module_forehearth(CONFIG, "--dev-issuer")


@pytest.fixture(scope="module")
def shell(scripted: ForehearthServer) -> dict[str, str]:
    """A shell in which the developer has logged in."""
    return logged_in(scripted, clean_environment())


HEAD = """
import json, os, time
from azure.ai.agents import AgentsClient
from azure.ai.agents.models import *
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential

url = os.environ["FOREHEARTH_URL"]
assert url.startswith("https://")


def get_weather(city: str) -> str:
    \"\"\"The weather of a city.

    :param city: Its name.
    :return: What it is like.
    \"\"\"
    return json.dumps({"city": city, "weather": "sunny"})


def refused(status, words, what, *arguments, **members):
    try:
        what(*arguments, **members)
    except HttpResponseError as error:
        assert error.status_code == status and words in str(error), error
    else:
        raise AssertionError(what)


def client(project="default"):
    return AgentsClient(f"{url}/api/projects/{project}", DefaultAzureCredential())
"""


def run(shell: dict[str, str], program: str) -> None:
    run_python(shell, "-c", HEAD + program)


OBJECTS = """
with client() as agents:
    agent = agents.create_agent(
        model="chat", name="helper", description="It helps.", instructions="Be short.", temperature=0.5, top_p=1,
        metadata={"a": "b"}, tools=FunctionTool({get_weather}).definitions,
        response_format=AgentsResponseFormat(type="text"),
    )
    assert (agent.name, agent.model, agent.temperature, agent.metadata) == ("helper", "chat", 0.5, {"a": "b"}), agent
    assert agents.get_agent(agent.id) == agent
    changed = agents.update_agent(agent.id, instructions="Be long.", tools=[])
    assert (changed.instructions, changed.name, changed.tools) == ("Be long.", "helper", []), changed
    others = [agents.create_agent(model="chat", name=str(number)) for number in range(5)]
    names = [each.name for each in agents.list_agents(limit=2)]
    assert names == ["4", "3", "2", "1", "0", "helper"], names
    assert [each.name for each in agents.list_agents(limit=4, order="asc")] == names[::-1]
    for kind in (CodeInterpreterTool(), BingGroundingTool(connection_id="x")):
        refused(400, "served are tools of type 'function'", agents.create_agent, model="chat", tools=kind.definitions)
    refused(400, "tool_resources.file_search", agents.threads.create,
            tool_resources=ToolResources(file_search=FileSearchToolResource(vector_store_ids=["vs_1"])))

    thread = agents.threads.create(
        messages=[ThreadMessageOptions(role="user", content="one")], metadata={"c": "d"}
    )
    assert (agents.threads.get(thread.id), thread.metadata) == (thread, {"c": "d"})
    assert agents.threads.update(thread.id, metadata={"e": "f"}).metadata == {"e": "f"}
    second = agents.messages.create(thread.id, role=MessageRole.USER, content=[
        MessageInputTextBlock(text="two"),
        MessageInputImageUrlBlock(image_url=MessageImageUrlParam(url="https://example.com/a.png")),
    ], metadata={"n": "2"})
    assert second.content[0].text.value == "two"
    for number in range(3, 8):
        agents.messages.create(thread.id, role="user", content=str(number))
    found = [each for each in agents.messages.list(thread.id, limit=3)]
    said = [each.content[0].text.value for each in found]
    assert said == ["7", "6", "5", "4", "3", "two", "one"], said
    assert [each.id for each in agents.messages.list(thread.id, order="asc")] == [each.id for each in found][::-1]
    before = agents.messages.list(thread.id, before=found[2].id, limit=1).next()
    assert before.id == found[1].id
    assert agents.messages.get(thread.id, second.id) == second
    assert agents.messages.update(thread.id, second.id, metadata={"n": "3"}).metadata == {"n": "3"}
    assert thread.id in [each.id for each in agents.threads.list()]

    foreign = client("sales")
    for ask in (
        lambda there, a, t, m: there.get_agent(a),
        lambda there, a, t, m: there.delete_agent(a),
        lambda there, a, t, m: there.threads.get(t),
        lambda there, a, t, m: there.threads.delete(t),
        lambda there, a, t, m: list(there.messages.list(t)),
        lambda there, a, t, m: there.messages.create(t, role="user", content="x"),
        lambda there, a, t, m: there.messages.get(t, m),
        lambda there, a, t, m: there.runs.create(t, agent_id=a),
        lambda there, a, t, m: list(there.runs.list(t)),
    ):
        for ids in ((agent.id, thread.id, second.id), ("asst_none", "thread_none", "msg_none")):
            try:
                ask(foreign, *ids)
            except ResourceNotFoundError as error:
                assert "found with id" in str(error), error
            else:
                raise AssertionError(ids)
    agents.threads.delete(thread.id)
    refused(404, "No thread found", agents.threads.get, thread.id)
    for each in (agent, *others):
        agents.delete_agent(each.id)
    refused(404, "No assistant found", agents.get_agent, agent.id)
"""


def test_agents_threads_and_messages_are_made_listed_changed_and_deleted(shell: dict[str, str]):
    run(shell, OBJECTS)


RUNS = """
with client() as agents:
    functions = FunctionTool({get_weather})
    tools = ToolSet()
    tools.add(functions)
    agents.enable_auto_function_calls(tools)
    agent = agents.create_agent(model="chat", instructions="Be short.", toolset=tools)
    thread = agents.threads.create()
    agents.messages.create(thread.id, role="user", content="How is the weather in Paris?")
    run = agents.runs.create_and_process(thread.id, agent_id=agent.id, polling_interval=0.1)
    assert run.status == RunStatus.COMPLETED, run
    assert run.usage.total_tokens == run.usage.prompt_tokens + run.usage.completion_tokens > 0, run
    said = agents.messages.get_last_message_text_by_role(thread.id, MessageRole.AGENT)
    assert said.text.value == "It is sunny in Paris.", said
    message, calls = agents.run_steps.list(thread.id, run.id)
    assert (message.type, calls.type, message.status, calls.status) == (
        "message_creation", "tool_calls", "completed", "completed"
    )
    assert calls.step_details.tool_calls[0].function.arguments == '{"city":"Paris"}', calls
    assert calls.step_details.tool_calls[0].function["output"] == get_weather("Paris")
    assert agents.run_steps.get(thread.id, run.id, calls.id) == calls
    assert run.usage.total_tokens == sum(step.usage.total_tokens for step in (message, calls))
    assert [each.id for each in agents.messages.list(thread.id, run_id=run.id)] == [
        message.step_details.message_creation.message_id
    ]
    assert [each.id for each in agents.runs.list(thread.id)] == [run.id]
    assert agents.runs.update(thread.id, run.id, metadata={"a": "b"}).metadata == {"a": "b"}

    both = agents.create_thread_and_process_run(
        agent_id=agent.id, thread=AgentThreadCreationOptions(messages=[{"role": "user", "content": "hello"}]),
        polling_interval=0.1,
    )
    assert both.status == "completed", both
    run = agents.runs.create_and_process(
        both.thread_id, agent_id=agent.id, additional_instructions="Please.", polling_interval=0.1,
        additional_messages=[ThreadMessageOptions(role="user", content="break off")], max_completion_tokens=300,
        truncation_strategy=TruncationObject(type="last_messages", last_messages=1), metadata={"x": "y"},
    )
    assert (run.status, run.last_error.code) == ("failed", "server_error"), run
    assert run.instructions == "Be short.\\nPlease.", run

    run = agents.runs.create(
        both.thread_id, agent_id=agent.id, additional_messages=[{"role": "user", "content": "for ever"}]
    )
    assert run.status == "queued"
    refused(400, f"already has an active run {run.id}", agents.runs.create, both.thread_id, agent_id=agent.id)
    refused(400, "while a run", agents.messages.create, both.thread_id, role="user", content="x")
    refused(400, "do not accept tool outputs", agents.runs.submit_tool_outputs, both.thread_id, run.id,
            tool_outputs=[ToolOutput(tool_call_id="x", output="y")])
    agents.runs.cancel(both.thread_id, run.id)
    for _ in range(100):
        run = agents.runs.get(both.thread_id, run.id)
        if run.status == "cancelled":
            break
        time.sleep(0.1)
    assert run.status == "cancelled", run
    refused(400, "Cannot cancel run with status 'cancelled'", agents.runs.cancel, both.thread_id, run.id)
"""


def test_runs_are_polled_with_functions_cancelled_and_failed(shell: dict[str, str]):
    run(shell, RUNS)


STREAMS = """
class Seen(AgentEventHandler):
    def __init__(self):
        super().__init__()
        self.text, self.runs, self.steps = "", [], []

    def on_message_delta(self, delta):
        self.text += delta.text

    def on_thread_run(self, run):
        self.runs.append(str(run.status))

    def on_run_step(self, step):
        self.steps.append(f"{step.type} {step.status}")


with client() as agents:
    agent = agents.create_agent(model="chat", tools=FunctionTool({get_weather}).definitions)
    agents.enable_auto_function_calls({get_weather})
    thread = agents.threads.create()
    agents.messages.create(thread.id, role="user", content="hello")
    with agents.runs.stream(thread.id, agent_id=agent.id) as stream:
        names = [str(getattr(name, "value", name)) for name, _, _ in stream]
    deltas = names.count("thread.message.delta")
    assert deltas >= 2
    assert [name for name in names if name != "thread.message.delta"] == [
        "thread.run.created", "thread.run.queued", "thread.run.in_progress",
        "thread.run.step.created", "thread.run.step.in_progress", "thread.message.created",
        "thread.message.in_progress", "thread.message.completed", "thread.run.step.completed",
        "thread.run.completed", "done",
    ], names

    agents.messages.create(thread.id, role="user", content="the weather")
    with agents.runs.stream(thread.id, agent_id=agent.id, event_handler=Seen()) as seen:
        seen.until_done()
    assert seen.text == "It is sunny in Paris.", seen.text
    assert seen.runs == ["RunStatus.QUEUED", "RunStatus.QUEUED", "RunStatus.IN_PROGRESS",
        "RunStatus.REQUIRES_ACTION", "RunStatus.QUEUED", "RunStatus.IN_PROGRESS", "RunStatus.COMPLETED"], seen.runs
"""


def test_runs_stream_and_go_on_with_what_functions_gave(shell: dict[str, str]):
    run(shell, STREAMS)


@pytest.fixture(params=["v1", "classic"])
def client(request: pytest.FixtureRequest, scripted: ForehearthServer) -> Iterator[OpenAI]:
    made: OpenAI = (
        OpenAI(base_url=f"{scripted.url}/openai/v1/", api_key=scripted.key, max_retries=0)
        if request.param == "v1"
        else AzureOpenAI(
            azure_endpoint=scripted.url, api_key=scripted.key, api_version="2025-03-01-preview", max_retries=0
        )
    )
    with made:
        yield made


def test_objects_are_made_listed_changed_and_removed(client):
    assistants, threads = client.beta.assistants, client.beta.threads
    made = assistants.create(model="chat", name="a", tools=[TOOL], metadata={"b": "c"})
    assert assistants.retrieve(made.id) == made
    assert assistants.update(made.id, name="d", temperature=0.5).name == "d"
    more = [assistants.create(model="chat") for _ in range(3)]
    assert [each.id for each in assistants.list(limit=2)][:4] == [*(each.id for each in more[::-1]), made.id]
    with pytest.raises(openai.BadRequestError, match="'code_interpreter' are not served"):
        assistants.create(model="chat", tools=[{"type": "code_interpreter"}])
    thread = threads.create(messages=[{"role": "user", "content": "one"}])
    two = threads.messages.create(thread.id, role="user", content=[{"type": "text", "text": "two"}])
    assert [each.content[0].text.value for each in threads.messages.list(thread.id, order="asc", limit=1)] == [
        "one",
        "two",
    ]
    assert threads.messages.update(two.id, thread_id=thread.id, metadata={"n": "2"}).metadata == {"n": "2"}
    assert threads.messages.delete(two.id, thread_id=thread.id).deleted
    assert threads.update(thread.id, metadata={"e": "f"}).metadata == {"e": "f"}
    assert threads.delete(thread.id).deleted
    with pytest.raises(openai.NotFoundError, match=f"No thread found with id '{thread.id}'"):
        threads.retrieve(thread.id)
    assert assistants.delete(made.id).deleted


class Seen(AssistantEventHandler):
    """What a handler of the client is told."""

    def __init__(self):
        super().__init__()
        self.text, self.called, self.done = "", "", []

    def on_text_delta(self, delta, snapshot):
        self.text += delta.value

    def on_tool_call_delta(self, delta, snapshot):
        self.called += delta.function.arguments or ""

    def on_run_step_done(self, run_step):
        self.done.append(run_step.type)


def test_a_run_streams_and_goes_on_with_what_functions_gave(client):
    runs = client.beta.threads.runs
    assistant = client.beta.assistants.create(model="chat", tools=[TOOL])
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "The weather?"}])
    first, second = Seen(), Seen()
    with runs.stream(thread_id=thread.id, assistant_id=assistant.id, event_handler=first) as stream:
        stream.until_done()
    run = first.current_run
    assert (run.status, first.called, first.done) == ("requires_action", '{"city":"Paris"}', [])
    (call,) = run.required_action.submit_tool_outputs.tool_calls
    outputs = [{"tool_call_id": call.id, "output": "sunny"}]
    with runs.submit_tool_outputs_stream(
        run_id=run.id, thread_id=thread.id, tool_outputs=outputs, event_handler=second
    ) as stream:
        stream.until_done()
    assert (second.current_run.status, second.text) == ("completed", "It is sunny in Paris.")
    assert second.done == ["tool_calls", "message_creation"]
    assert second.get_final_messages()[0].content[0].text.value == second.text
    steps = list(runs.steps.list(run.id, thread_id=thread.id))
    assert [each.type for each in steps] == ["message_creation", "tool_calls"]
    assert steps[1].step_details.tool_calls[0].function.output == "sunny"


def test_runs_are_polled_and_cancelled(client):
    threads = client.beta.threads
    assistant = client.beta.assistants.create(model="chat")
    run = threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "hello"}]}, poll_interval_ms=50
    )
    assert run.status == "completed"
    assert threads.messages.list(run.thread_id).data[0].content[0].text.value == "Hello to you."
    threads.messages.create(run.thread_id, role="user", content="for ever")
    begun = threads.runs.create(run.thread_id, assistant_id=assistant.id)
    with pytest.raises(openai.BadRequestError, match=f"already has an active run {begun.id}"):
        threads.runs.create(run.thread_id, assistant_id=assistant.id)
    assert threads.runs.cancel(begun.id, thread_id=run.thread_id).status in ("cancelling", "cancelled")
    assert threads.runs.poll(begun.id, thread_id=run.thread_id, poll_interval_ms=50).status == "cancelled"
    assert [each.id for each in threads.runs.list(run.thread_id)] == [begun.id, run.id]
