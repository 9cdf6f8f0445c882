"""What an endpoint asks of its caller, by the names that Azure has for data actions.

Source: the role definitions of Azure AI services; `models/...` and `deployments/read` under `AIServices` are named
here in their manner, because the service does not document what it asks for those.
"""

from enum import StrEnum

_ACCOUNT = "Microsoft.CognitiveServices/accounts"


class Permission(StrEnum):
    """One data action, or for `ADMINISTER` one action of the control plane."""

    CHAT = f"{_ACCOUNT}/OpenAI/deployments/chat/completions/action"
    COMPLETIONS = f"{_ACCOUNT}/OpenAI/deployments/completions/action"
    EMBEDDINGS = f"{_ACCOUNT}/OpenAI/deployments/embeddings/action"
    READ_MODELS = f"{_ACCOUNT}/OpenAI/models/read"
    READ_OPENAI_DEPLOYMENTS = f"{_ACCOUNT}/OpenAI/deployments/read"
    MODELS_CHAT = f"{_ACCOUNT}/AIServices/models/chat/completions/action"
    MODELS_EMBEDDINGS = f"{_ACCOUNT}/AIServices/models/embeddings/action"
    MODELS_INFO = f"{_ACCOUNT}/AIServices/models/read"
    READ_DEPLOYMENTS = f"{_ACCOUNT}/AIServices/deployments/read"
    CALL_AGENT = f"{_ACCOUNT}/AIServices/agents/endpoints/action"
    ADMINISTER = f"{_ACCOUNT}/write"
