"""The official `azure-ai-inference` package, unmodified, on `/models` and on a classic deployment's path."""

import pytest
from azure.ai.inference import ChatCompletionsClient, EmbeddingsClient, load_client
from azure.ai.inference.models import JsonSchemaFormat, UserMessage
from azure.core.credentials import AccessToken, AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

CHAT = "smollm2-135m-instruct"
EMBEDDINGS = "all-minilm-l6-v2"
MESSAGES = [UserMessage("Name the capital city of France.")]
pytestmark = [pytest.mark.models, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture
def chat(base, server):
    with ChatCompletionsClient(f"{base}/models", AzureKeyCredential(server.key)) as client:
        yield client


def test_chat(chat):
    answer = chat.complete(messages=MESSAGES, model=CHAT, max_tokens=24, temperature=0)
    assert "Paris" in answer.choices[0].message.content
    assert answer.usage.completion_tokens > 0


def test_chat_without_a_model_asks_the_route_default(chat):
    assert chat.complete(messages=MESSAGES, max_tokens=4).choices[0].message.content


def test_chat_as_a_stream(chat):
    updates = chat.complete(messages=MESSAGES, model=CHAT, max_tokens=24, temperature=0, stream=True)
    text = "".join(choice.delta.content or "" for update in updates for choice in update.choices)
    assert "Paris" in text


def test_json_schema(chat):
    schema = {
        "type": "object",
        "properties": {"yes": {"type": "boolean"}},
        "required": ["yes"],
        "additionalProperties": False,
    }
    answer = chat.complete(
        messages=MESSAGES,
        model=CHAT,
        max_tokens=60,
        response_format=JsonSchemaFormat(name="a", schema=schema, strict=True),
    )
    assert answer.choices[0].message.content.replace(" ", "").replace("\n", "") in {'{"yes":true}', '{"yes":false}'}


def test_model_extras_pass_through(chat):
    with pytest.raises(HttpResponseError) as caught:
        chat.complete(messages=MESSAGES, model=CHAT, model_extras={"no_such_member": 1})
    assert caught.value.status_code == 400
    assert "no_such_member" in caught.value.message
    answer = chat.complete(messages=MESSAGES, model="script", model_extras={"logprobs": False})
    assert answer.choices[0].message.content == "A scripted answer of several words."


def test_info_tells_which_client_to_load(base, server):
    client = load_client(f"{base}/models", AzureKeyCredential(server.key))
    assert isinstance(client, ChatCompletionsClient)
    assert client.get_model_info().model_name == CHAT


def test_embeddings(base, server):
    with EmbeddingsClient(f"{base}/models", AzureKeyCredential(server.key)) as client:
        answer = client.embed(input=["one", "two"], model=EMBEDDINGS)
    assert [len(item.embedding) for item in answer.data] == [384, 384]
    assert answer.id


def test_a_deployments_path_as_the_endpoint(base, server):
    endpoint = f"{base}/openai/deployments/{CHAT}"
    with ChatCompletionsClient(endpoint, AzureKeyCredential(server.key), api_version="2024-10-21") as client:
        assert client.complete(messages=MESSAGES, max_tokens=4).choices[0].message.content


def test_errors_are_the_sdks_own(base, server, chat):
    with pytest.raises(ResourceNotFoundError) as missing:
        chat.complete(messages=MESSAGES, model="nobody")
    assert missing.value.error.code == "DeploymentNotFound"
    with (
        pytest.raises(ClientAuthenticationError),
        ChatCompletionsClient(f"{base}/models", AzureKeyCredential("wrong-key-wrong-key")) as other,
    ):
        other.complete(messages=MESSAGES, model=CHAT)


class Token:
    """A credential that gives the key as bearer token, which azure-core sends over https alone."""

    def __init__(self, key: str) -> None:
        self.key = key

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        return AccessToken(self.key, 4_102_444_800)


def test_a_bearer_token_over_https(server, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.ca))
    with ChatCompletionsClient(f"{server.tls_url}/models", Token(server.key)) as client:
        assert client.complete(messages=MESSAGES, model="script").choices[0].message.content
