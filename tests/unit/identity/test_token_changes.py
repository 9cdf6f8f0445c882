"""A good token is good as a whole: changed, shortened or lengthened anywhere, it is none, also where it is known."""

import pytest

from forehearth.core.errors import NotAuthenticated
from forehearth.identity.claims import Claims
from tests.unit.identity.minting import EC_KEY, ED_KEY, RSA_KEY, Desk, mint, mint_with

GOOD = {
    "RS256": mint(),
    "PS256": mint_with("PS256", RSA_KEY, "one"),
    "ES256": mint_with("ES256", EC_KEY, "ec"),
    "EdDSA": mint_with("EdDSA", ED_KEY, "ed"),
}


async def desk_that_knows(token: bytes) -> Desk:
    """Its keys are fetched, so that every answer comes at once; and its cache has the token."""
    desk = Desk(algorithms=("PS256", "ES256", "EdDSA"))
    assert isinstance(await desk.verify(token), Claims)
    assert isinstance(desk.tokens.verify(token), Claims)
    return desk


def accepted(desk: Desk, token: bytes) -> bool:
    try:
        found = desk.tokens.verify(token)
    except NotAuthenticated:
        return False
    assert isinstance(found, Claims)
    return True


@pytest.mark.parametrize("algorithm", GOOD)
async def test_every_bit_counts(algorithm: str):
    token = GOOD[algorithm]
    desk = await desk_that_knows(token)
    changed = (
        token[:at] + bytes([token[at] ^ (1 << bit)]) + token[at + 1 :] for at in range(len(token)) for bit in range(8)
    )
    assert not [each for each in changed if accepted(desk, each)]


@pytest.mark.parametrize("algorithm", GOOD)
async def test_cut_short_at_either_end_it_is_none(algorithm: str):
    token = GOOD[algorithm]
    desk = await desk_that_knows(token)
    assert not [at for at in range(len(token)) if accepted(desk, token[:at])]
    assert not [at for at in range(1, len(token) + 1) if accepted(desk, token[at:])]


@pytest.mark.parametrize("algorithm", GOOD)
async def test_a_byte_more_anywhere_makes_it_none(algorithm: str):
    token = GOOD[algorithm]
    desk = await desk_that_knows(token)
    assert not [
        at
        for at in range(len(token) + 1)
        for more in b"A.=\n "
        if accepted(desk, token[:at] + bytes([more]) + token[at:])
    ]


async def test_the_parts_of_two_good_tokens_make_no_third():
    one, other = mint(oid="aaaaaaaa-0000-0000-0000-00000000000a"), mint(oid="bbbbbbbb-0000-0000-0000-00000000000b")
    desk = await desk_that_knows(one)
    assert accepted(desk, other)
    mixed = [b".".join([one.split(b".")[0], one.split(b".")[1], other.split(b".")[2]])]
    mixed += [b".".join([other.split(b".")[0], other.split(b".")[1], one.split(b".")[2]])]
    assert not [each for each in mixed if accepted(desk, each)]


async def test_tokens_that_begin_alike_are_told_apart():
    """A cache that looks at the beginning takes one holder for another."""
    filler = "x" * 8_000
    first = mint(aaaa=filler, oid="aaaaaaaa-0000-0000-0000-00000000000a")
    forged = first[:-8] + b"AAAAAAAA"
    desk = await desk_that_knows(first)
    assert not accepted(desk, forged)
    assert accepted(desk, first)
