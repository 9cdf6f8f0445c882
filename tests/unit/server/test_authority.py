import datetime as dt
import ipaddress
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from forehearth.server.authority import ALWAYS, CA_LIFE, LEAF_LIFE, ensure

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
FILES = ("ca.pem", "ca.key", "server.pem", "server.key")
NAME = "hearth.services.ai.azure.com"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ensure(tmp_path, (NAME,), NOW)
    return tmp_path


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def test_every_file_is_for_its_owner_alone(folder: Path):
    assert {name: (folder / name).stat().st_mode & 0o777 for name in FILES} == dict.fromkeys(FILES, 0o600)


def test_the_ca_can_vouch_for_the_given_names_alone(folder: Path):
    ca = certificate(folder / "ca.pem")
    constraint = ca.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraint.critical
    assert {str(subtree.value) for subtree in constraint.value.permitted_subtrees or ()} == {
        "localhost",
        "127.0.0.1/32",
        "::1/128",
        NAME,
    }
    basic = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical
    assert basic.value == x509.BasicConstraints(ca=True, path_length=0)
    assert ca.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert ca.not_valid_after_utc == NOW + CA_LIFE


def test_the_leaf_is_a_server_certificate_for_the_names(folder: Path):
    leaf = certificate(folder / "server.pem")
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"localhost", NAME}
    assert set(names.get_values_for_type(x509.IPAddress)) == {
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("::1"),
    }
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert leaf.not_valid_after_utc == NOW + LEAF_LIFE
    leaf.verify_directly_issued_by(certificate(folder / "ca.pem"))


def test_two_installations_share_nothing(folder: Path, tmp_path_factory: pytest.TempPathFactory):
    other = tmp_path_factory.mktemp("other")
    ensure(other, (NAME,), NOW)
    ours, theirs = (certificate(each / "ca.pem") for each in (folder, other))
    assert ours.subject != theirs.subject
    assert ours.public_key() != theirs.public_key()


def test_what_is_good_is_left_alone(folder: Path):
    before = contents(folder)
    ensure(folder, (NAME, NAME, *ALWAYS), NOW + dt.timedelta(days=700))
    assert contents(folder) == before


@pytest.mark.parametrize("days", [800, 825, 1000])
def test_a_leaf_is_renewed_before_it_ends_and_its_ca_stays(folder: Path, days: int):
    before = contents(folder)
    now = NOW + dt.timedelta(days=days)
    ensure(folder, (NAME,), now)
    after = contents(folder)
    assert after["ca.pem"] == before["ca.pem"]
    assert after["server.pem"] != before["server.pem"]
    assert certificate(folder / "server.pem").not_valid_after_utc == now + LEAF_LIFE


def test_a_leaf_never_outlives_its_ca(folder: Path):
    ensure(folder, (NAME,), NOW + CA_LIFE - dt.timedelta(days=100))
    ca, leaf = (certificate(folder / name) for name in ("ca.pem", "server.pem"))
    assert ca.not_valid_after_utc == NOW + CA_LIFE
    assert leaf.not_valid_after_utc == ca.not_valid_after_utc


@pytest.mark.parametrize("moment", [NOW + CA_LIFE - dt.timedelta(days=80), NOW - dt.timedelta(days=2)])
def test_a_ca_near_its_end_or_from_the_future_is_made_anew_with_its_leaf(folder: Path, moment: dt.datetime):
    before = contents(folder)
    ensure(folder, (NAME,), moment)
    after = contents(folder)
    assert all(after[name] != before[name] for name in FILES)
    certificate(folder / "server.pem").verify_directly_issued_by(certificate(folder / "ca.pem"))


@pytest.mark.parametrize("names", [(), (NAME, "another.test"), ("another.test",)])
def test_other_names_need_another_ca(folder: Path, names: tuple[str, ...]):
    before = contents(folder)
    ensure(folder, names, NOW)
    assert contents(folder)["ca.pem"] != before["ca.pem"]
    found = certificate(folder / "server.pem").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(found.get_values_for_type(x509.DNSName)) == {"localhost", *names}


def test_who_names_nothing_takes_what_is_there(folder: Path):
    before = contents(folder)
    ensure(folder, None, NOW + dt.timedelta(days=1000))
    assert contents(folder) == before


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("broken", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", None])
def test_what_is_broken_or_gone_is_made_anew(folder: Path, name: str, broken: bytes | None):
    (folder / name).unlink()
    if broken is not None:
        (folder / name).write_bytes(broken)
    ensure(folder, (NAME,), NOW)
    certificate(folder / "server.pem").verify_directly_issued_by(certificate(folder / "ca.pem"))


def test_a_key_of_another_pair_is_noticed(folder: Path):
    shutil.copy(folder / "server.key", folder / "ca.key")
    before = contents(folder)
    ensure(folder, (NAME,), NOW)
    assert contents(folder)["ca.pem"] != before["ca.pem"]


@pytest.mark.parametrize("name", ["", ".", "http://a.test", "a b", "a.test/", "bücher.test", "*", "a..test", "-a.test"])
def test_what_is_no_name_is_refused(tmp_path: Path, name: str):
    with pytest.raises(ValueError, match="neither a host name in ASCII nor an address"):
        ensure(tmp_path, (name,), NOW)
    assert not (tmp_path / "ca.pem").exists()


@pytest.mark.parametrize(
    ("name", "constraint"), [("*.Ai.test", "ai.test"), ("10.1.2.3", "10.1.2.3/32"), ("fd00::1", "fd00::1/128")]
)
def test_a_constraint_covers_wildcards_and_addresses(tmp_path: Path, name: str, constraint: str):
    ensure(tmp_path, (name,), NOW)
    found = certificate(tmp_path / "ca.pem").extensions.get_extension_for_class(x509.NameConstraints).value
    assert constraint in {str(subtree.value) for subtree in found.permitted_subtrees or ()}


@pytest.mark.parametrize(("names", "status", "said"), [([NAME], 0, ""), (["a b"], 1, "neither a host name")])
def test_it_runs_as_a_program(tmp_path: Path, names: list[str], status: int, said: str):
    order = json.dumps({"folder": str(tmp_path), "names": names})
    done = subprocess.run(
        [sys.executable, "-m", "forehearth.server.authority"], input=order, capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert said in done.stderr
    assert (tmp_path / "server.pem").exists() == (status == 0)
