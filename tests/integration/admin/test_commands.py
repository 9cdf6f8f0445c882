"""`forehearth keys` and `forehearth audit` as programs, beside a running server."""

import http.server
import json
import os
import subprocess
import threading
from typing import ClassVar

import pytest

from tests.forehearth_server import PROGRAM
from tests.integration.admin.wired import Client


@pytest.fixture(scope="module")
def data_home(client: Client, tmp_path_factory: pytest.TempPathFactory):
    """A data home whose `forehearth` is the server's data directory: where the commands look by themselves."""
    home = tmp_path_factory.mktemp("home")
    (home / "forehearth").symlink_to(client.server.data_dir)
    return home


@pytest.fixture
def command(data_home, tmp_path):
    def run(*arguments, **environment):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FOREHEARTH_")}
        return subprocess.run(
            [PROGRAM, *arguments],
            cwd=tmp_path,
            env=kept | {"XDG_DATA_HOME": str(data_home)} | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_the_server_is_found_where_it_told_that_it_is(command, client):
    made = command("keys", "create", "found", "--deployment", "chat")
    assert (made.returncode, client.chat(made.stdout.strip())) == (0, 200), made.stderr
    assert command("keys", "revoke", "found").returncode == 0
    assert client.chat(made.stdout.strip()) == 401


@pytest.mark.parametrize("way", ["http", "https", "variable"])
def test_the_server_is_named(command, client, way, tmp_path):
    server = client.server
    own = ("--data-dir", str(server.data_dir))
    here = {"XDG_DATA_HOME": str(tmp_path)}
    done = {
        "http": lambda: command("keys", "list", "--url", server.url, *own, **here),
        "https": lambda: command("keys", "list", "--url", server.tls_url, *own, **here),
        "variable": lambda: command("keys", "list", FOREHEARTH_URL=server.url, FOREHEARTH_API_KEY=server.key, **here),
    }[way]()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("NAME")
    assert done.stderr == ""


def test_a_certificate_that_is_not_trusted(command, client, tmp_path):
    done = command(
        "keys", "list", "--url", client.server.tls_url, "--key", client.server.key, XDG_DATA_HOME=str(tmp_path)
    )
    assert done.returncode == 1
    assert "is not trusted" in done.stderr
    assert "--data-dir" in done.stderr


def test_a_directory_that_a_server_holds_is_asked_through_it(command, client):
    done = command("keys", "create", "through", "--data-dir", str(client.server.data_dir))
    assert done.returncode == 0, done.stderr
    assert client.chat(done.stdout.strip()) == 200


@pytest.mark.parametrize("which", ["wrong", "plain"])
def test_a_key_that_may_not(command, client, which):
    key = client.make("may-not")["key"] if which == "plain" else "fh-wrong-0123456789"
    done = command("keys", "list", "--key", key)
    assert (done.returncode, done.stdout) == (1, "")
    assert ("--admin" if which == "plain" else "FOREHEARTH_API_KEY") in done.stderr
    assert key not in done.stderr


def test_a_key_made_with_admin_makes_others(command):
    admin = command("keys", "create", "boss", "--admin").stdout.strip()
    made = command("keys", "create", "helper", "--key", admin, "--json")
    assert json.loads(made.stdout)["name"] == "helper"
    found = json.loads(command("audit", "--json", "--actor", "boss").stdout)
    assert [each["action"] for each in found] == ["keys.create"]


def test_more_than_a_page_is_listed(command, client):
    for number in range(101):
        client.make(f"many-{number}")
    keys = json.loads(command("keys", "list", "--json").stdout)
    assert {f"many-{number}" for number in range(101)} <= {each["name"] for each in keys}
    records = json.loads(command("audit", "--json", "--limit", "102", "--action", "keys.create").stdout)
    assert len({each["id"] for each in records}) == 102
    assert [int(each["id"]) for each in records] == sorted((int(each["id"]) for each in records), reverse=True)


class Stranger(http.server.BaseHTTPRequestHandler):
    """A server of something else, which keeps the keys that it is sent."""

    seen: ClassVar[list[str]] = []

    def do_GET(self):
        self.seen.append(self.headers["api-key"])
        self.send_response(302 if "elsewhere" in self.path else 200)
        self.send_header("location", f"http://127.0.0.1:{self.server.server_port}/stolen")
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_):
        pass


@pytest.fixture
def stranger():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        Stranger.seen.clear()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["", "/elsewhere"])
def test_something_else_listens_and_sends_us_elsewhere(command, stranger, path):
    done = command("keys", "list", "--url", stranger + path, "--key", "k" * 20)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no JSON: is it a Forehearth server?" in done.stderr
    assert Stranger.seen == ["k" * 20]


def test_no_proxy_gets_the_key(command, client, stranger):
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"), stranger)
    assert command("keys", "list", **proxies).returncode == 0
    assert Stranger.seen == []
