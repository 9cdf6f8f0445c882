"""Keys are found by keyed hash, in any header form, and shown to nobody."""

import pytest

from forehearth.core.errors import NotAuthenticated
from forehearth.core.secret import Secret
from forehearth.identity.keys import Keys

KEYS = Keys({"first": Secret("k" * 20), "second": Secret("q" * 20)}, pepper=b"p" * 32)


@pytest.mark.parametrize(("key", "name"), [("k" * 20, "first"), ("q" * 20, "second")])
def test_each_key_is_its_holder(key, name):
    assert KEYS.identify({b"api-key": key.encode()}).name == name


@pytest.mark.parametrize(
    "headers",
    [
        {b"api-key": b"k" * 19},
        {b"api-key": b"k" * 21},
        {b"api-key": b"k" * 20 + b", " + b"k" * 20},
        {b"api-key": b"K" * 20},
        {b"authorization": b"Basic " + b"k" * 20},
        {b"authorization": b"k" * 20},
        {b"authorization": b"Bearer "},
        {b"api-key": b"k" * 1_000_000},
        {b"api-key": b"\xff\x00"},
    ],
)
def test_what_is_almost_a_key_is_none(headers):
    with pytest.raises(NotAuthenticated):
        KEYS.identify(headers)


def test_missing_and_wrong_are_told_apart():
    with pytest.raises(NotAuthenticated, match="Send the key as 'api-key: KEY'"):
        KEYS.identify({})
    with pytest.raises(NotAuthenticated, match="invalid subscription key"):
        KEYS.identify({b"api-key": b"no"})


def test_nothing_shows_a_key():
    assert "kkkk" not in repr(vars(KEYS))
