"""The gateway in front of llama.cpp's own server: calls, streams, errors and usage of a host that nobody here wrote."""

import subprocess
import sys
import urllib.request
from pathlib import Path

import openai
import pytest
from openai import AzureOpenAI, OpenAI

from tests.openai_schemas import check

pytestmark = pytest.mark.models
QUESTION = [{"role": "user", "content": "Name the capital city of France."}]
CONFIG = """
version: 1
backends:
  llama:
    provider: openai_compatible
    base_url: {address}/v1
  responses:
    provider: openai_compatible
    base_url: {address}/v1
    responses: true
deployments:
  llama: {{backends: [{{backend: llama, model: whatever-it-has}}]}}
  responses: {{backends: [{{backend: responses, model: whatever-it-has}}]}}
"""


@pytest.fixture(scope="module")
def llama(weights: Path):
    """The address of a running llama.cpp server."""
    command = [sys.executable, str(Path(__file__).with_name("llama_server.py")), str(weights / "model.gguf")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield process.stdout.readline().decode().strip()
        finally:
            process.kill()


@pytest.fixture(scope="module")
def server(llama, start_module_forehearth):
    return start_module_forehearth(CONFIG.format(address=llama))


@pytest.fixture(params=["v1", "classic"])
def client(request, server):
    if request.param == "v1":
        return OpenAI(base_url=f"{server.url}/openai/v1/", api_key=server.key)
    return AzureOpenAI(azure_endpoint=server.url, api_key=server.key, api_version="2024-10-21")


def test_chat(client):
    answer = client.chat.completions.create(model="llama", messages=QUESTION, max_tokens=16, temperature=0)
    assert "Paris" in answer.choices[0].message.content
    assert answer.usage.completion_tokens > 0
    assert answer.model_extra["timings"], "a member that only llama.cpp has was lost"


def test_a_stream(client):
    stream = client.chat.completions.create(
        model="llama",
        messages=QUESTION,
        max_tokens=16,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert "Paris" in "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert chunks[-1].usage.completion_tokens > 0


def test_leaving_a_stream_frees_the_hosts_slot(client):
    for _ in range(4):
        stream = client.chat.completions.create(
            model="llama", messages=[{"role": "user", "content": "Count to a thousand."}], stream=True, max_tokens=2000
        )
        next(iter(stream))
        stream.close()
    assert client.chat.completions.create(model="llama", messages=QUESTION, max_tokens=2).choices


def test_its_own_error_is_told_in_our_envelope(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="llama", messages=[{"role": "user", "content": "word " * 20_000}])
    assert "context" in str(caught.value).lower()


def test_what_it_used_is_counted(client, server):
    before = tokens(server.url)
    answer = client.chat.completions.create(model="llama", messages=QUESTION, max_tokens=4)
    assert tokens(server.url) - before == answer.usage.total_tokens


def test_its_own_responses_api(client, server):
    before = tokens(server.url)
    first = client.responses.create(model="responses", input=QUESTION, max_output_tokens=16, temperature=0)
    assert "Paris" in first.output_text
    check("Response", first.to_dict())
    assert tokens(server.url) - before == first.usage.total_tokens
    assert client.responses.retrieve(first.id).to_dict() == first.to_dict()

    stream = client.responses.create(
        model="responses", input="And of Italy?", previous_response_id=first.id, max_output_tokens=16, stream=True
    )
    events = list(stream)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    last = events[-1]
    assert last.type == "response.completed"
    assert last.model_extra["timings"], "a member that only llama.cpp has was lost"
    assert last.response.usage.input_tokens > first.usage.total_tokens, "it was not sent what was said before"
    assert "".join(event.delta for event in events if event.type.endswith("text.delta")) == last.response.output_text
    client.responses.delete(first.id)

    made = client.responses.create(model="responses", input=QUESTION, max_output_tokens=16, background=True)
    events = list(client.responses.retrieve(made.id, stream=True, starting_after=0))
    assert events[0].type == "response.queued"
    assert events[-1].response.to_dict() == client.responses.retrieve(made.id).to_dict()
    assert events[-1].response.status == "completed"


@pytest.mark.parametrize("model", ["llama", "responses"])
def test_a_conversation_that_is_too_long(server, model):
    client = OpenAI(base_url=f"{server.url}/openai/v1/", api_key=server.key, max_retries=0)
    said = {"type": "output_text", "text": "Yes.", "annotations": []}
    answer = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [said]}
    long = [{"role": "user", "content": "word " * 2_500}, answer]
    talk = [{"role": "system", "content": "Answer in one word."}, *long, {"role": "user", "content": "Hello"}]
    talk += [answer | {"id": "msg_2"}, *QUESTION]
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=model, input=talk, max_output_tokens=16)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "input")
    made = client.responses.create(model=model, input=talk, max_output_tokens=16, truncation="auto", temperature=0)
    assert made.truncation == "auto"
    assert 35 < made.usage.input_tokens < 100, "too little or too much was left out"
    client.close()


def tokens(url: str) -> int:
    with urllib.request.urlopen(f"{url}/metrics") as page:
        lines = page.read().decode().splitlines()
    kinds = ('kind="prompt"', 'kind="completion"')
    return sum(
        int(float(line.rsplit(" ", 1)[1]))
        for line in lines
        if line.startswith("forehearth_tokens_total{") and any(kind in line for kind in kinds)
    )
