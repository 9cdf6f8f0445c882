"""Whatever a trusted issuer signs is either read or refused: nothing that a payload can hold is an error of ours."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forehearth.identity.claims import Claims, Untrue, check_audience, check_times, check_use, read
from tests.unit.identity.minting import AUDIENCE, NOW, payload

MEMBERS = [*payload(), "azp", "client_id", "idtyp", "roles", "groups", "scope", "events", "_claim_names"]
NUMBERS = st.booleans() | st.integers() | st.floats() | st.sampled_from([NOW, NOW + 100, 10**400, -(10**400)])
TEXTS = st.text(max_size=8) | st.sampled_from(["app", "user", "a\ud800", "a" * 300, AUDIENCE])
ONE = st.none() | NUMBERS | TEXTS | st.just({"a": [1]})
VALUES = ONE | st.lists(ONE, max_size=2)


def judged(found: dict[str, Any], *, is_entra: bool) -> Claims:
    expires = check_times(found, NOW)
    check_audience(found, frozenset({AUDIENCE}), is_entra=is_entra)
    check_use(found, is_entra=is_entra)
    return read(found, issuer="one", tenant="t" if is_entra else "", expires=expires)


@settings(max_examples=5_000, deadline=None)
@given(st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=2), st.booleans())
def test_every_payload_is_read_or_refused(members: dict[str, Any], is_entra: bool):
    try:
        claims = judged(payload() | members, is_entra=is_entra)
    except Untrue:
        return
    assert claims.id.isprintable()
    assert claims.application.isprintable()
    assert claims.name.isprintable()
    assert 0 < len(claims.name) <= 256
    assert claims.expires > NOW - 60


@pytest.mark.parametrize("name", ["aud", "exp"])
def test_without_it_there_is_no_holder(name: str):
    with pytest.raises(Untrue):
        judged(payload(**{name: ...}), is_entra=True)
