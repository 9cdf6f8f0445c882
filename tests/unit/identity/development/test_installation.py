"""What an installation keeps for its issuer."""

import uuid

import pytest

from forehearth.core.errors import Misconfigured
from forehearth.identity.development.installation import ensure, stored
from forehearth.identity.development.signing import SigningKey
from forehearth.server.data_directory import write_private
from tests.unit.identity.development.cast import INSTALLATION


def new_key() -> bytes:
    return INSTALLATION.key.reveal().encode()


def test_it_is_made_once(tmp_path):
    assert stored(tmp_path) is None
    made = ensure(tmp_path, write_private, new_key)
    assert uuid.UUID(made.tenant).version == 4
    assert SigningKey(made.key).id == SigningKey(INSTALLATION.key).id
    assert ensure(tmp_path, write_private, lambda: b"another") == stored(tmp_path) == made


def test_no_two_are_alike(tmp_path):
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.append(ensure(tmp_path / name, write_private, new_key))
    assert made[0].tenant != made[1].tenant
    assert made[0].secret != made[1].secret
    assert len(made[0].secret.reveal()) > 40


def test_only_its_owner_can_read_it(tmp_path):
    made = ensure(tmp_path, write_private, new_key)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert made.secret.reveal() not in repr(made)
    assert "PRIVATE KEY" not in repr(made)


@pytest.mark.parametrize("name", ["issuer", "issuer.pem"])
def test_one_that_others_can_read_is_refused(tmp_path, name: str):
    ensure(tmp_path, write_private, new_key)
    (tmp_path / name).chmod(0o640)
    with pytest.raises(Misconfigured, match=f"chmod 600 .*{name}"):
        stored(tmp_path)


@pytest.mark.parametrize(
    "facts", [b"", b"{}", b'{"tenant": "common", "secret": "x"}', b'{"tenant": "' + b"d" * 36 + b'", "secret": "x"}']
)
def test_one_that_is_not_whole_is_refused(tmp_path, facts: bytes):
    ensure(tmp_path, write_private, new_key)
    (tmp_path / "issuer").write_bytes(facts)
    with pytest.raises(Misconfigured, match="remove both"):
        stored(tmp_path)


def test_one_without_its_key_is_refused(tmp_path):
    ensure(tmp_path, write_private, new_key)
    (tmp_path / "issuer.pem").unlink()
    with pytest.raises(Misconfigured, match="remove both"):
        stored(tmp_path)


def test_a_key_that_was_left_by_an_unfinished_start_is_made_anew(tmp_path):
    write_private(tmp_path / "issuer.pem", b"half a key")
    assert SigningKey(ensure(tmp_path, write_private, new_key).key)
