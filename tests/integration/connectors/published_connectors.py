"""What the connectors that Microsoft publishes call, action by action, and what they read from the answers.

The sources are named at each: a generated class of its workflow SDK (MIT), a page of its connector reference, or a
definition in microsoft/PowerPlatformConnectors (MIT). Only what goes over the wire is here, not their text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello from a flow."}]
WORDS = "Hello from a flow."
_CHATTED = ("choices.0.message.content", "choices.0.message.role", "choices.0.finish_reason", "choices.0.index")
_USED = ("usage.prompt_tokens", "usage.total_tokens")


@dataclass(frozen=True, kw_only=True)
class Action:
    """One action. `reads` are the paths that the connector's schema of the answer has and flows use."""

    connector: str
    name: str
    path: str
    method: str = "POST"
    body: Mapping[str, Any] | None = None
    reads: Sequence[str]
    words_at: str | None = None
    """Where the scripted host's echo of the prompt is."""

    def __str__(self) -> str:
        return f"{self.connector}-{self.name}"


_DEPLOYMENT = "/openai/deployments/{name}"
_FOUNDRY = "azureaifoundryinference"
"""*Azure AI Foundry Inference*: `Azureaifoundryinference` of Microsoft.Azure.Workflows.Sdk."""
_INFERENCE = "azureaimodelinference"
"""*Azure AI Model Inference*: its page of the connector reference."""
_BUILT_IN = "logic-apps-built-in"
"""*Azure OpenAI*, built in: `Openai` of Microsoft.Azure.Workflows.Sdk, and its page of the Logic Apps reference.

It calls by the service's own client for .NET, on the classic paths.
"""
_CUSTOM = "azure-openai-service"
"""*Azure OpenAI Service*: custom-connectors/AzureOpenAIService of microsoft/PowerPlatformConnectors."""

ACTIONS = (
    Action(
        connector=_FOUNDRY,
        name="ChatCompletion",
        path="/models/chat/completions",
        body={
            "messages": [{"role": "user", "content": [{"type": "text", "text": WORDS}]}],
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 100,
            "model": "chat",
        },
        reads=("id", "model", *_CHATTED, *_USED, "usage.completion_tokens"),
        words_at="choices.0.message.content",
    ),
    Action(
        connector=_INFERENCE,
        name="GetModelInfo",
        method="GET",
        path="/models/info?api-version=2024-05-01-preview",
        reads=("model_name", "model_type", "model_provider_name"),
    ),
    Action(
        connector=_INFERENCE,
        name="GetChatCompletions",
        path="/models/chat/completions?api-version=2024-05-01-preview",
        body={
            "messages": ASKED,
            "model": "chat",
            "frequency_penalty": 0,
            "presence_penalty": 0,
            "temperature": 0.7,
            "top_p": 1,
        },
        reads=("id", "object", "created", "model", *_CHATTED, *_USED, "usage.completion_tokens"),
        words_at="choices.0.message.content",
    ),
    Action(
        connector=_BUILT_IN,
        name="getChatCompletions",
        path=f"{_DEPLOYMENT.format(name='chat')}/chat/completions?api-version=2024-10-21",
        body={
            "messages": ASKED,
            "temperature": 1.0,
            "top_p": 1.0,
            "max_tokens": 100,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
        },
        reads=(*_CHATTED, *_USED, "usage.completion_tokens"),
        words_at="choices.0.message.content",
    ),
    Action(
        connector=_BUILT_IN,
        name="getMultipleChatCompletions",
        path=f"{_DEPLOYMENT.format(name='chat')}/chat/completions?api-version=2024-10-21",
        body={"messages": ASKED, "n": 2, "max_tokens": 100},
        reads=(*_CHATTED, "choices.1.message.content", *_USED),
        words_at="choices.1.message.content",
    ),
    Action(
        connector=_BUILT_IN,
        name="getCompletion",
        path=f"{_DEPLOYMENT.format(name='chat')}/completions?api-version=2024-10-21",
        body={"prompt": [WORDS], "temperature": 1.0, "stop": ["END"], "max_tokens": 100},
        reads=("choices.0.text", *_USED, "usage.completion_tokens"),
        words_at="choices.0.text",
    ),
    Action(
        connector=_BUILT_IN,
        name="getSingleEmbedding",
        path=f"{_DEPLOYMENT.format(name='vectors')}/embeddings?api-version=2024-10-21",
        body={"input": [WORDS]},
        reads=("data.0.embedding.0", *_USED),
    ),
    Action(
        connector=_BUILT_IN,
        name="getArrayEmbeddings",
        path=f"{_DEPLOYMENT.format(name='vectors')}/embeddings?api-version=2024-10-21",
        body={"input": [WORDS, "And another."]},
        reads=("data.0.embedding.0", "data.1.embedding.0", *_USED),
    ),
    Action(
        connector=_CUSTOM,
        name="ListDeployments",
        method="GET",
        path="/openai/deployments?api-version=2022-12-01",
        reads=("data.0.id", "data.0.model", "data.0.status", "data.0.scale_settings.scale_type", "data.0.object"),
    ),
    Action(
        connector=_CUSTOM,
        name="GetDeployment",
        method="GET",
        path=f"{_DEPLOYMENT.format(name='chat')}?api-version=2022-12-01",
        reads=("id", "model", "status", "created_at", "updated_at"),
    ),
    Action(
        connector=_CUSTOM,
        name="ListModels",
        method="GET",
        path="/openai/models?api-version=2022-12-01",
        reads=("data.0.id", "data.0.status", "data.0.capabilities.inference"),
    ),
    Action(
        connector=_CUSTOM,
        name="ChatCompletion",
        path=f"{_DEPLOYMENT.format(name='chat')}/chat/completions?api-version=2023-03-15-preview",
        body={"messages": ASKED, "max_tokens": 2048, "temperature": 0.7},
        reads=("id", "created", "model", *_CHATTED, *_USED),
        words_at="choices.0.message.content",
    ),
    Action(
        connector=_CUSTOM,
        name="CreateCompletion",
        path=f"{_DEPLOYMENT.format(name='chat')}/completions?api-version=2022-12-01",
        body={"prompt": WORDS, "max_tokens": 256, "temperature": 1},
        reads=("id", "created", "model", "choices.0.text", "choices.0.finish_reason", *_USED),
        words_at="choices.0.text",
    ),
    Action(
        connector=_CUSTOM,
        name="Embeddings",
        path=f"{_DEPLOYMENT.format(name='vectors')}/embeddings?api-version=2022-12-01",
        body={"input": WORDS},
        reads=("data.0.embedding.0", "model", *_USED),
    ),
    Action(
        connector=_CUSTOM,
        name="ImageGenerations_Create",
        path=f"{_DEPLOYMENT.format(name='pictures')}/images/generations?api-version=2023-12-01-preview",
        body={
            "prompt": WORDS,
            "n": 1,
            "size": "1024x1024",
            "quality": "standard",
            "response_format": "b64_json",
            "style": "vivid",
        },
        reads=("created", "data.0.b64_json"),
    ),
)
