"""Whatever a trusted issuer signs is either read or refused: nothing that a payload can hold is an error of ours."""

import random
from typing import Any

import pytest

from forehearth.identity.claims import Claims, Untrue, check_audience, check_times, check_use, read
from tests.unit.dice import by_dice, some_text
from tests.unit.identity.minting import AUDIENCE, NOW, payload

MEMBERS = [*payload(), "azp", "client_id", "idtyp", "roles", "groups", "scope", "events", "_claim_names"]
NUMBERS = (True, False, 0, -1, NOW, NOW + 100, NOW + 0.5, 2**64, 10**400, -(10**400), float("inf"), float("nan"), -0.0)
TEXTS = ("", "app", "user", "a\ud800", "a" * 300, AUDIENCE)


def some_value(dice: random.Random) -> Any:
    """What a payload may have as a member, and lists of it."""
    one = [dice.choice((None, {"a": [1]}, dice.choice(NUMBERS), dice.choice(TEXTS), some_text(dice, 8))) for _ in "12"]
    return one[: dice.randrange(3)] if dice.random() < 0.3 else one[0]


def judged(found: dict[str, Any], *, is_entra: bool) -> Claims:
    expires = check_times(found, NOW)
    check_audience(found, frozenset({AUDIENCE}), is_entra=is_entra)
    check_use(found, is_entra=is_entra)
    return read(found, issuer="one", tenant="t" if is_entra else "", expires=expires)


@by_dice(read=0.2, refused=0.2)
def test_every_payload_is_read_or_refused(dice: random.Random) -> str:
    members = {name: some_value(dice) for name in dice.choices(MEMBERS, k=dice.randrange(3))}
    try:
        claims = judged(payload() | members, is_entra=dice.random() < 0.5)
    except Untrue:
        return "refused"
    assert claims.id.isprintable()
    assert claims.application.isprintable()
    assert claims.name.isprintable()
    assert 0 < len(claims.name) <= 256
    assert claims.expires > NOW - 60
    return "read"


@pytest.mark.parametrize("name", ["aud", "exp"])
def test_without_it_there_is_no_holder(name: str):
    with pytest.raises(Untrue):
        judged(payload(**{name: ...}), is_entra=True)
