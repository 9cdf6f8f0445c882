"""The development issuer behind the real HTTP server, over http and https, with a data directory as a server has it."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from forehearth.core.clock import SystemClock
from forehearth.core.ids import request_ids
from forehearth.core.settings import TlsSettings
from forehearth.identity.development.installation import ensure
from forehearth.identity.development.issuer import DevelopmentIssuer
from forehearth.identity.development.signing import new_signing_key
from forehearth.identity.development.trust import trusted_issuer
from forehearth.identity.tokens import Tokens
from forehearth.server.app import create_app
from forehearth.server.certificates import server_certificate, server_context
from forehearth.server.data_directory import DataDirectory, open_data_directory, write_private
from forehearth.server.health import Health
from forehearth.server.status import Status
from forehearth.wire.development_issuer import routes
from tests.http_toys import Serving
from tests.unit.identity.development.cast import SETTINGS

STRANGERS = ("AZURE_", "IDENTITY_", "MSI_", "SSL_CERT", "REQUESTS_CA", "CURL_CA", "NODE_EXTRA", "FOREHEARTH_")
LOGIN = "from forehearth.cli.login import login; login()"
TOKEN = "from forehearth.cli.token import token; token()"


@dataclass(frozen=True, kw_only=True, slots=True)
class IssuerServer:
    """A server that does nothing but issue tokens."""

    issuer: DevelopmentIssuer
    data: DataDirectory
    url: str
    tls_url: str
    tokens: Tokens
    """What a gateway beside it verifies with."""

    def command(self, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `login` or `token` in a shell that knows nothing of this server but its data directory."""
        command = [sys.executable, "-c", script, *arguments, "--data-dir", str(self.data.path)]
        return subprocess.run(
            command, env=clean() | environment, capture_output=True, text=True, check=False, timeout=60
        )

    def logged_in(self, *arguments: str) -> dict[str, str]:
        """The environment after `eval "$(forehearth login …)"`, as a shell has it."""
        command = shlex.join([sys.executable, "-c", LOGIN, *arguments, "--data-dir", str(self.data.path)])
        script = f'exports="$({command})" && eval "$exports" && env -0'
        shell = subprocess.run(["sh", "-c", script], env=clean(), capture_output=True, text=True, check=True)
        return dict(line.partition("=")[::2] for line in shell.stdout.split("\0") if line)


def clean() -> dict[str, str]:
    """This process's environment without what decides about trust, identity and proxies."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(STRANGERS) and not name.lower().endswith("_proxy")
    }


class Door:
    """An application that is chosen once the ports are known."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def issuer_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IssuerServer]:
    """One for all tests here; what they leave in it are device codes."""
    data = open_data_directory(tmp_path_factory.mktemp("issuer") / "a folder")
    clock, door = SystemClock(), Door()
    new_id = request_ids(1, clock)
    plain = Serving(app=door)
    secure = Serving(app=door, tls=server_context(server_certificate(data, TlsSettings())))
    url, tls_url = f"http://127.0.0.1:{plain.address[1]}", f"https://localhost:{secure.address[1]}"
    write_private(data.run / "addresses", f"{url}\n{tls_url}\n".encode())
    installation = ensure(data.keys, write_private, new_signing_key)
    issuer = DevelopmentIssuer(SETTINGS, installation, base=tls_url, clock=clock, new_id=new_id)
    health = Health(Status, lambda: False)
    door.app = create_app(health=health, metrics=str, new_id=new_id, routes=routes(issuer))
    trusted = trusted_issuer(issuer.trusted, clock)
    with plain, secure:
        yield IssuerServer(
            issuer=issuer, data=data, url=url, tls_url=tls_url, tokens=Tokens({trusted.iss: trusted}, clock)
        )


RunPython = Callable[..., str]
"""`run_python(script, environment)`: what the script prints; a warning in it is an error."""


@pytest.fixture(scope="session")
def run_python() -> RunPython:
    """Runs a program as its user would: a process of its own, with the shell's environment."""

    def run(script: str, environment: Mapping[str, str]) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            env=dict(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run


@pytest.fixture(scope="session")
def shell(issuer_server: IssuerServer) -> dict[str, str]:
    """A shell in which somebody has logged in."""
    return issuer_server.logged_in()
