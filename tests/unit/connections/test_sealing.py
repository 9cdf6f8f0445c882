"""What is sealed opens with its key, at its place and unchanged, and not otherwise."""

import secrets

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.connections.sealing import AeadSealer, key_id
from forehearth.core.sealed import Unsealable
from forehearth.server.encryption_keys import GivenKeys

KEYS = (b"1" * 32, b"2" * 32)
SECRET, CONTEXT = b"nobody-shows-this", b"here/sales/search"


def sealer(*keys: bytes) -> AeadSealer:
    return AeadSealer(GivenKeys(keys or KEYS), secrets.token_bytes)


@given(secret=st.binary(max_size=5_000), context=st.binary(max_size=200))
def test_it_opens_as_it_was(secret: bytes, context: bytes):
    sealed = sealer().seal(secret, context)
    assert sealer().open(sealed, context) == secret
    assert len(sealed.text) == len(secret) + 16


def test_the_first_key_seals_and_all_of_them_open():
    old = sealer(KEYS[1]).seal(SECRET, CONTEXT)
    assert (old.key, sealer().is_current(old)) == (key_id(KEYS[1]), False)
    assert sealer().open(old, CONTEXT) == SECRET
    new = sealer().seal(SECRET, CONTEXT)
    assert (new.key, sealer().is_current(new)) == (key_id(KEYS[0]), True)
    with pytest.raises(Unsealable, match="a key that this server does not have"):
        sealer(KEYS[1]).open(new, CONTEXT)


def test_no_two_are_alike():
    sealed = [sealer().seal(SECRET, CONTEXT) for _ in range(100)]
    assert len({each.nonce for each in sealed}) == len({each.text for each in sealed}) == 100
    assert all(SECRET not in each.text for each in sealed)


@given(at=st.integers(0, len(SECRET) + 15), bit=st.integers(0, 7))
def test_one_bit_changed_and_it_does_not_open(at: int, bit: int):
    sealed = sealer().seal(SECRET, CONTEXT)
    text = bytearray(sealed.text)
    text[at] ^= 1 << bit
    with pytest.raises(Unsealable, match="was changed"):
        sealer().open(msgspec.structs.replace(sealed, text=bytes(text)), CONTEXT)


@pytest.mark.parametrize("context", [b"", b"here/sales/other", b"there/sales/search", CONTEXT + b"x"])
def test_it_does_not_open_elsewhere(context: bytes):
    with pytest.raises(Unsealable):
        sealer().open(sealer().seal(SECRET, CONTEXT), context)


@pytest.mark.parametrize("change", [{"nonce": b""}, {"nonce": b"n" * 12}, {"text": b""}, {"key": key_id(KEYS[1])}])
def test_nothing_of_it_can_be_another(change: dict[str, object]):
    with pytest.raises(Unsealable) as raised:
        sealer().open(msgspec.structs.replace(sealer().seal(SECRET, CONTEXT), **change), CONTEXT)
    assert SECRET.decode() not in str(raised.value)


def test_the_id_of_a_key_tells_nothing_about_it():
    assert len(key_id(KEYS[0])) == 16
    assert key_id(KEYS[0]) != key_id(KEYS[1])
    assert KEYS[0].hex() not in key_id(KEYS[0])
