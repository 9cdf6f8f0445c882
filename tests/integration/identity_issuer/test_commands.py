"""`forehearth login` and `forehearth token` with a server beside them."""

import base64
import json
import shlex
import subprocess
import sys
from datetime import datetime

import pytest

from forehearth.server.app import create_app
from forehearth.server.health import Health
from forehearth.server.status import Status
from tests.http_toys import Serving
from tests.integration.identity_issuer.conftest import LOGIN, TOKEN, IssuerServer, clean
from tests.unit.identity.development.cast import MARIA


def exports(text: str) -> dict[str, str]:
    assert all(line.startswith("export ") for line in text.splitlines())
    pairs = [shlex.split(line)[1].partition("=") for line in text.splitlines()]
    assert len({name for name, _, _ in pairs}) == len(pairs)
    return {name: value for name, _, value in pairs}


def payload(token: str) -> dict[str, object]:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_standard_output_is_only_exports(issuer_server: IssuerServer):
    done = issuer_server.command(LOGIN)
    tls = issuer_server.data.tls
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = exports(done.stdout)
    assert found.pop("IDENTITY_HEADER").startswith("developer.")
    assert found == {
        "SSL_CERT_FILE": str(tls / "bundle.pem"),
        "REQUESTS_CA_BUNDLE": str(tls / "bundle.pem"),
        "NODE_EXTRA_CA_CERTS": str(tls / "ca.pem"),
        "FOREHEARTH_URL": issuer_server.tls_url,
        "IDENTITY_ENDPOINT": f"{issuer_server.url}/dev-issuer/msi/token",
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "AZURE_AUTHORITY_HOST": issuer_server.tls_url,
    }


def test_a_shell_that_has_logged_in_can_do_so_again(issuer_server: IssuerServer, shell: dict[str, str]):
    done = issuer_server.command(LOGIN, **{name: value for name, value in shell.items() if name not in clean()})
    assert exports(done.stdout)["IDENTITY_HEADER"] == shell["IDENTITY_HEADER"]
    assert (issuer_server.data.tls / "bundle.pem").read_bytes().count(b"added by `forehearth tls trust`") == 1


def test_no_proxy_gets_the_secret(issuer_server: IssuerServer):
    proxies = {"HTTPS_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    found = exports(issuer_server.command(LOGIN, **proxies, NO_PROXY="corp.example", no_proxy="x,127.0.0.1").stdout)
    assert found["NO_PROXY"] == "corp.example,localhost,127.0.0.1,::1"
    assert found["no_proxy"] == "x,127.0.0.1,localhost,::1"
    found = exports(issuer_server.command(LOGIN, **proxies, NO_PROXY="*").stdout)
    assert "NO_PROXY" not in found
    assert "NO_PROXY" not in exports(issuer_server.command(LOGIN, NO_PROXY="corp.example").stdout)


def test_what_may_be_in_the_way_is_said_beside_the_exports(issuer_server: IssuerServer):
    done = issuer_server.command(
        LOGIN, "--url", issuer_server.url, AZURE_CLIENT_ID=MARIA, NODE_EXTRA_CA_CERTS="/etc/own.pem"
    )
    assert "NODE_EXTRA_CA_CERTS was /etc/own.pem" in done.stderr
    assert "AZURE_CLIENT_ID is set" in done.stderr
    assert "no https" in done.stderr
    found = exports(done.stdout)
    assert found["FOREHEARTH_URL"] == issuer_server.url
    assert "AZURE_AUTHORITY_HOST" not in found


def test_over_tls_it_is_trusted_by_the_data_directory(issuer_server: IssuerServer):
    found = exports(issuer_server.command(LOGIN, "--url", issuer_server.tls_url).stdout)
    assert found["IDENTITY_ENDPOINT"] == f"{issuer_server.tls_url}/dev-issuer/msi/token"


def test_a_token_for_people(issuer_server: IssuerServer):
    done = issuer_server.command(TOKEN, "--user", "maria", "--scope", "https://ml.azure.com/.default")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    told = payload(done.stdout.strip())
    assert (told["oid"], told["aud"]) == (MARIA, "https://ml.azure.com")


def test_a_token_for_scripts(issuer_server: IssuerServer):
    answer = json.loads(issuer_server.command(TOKEN, "--json").stdout)
    assert set(answer) == {"accessToken", "expiresOn", "expires_on", "subscription", "tenant", "tokenType"}
    assert answer["tenant"] == issuer_server.issuer.trusted.tenant
    assert answer["tokenType"] == "Bearer"
    assert payload(answer["accessToken"])["exp"] == answer["expires_on"]
    local = datetime.strptime(answer["expiresOn"], "%Y-%m-%d %H:%M:%S.%f")  # noqa: DTZ007 - local, as az writes it
    assert local.timestamp() == answer["expires_on"]


@pytest.mark.parametrize(
    ("script", "arguments", "words"),
    [
        (LOGIN, ["--user", "mallory"], "developer and maria"),
        (TOKEN, ["--user", "mallory"], "developer and maria"),
        (TOKEN, ["--scope", "https://management.azure.com/.default"], "these audiences alone"),
        (LOGIN, ["--approve", "AAAA-AAAA"], "no such code"),
        (TOKEN, ["--url", "http://127.0.0.1:9"], "no server answers"),
        (LOGIN, ["--url", "http://127.0.0.1:9"], "no server answers"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_else(
    issuer_server: IssuerServer, script: str, arguments: list[str], words: str
):
    done = issuer_server.command(script, *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert words in done.stderr


def test_a_server_of_another_directory_is_not_this_ones(issuer_server: IssuerServer, tmp_path):
    script = (
        "import pathlib, sys; from forehearth.identity.development import installation, signing\n"
        "from forehearth.server.data_directory import open_data_directory, write_private\n"
        "data = open_data_directory(pathlib.Path(sys.argv[1]))\n"
        "installation.ensure(data.keys, write_private, signing.new_signing_key)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "other")], check=True, timeout=60)
    command = [sys.executable, "-c", TOKEN, "--data-dir", str(tmp_path / "other"), "--url", issuer_server.url]
    done = subprocess.run(command, env=clean(), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "works in another data directory" in done.stderr


def test_a_server_that_issues_no_tokens(issuer_server: IssuerServer):
    app = create_app(health=Health(Status, lambda: False), metrics=str, new_id=str)
    with Serving(app=app) as other:
        done = issuer_server.command(LOGIN, "--url", f"http://127.0.0.1:{other.address[1]}")
    assert (done.returncode, done.stdout) == (1, "")
    assert "issues no tokens" in done.stderr
