"""Key sets: fetched when needed, seldom, once for all who wait, and kept when an issuer is down."""

import asyncio
import json

import pytest

from forehearth.core.errors import NotAuthenticated
from forehearth.identity.key_sets import read_keys
from tests.unit.identity.minting import (
    EC_KEY,
    KEYS_URL,
    OIDC,
    OTHER_KEY,
    RSA_KEY,
    SMALL_KEY,
    V2,
    Desk,
    jwk,
    mint,
    mint_with,
    part,
)

DISCOVERY = f"{OIDC}/.well-known/openid-configuration"


async def refused(desk: Desk, token: bytes) -> None:
    with pytest.raises(NotAuthenticated):
        await desk.verify(token)


async def test_nobody_is_asked_before_the_first_token_and_then_once():
    desk = Desk()
    assert not desk.issuers.fetched
    for number in range(3):
        await desk.verify(mint(jti=str(number)))
        await desk.verify(mint(jti=str(number), iss=V2))
    assert desk.issuers.fetched == {KEYS_URL: 1}


async def test_all_who_wait_share_one_fetch():
    desk = Desk()
    await asyncio.gather(*(desk.verify(mint(jti=str(number))) for number in range(50)))
    assert desk.issuers.fetched == {KEYS_URL: 1}


async def test_a_storm_of_unknown_keys_is_one_fetch_in_thirty_seconds():
    desk = Desk()
    await desk.verify(mint())
    tokens, seconds = 10_000, 300
    for number in range(tokens):
        await refused(desk, mint_unknown(number))
        await desk.clock.advance(seconds / tokens)
    assert desk.issuers.fetched[KEYS_URL] <= 1 + seconds / 30


TEMPLATE = mint(header={"kid": "x0000000"})


def mint_unknown(number: int) -> bytes:
    """A token with a key id of its own, made without signing each."""
    head = {"alg": "RS256", "typ": "JWT", "kid": f"x{number:07}"}
    return part(head) + TEMPLATE[TEMPLATE.index(b".") :]


async def test_a_new_key_is_found_once_the_pause_is_over():
    desk = Desk()
    await desk.verify(mint())
    desk.issuers.keys.append(jwk(OTHER_KEY, "two"))
    newer = mint(OTHER_KEY, header={"kid": "two"})
    await refused(desk, newer)
    await desk.clock.advance(31)
    assert await desk.verify(newer)
    assert await desk.verify(mint())


async def test_keys_are_kept_when_their_issuer_is_down_and_not_for_ever():
    desk = Desk()
    await desk.verify(mint(exp=2_000_000_000))
    desk.issuers.down = True
    await desk.clock.advance(30 * 3_600)
    assert await desk.verify(mint(exp=2_000_000_000, jti="again"))
    await asyncio.sleep(0)
    await desk.clock.advance(50 * 3_600)
    await refused(desk, mint(exp=2_000_000_000, jti="at last"))


async def test_after_a_day_they_are_fetched_anew_without_anybody_waiting():
    desk = Desk()
    await desk.verify(mint(exp=2_000_000_000))
    await desk.clock.advance(25 * 3_600)
    claims = desk.tokens.verify(mint(exp=2_000_000_000, jti="next day"))
    assert hasattr(claims, "expires")
    await asyncio.sleep(0.01)
    assert desk.issuers.fetched[KEYS_URL] == 2


async def test_an_issuer_that_is_down_at_first_is_asked_again_later():
    desk = Desk()
    desk.issuers.down = True
    await refused(desk, mint())
    desk.issuers.down = False
    await refused(desk, mint())  # within the pause
    await desk.clock.advance(31)
    assert await desk.verify(mint())


async def test_discovery_says_where_the_keys_are():
    desk = Desk()
    assert await desk.verify(mint_with("ES256", EC_KEY, "ec"))
    assert set(desk.issuers.fetched) == {DISCOVERY, f"{OIDC}/keys"}


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example", "jwks_uri": f"{OIDC}/keys"},
        {"issuer": OIDC + "/", "jwks_uri": f"{OIDC}/keys"},
        {"issuer": OIDC, "jwks_uri": "http://login.example.com/keys"},
        {"issuer": OIDC, "jwks_uri": "file:///etc/passwd"},
        {"issuer": OIDC, "jwks_uri": 5},
        {"issuer": OIDC},
        [],
        "text",
    ],
)
async def test_a_discovery_document_that_is_odd_is_not_followed(document):
    desk = Desk()
    desk.issuers.documents[DISCOVERY] = json.dumps(document).encode()
    await refused(desk, mint_with("ES256", EC_KEY, "ec"))
    assert set(desk.issuers.fetched) == {DISCOVERY}


@pytest.mark.parametrize(
    "document", [b"", b"{", b"[]", b'{"keys": 5}', b'{"keys": [' + b"{}," * 200 + b"{}]}", b"\xff"]
)
async def test_a_key_set_that_is_none_opens_nothing(document):
    desk = Desk()
    desk.issuers.documents[KEYS_URL] = document
    await refused(desk, mint())


def test_keys_that_cannot_be_used_are_left_out_and_the_others_kept():
    keys = [
        jwk(RSA_KEY, "good"),
        jwk(SMALL_KEY, "small"),
        jwk(RSA_KEY, "encrypting", use="enc"),
        jwk(RSA_KEY, "signing", key_ops=["sign"]),
        jwk(OTHER_KEY, "good"),
        jwk(RSA_KEY, "good only for PS256", alg="PS256"),
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        {"kty": "RSA", "kid": "without n", "e": "AQAB"},
        {"kty": "EC", "kid": "curve", "crv": "P-999", "x": "", "y": ""},
        {"kty": 5, "kid": "five"},
        {"kid": "nothing"},
        {"kty": "RSA"},
        None,
        "text",
    ]
    assert set(read_keys(json.dumps({"keys": keys}).encode())) == {"good", "good only for PS256"}


async def test_what_is_under_way_ends_with_the_server():
    desk = Desk()
    started = asyncio.Event()

    async def never(url: str) -> bytes:
        started.set()
        await asyncio.Event().wait()
        return b""

    for issuer in desk.tokens._issuers.values():
        issuer.keys._fetch = never
    waiting = asyncio.ensure_future(desk.verify(mint()))
    await started.wait()
    await desk.tokens.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting
