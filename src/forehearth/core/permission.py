"""What an endpoint asks of its caller, by the names that Azure has for data actions.

Source: the provider operations of `Microsoft.CognitiveServices`, and the role definitions that name them. Foundry
Models inference is `MaaS` there, and an agent's endpoint is one to `interact` with. Conversations have no actions of
their own there: they are what responses are kept with, and ask for the same. Removing a message of a thread is writing
messages; making a picture of others is making one.
"""

from enum import StrEnum

_ACCOUNT = "Microsoft.CognitiveServices/accounts"


class Permission(StrEnum):
    """One data action, or for `ADMINISTER` and `ENRICH` one action of the control plane."""

    CHAT = f"{_ACCOUNT}/OpenAI/deployments/chat/completions/action"
    COMPLETIONS = f"{_ACCOUNT}/OpenAI/deployments/completions/action"
    EMBEDDINGS = f"{_ACCOUNT}/OpenAI/deployments/embeddings/action"
    AUDIO = f"{_ACCOUNT}/OpenAI/deployments/audio/action"
    IMAGES = f"{_ACCOUNT}/OpenAI/images/generations/action"
    READ_MODELS = f"{_ACCOUNT}/OpenAI/models/read"
    READ_RESPONSES = f"{_ACCOUNT}/OpenAI/responses/read"
    WRITE_RESPONSES = f"{_ACCOUNT}/OpenAI/responses/write"
    DELETE_RESPONSES = f"{_ACCOUNT}/OpenAI/responses/delete"
    READ_STORED = f"{_ACCOUNT}/OpenAI/stored-completions/read"
    CHANGE_STORED = f"{_ACCOUNT}/OpenAI/stored-completions/action"
    READ_FILES = f"{_ACCOUNT}/OpenAI/files/read"
    WRITE_FILES = f"{_ACCOUNT}/OpenAI/files/write"
    DELETE_FILES = f"{_ACCOUNT}/OpenAI/files/delete"
    READ_ASSISTANTS = f"{_ACCOUNT}/OpenAI/assistants/read"
    WRITE_ASSISTANTS = f"{_ACCOUNT}/OpenAI/assistants/write"
    DELETE_ASSISTANTS = f"{_ACCOUNT}/OpenAI/assistants/delete"
    READ_THREADS = f"{_ACCOUNT}/OpenAI/assistants/threads/read"
    WRITE_THREADS = f"{_ACCOUNT}/OpenAI/assistants/threads/write"
    DELETE_THREADS = f"{_ACCOUNT}/OpenAI/assistants/threads/delete"
    READ_MESSAGES = f"{_ACCOUNT}/OpenAI/assistants/threads/messages/read"
    WRITE_MESSAGES = f"{_ACCOUNT}/OpenAI/assistants/threads/messages/write"
    READ_RUNS = f"{_ACCOUNT}/OpenAI/assistants/threads/runs/read"
    WRITE_RUNS = f"{_ACCOUNT}/OpenAI/assistants/threads/runs/write"
    READ_RUN_STEPS = f"{_ACCOUNT}/OpenAI/assistants/threads/runs/steps/read"
    READ_OPENAI_DEPLOYMENTS = f"{_ACCOUNT}/OpenAI/deployments/read"
    MODELS_CHAT = f"{_ACCOUNT}/MaaS/chat/completions/action"
    MODELS_EMBEDDINGS = f"{_ACCOUNT}/MaaS/embeddings/action"
    MODELS_INFO = f"{_ACCOUNT}/MaaS/info/read"
    READ_DEPLOYMENTS = f"{_ACCOUNT}/AIServices/deployments/read"
    READ_AGENTS = f"{_ACCOUNT}/AIServices/agents/read"
    WRITE_AGENTS = f"{_ACCOUNT}/AIServices/agents/write"
    DELETE_AGENTS = f"{_ACCOUNT}/AIServices/agents/delete"
    READ_ASSETS = f"{_ACCOUNT}/AIServices/assets/read"
    WRITE_ASSETS = f"{_ACCOUNT}/AIServices/assets/write"
    DELETE_ASSETS = f"{_ACCOUNT}/AIServices/assets/delete"
    READ_EVALUATIONS = f"{_ACCOUNT}/AIServices/evaluations/read"
    WRITE_EVALUATIONS = f"{_ACCOUNT}/AIServices/evaluations/write"
    DELETE_EVALUATIONS = f"{_ACCOUNT}/AIServices/evaluations/delete"
    READ_CONNECTIONS = f"{_ACCOUNT}/AIServices/connections/read"
    LIST_CONNECTION_SECRETS = f"{_ACCOUNT}/AIServices/connections/listSecrets/action"
    CALL_AGENT = f"{_ACCOUNT}/AIServices/endpoints/interact/action"
    ADMINISTER = f"{_ACCOUNT}/write"
    ENRICH = f"{_ACCOUNT}/enrichments/write"


CLASSIC_AGENTS = frozenset(each for each in Permission if "/OpenAI/assistants/" in each)
"""What is asked of those who work with classic agents at a resource."""
CONTROL = frozenset({Permission.ADMINISTER, Permission.ENRICH})
"""What opens `/admin`: all of it, and the jobs of enrichment alone. Azure has no action for those."""
DATA_ACTIONS = frozenset(Permission) - CONTROL
"""What a role's data actions can give. No wildcard among them reaches the control plane."""
