import ssl
from pathlib import Path

import pytest

from forehearth.core.errors import Misconfigured
from forehearth.core.settings import TlsSettings
from forehearth.server import certificates
from forehearth.server.certificates import (
    CertificateFiles,
    bundle_path,
    server_certificate,
    server_context,
    write_bundle,
)
from forehearth.server.data_directory import DataDirectory, open_data_directory

SYSTEM = "-----BEGIN CERTIFICATE-----\nsystem\n-----END CERTIFICATE-----"
COMPANY = "-----BEGIN CERTIFICATE-----\ncompany\n-----END CERTIFICATE-----"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataDirectory:
    opened = open_data_directory(tmp_path_factory.mktemp("data") / "forehearth")
    certificates.authority(opened)
    return opened


@pytest.fixture
def company(tmp_path: Path) -> Path:
    path = tmp_path / "company.pem"
    path.write_text(COMPANY)
    return path


def test_the_development_certificate_is_made_and_used(data: DataDirectory):
    files = server_certificate(data, TlsSettings())
    assert Path(files.certificate).parent == data.tls
    context = server_context(files)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert server_certificate(data, TlsSettings()) == files


def test_given_files_are_taken_as_they_are(data: DataDirectory):
    files = server_certificate(data, TlsSettings(certificate="/a.pem", key="/b.key"))
    assert files == CertificateFiles(certificate="/a.pem", key="/b.key")


@pytest.mark.parametrize("given", [{"certificate": "/a.pem"}, {"key": "/b.key"}])
def test_half_a_pair_is_refused(data: DataDirectory, given: dict[str, str]):
    with pytest.raises(Misconfigured, match="needs both"):
        server_certificate(data, TlsSettings(**given))


def test_an_impossible_name_is_said_in_one_line(data: DataDirectory):
    with pytest.raises(Misconfigured) as refusal:
        server_certificate(data, TlsSettings(names=("a b",)))
    assert "'a b' is neither" in refusal.value.message
    assert "\n" not in refusal.value.message


def test_a_file_that_is_not_there_is_named(data: DataDirectory):
    with pytest.raises(Misconfigured, match=r"/no/such\.pem cannot be read"):
        server_context(CertificateFiles(certificate="/no/such.pem", key=str(data.tls / "server.key")))


@pytest.mark.parametrize("key", ["ca.key", "ca.pem"])
def test_a_key_that_does_not_fit_is_said(data: DataDirectory, key: str):
    files = server_certificate(data, TlsSettings())
    with pytest.raises(Misconfigured, match="not a certificate and its key"):
        server_context(CertificateFiles(certificate=files.certificate, key=str(data.tls / key)))


def test_the_bundle_has_the_systems_certificates_and_ours(data: DataDirectory):
    sources = write_bundle(data, {})
    assert sources
    bundle = bundle_path(data).read_bytes()
    assert bundle.endswith((data.tls / "ca.pem").read_bytes())
    assert all(Path(source).read_bytes().rstrip() in bundle for source in sources)
    assert bundle_path(data).stat().st_mode & 0o777 == 0o600
    ssl.create_default_context(cafile=str(bundle_path(data)))


@pytest.mark.parametrize(
    "names", [("SSL_CERT_FILE",), ("REQUESTS_CA_BUNDLE",), ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")]
)
def test_what_the_user_trusts_already_is_kept(data: DataDirectory, company: Path, names: tuple[str, ...]):
    sources = write_bundle(data, dict.fromkeys(names, str(company)))
    assert sources == [str(company)]
    ours = (data.tls / "ca.pem").read_text()
    assert bundle_path(data).read_text() == f"{COMPANY}\n{certificates.MARK.decode()}{ours}"


def test_two_different_bundles_of_the_user_are_joined(data: DataDirectory, company: Path, tmp_path: Path):
    (tmp_path / "other.pem").write_text(SYSTEM)
    write_bundle(data, {"SSL_CERT_FILE": str(company), "REQUESTS_CA_BUNDLE": str(tmp_path / "other.pem")})
    assert bundle_path(data).read_text().startswith(f"{COMPANY}\n{SYSTEM}\n")


def test_a_shell_that_trusts_us_already_keeps_what_it_had(data: DataDirectory, company: Path):
    write_bundle(data, {"SSL_CERT_FILE": str(company)})
    once = bundle_path(data).read_bytes()
    own = str(bundle_path(data))
    write_bundle(data, {"SSL_CERT_FILE": own, "REQUESTS_CA_BUNDLE": own})
    assert bundle_path(data).read_bytes() == once


def test_a_file_that_is_gone_is_not_taken_for_the_users_trust(data: DataDirectory, tmp_path: Path):
    assert write_bundle(data, {"SSL_CERT_FILE": str(tmp_path / "gone.pem")}) == write_bundle(data, {})


def test_a_new_ca_goes_into_the_bundle_that_shells_point_to(tmp_path: Path, company: Path):
    data = open_data_directory(tmp_path / "data")
    certificates.authority(data)
    write_bundle(data, {"SSL_CERT_FILE": str(company)})
    first = (data.tls / "ca.pem").read_bytes()
    server_certificate(data, TlsSettings(names=("other.test",)))
    second = (data.tls / "ca.pem").read_bytes()
    assert first != second
    assert bundle_path(data).read_bytes() == COMPANY.encode() + b"\n" + certificates.MARK + second


def test_without_a_bundle_none_is_made_by_serving(tmp_path: Path):
    data = open_data_directory(tmp_path / "data")
    server_certificate(data, TlsSettings())
    assert not bundle_path(data).exists()
