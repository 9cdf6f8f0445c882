"""Unmodified clients where an API Management stands or stood: below a prefix, with subscription keys in every form."""

import json
import subprocess
import urllib.error
import urllib.request

import pytest
from azure.ai.inference import ChatCompletionsClient
from azure.core.credentials import AzureKeyCredential
from openai import AzureOpenAI, OpenAI

from tests.developer_shell import clean_environment, logged_in, run_python
from tests.forehearth_server import PROGRAM

CONFIG = """
version: 1
server:
  prefixes: [/team-a, /b/eu]
  subscription_key: {header: X-Team-Key, query: subscription-key}
backends: {script: {provider: scripted}}
deployments:
  chat: {backends: [{backend: script}]}
  other: {backends: [{backend: script}]}
"""
MESSAGES = [{"role": "user", "content": "Hello."}]
PROJECTS = """
import os, sys
from azure.ai.projects import AIProjectClient
from azure.identity import DefaultAzureCredential
with DefaultAzureCredential() as credential, AIProjectClient(sys.argv[1], credential) as project:
    print(sorted(each.name for each in project.deployments.list()))
    with project.get_openai_client() as client:
        print(client.responses.create(model="chat", input="Hello.").output_text)
"""


@pytest.fixture(scope="module")
def server(start_module_forehearth):
    return start_module_forehearth(CONFIG, "--dev-issuer")


@pytest.fixture(scope="module", params=["/team-a", "/b/eu", ""])
def base(request, server):
    return server.url + request.param


FORMS = {
    "bearer": lambda key: {"api_key": key},
    "header": lambda key: {"api_key": "none", "default_headers": {"Ocp-Apim-Subscription-Key": key}},
    "own header": lambda key: {"api_key": "none", "default_headers": {"X-Team-Key": key}},
    "query": lambda key: {"api_key": "none", "default_query": {"subscription-key": key}},
}


@pytest.mark.parametrize("form", FORMS)
def test_openai(server, base, form):
    with OpenAI(base_url=f"{base}/openai/v1", max_retries=0, **FORMS[form](server.key)) as client:
        assert client.chat.completions.create(model="chat", messages=MESSAGES).choices[0].message.content == "Hello."
        made = client.responses.create(model="chat", input="Hello.")
        assert client.responses.retrieve(made.id).output_text == "Hello."
        pieces = client.chat.completions.create(model="chat", messages=MESSAGES, stream=True)
        assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices) == "Hello."


@pytest.mark.parametrize("form", FORMS)
def test_azure_openai(server, base, form):
    options = FORMS[form](server.key)
    with AzureOpenAI(azure_endpoint=base, api_version="2024-10-21", max_retries=0, **options) as client:
        assert client.chat.completions.create(model="chat", messages=MESSAGES).choices[0].message.content == "Hello."


def test_azure_ai_inference(server, base):
    with ChatCompletionsClient(f"{base}/models", AzureKeyCredential(server.key)) as client:
        assert client.complete(model="chat", messages=MESSAGES).choices[0].message.content == "Hello."
    wrong = AzureKeyCredential("none")
    with ChatCompletionsClient(f"{base}/models", wrong, headers={"Ocp-Apim-Subscription-Key": server.key}) as client:
        assert client.complete(model="chat", messages=MESSAGES).choices[0].message.content == "Hello."


def test_azure_ai_projects(server):
    shell = logged_in(server, clean_environment())
    printed = run_python(shell, "-c", PROJECTS, f"{server.tls_url}/team-a/api/projects/default")
    assert printed.splitlines() == ["['chat', 'other']", "Hello."]


def asked(url, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_next_link_goes_on_below_the_prefix_and_has_no_key(server):
    command = [PROGRAM, "token", "--data-dir", str(server.data_dir)]
    token = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    url = f"{server.url}/team-a/api/projects/default/deployments?api-version=v1&maxpagesize=1&subscription-key=x"
    status, page = asked(url, Authorization=f"Bearer {token}")
    assert status == 200
    assert page["nextLink"].startswith(f"{server.url}/team-a/api/projects/default/deployments?")
    assert "subscription-key" not in page["nextLink"]


@pytest.mark.parametrize("path", ["/team-b/openai/v1/models", "/team-a/health/live", "/team-a/admin/keys", "/team-a"])
def test_nothing_else_is_below_a_prefix(server, path):
    assert asked(f"{server.url}{path}?subscription-key={server.key}")[0] == 404


@pytest.mark.parametrize("query", ["", "?subscription-key=none", "?subscription-key="])
def test_a_wrong_key_in_the_query_is_a_wrong_key(server, query):
    status, answer = asked(f"{server.url}/team-a/openai/v1/models{query}")
    assert (status, answer["error"]["code"]) == (401, "401")
    assert server.key not in server.output
