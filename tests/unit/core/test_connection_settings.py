"""Which credentials of a connection fit together."""

import pytest

from forehearth.core.connection_settings import ConnectionSettings
from forehearth.core.secret import Secret
from forehearth.core.settings_types import Unfit

ONE = Secret("hush")


@pytest.mark.parametrize(
    ("given", "member"),
    [
        ({"key": ONE, "sas": ONE}, "sas"),
        ({"keys": {"a": ONE}, "entra": True}, "entra"),
        ({"keys": {"type": ONE}}, "keys"),
    ],
)
def test_what_contradicts_itself_is_refused(given, member):
    with pytest.raises(Unfit) as refused:
        ConnectionSettings(type="ApiKey", target="x", **given)
    assert refused.value.member == member


@pytest.mark.parametrize("given", [{}, {"key": ONE}, {"sas": ONE}, {"keys": {"a": ONE}}, {"entra": True}])
def test_one_kind_of_credentials_or_none_is_taken(given):
    assert "hush" not in repr(ConnectionSettings(type="ApiKey", target="x", **given))
