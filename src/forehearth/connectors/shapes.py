"""The shapes in which a model is asked: where each begins, what it takes, and which client wants it.

This is the one place that knows. Commands, the reference page and the served descriptions are made of it and of the
tables of endpoints. The addresses are the public ones of an Azure resource; of a server of ours every shape begins at
its one origin.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

ShapeName = Literal["foundry", "v1", "responses", "classic", "project"]
Auth = Literal["key", "token"]
Dialect = Literal["chat", "responses"]

FOUNDRY_SCOPE: Final = "https://ai.azure.com/.default"
COGNITIVE_SCOPE: Final = "https://cognitiveservices.azure.com/.default"


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A shape's rule for the query parameter `api-version`."""

    sent: str | None
    """What clients send today; None where they leave it out."""
    rule: str
    """What is accepted here, and what happens without it."""


class Sdk(msgspec.Struct, frozen=True, kw_only=True):
    """A client that wants this shape."""

    package: str
    """As its registry knows it."""
    opened: str
    """How it is opened; `BASE` stands for the shape's base URL."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """One way to ask."""

    name: ShapeName
    title: str
    surface: str
    """The surface that serves it, as the tables of endpoints call it."""
    host: str
    """Where an Azure resource has it."""
    base: str
    """The path of its base URL; `{project}` where it is below one."""
    under: str = ""
    """Which of the surface's operations are meant, by the beginning of what follows `operations_base`."""
    operations_base: str
    """What the surface's paths begin with."""
    version: Version
    credentials: tuple[Auth, ...]
    scope: str
    """What a token is asked for."""
    key_header: Literal["api-key", "authorization"]
    """Where its clients put a key; every other form is taken as well."""
    named_in: Literal["body", "path"]
    """What names the deployment."""
    asks: str
    """The path of a prompt, below the base; `{deployment}` where the path names it."""
    dialect: Dialect
    state: str
    """What the service keeps between two calls."""
    sdks: tuple[Sdk, ...]


_FOUNDRY: Final = Shape(
    name="foundry",
    title="Foundry Models",
    surface="foundry_models",
    host="{resource}.services.ai.azure.com",
    base="/models",
    operations_base="/models",
    version=Version(
        sent="2024-05-01-preview",
        rule="any date; without it `2024-05-01-preview`; anything else is a 400",
    ),
    credentials=("key", "token"),
    scope=COGNITIVE_SCOPE,
    key_header="api-key",
    named_in="body",
    asks="/chat/completions",
    dialect="chat",
    state="none: each call brings all of its messages",
    sdks=(
        Sdk(package="azure-ai-inference", opened='ChatCompletionsClient(endpoint="BASE", credential=…)'),
        Sdk(package="@azure-rest/ai-inference", opened='ModelClient("BASE", credential)'),
    ),
)
_V1: Final = Shape(
    name="v1",
    title="OpenAI v1",
    surface="openai_v1",
    host="{resource}.openai.azure.com",
    base="/openai/v1/",
    operations_base="/openai/v1",
    version=Version(
        sent=None,
        rule="not needed; `v1`, `preview`, `latest` or any date; anything else is a 400",
    ),
    credentials=("key", "token"),
    scope=FOUNDRY_SCOPE,
    key_header="authorization",
    named_in="body",
    asks="/chat/completions",
    dialect="chat",
    state="kept where asked for: responses, conversations, files, chat completions with `store: true`",
    sdks=(
        Sdk(package="openai", opened='OpenAI(base_url="BASE", api_key=…)'),
        Sdk(package="openai (npm)", opened='new OpenAI({ baseURL: "BASE", apiKey })'),
    ),
)
_RESPONSES: Final = msgspec.structs.replace(
    _V1,
    name="responses",
    title="Responses on OpenAI v1",
    under="/responses",
    asks="/responses",
    dialect="responses",
    state="each response is kept for 30 days, unless `store` is false; `previous_response_id` goes on with it",
)
_CLASSIC: Final = Shape(
    name="classic",
    title="Classic Azure OpenAI",
    surface="azure_deployments",
    host="{resource}.openai.azure.com",
    base="",
    operations_base="/openai",
    version=Version(sent="2024-10-21", rule="needed: any date; without it, and for anything else, a 404"),
    credentials=("key", "token"),
    scope=COGNITIVE_SCOPE,
    key_header="api-key",
    named_in="path",
    asks="/openai/deployments/{deployment}/chat/completions",
    dialect="chat",
    state="responses and files; chat completions keep nothing",
    sdks=(
        Sdk(package="openai", opened='AzureOpenAI(azure_endpoint="BASE", api_version="2024-10-21", api_key=…)'),
        Sdk(package="openai (npm)", opened='new AzureOpenAI({ endpoint: "BASE", apiVersion: "2024-10-21", apiKey })'),
    ),
)
_PROJECT: Final = Shape(
    name="project",
    title="Projects",
    surface="projects",
    host="{resource}.services.ai.azure.com",
    base="/api/projects/{project}",
    operations_base="/api/projects/{project}",
    version=Version(
        sent="v1",
        rule="needed: `v1` or any date, else a 400; below `openai/v1` as on OpenAI v1",
    ),
    credentials=("token",),
    scope=FOUNDRY_SCOPE,
    key_header="authorization",
    named_in="body",
    asks="/openai/v1/responses",
    dialect="responses",
    state="agents, conversations, responses, files, datasets, indexes: of the project",
    sdks=(
        Sdk(package="azure-ai-projects", opened='AIProjectClient("BASE", DefaultAzureCredential())'),
        Sdk(package="@azure/ai-projects", opened='new AIProjectClient("BASE", new DefaultAzureCredential())'),
    ),
)
SHAPES: Final[Mapping[ShapeName, Shape]] = {each.name: each for each in (_FOUNDRY, _V1, _RESPONSES, _CLASSIC, _PROJECT)}
KEY_FORMS: Final = ("api-key: KEY", "Authorization: Bearer KEY", "x-api-key: KEY", "Ocp-Apim-Subscription-Key: KEY")
"""All headers in which a key is taken."""
