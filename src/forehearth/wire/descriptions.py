"""Which OpenAPI documents there are, where they are, and what each tells of its surface."""

from collections.abc import Mapping
from typing import Final

from forehearth.core.endpoint import Endpoint
from forehearth.wire import openai_v1
from forehearth.wire.openapi import Told

ADMIN: Final = "admin"
TOLD: Final[Mapping[str, Told]] = {
    "foundry-models": Told(
        title="Foundry Models",
        surface="foundry_models",
        base="/models",
        error="FoundryError",
        headers=dict.fromkeys(("chat_completions", "embeddings"), ("extra-parameters",)),
    ),
    "openai-v1": Told(
        title="OpenAI v1",
        surface="openai_v1",
        base="/openai/v1",
        error="OpenAIError",
        named_versions=openai_v1.VERSIONS,
    ),
    "azure-openai": Told(
        title="Classic Azure OpenAI",
        surface="azure_deployments",
        base="/openai",
        error="OpenAIError",
        version_needed="2024-10-21",
    ),
    "projects": Told(
        title="Foundry projects",
        surface="projects",
        base="/api/projects",
        error="ProjectError",
        named_versions=("v1",),
        version_needed="v1",
        optional_below="/{project}/openai/v1",
    ),
}
"""By the name that a document has."""
FORMS: Final = ("/openapi/{name}.json", "/openapi/{name}.swagger.json")
"""Where a document is: as OpenAPI 3.1, and as Swagger 2.0."""
ENDPOINTS: Final = tuple(
    Endpoint(method="GET", path=form.format(name=name), permission=None, name="openapi")
    for form in FORMS
    for name in (*TOLD, ADMIN)
)
