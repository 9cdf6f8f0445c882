"""Microsoft's credentials and clients, unmodified, without a cloud: tokens of `serve --dev-issuer`, used over TLS.

Programs run as their users run them: each in a process of its own, with the environment of a shell that has read what
`forehearth login` prints.
"""

import http.client
import json
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import StartForehearth
from tests.developer_shell import clean_environment, logged_in, run_python
from tests.forehearth_server import PROGRAM, ForehearthServer

ROBOT = "aaaaaaaa-0000-4000-8000-00000000000a"
MARIA = "bbbbbbbb-0000-4000-8000-00000000000a"
SECRET = "an application's secret, of the tests"
CONFIG = f"""
version: 1
backends:
  script:
    provider: scripted
    rules:
      - {{when: {{operation: chat_completions}}, answer: A scripted answer.}}
deployments:
  chat:
    backends: [{{backend: script}}]
projects:
  sales: {{description: What the sales people do.}}
identity:
  assignments:
    - {{role: Foundry User, user: {MARIA}, project: sales}}
    - {{role: Foundry User, app_role: Machinist}}
  development:
    users:
      maria: {{id: {MARIA}}}
    applications:
      robot: {{client_id: {ROBOT}, secret: "${{ROBOT_SECRET}}", roles: [Machinist]}}
"""


@pytest.fixture(scope="module")
def server(start_module_forehearth: StartForehearth) -> ForehearthServer:
    return start_module_forehearth(CONFIG, "--dev-issuer", environment={"ROBOT_SECRET": SECRET})


@pytest.fixture(scope="module")
def stranger(start_module_forehearth: StartForehearth) -> ForehearthServer:
    """A server with the same configuration and no development issuer."""
    return start_module_forehearth(CONFIG, environment={"ROBOT_SECRET": SECRET})


@pytest.fixture(scope="module")
def clean() -> dict[str, str]:
    return clean_environment()


@pytest.fixture(scope="module")
def shell(server: ForehearthServer, clean: dict[str, str]) -> Iterator[dict[str, str]]:
    """A shell in which the developer has logged in."""
    return logged_in(server, clean)


def run(script: str, environment: Mapping[str, str]) -> str:
    return run_python(environment, "-c", script)


CALLS = """
import asyncio, os
import azure.ai.inference.aio, azure.ai.projects.aio, azure.identity.aio
from azure.ai.inference import ChatCompletionsClient
from azure.ai.inference.models import UserMessage
from azure.ai.projects import AIProjectClient
from azure.identity import *
from openai import AsyncOpenAI, AzureOpenAI, OpenAI

url = os.environ["FOREHEARTH_URL"]
messages = [{"role": "user", "content": "Hello."}]
scope = "https://ai.azure.com/.default"

def models(credential):
    with ChatCompletionsClient(f"{url}/models", credential) as client:
        return client.complete(messages=[UserMessage("Hello.")], model="chat").choices[0].message.content

def v1(credential):
    token = get_bearer_token_provider(credential, scope)
    with OpenAI(base_url=f"{url}/openai/v1/", api_key=token, max_retries=0) as client:
        return client.chat.completions.create(model="chat", messages=messages).choices[0].message.content

def classic(credential):
    token = get_bearer_token_provider(credential, "https://cognitiveservices.azure.com/.default")
    with AzureOpenAI(
        azure_endpoint=url, azure_ad_token_provider=token, api_version="2024-10-21", max_retries=0
    ) as client:
        return client.chat.completions.create(model="chat", messages=messages).choices[0].message.content

def deployments(credential, project="default"):
    with AIProjectClient(f"{url}/api/projects/{project}", credential) as client:
        return [each.name for each in client.deployments.list()]

def project_v1(credential, project="default"):
    with AIProjectClient(f"{url}/api/projects/{project}", credential) as client:
        answer = client.get_openai_client().chat.completions.create(model="chat", messages=messages)
        return answer.choices[0].message.content

def project_responses(credential, project="default"):
    with AIProjectClient(f"{url}/api/projects/{project}", credential) as client:
        openai = client.get_openai_client()
        made = openai.responses.create(model="chat", input="Hello.")
        kept = openai.responses.retrieve(made.id)
        openai.responses.delete(made.id)
        return kept.output_text

def everything(credential):
    with credential:
        answers = {models(credential), v1(credential), classic(credential), project_v1(credential)}
        answers.add(project_responses(credential))
        assert answers == {"A scripted answer."}, answers
        assert deployments(credential) == ["chat"]

async def everything_async(credential):
    async with credential:
        async with azure.ai.inference.aio.ChatCompletionsClient(f"{url}/models", credential) as client:
            answer = await client.complete(messages=[UserMessage("Hello.")], model="chat")
            assert answer.choices[0].message.content == "A scripted answer."
        token = azure.identity.aio.get_bearer_token_provider(credential, scope)
        async with AsyncOpenAI(base_url=f"{url}/openai/v1/", api_key=token, max_retries=0) as client:
            answer = await client.chat.completions.create(model="chat", messages=messages)
            assert answer.choices[0].message.content == "A scripted answer."
        async with azure.ai.projects.aio.AIProjectClient(f"{url}/api/projects/default", credential) as client:
            assert [each.name async for each in client.deployments.list()] == ["chat"]

def both(name, *given, **named):
    everything(getattr(azure.identity, name)(*given, **named))
    asyncio.run(everything_async(getattr(azure.identity.aio, name)(*given, **named)))
"""


def test_the_developer_calls_everything(shell: dict[str, str]):
    run(CALLS + "both('DefaultAzureCredential'); both('ManagedIdentityCredential')", shell)


