"""`forehearth doctor` against a running server on which one step after the other is broken."""

import asyncio
import http.server
import json
import ssl
import threading
import time

import pytest

from forehearth.cli.connection import Wish, address_of, authority_of
from forehearth.cli.doctor_steps import Doctor, Patient
from forehearth.connectors import diagnosis
from forehearth.connectors.diagnosis import EXIT_STATUS
from forehearth.connectors.shapes import SHAPES
from forehearth.core.upstream import TlsFiles
from forehearth.testing.certificates import Authority
from forehearth.testing.clock import VirtualClock
from forehearth.transport import probe


def looked(command, *arguments, **options):
    """Exit status, the step that failed, and its check."""
    status, out, err = command("doctor", "--json", *arguments, **options)
    assert err == ""
    found = json.loads(out)
    check = next((each for each in found["checks"] if each["state"] == "failed"), {})
    assert status == (EXIT_STATUS[check["step"]] if check else 0)
    assert found["failed"] == check.get("step")
    assert [each["step"] for each in found["checks"]] == [*EXIT_STATUS]
    return status, found["failed"], check


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("auth", ["key", "token"])
def test_nothing_is_wrong(command, shape, auth):
    if auth in SHAPES[shape].credentials:
        assert looked(command, "--shape", shape, "--auth", auth, "--deployment", "chat")[:2] == (0, None)


def test_it_is_told_in_words(command):
    status, out, _ = command("doctor", "--deployment", "gone")
    assert status == 17
    assert "ok       credential   the key is accepted" in out
    assert "FAILED   deployment   There is no deployment 'gone' there" in out
    assert "skipped  streaming" in out


@pytest.mark.parametrize(
    ("arguments", "step", "cause", "remedy"),
    [
        (("--url", "http://nowhere.invalid", "--key", "k"), "name", "name", "typing error"),
        (("--url", "http://127.0.0.1:1"), "connection", "port 1", "forehearth serve"),
        (("--key", "fh-unknown"), "credential", "401", "forehearth keys list"),
        (("--shape", "project", "--auth", "key"), "credential", "takes tokens", "--auth token"),
        (("--auth", "token", "--token", "a.b.c"), "credential", "401", "https://ai.azure.com/.default"),
        (("--shape", "classic", "--api-version", "soon"), "api-version", "404", "2024-10-21"),
        (("--shape", "foundry", "--api-version", "soon"), "api-version", "400", "2024-05-01-preview"),
        (("--shape", "foundry", "--api-version", "so on&x=%"), "api-version", "400", "2024-05-01-preview"),
        (("--shape", "v1", "--api-version", "soon"), "api-version", "400", "Leave api-version out"),
        (("--deployment", "gone"), "deployment", "'gone'", "forehearth endpoints"),
        (("--deployment", "ill"), "deployment", "500", "forehearth status"),
        (("--deployment", "vectors"), "deployment", "400", "message"),
        (("--shape", "project", "--project", "gone", "--auth", "token"), "api-version", "'gone'", "--project"),
        (("--deployment", "breaking"), "streaming", "breaks off", "idle timeouts"),
    ],
)
def test_what_is_broken_is_found(command, arguments, step, cause, remedy):
    _, failed, check = looked(command, *arguments)
    assert failed == step, check
    assert cause in check["found"]
    assert remedy in check["remedy"]


def test_a_limit_that_is_used_up(command):
    assert looked(command, "--deployment", "limited")[1] in {None, "limits"}
    _, failed, check = looked(command, "--deployment", "limited")
    assert failed == "limits"
    assert "429" in check["found"]
    assert "Again in" in check["found"]


def test_a_token_that_expired(command, issuer):
    old = issuer.token("maria", exp=1_700_000_000, nbf=1_600_000_000, iat=1_600_000_000)
    _, failed, check = looked(command, "--auth", "token", "--token", old)
    assert failed == "credential"
    assert "it expired" in check["found"]


def test_a_token_whose_holder_has_no_role(command, issuer):
    _, failed, check = looked(command, "--auth", "token", "--token", issuer.token("nobody"))
    assert failed == "credential"
    assert "403" in check["found"]
    assert "Foundry User" in check["remedy"]


@pytest.mark.parametrize("to", ["http", "https"])
def test_the_other_scheme_at_a_port(command, server, to):
    url = f"https://localhost:{server.port}" if to == "https" else f"http://localhost:{server.tls_port}"
    _, failed, check = looked(command, "--url", url)
    assert failed == ("tls" if to == "https" else "server")
    assert "http" in check["remedy"].lower()


def test_a_certificate_that_is_not_trusted(command, server, tmp_path, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    _, failed, check = looked(command, "--url", server.tls_url, "--key", server.key, data_dir=tmp_path)
    assert failed == "tls"
    assert "not trusted" in check["found"]
    assert "tls trust" in check["remedy"]


@pytest.mark.parametrize(
    ("name", "expired", "state", "found", "remedy"),
    [
        ("other.example", False, "failed", "ostname mismatch", "server.tls.names"),
        ("localhost", True, "failed", "expired", "clock"),
        ("localhost", False, "warning", "ends soon", "Renew it"),
    ],
)
async def test_certificates_that_do_not_fit(tmp_path, name, expired, state, found, remedy):
    authority = Authority(tmp_path)
    context = authority.issue(name, expired=expired).server_context()
    files = TlsFiles(ca_bundle=authority.bundle)
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context) as host:
        port = host.sockets[0].getsockname()[1]
        try:
            session = await probe.agree("localhost", port, files)
            check = diagnosis.trusted(session.protocol, session.expires, time.time())
        except ssl.SSLError as error:
            check = diagnosis.untrusted(error)
    assert check.state == state
    assert found in check.found
    assert remedy in check.remedy


class Page(http.server.BaseHTTPRequestHandler):
    """What answers at the wrong port: a page for people."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "6")
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_):
        pass


def test_a_page_that_is_no_api(command):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as host:
        thread = threading.Thread(target=host.serve_forever)
        thread.start()
        _, failed, check = looked(command, "--url", f"http://127.0.0.1:{host.server_port}")
        host.shutdown()
        thread.join()
    assert failed == "server"
    assert "no API" in check["found"]


def test_where_there_is_no_key(command, server, tmp_path):
    _, failed, check = looked(command, "--url", server.url, data_dir=tmp_path)
    assert failed == "credential"
    assert "no development key" in check["found"]


@pytest.mark.parametrize(("off", "state"), [(3_600, "failed"), (-3_600, "failed"), (60, "warning"), (0, "ok")])
async def test_a_clock_that_is_wrong(server, off, state):
    """This machine's clock is the doctor's to be given; the server's is the real one."""
    wish = Wish(
        url=server.tls_url,
        resource=None,
        project=None,
        auth="key",
        key=server.key,
        token=None,
        user="developer",
        data_dir=server.data_dir,
    )
    address = address_of(wish)
    patient = Patient(
        wish=wish,
        address=address,
        shape=SHAPES["v1"],
        auth="key",
        ca=authority_of(wish, address),
        deployment="chat",
        version=None,
    )
    checks = await Doctor(patient, VirtualClock(unix=time.time() + off)).run()
    found = {check.step: check for check in checks}
    assert found["clock"].state == state
    assert ("ahead of" in found["clock"].found) is (off > 0)
    assert {check.state for step, check in found.items() if step != "clock"} == {"ok"}
