"""The keys that secrets are sealed with: a private file, made once, renewed by one at a time."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from forehearth.connections.sealing import key_id
from forehearth.core.errors import Conflict, Misconfigured
from forehearth.core.secret import Secret
from forehearth.core.store_settings import StoreSettings
from forehearth.server.data_directory import open_data_directory
from forehearth.server.encryption_keys import FileKeys, GivenKeys, NoKeys, sealer, written_keys

GIVEN = [Secret("MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="), Secret("YTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=")]
PEPPER = Secret("YTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "encryption"


def test_a_key_is_made_once_for_everybody_and_for_nobody_else_to_read(path):
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: FileKeys(path).all(), range(16)))
    assert all(each == found[0] for each in found)
    assert [len(each) for each in found[0]] == [32]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_key_is_lost_where_several_renew_at_once(path):
    FileKeys(path).all()
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda _: FileKeys(path).renew(), range(8)))
    assert len(set(FileKeys(path).all())) == 9


def test_what_is_not_used_is_forgotten_but_for_the_last_two(path):
    keys = FileKeys(path)
    keys.all()
    for _ in range(4):
        keys.renew()
    every = keys.all()
    keys.forget({key_id(every[0]), key_id(every[3])})
    assert keys.all() == [every[0], every[1], every[3]]
    keys.forget(set())
    assert keys.all() == [every[0], every[1]]


def test_a_file_that_others_can_read_is_not_used(path):
    FileKeys(path).all()
    path.chmod(0o640)
    with pytest.raises(Misconfigured, match="chmod 600"):
        FileKeys(path).all()


@pytest.mark.parametrize("content", [b"not a key\n", b"c2hvcnQ=\n", b"\xffkey", b" \n"])
def test_a_file_without_keys_is_told_and_never_written_over(path, content):
    path.write_bytes(content)
    path.chmod(0o600)
    for ask in (FileKeys(path).all, FileKeys(path).renew):
        with pytest.raises(Misconfigured) as raised:
            ask()
        assert "c2hvcnQ=" not in str(raised.value)
    assert path.read_bytes() == content


def test_which_keys_a_store_has(tmp_path):
    data = open_data_directory(tmp_path / "data")
    assert written_keys(data) == ()
    sealed = sealer(StoreSettings(), data).seal(b"x", b"")
    (text,) = written_keys(data)
    assert text.reveal() in (data.keys / "encryption").read_text()
    given = sealer(StoreSettings(encryption_keys=GIVEN), data)
    assert given.seal(b"x", b"").key != sealed.key
    assert given.renew() is False
    given.forget(set())
    assert sealer(StoreSettings(encryption_keys=GIVEN[1:]), data).is_current(given.seal(b"x", b"")) is False
    shared = StoreSettings(postgres=Secret("postgresql://h/d"), pepper=PEPPER)
    with pytest.raises(Conflict, match="encryption_keys"):
        sealer(shared, data).seal(b"x", b"")


def test_where_no_key_may_be_made_nothing_is_renewed():
    with pytest.raises(Conflict):
        NoKeys().renew()
    NoKeys().forget(set())
    assert GivenKeys([b"k"]).all() == (b"k",)
