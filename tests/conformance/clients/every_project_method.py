"""Calls methods of `azure-ai-projects`, whose names are its arguments, and prints what each asked first and was told.

One line a method, in JSON: its name, the request's method, path below the project and `Foundry-Features`, the answer's
status and error code. Run by test_azure_projects.py.
"""

import contextlib
import inspect
import json
import os
import sys
import tempfile
from pathlib import Path

from azure.ai.projects import AIProjectClient
from azure.ai.projects.models import PromptAgentDefinition
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.paging import ItemPaged
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.identity import DefaultAzureCredential

PROJECT = f"{os.environ['FOREHEARTH_URL']}/api/projects/default"
AGENT = "x1"
FOLDER = Path(tempfile.mkdtemp())
FILE = FOLDER / "a.txt"
FILE.write_text("a")
GIVEN = {
    "agent_version": "1",
    "etag": '"1"',
    "match_condition": MatchConditions.IfNotModified,
    "content": b"x",
    "file_path": str(FILE),
    "folder": str(FOLDER),
    "connection_type": "AzureOpenAI",
}


class Recorder(SansIOHTTPPolicy):
    """Keeps what is asked and what is answered."""

    def __init__(self):
        self.seen = []

    def on_response(self, request, response):
        asked, answer = request.http_request, response.http_response
        path = asked.url.partition("?")[0].removeprefix(PROJECT)
        code = answer.headers.get("x-ms-error-code", "")
        self.seen.append([asked.method, path, asked.headers.get("Foundry-Features", ""), answer.status_code, code])


def arguments(method):
    """Something for each parameter that has to be given."""
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD or (parameter.default is not parameter.empty and name != "body"):
            continue
        text = str(parameter.annotation)
        fallback = "x1" if parameter.annotation is str else {}
        yield name, GIVEN.get(name, b"x" if text.startswith("typing.Union[bytes") else fallback)


def call(method, given):
    """Call it, and take all that it gives."""
    try:
        found = method(**given)
        if isinstance(found, ItemPaged) or inspect.isgenerator(found):
            list(found)
    except HttpResponseError:
        pass  # what was answered is recorded


def main():
    recorder = Recorder()
    with DefaultAzureCredential() as credential:
        options = {"allow_preview": True, "custom_hook_policy": recorder, "retry_total": 0}
        with AIProjectClient(PROJECT, credential, **options) as client:
            for name in sys.argv[1:]:
                method = client
                for part in name.split("."):
                    method = getattr(method, part)
                given = dict(arguments(method))
                if name == "agents.create_version":
                    given = {"agent_name": AGENT, "definition": PromptAgentDefinition(model="x1")}
                client.agents.create_version(AGENT, definition=PromptAgentDefinition(model="x1", instructions=name))
                recorder.seen.clear()
                call(method, given)
                first = recorder.seen[0]
                sys.stdout.write(json.dumps([name, *first]) + "\n")
                with contextlib.suppress(ResourceNotFoundError):
                    client.agents.delete(AGENT)


main()
