"""Key sets: fetched when needed, seldom, once for all who wait, and kept when an issuer is down."""

import asyncio
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from jwt.algorithms import RSAAlgorithm

from forehearth.core.errors import NotAuthenticated
from forehearth.identity.key_sets import read_keys
from tests.unit.dice import by_dice, some_text
from tests.unit.identity.minting import (
    EC_KEY,
    ED_KEY,
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

EC_KEY_384 = ec.generate_private_key(ec.SECP384R1())
NEIGHBOUR = jwk(EC_KEY, "neighbour")
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


@pytest.mark.parametrize("seconds", [61, 119])
async def test_after_a_minute_they_are_fetched_anew_without_anybody_waiting(seconds):
    desk = Desk()
    await desk.verify(mint(exp=2_000_000_000))
    await desk.clock.advance(seconds)
    claims = desk.tokens.verify(mint(exp=2_000_000_000, jti="next minute"))
    assert hasattr(claims, "expires")
    await asyncio.sleep(0.01)
    assert desk.issuers.fetched[KEYS_URL] == 2


async def test_a_key_that_is_withdrawn_is_good_for_a_minute_while_tokens_come():
    desk, token = Desk(), mint(exp=2_000_000_000)
    await desk.verify(token)
    desk.issuers.keys = [NEIGHBOUR]
    await desk.clock.advance(61)
    await desk.verify(token)
    await asyncio.sleep(0.01)
    await refused(desk, token)
    await refused(desk, mint(exp=2_000_000_000, jti="another"))


async def test_after_a_silence_the_first_token_waits_for_the_keys():
    desk, token = Desk(), mint(exp=2_000_000_000)
    await desk.verify(token)
    desk.issuers.keys = [NEIGHBOUR]
    await desk.clock.advance(10 * 3_600)
    await refused(desk, token)


async def test_an_issuer_that_is_down_is_waited_for_once():
    desk, token = Desk(), mint(exp=2_000_000_000)
    await desk.verify(token)
    desk.issuers.down = True
    await desk.clock.advance(10 * 3_600)
    waiting = desk.tokens.verify(token)
    assert not hasattr(waiting, "expires")
    assert await waiting
    for _ in range(3):
        await desk.clock.advance(31)
        assert hasattr(desk.tokens.verify(token), "expires")
        await asyncio.sleep(0.01)
    assert desk.issuers.fetched[KEYS_URL] == 5
    desk.issuers.down, desk.issuers.keys = False, [NEIGHBOUR]
    await desk.clock.advance(31)
    await desk.verify(token)
    await asyncio.sleep(0.01)
    await refused(desk, token)


async def test_an_issuer_that_is_down_at_first_is_asked_again_later():
    desk = Desk()
    desk.issuers.down = True
    await refused(desk, mint())
    desk.issuers.down = False
    await refused(desk, mint())  # within the pause
    await desk.clock.advance(31)
    assert await desk.verify(mint())


async def test_who_waits_a_little_longer_causes_no_second_fetch():
    desk = Desk()
    waiting = [desk.tokens.verify(mint_unknown(number)) for number in range(3)]
    for each in waiting:
        with pytest.raises(NotAuthenticated):
            await each
    assert desk.issuers.fetched == {KEYS_URL: 1}


async def test_a_fetch_that_was_never_possible_is_a_failed_one(caplog):
    desk = Desk()
    desk.issuers.unusable = True
    await refused(desk, mint())
    assert "could not be fetched: an address of no host" in caplog.text
    desk.issuers.unusable = False
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
        {"issuer": OIDC, "jwks_uri": "http://localhost.evil.example/keys"},
        {"issuer": OIDC, "jwks_uri": "http://127.0.0.1@evil.example/keys"},
        {"issuer": OIDC, "jwks_uri": "https://[bad/keys"},
        {"issuer": [OIDC], "jwks_uri": f"{OIDC}/keys"},
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
        jwk(RSA_KEY, "operations of an odd kind", key_ops=5),
        json.loads(RSAAlgorithm.to_jwk(RSA_KEY)) | {"kid": "private", "key_ops": ["verify"]},
        jwk(ec.generate_private_key(ec.SECP384R1()), "P-384"),
        jwk(ec.generate_private_key(ec.SECP521R1()), "P-521"),
        jwk(ec.generate_private_key(ec.SECP256K1()), "secp256k1"),
        jwk(ed448.Ed448PrivateKey.generate(), "Ed448"),
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
    found = read_keys(json.dumps({"keys": keys}).encode())
    assert set(found) == {"good", "good only for PS256", "P-384"}
    assert found["good"].key == RSA_KEY.public_key()  # the first of that id


ODD = (None, True, False, 0, -1, 2**64, 10**400, 0.5, -0.0, float("inf"), float("nan"), "", [], ["verify"], {})
GOOD_KEYS = [
    jwk(key, "k", use="sig", key_ops=["verify"], alg=algorithm)
    for key, algorithm in ((RSA_KEY, "RS256"), (EC_KEY, "ES256"), (ED_KEY, "EdDSA"))
]


MEMBERS = sorted({name for key in GOOD_KEYS for name in key})


@by_dice(5_000, kept=0.05, left_out=0.5)
def test_one_odd_key_never_spoils_a_set(dice):
    value = dice.choice((dice.choice(ODD), some_text(dice, 12), dice.choice(GOOD_KEYS).get(dice.choice(MEMBERS))))
    key = dice.choice(GOOD_KEYS) | {dice.choice(MEMBERS): value}
    found = read_keys(json.dumps({"keys": [key, NEIGHBOUR]}).encode())
    assert "neighbour" in found
    return "kept" if len(found) > 1 else "left_out"


async def test_keys_of_a_longer_curve_verify():
    key = ec.generate_private_key(ec.SECP384R1())
    desk = Desk(algorithms=("ES256", "ES384"))
    desk.issuers.keys.append(jwk(key, "p"))
    assert await desk.verify(mint_with("ES384", key, "p"))
    await refused(desk, mint_with("ES384", EC_KEY_384, "p"))


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