def test_the_metadata_service_of_a_virtual_machine(server: ForehearthServer, shell: dict[str, str]):
    environment = {name: value for name, value in shell.items() if not name.startswith("IDENTITY_")}
    environment["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = server.url
    run(CALLS + "both('ManagedIdentityCredential'); both('DefaultAzureCredential')", environment)


def tenant(server: ForehearthServer, clean: Mapping[str, str]) -> str:
    command = [str(PROGRAM), "token", "--json", "--data-dir", str(server.data_dir)]
    done = subprocess.run(command, env=dict(clean), capture_output=True, text=True, check=True, timeout=60)
    return str(json.loads(done.stdout)["tenant"])


def test_an_application_with_its_secret(server: ForehearthServer, shell: dict[str, str], clean: dict[str, str]):
    who = f"'{ROBOT}', {SECRET!r}"
    directory = tenant(server, clean)
    named = {"AZURE_TENANT_ID": "adfs", "AZURE_CLIENT_ID": ROBOT, "AZURE_CLIENT_SECRET": SECRET}
    script = f"""
both('ClientSecretCredential', 'adfs', {who})
both('ClientSecretCredential', '{directory}', {who}, disable_instance_discovery=True)
os.environ['AZURE_TOKEN_CREDENTIALS'] = 'EnvironmentCredential'
both('DefaultAzureCredential')
"""
    run(CALLS + script, shell | named)


DEVICE = """
import subprocess
def approve(page, code, expires):
    assert page == url + "/dev-issuer/device", page
    subprocess.run([*{command}, "--approve", code], check=True, capture_output=True)
credential = DeviceCodeCredential(tenant_id="organizations", disable_instance_discovery=True, prompt_callback=approve)
assert v1(credential) == "A scripted answer."
assert deployments(credential) == ["chat"]
"""


def test_a_device_code(server: ForehearthServer, shell: dict[str, str]):
    command = [str(PROGRAM), "login", "--data-dir", str(server.data_dir)]
    run(CALLS + DEVICE.format(command=command), shell)


ONE_PROJECT = """
from azure.core.exceptions import HttpResponseError
from openai import PermissionDeniedError
credential = DefaultAzureCredential()
assert deployments(credential, "sales") == ["chat"]
assert project_v1(credential, "sales") == "A scripted answer."
for call, error in ((deployments, HttpResponseError), (models, HttpResponseError), (v1, PermissionDeniedError)):
    try:
        call(credential)
    except error as refused:
        assert refused.status_code == 403, refused
    else:
        raise AssertionError(call)
"""


def test_somebody_who_may_do_less(server: ForehearthServer, clean: dict[str, str]):
    run(CALLS + ONE_PROJECT, logged_in(server, clean, "--user", "maria"))


def bearer(server: ForehearthServer, clean: Mapping[str, str], *arguments: str) -> str:
    """What `forehearth token` prints."""
    command = [str(PROGRAM), "token", "--data-dir", str(server.data_dir), *arguments]
    done = subprocess.run(command, env=dict(clean), capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def ask(server: ForehearthServer, target: str, headers: Mapping[str, str]) -> tuple[int, str]:
    context = ssl.create_default_context(cafile=server.ca)
    connection = http.client.HTTPSConnection("localhost", server.tls_port, timeout=30, context=context)
    try:
        connection.request("GET", target, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_forehearth_token_is_a_bearer(server: ForehearthServer, clean: dict[str, str]):
    for scope in ("https://ai.azure.com/.default", "https://cognitiveservices.azure.com/.default"):
        header = {"Authorization": f"Bearer {bearer(server, clean, '--scope', scope)}"}
        assert ask(server, "/openai/v1/models", header)[0] == 200
        assert ask(server, "/api/projects/default/deployments?api-version=v1", header)[0] == 200


def test_where_the_issuer_is_off_its_tokens_are_refused(
    server: ForehearthServer, stranger: ForehearthServer, clean: dict[str, str]
):
    header = {"Authorization": f"Bearer {bearer(server, clean)}"}
    assert ask(stranger, "/openai/v1/models", header)[0] == 401
    for path in ("/dev-issuer/msi/token", "/metadata/identity/oauth2/token", "/adfs/.well-known/openid-configuration"):
        assert ask(stranger, path, {"Metadata": "true"})[0] == 404


MACHINES = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://ai.azure.com"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Metadata": "true"}, 200),
        ({}, 400),
        ({"Metadata": "true", "Host": "evil.example"}, 403),
        ({"Metadata": "true", "Host": "localhost.evil.example"}, 403),
        ({"Metadata": "true", "X-Forwarded-For": "127.0.0.1"}, 403),
        ({"Metadata": "true", "Origin": "https://evil.example"}, 403),
        ({"Metadata": "true", "Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_the_real_server_keeps_strangers_out(server: ForehearthServer, headers: dict[str, str], status: int):
    found, body = ask(server, MACHINES, headers)
    assert found == status
    assert ("access_token" in body) is (status == 200)


def test_nothing_secret_is_kept_where_others_can_read_it_or_logged(server: ForehearthServer, clean: dict[str, str]):
    token = bearer(server, clean)
    keys = Path(server.data_dir) / "keys"
    assert {path.name: path.stat().st_mode & 0o777 for path in keys.glob("issuer*")} == {
        "issuer": 0o600,
        "issuer.pem": 0o600,
    }
    secret = json.loads((keys / "issuer").read_text())["secret"]
    assert not any(each in server.output for each in (token, token.split(".")[2], secret, SECRET))
