"""The official `azure-identity` package, unmodified, in programs of their own after `forehearth login`."""

import base64
import json
import sys
from collections.abc import Awaitable
from typing import Any

from forehearth.identity.claims import Claims
from tests.integration.identity_issuer.conftest import LOGIN, IssuerServer, RunPython
from tests.unit.identity.development.cast import APPLICATION, CLIENT_SECRET, GROUP, MACHINE, MARIA

SCOPE = "https://ai.azure.com/.default"
BOTH_WAYS = """
import asyncio, azure.identity, azure.identity.aio
def ask(name, *given, scope="https://ai.azure.com/.default", **named):
    with getattr(azure.identity, name)(*given, **named) as credential:
        print(credential.get_token(scope).token)
async def ask_async(name, *given, scope="https://ai.azure.com/.default", **named):
    async with getattr(azure.identity.aio, name)(*given, **named) as credential:
        print((await credential.get_token(scope)).token)
def both(name, *given, **named):
    ask(name, *given, **named)
    asyncio.run(ask_async(name, *given, **named))
"""


def payload(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def verified(server: IssuerServer, token: str) -> Claims:
    """What the token says to a gateway that trusts this issuer."""
    claims = server.tokens.verify(token.encode())
    return await claims if isinstance(claims, Awaitable) else claims


async def test_after_login_programs_act_for_the_developer(
    issuer_server: IssuerServer, shell: dict[str, str], run_python: RunPython
):
    script = BOTH_WAYS + "both('DefaultAzureCredential'); both('ManagedIdentityCredential')"
    tokens = run_python(script, shell).split()
    assert len({payload(token)["uti"] for token in tokens}) == 4
    for token in tokens:
        claims = await verified(issuer_server, token)
        assert (claims.kind, claims.name) == ("user", "developer@forehearth.invalid")
        assert payload(token)["aud"] == "https://ai.azure.com"


async def test_after_login_as_somebody_else(issuer_server: IssuerServer, run_python: RunPython):
    script = BOTH_WAYS + "both('DefaultAzureCredential', scope='https://cognitiveservices.azure.com/.default')"
    for token in run_python(script, issuer_server.logged_in("--user", "maria")).split():
        claims = await verified(issuer_server, token)
        assert (claims.id, claims.groups, claims.roles) == (MARIA, {GROUP}, {"Painter"})
        assert payload(token)["aud"] == "https://cognitiveservices.azure.com"


async def test_a_managed_identity_of_its_own(issuer_server: IssuerServer, shell: dict[str, str], run_python: RunPython):
    script = BOTH_WAYS + f"both('ManagedIdentityCredential', client_id='{MACHINE}')"
    script += (
        "\nboth('ManagedIdentityCredential', identity_config={'resource_id': '/x/userAssignedIdentities/machine'})"
    )
    for token in run_python(script, shell).split():
        claims = await verified(issuer_server, token)
        assert (claims.kind, claims.application) == ("application", MACHINE)


async def test_the_metadata_service_of_a_virtual_machine(
    issuer_server: IssuerServer, shell: dict[str, str], run_python: RunPython
):
    environment = {name: value for name, value in shell.items() if not name.startswith("IDENTITY_")}
    environment["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = issuer_server.url
    script = BOTH_WAYS + "both('ManagedIdentityCredential'); both('DefaultAzureCredential')"
    tokens = run_python(script + f"\nboth('ManagedIdentityCredential', client_id='{MACHINE}')", environment).split()
    names = [(await verified(issuer_server, token)).name for token in tokens]
    assert names == ["developer@forehearth.invalid"] * 4 + ["machine"] * 2


async def test_an_application_with_its_secret(
    issuer_server: IssuerServer, shell: dict[str, str], run_python: RunPython
):
    tenant = issuer_server.issuer.trusted.tenant
    script = f"{BOTH_WAYS}\nwho = ('{APPLICATION}', {CLIENT_SECRET!r})\nboth('ClientSecretCredential', 'adfs', *who)"
    script += f"\nboth('ClientSecretCredential', '{tenant}', *who, disable_instance_discovery=True)"
    tokens = run_python(script, shell).split()
    assert len(tokens) == 4
    for token in tokens:
        claims = await verified(issuer_server, token)
        assert (claims.kind, claims.application, claims.roles) == ("application", APPLICATION, {"Machinist"})


async def test_an_application_that_the_environment_names(
    issuer_server: IssuerServer, shell: dict[str, str], run_python: RunPython
):
    environment = shell | {
        "AZURE_TENANT_ID": "adfs",
        "AZURE_CLIENT_ID": APPLICATION,
        "AZURE_CLIENT_SECRET": CLIENT_SECRET,
        "AZURE_TOKEN_CREDENTIALS": "prod",
    }
    for token in run_python(BOTH_WAYS + "both('DefaultAzureCredential')", environment).split():
        assert (await verified(issuer_server, token)).application == APPLICATION


DEVICE = """
import subprocess, sys
from azure.identity import DeviceCodeCredential
def approve(page, code, _):
    said.append(page)
    subprocess.run([*{command}, "--user", "maria", "--approve", code], check=True, capture_output=True)
said = []
credential = DeviceCodeCredential({options}, prompt_callback=approve)
first = credential.get_token("{scope}").token
print(first)
assert credential.get_token("{scope}").token == first, "the second time it is in the cache"
assert len(said) == 1 and said[0].endswith("/dev-issuer/device"), said
print(credential.authenticate(scopes=["{scope}"]).username)
"""


async def test_a_device_code_that_is_approved_on_this_machine(
    issuer_server: IssuerServer, shell: dict[str, str], run_python: RunPython
):
    command = [sys.executable, "-c", LOGIN, "--data-dir", str(issuer_server.data.path)]
    options = "tenant_id='organizations', disable_instance_discovery=True"
    printed = run_python(DEVICE.format(command=command, scope=SCOPE, options=options), shell).split()
    assert (await verified(issuer_server, printed[0])).id == MARIA
    assert printed[1] == "maria@forehearth.invalid"


REFUSED = """
import azure.identity, os
from azure.core.exceptions import ClientAuthenticationError
def refused(words, scope, name, *given, **named):
    try:
        getattr(azure.identity, name)(*given, **named).get_token(scope)
    except ClientAuthenticationError as error:
        assert words in error.message, error.message
    else:
        raise AssertionError(name)
scope, other = "https://ai.azure.com/.default", "https://management.azure.com/.default"
app = "{application}"
refused("AADSTS7000215", scope, "ClientSecretCredential", "adfs", app, "not the secret of it")
refused("AADSTS500011", other, "ClientSecretCredential", "adfs", app, {secret!r})
refused("Identity not found", scope, "ManagedIdentityCredential", client_id=app)
refused("these audiences alone", other, "DefaultAzureCredential")
os.environ["IDENTITY_HEADER"] = "developer.made-up"
refused("run 'forehearth login' again", scope, "ManagedIdentityCredential")
"""


def test_refusals_reach_the_reader_in_words(shell: dict[str, str], run_python: RunPython):
    run_python(REFUSED.format(application=APPLICATION, secret=CLIENT_SECRET), shell)
