"""What each endpoint does, in a sentence without its end: for the page of endpoints and the served descriptions.

The key is the endpoint's name. Code stands between backquotes; a link is one of the page's.
"""

from collections.abc import Mapping
from typing import Final

from forehearth.core.endpoint import Endpoint

_ELSEWHERE: Final = ("agent_", "project_")
"""What stands before the names of endpoints that are the same as others, at an agent or below a project."""
SUMMARIES: Final[Mapping[str, str]] = {
    # Calls.
    "chat_completions": "an answer to messages, whole or streamed",
    "completions": "the continuation of a text",
    "embeddings": "vectors of texts",
    "audio_transcriptions": "the text of a recording; `multipart/form-data`, whole or streamed; [media](media.md)",
    "audio_translations": "its text in English; `multipart/form-data`",
    "audio_speech": "a recording of a text, whole or in events",
    "images_generations": "pictures for a prompt, whole or bit by bit",
    "images_edits": "pictures made of others: `multipart/form-data`, or JSON that names them",
    "images_embeddings": "a clear 400: no deployment embeds images",
    "info": "name, type and publisher of a model: the one in the query `model` or the header "
    "`azureml-model-deployment`, else `default`, else the first",
    # What can be asked.
    "index": "the list of operations, also without the slash",
    "project_index": "the list of operations",
    "models_list": "deployments and routes, as models",
    "models_get": "one of them",
    "deployments_list": "deployments and routes, as deployments",
    "deployments_get": "one of them",
    "project_deployments_list": "deployments and routes; the query may have `modelName`, `modelPublisher`, "
    "`deploymentType`, `maxpagesize`",
    "project_deployments_get": "one of them",
    # Responses and conversations.
    "responses_create": "an answer to `input`, whole or streamed, which is kept; [responses](responses.md)",
    "responses_count": "how many tokens a model would read",
    "responses_get": "a response that is kept",
    "responses_delete": "remove it",
    "responses_cancel": "break off one that is made in the background",
    "responses_input_items": "its input; `limit`, `order`, `after`, `before`",
    "conversations_create": "begin a [conversation](conversations.md)",
    "conversations_get": "one of them",
    "conversations_update": "other metadata",
    "conversations_delete": "remove it",
    "conversation_items_create": "add up to 20 items at its end",
    "conversation_items_list": "its items; `limit`, `order`, `after`, `include`",
    "conversation_items_get": "one of them",
    "conversation_items_delete": "remove it",
    "stored_completions_list": "[stored chat completions](stored-completions.md); `model`, `metadata[key]`, `limit`, "
    "`order`, `after`",
    "stored_completions_get": "one of them",
    "stored_completions_update": "other metadata",
    "stored_completions_delete": "remove it",
    "stored_completions_messages": "the messages that it answers",
    # Files.
    "files_list": "[files](files.md); `purpose`, `limit`, `order`, `after`",
    "files_create": "upload one: `multipart/form-data` with `file`, `purpose` and `expires_after`",
    "files_get": "one of them",
    "files_delete": "remove it with its bytes",
    "files_content": "its bytes",
    # Classic agents.
    "assistants_list": "those there are; `limit`, `order`, `after`, `before`",
    "assistants_create": "make a [classic agent](classic-agents.md)",
    "assistants_get": "one of them",
    "assistants_update": "change what is sent of it",
    "assistants_delete": "remove it",
    "threads_create": "begin a thread",
    "threads_get": "one of them",
    "threads_update": "change what is sent of it",
    "threads_delete": "remove it with its messages and runs",
    "messages_list": "its messages; `run_id`, `limit`, `order`, `after`, `before`",
    "messages_create": "add one",
    "messages_get": "one of them",
    "messages_update": "other metadata",
    "messages_delete": "remove it",
    "runs_create_with_thread": "begin a thread, and have it answered",
    "runs_list": "its runs; `limit`, `order`, `after`, `before`",
    "runs_create": "have a thread answered; a stream of events with `stream`",
    "runs_get": "a run as it is now",
    "runs_update": "other metadata",
    "runs_cancel": "break it off",
    "runs_submit": "go on with what its functions gave",
    "run_steps_list": "its steps; `limit`, `order`, `after`, `before`, `include`",
    "run_steps_get": "one of them",
    "project_threads_list": "the project's threads; `limit`, `order`, `after`, `before`",
    # Agents.
    "agents_list": "[agents](agents.md), newest first; the query may have `limit`, `order`, `after`, `before`, `kind`",
    "agents_create": "make one: `name`, `definition`, and `description`, `metadata`",
    "agents_get": "one of them, with its latest version",
    "agents_update": "change it: a new version, if that says anything new",
    "agents_delete": "delete it with its versions",
    "agents_enable": "let it be used",
    "agents_disable": "let it not be used",
    "agent_versions_list": "its versions, newest first; `limit`, `order`, `after`, `before`",
    "agent_versions_create": "write a version, of a new agent where there is none of that name",
    "agent_versions_get": "one of them",
    "agent_versions_delete": "delete it; with the last one the agent goes",
    "agent_responses_create": "an answer of that agent; [its own endpoint](agents.md#its-own-endpoint)",
    # What a project has besides.
    "connections_list": "[connections](connections.md); the query may have `connectionType`, `defaultConnection`",
    "connections_get": "one of them, without its credentials",
    "connections_get_with_credentials": "one of them, with its credentials",
    "indexes_list": "[indexes](assets.md), of each name the version made last, newest first",
    "indexes_list_versions": "all versions of one, newest first",
    "indexes_get": "one of them",
    "indexes_create_or_update": "make a version of an index, or change its description and tags; a JSON merge patch",
    "indexes_delete": "delete it, if it is there",
    "datasets_list": "[datasets](assets.md), of each name the version made last, newest first",
    "datasets_list_versions": "all versions of one, newest first",
    "datasets_get": "one of them",
    "datasets_create_or_update": "make a version of a dataset, or change its description and tags; a JSON merge patch",
    "datasets_delete": "delete it, if it is there",
}


def names(endpoint: Endpoint) -> tuple[str, ...]:
    """What an endpoint is known by: its own name, then that of the endpoint that does the same elsewhere."""
    return (endpoint.name, *(endpoint.name.removeprefix(each) for each in _ELSEWHERE if endpoint.name.startswith(each)))


def summary(endpoint: Endpoint) -> str:
    """What it does; where nobody said, its name in words."""
    found = (SUMMARIES[each] for each in names(endpoint) if each in SUMMARIES)
    return next(found, endpoint.name.replace("_", " ").replace(".", " "))
