import base64
import os
import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.core.errors import Misconfigured
from forehearth.server.data_directory import DataDirectory, open_data_directory
from forehearth.server.development_key import check_strength, development_key, stored_key

GOOD = "correct-horse-battery-7"


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    return open_data_directory(tmp_path / "data")


def test_without_one_a_key_is_made_kept_and_told_to_nobody_else(data: DataDirectory):
    made = development_key(data, None)
    path = data.keys / "development"
    assert re.fullmatch(r"fh-[A-Za-z0-9_-]{40}", made.secret.reveal())
    assert made.stored
    assert path.read_text() == made.secret.reveal() + "\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert development_key(data, None) == made
    assert development_key(data, "") == made
    assert stored_key(data) == made.secret


def test_two_installations_have_two_keys(tmp_path: Path):
    first, second = (development_key(open_data_directory(tmp_path / name), None) for name in "ab")
    assert first.secret != second.secret


def test_the_environments_key_is_used_and_not_stored(data: DataDirectory):
    key = development_key(data, GOOD)
    assert key.secret.reveal() == GOOD
    assert not key.stored
    assert list(data.keys.iterdir()) == []
    assert stored_key(data) is None


WEAK = [
    ("short-key-12345", "shorter than 16"),
    ("sk-1234567890123456", "well-known"),
    ("sk-1234567890abcdef", "well-known"),
    ("sk-0123456789abcdef", "well-known"),
    ("changeme-changeme-changeme", "repeated"),
    ("ChangeMe-please-now-1", "well-known"),
    ("your-api-key-goes-here", "well-known"),
    ("YOUR_API_KEY_HERE_NOW", "well-known"),
    ("<your-azure-openai-key>", "well-known"),
    ("please-insert-key-1", "well-known"),
    ("replace-me-with-a-real-one", "well-known"),
    ("my-password-is-secure", "well-known"),
    ("super-secret-key-value", "well-known"),
    ("dummy-key-for-testing", "well-known"),
    ("abcdefghijklmnopqrst", "well-known"),
    ("aaaaaaaaaaaaaaaaaaaaaaaa", "repeated"),
    ("abcabcabcabcabcabcabc", "repeated"),
    ("test1-test1-test1-test1", "repeated"),
    ("------------------------", "repeated"),
    ("a key with spaces in it 7", "visible ASCII"),
    ("schlüssel-für-alle-türen", "visible ASCII"),
    ("tab\tin-the-middle-of-it", "visible ASCII"),
]


@pytest.mark.parametrize(("key", "reason"), WEAK)
def test_a_weak_key_is_refused_with_the_reason_and_without_the_key(data: DataDirectory, key: str, reason: str):
    with pytest.raises(Misconfigured) as refusal:
        development_key(data, key)
    assert reason in refusal.value.message
    assert "FOREHEARTH_API_KEY" in refusal.value.message
    assert key not in refusal.value.message


def test_a_weak_stored_key_is_refused_by_its_path(data: DataDirectory):
    (data.keys / "development").write_text("changeme\n")
    (data.keys / "development").chmod(0o600)
    with pytest.raises(Misconfigured, match="keys/development is refused"):
        development_key(data, None)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_stored_key_that_others_can_read_is_refused_with_the_remedy(data: DataDirectory, mode: int):
    development_key(data, None)
    (data.keys / "development").chmod(mode)
    with pytest.raises(Misconfigured, match="chmod 600"):
        development_key(data, None)


def test_a_stored_key_that_is_not_text_is_said(data: DataDirectory):
    (data.keys / "development").write_bytes(b"\xff\xfe")
    (data.keys / "development").chmod(0o600)
    with pytest.raises(Misconfigured, match="cannot be read"):
        development_key(data, None)


@given(st.binary(min_size=24, max_size=24))
def test_a_random_key_is_as_good_as_never_taken_for_a_pattern(drawn: bytes):
    # Hypothesis likes patterned bytes, so they are stirred with real randomness first.
    stirred = bytes(a ^ b for a, b in zip(drawn, os.urandom(24), strict=True))
    check_strength(base64.urlsafe_b64encode(stirred).decode(), "test")


@given(st.text(alphabet=string.printable, max_size=15))
def test_no_short_key_passes(key: str):
    with pytest.raises(Misconfigured):
        check_strength(key, "test")
