"""`--resource`: the public addresses of an Azure resource, behind a proxy, where a server of ours stands in for it."""

import json
import socket
import socketserver
import subprocess
import threading

import pytest

from forehearth.cli.main import run
from tests.forehearth_server import PROGRAM

CONFIG = """
version: 1
server:
  resource: contoso
  tls: {names: [contoso.openai.azure.com, contoso.services.ai.azure.com]}
backends: {script: {provider: scripted}}
deployments:
  embeddings: {model: {type: embeddings}, backends: [{backend: script}]}
  gpt-4o: {model: {name: gpt-4o}, backends: [{backend: script}]}
projects: {sales: {}}
"""


class Tunnel(socketserver.StreamRequestHandler):
    """An HTTP proxy that leads every host to one server, and writes down which it was asked for."""

    def handle(self):
        line = self.rfile.readline().split()
        while self.rfile.readline() not in (b"\r\n", b""):
            pass
        self.server.asked.append(line[1].decode())
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with socket.create_connection(("127.0.0.1", self.server.leads_to)) as there:
            back = threading.Thread(target=self._pump, args=(there, self.request))
            back.start()
            self._pump(self.request, there)
            back.join()

    @staticmethod
    def _pump(source, sink):
        try:
            while piece := source.recv(65_536):
                sink.sendall(piece)
            sink.shutdown(1)
        except OSError:
            return


class Proxy(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, leads_to: int) -> None:
        super().__init__(("127.0.0.1", 0), Tunnel)
        self.leads_to = leads_to
        self.asked: list[str] = []


@pytest.fixture(scope="module")
def server(start_module_forehearth):
    return start_module_forehearth(CONFIG, "--dev-issuer")


@pytest.fixture
def azure(server, monkeypatch, capsys, tmp_path):
    """Runs a command for the resource `contoso`, on a machine that has nothing of ours; and the hosts it asked."""
    for name in ("FOREHEARTH_URL", "FOREHEARTH_API_KEY", "FOREHEARTH_TOKEN", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Proxy(server.tls_port) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.server_address[1]}")
        monkeypatch.setenv("SSL_CERT_FILE", str(server.ca))
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", server.key)

        def call(*arguments):
            proxy.asked.clear()
            status = run([*arguments, "--resource", "contoso", "--data-dir", str(tmp_path)])
            printed = capsys.readouterr()
            return status, printed.out, printed.err, {*proxy.asked}

        yield call
        proxy.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def token(server):
    command = [PROGRAM, "token", "--data-dir", str(server.data_dir)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


OPENAI, FOUNDRY = "contoso.openai.azure.com:443", "contoso.services.ai.azure.com:443"


@pytest.mark.parametrize(
    ("shape", "host"), [("v1", OPENAI), ("responses", OPENAI), ("classic", OPENAI), ("foundry", FOUNDRY)]
)
def test_a_prompt_goes_to_the_host_of_its_shape(azure, shape, host):
    arguments = ("call", "--shape", shape, "--deployment", "gpt-4o", "Hello.")
    assert azure(*arguments) == (0, "Hello.\n", "", {host})


def test_a_project_is_asked_with_a_token(azure, token):
    arguments = ("call", "--shape", "project", "--project", "sales", "--token", token, "Hello.")
    assert azure(*arguments) == (0, "Hello.\n", "", {FOUNDRY})


def test_deployments_are_told_to_the_holder_of_a_key_on_the_classic_path(azure):
    status, out, _, hosts = azure("endpoints", "--json")
    found = json.loads(out)["deployments"]
    assert (status, hosts) == (0, {OPENAI})
    assert [each["name"] for each in found] == ["embeddings", "gpt-4o"]


def test_deployments_are_told_to_the_holder_of_a_token_at_the_project(azure, token):
    status, out, _, hosts = azure("endpoints", "--json", "--auth", "token", "--token", token)
    found = {each["name"]: (each["model"], each["chats"]) for each in json.loads(out)["deployments"]}
    assert (status, hosts) == (0, {FOUNDRY})
    assert found == {"embeddings": ("embeddings", False), "gpt-4o": ("gpt-4o", True)}


def test_the_doctor_goes_through_the_proxy(azure):
    status, out, _, hosts = azure("doctor", "--shape", "classic", "--deployment", "gpt-4o")
    assert (status, hosts) == (0, {OPENAI})
    assert "through the proxy" in out


def test_the_key_of_azure_is_named_by_its_variable(azure, server):
    _, out, _, hosts = azure("call", "--show", "--deployment", "gpt-4o", "Hello.")
    assert hosts == set()
    assert '-H "Authorization: Bearer $AZURE_OPENAI_API_KEY"' in out
    assert 'os.environ["AZURE_OPENAI_API_KEY"]' in out
    assert server.key not in out


@pytest.mark.parametrize(
    ("auth", "named"), [("key", "$AZURE_OPENAI_API_KEY"), ("token", "$(az account get-access-token --resource ")]
)
def test_a_request_is_shown_before_there_is_a_credential(azure, monkeypatch, auth, named):
    monkeypatch.delenv("AZURE_OPENAI_API_KEY")
    status, out, _, hosts = azure("call", "--show", "--auth", auth, "--deployment", "gpt-4o", "Hello.")
    assert (status, hosts) == (0, set())
    assert named in out


def test_a_resource_goes_before_the_server_that_the_environment_names(azure, monkeypatch, server):
    monkeypatch.setenv("FOREHEARTH_URL", server.tls_url)
    assert azure("call", "--deployment", "gpt-4o", "Hello.") == (0, "Hello.\n", "", {OPENAI})


def test_without_a_key_it_is_said_where_one_is_looked_for(azure, monkeypatch):
    monkeypatch.delenv("AZURE_OPENAI_API_KEY")
    status, _, err, hosts = azure("call", "--deployment", "gpt-4o", "Hello.")
    assert (status, hosts) == (2, set())
    assert "AZURE_OPENAI_API_KEY" in err
