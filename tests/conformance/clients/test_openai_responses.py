"""The Responses API through the official `openai` package, unmodified: on v1, on classic paths, and under a project."""

import time
from collections.abc import Iterator

import openai
import pytest
from openai import AsyncOpenAI, AzureOpenAI, OpenAI
from pydantic import BaseModel

from tests.forehearth_server import ForehearthServer, forehearth_server
from tests.openai_schemas import check, check_event, members

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
      - when: {contains: as JSON}
        json: {city: Paris, people: 2}
      - when: {contains: for ever}
        answer: word word word word word word word word word word word word word word word word word word word word
      - when: {contains: break off}
        answer: This is cut before it is over.
        fault: reset_mid_stream
      - when: {contains: slowly}
        answer: one two three four five six seven eight nine ten
        tokens_per_second: 4
      - when: {contains: too much}
        status: 429
        error: {code: rate_limit_exceeded, message: Too many requests.}
deployments:
  script:
    backends: [{backend: script}]
"""
TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": True,
}


class City(BaseModel):
    city: str
    people: int


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForehearthServer]:
    with forehearth_server(tmp_path_factory.mktemp("responses"), CONFIG) as running:
        yield running


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


def test_a_text(client):
    response = client.responses.create(model="script", input="Say this.", instructions="Be short.")
    assert response.output_text == "Say this."
    assert response.status == "completed"
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    shown = client.responses.with_raw_response.retrieve(response.id).http_response.json()
    check("Response", shown)
    assert set(shown) == members("Response")
    assert shown["instructions"] == "Be short."


def test_items(client):
    said = [
        {"role": "user", "content": [{"type": "input_text", "text": "One."}]},
        {"role": "assistant", "content": "Two."},
        {"role": "user", "content": "Three."},
    ]
    response = client.responses.create(model="script", input=said)
    assert response.output_text == "Three."
    listed = client.responses.input_items.list(response.id, order="asc", limit=2)
    assert [item.role for item in listed.data] == ["user", "assistant"]
    assert [item.content[0].text for item in listed] == ["One.", "Two.", "Three."]  # the pager goes on by itself
    assert [item.role for item in client.responses.input_items.list(response.id)] == ["user", "assistant", "user"]


def test_a_conversation(client):
    first = client.responses.create(model="script", input="My name is Ada Lovelace.")
    second = client.responses.create(model="script", input="Hello?", previous_response_id=first.id)
    alone = client.responses.create(model="script", input="Hello?")
    assert second.output_text == alone.output_text == "Hello?"
    assert second.previous_response_id == first.id
    assert second.usage.input_tokens > alone.usage.input_tokens + first.usage.input_tokens // 2


def test_a_response_in_a_conversation(scripted):
    with OpenAI(base_url=f"{scripted.url}/openai/v1/", api_key=scripted.key, max_retries=0) as client:
        talk = client.conversations.create(items=[{"role": "user", "content": "My name is Ada Lovelace."}])
        first = client.responses.create(model="script", input="Say this.", conversation=talk.id)
        *_, last = client.responses.create(model="script", input="And this.", conversation={"id": talk.id}, stream=True)
        said = [item.content[0].text for item in client.conversations.items.list(talk.id, order="asc")]
        assert said == ["My name is Ada Lovelace.", "Say this.", "Say this.", "And this.", "And this."]
        assert first.conversation.id == talk.id
        assert last.response.usage.input_tokens > first.usage.input_tokens
        with pytest.raises(openai.NotFoundError):
            client.responses.create(model="script", input="x", conversation="conv_none")


def test_tools(client):
    question = [{"role": "user", "content": "What is the weather in Paris?"}]
    first = client.responses.create(model="script", input=question, tools=[TOOL])
    (call,) = first.output
    assert (call.type, call.name, call.arguments) == ("function_call", "get_weather", '{"city":"Paris"}')
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    second = client.responses.create(
        model="script", input=[output], tools=[TOOL], previous_response_id=first.id, tool_choice="auto"
    )
    assert second.output_text == "It is sunny in Paris."


def test_tools_without_the_store(client):
    said = [{"role": "user", "content": "What is the weather in Paris?"}]
    first = client.responses.create(model="script", input=said, tools=[TOOL], store=False)
    said += first.output
    said.append({"type": "function_call_output", "call_id": first.output[0].call_id, "output": "sunny"})
    second = client.responses.create(model="script", input=said, tools=[TOOL], store=False)
    assert second.output_text == "It is sunny in Paris."
    for response in (first, second):
        assert response.to_dict()["store"] is False
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(response.id)


def test_structured_output(client):
    response = client.responses.parse(model="script", input="Paris as JSON", text_format=City)
    assert response.output_parsed == City(city="Paris", people=2)
    assert response.text.format.type == "json_schema"
    # What `parse` adds to its copies comes back with them.
    said = [{"role": "user", "content": "Paris as JSON"}, *response.output, {"role": "user", "content": "Thanks."}]
    assert client.responses.create(model="script", input=said).output_text == "Thanks."


def test_structured_calls(client):
    with client.responses.stream(model="script", input="Paris as JSON", text_format=City) as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_parsed == City(city="Paris", people=2)


def test_a_stream(client):
    events = list(client.responses.create(model="script", input="Say this.", stream=True))
    for event in events:
        check_event(event.to_dict())
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "Say this."
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.usage.output_tokens > 0
    assert client.responses.retrieve(last.response.id).to_dict() == last.response.to_dict()


def test_a_stream_of_calls(client):
    said = [{"role": "user", "content": "What is the weather in Paris?"}]
    with client.responses.stream(model="script", input=said, tools=[TOOL]) as stream:
        kinds = [event.type for event in stream]
        first = stream.get_final_response()
    assert "response.function_call_arguments.delta" in kinds
    assert first.output[0].arguments == '{"city":"Paris"}'
    output = {"type": "function_call_output", "call_id": first.output[0].call_id, "output": "sunny"}
    with client.responses.stream(model="script", input=[output], previous_response_id=first.id) as stream:
        assert stream.get_final_response().output_text == "It is sunny in Paris."


def test_a_stream_that_is_cut(client):
    *_, last = client.responses.create(model="script", input="Go on for ever.", stream=True, max_output_tokens=16)
    assert last.type == "response.incomplete"
    assert last.response.incomplete_details.reason == "max_output_tokens"
    assert client.responses.retrieve(last.response.id).status == "incomplete"


def test_an_answer_that_is_cut(client):
    response = client.responses.create(model="script", input="Go on for ever.", max_output_tokens=16)
    assert response.status == "incomplete"
    assert response.output[0].status == "incomplete"


def test_a_stream_that_breaks_off(client):
    events = list(client.responses.create(model="script", input="Please break off.", stream=True))
    for event in events:
        check_event(event.to_dict())
    last = events[-1]
    assert last.type == "response.failed"
    assert last.response.error.code == "server_error"
    assert client.responses.retrieve(last.response.id).to_dict() == last.response.to_dict()


def test_a_client_that_leaves(client):
    stream = client.responses.create(model="script", input="Speak slowly.", stream=True)
    first = next(iter(stream))
    while next(stream).type != "response.output_text.delta":
        pass
    stream.close()
    kept = until(lambda: client.responses.retrieve(first.response.id))
    assert kept.status == "cancelled"
    assert kept.output[0].status == "incomplete"
    assert 0 < len(kept.output_text) < len("one two three four five six seven eight nine ten")


def until(ask):
    """What `ask` returns, once there is something."""
    end = time.monotonic() + 20
    while True:
        try:
            return ask()
        except openai.NotFoundError:
            assert time.monotonic() < end
            time.sleep(0.05)


def test_it_is_gone(client):
    response = client.responses.create(model="script", input="Say this.")
    assert client.responses.retrieve(response.id).id == response.id
    client.responses.delete(response.id)
    for ask in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError):
            ask(response.id)
    with pytest.raises(openai.BadRequestError, match="not found") as caught:
        client.responses.create(model="script", input="And?", previous_response_id=response.id)
    assert caught.value.param == "previous_response_id"


def test_tokens_are_counted(client):
    few = client.responses.input_tokens.count(model="script", input="one")
    many = client.responses.input_tokens.count(model="script", input="one two three four", instructions="Be short.")
    assert few.object == "response.input_tokens"
    assert 0 < few.input_tokens < many.input_tokens < 40


def test_what_is_refused(client):
    for members_, error, param in (
        ({"input": [{"role": "user", "content": [{"type": "input_txt"}]}]}, 400, "input[0].content[0].type"),
        ({"input": "x", "tools": [{"type": "web_search"}]}, 400, "tools[0].type"),
        ({"input": "x", "background": True, "store": False}, 400, "background"),
        ({"input": "x", "extra_body": {"colour": "red"}}, 400, "colour"),
    ):
        with pytest.raises(openai.APIStatusError) as caught:
            client.responses.create(model="script", **members_)
        assert caught.value.status_code == error
        assert caught.value.param == param
    with pytest.raises(openai.RateLimitError):
        client.responses.create(model="script", input="too much")
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="nobody", input="x")
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        client.responses.cancel(client.responses.create(model="script", input="x").id)


def test_a_deployment_in_the_path(scripted):
    body = {"model": "ignored", "input": "Say this."}
    with AzureOpenAI(
        azure_endpoint=scripted.url, api_key=scripted.key, api_version="2025-03-01-preview", max_retries=0
    ) as client:
        answer = client.post("/deployments/script/responses", body=body, cast_to=object)
    assert answer["model"] == "script"


async def test_async(scripted):
    async with AsyncOpenAI(base_url=f"{scripted.url}/openai/v1/", api_key=scripted.key) as client:
        stream = await client.responses.create(model="script", input="Say this.", stream=True)
        assert [event.type async for event in stream][-1] == "response.completed"


@pytest.mark.models
def test_an_embedded_model(server):
    with OpenAI(base_url=f"{server.url}/openai/v1/", api_key=server.key, max_retries=0) as client:
        asked = {"model": "smollm2-135m-instruct", "max_output_tokens": 24, "temperature": 0}
        first = client.responses.create(input="Name the capital city of France.", **asked)
        assert "Paris" in first.output_text
        events = list(client.responses.create(input="Again.", previous_response_id=first.id, stream=True, **asked))
        for event in events:
            check_event(event.to_dict())
        assert events[-1].response.usage.input_tokens > first.usage.input_tokens


def ended(client, response):
    """The response once it has ended, as its pollers see it."""
    while response.status in ("queued", "in_progress"):
        time.sleep(0.05)
        response = client.responses.retrieve(response.id)
    return response


def test_in_the_background(client):
    made = client.responses.create(model="script", input="as JSON", background=True)
    assert (made.status, made.background, made.output) == ("queued", True, [])
    done = ended(client, made)
    assert (done.status, done.id) == ("completed", made.id)
    assert City.model_validate_json(done.output_text).people == 2
    assert client.responses.cancel(made.id) == done
    gone_on = client.responses.create(model="script", input="And?", previous_response_id=made.id)
    assert gone_on.status == "completed"
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_a_stream_in_the_background_goes_on_where_it_broke_off(client):
    seen = []
    with client.responses.create(model="script", input="slowly", background=True, stream=True) as stream:
        for event in stream:
            seen.append(event)
            if len(seen) == 6:
                break
    made = seen[0].response
    with client.responses.retrieve(made.id, stream=True, starting_after=seen[-1].sequence_number) as stream:
        seen += stream
    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    assert (seen[0].type, seen[-1].type) == ("response.created", "response.completed")
    assert seen[-1].response == client.responses.retrieve(made.id)
    assert "".join(event.delta for event in seen if event.type == "response.output_text.delta") == (
        seen[-1].response.output_text
    )


def test_a_response_in_the_background_is_broken_off(client):
    made = client.responses.create(model="script", input="slowly", background=True)
    cancelled = client.responses.cancel(made.id)
    assert cancelled.status == "cancelled"
    assert client.responses.cancel(made.id) == cancelled
    assert client.responses.retrieve(made.id) == cancelled


def test_what_a_host_refuses_makes_a_response_in_the_background_fail(client):
    done = ended(client, client.responses.create(model="script", input="too much", background=True))
    assert (done.status, done.error.code) == ("failed", "rate_limit_exceeded")
