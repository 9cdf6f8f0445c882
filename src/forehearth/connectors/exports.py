"""The variables by which programs and samples find a server, as a shell reads them."""

import re
from collections.abc import Mapping
from typing import Final, Literal

from forehearth.connectors.places import Address
from forehearth.connectors.shapes import SHAPES
from forehearth.connectors.shown import Credential

Family = Literal["openai", "azure", "projects"]
FAMILIES: Final[tuple[Family, ...]] = ("openai", "azure", "projects")
_SPECIAL: Final = re.compile(r'["$`\\]')


def exports(family: Family, address: Address, credential: Credential | None, deployment: str) -> Mapping[str, str]:
    """Names and values, each as it stands between double quotes of a shell: keys are named by where they are.

    `openai` is what OpenAI's clients read, `azure` what `AzureOpenAI` and its samples do, `projects` what the samples
    of `azure-ai-projects` do, in their older and newer names.
    """
    key = None if credential is None or credential.auth != "key" else credential.in_shell
    if family == "openai":
        found = {"OPENAI_BASE_URL": address.base(SHAPES["v1"]), "OPENAI_API_KEY": key}
    elif family == "azure":
        shape = SHAPES["classic"]
        found = {
            "AZURE_OPENAI_ENDPOINT": address.base(shape),
            "OPENAI_API_VERSION": shape.version.sent,
            "AZURE_OPENAI_API_KEY": key,
            "AZURE_OPENAI_DEPLOYMENT": deployment or None,
        }
    else:
        endpoint = address.base(SHAPES["project"])
        found = {
            "FOUNDRY_PROJECT_ENDPOINT": endpoint,
            "FOUNDRY_MODEL_NAME": deployment or None,
            "AZURE_AI_PROJECT_ENDPOINT": endpoint,
            "AZURE_AI_MODEL_DEPLOYMENT_NAME": deployment or None,
            "PROJECT_ENDPOINT": endpoint,
            "MODEL_DEPLOYMENT_NAME": deployment or None,
        }
    return {name: value if value is key else _quoted(value) for name, value in found.items() if value is not None}


def _quoted(text: str) -> str:
    """As it stands between double quotes: addresses and names of deployments are other people's, and no commands."""
    return _SPECIAL.sub(r"\\\g<0>", text)
