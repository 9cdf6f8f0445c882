"""Tokens that are wrong in one way each, and none of which lets anybody in."""

import base64
import hmac
import json
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from forehearth.core.errors import NotAuthenticated
from forehearth.identity.token_text import Unreadable, parse
from tests.unit.dice import by_dice
from tests.unit.identity.minting import (
    AUDIENCE,
    EC_KEY,
    NOW,
    OIDC,
    OTHER_KEY,
    RSA_KEY,
    SMALL_KEY,
    TENANT,
    V1,
    V2,
    Desk,
    jwk,
    mint,
    mint_with,
    part,
    payload,
    sign,
)

GOOD = mint()
OTHER_TENANT = "99999999-2222-3333-4444-555555555555"
HEAD, BODY, SIGNATURE = GOOD.split(b".")
PUBLIC_PEM = RSA_KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


def header(**members: object) -> bytes:
    return mint(header=members)


def unsigned(algorithm: str) -> bytes:
    return part({"alg": algorithm, "typ": "JWT", "kid": "one"}) + b"." + BODY + b"."


def hmac_with_public_key(algorithm: str, digest: str) -> bytes:
    signed = part({"alg": algorithm, "typ": "JWT", "kid": "one"}) + b"." + BODY
    return signed + b"." + part(hmac.new(PUBLIC_PEM, signed, digest).digest())


def raw_header(text: str) -> bytes:
    return sign(text.encode(), payload())


def raw_payload(text: str) -> bytes:
    return sign({"alg": "RS256", "typ": "JWT", "kid": "one"}, text.encode())


def with_der_signature() -> bytes:
    signed = part({"alg": "ES256", "typ": "JWT", "kid": "ec"}) + b"." + part(payload(iss=OIDC, tid=...))
    return signed + b"." + part(EC_KEY.sign(signed, ec.ECDSA(hashes.SHA256())))


def with_raw_ec_signature(signature: bytes) -> bytes:
    return (
        part({"alg": "ES256", "typ": "JWT", "kid": "ec"})
        + b"."
        + part(payload(iss=OIDC, tid=...))
        + b"."
        + part(signature)
    )


ORDER = 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551
"""Of the curve P-256: a signature's numbers are smaller."""


def with_ec_numbers(change: Callable[[int, int], tuple[int, int]]) -> bytes:
    signed = with_raw_ec_signature(bytes(64)).rpartition(b".")[0]
    r, s = change(*decode_dss_signature(EC_KEY.sign(signed, ec.ECDSA(hashes.SHA256()))))
    return with_raw_ec_signature(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def repeated(name: str, first: object, second: object) -> str:
    body = json.dumps(payload(**{name: ...}))
    return f'{body[:-1]}, "{name}": {json.dumps(first)}, "{name}": {json.dumps(second)}}}'


BAD = {
    # no signature, or one of another kind
    "alg none": unsigned("none"),
    "alg None": unsigned("None"),
    "alg NONE": unsigned("NONE"),
    "alg nOnE and a signature": part({"alg": "nOnE", "typ": "JWT", "kid": "one"}) + b"." + BODY + b"." + SIGNATURE,
    "alg empty": header(alg=""),
    "alg missing": header(alg=...),
    "alg a list": header(alg=["RS256"]),
    "alg null": header(alg=None),
    "alg in small letters": header(alg="rs256"),
    "alg with a blank": header(alg="RS256 "),
    "HS256 with the public key": hmac_with_public_key("HS256", "sha256"),
    "HS384 with the public key": hmac_with_public_key("HS384", "sha384"),
    "HS512 with the public key": hmac_with_public_key("HS512", "sha512"),
    "PS256 where RS256 is pinned": jwt.encode(payload(), RSA_KEY, algorithm="PS256", headers={"kid": "one"}).encode(),
    "RS512 where RS256 is pinned": jwt.encode(payload(), RSA_KEY, algorithm="RS512", headers={"kid": "one"}).encode(),
    "ES256 with an RSA key's id": header(alg="ES256"),
    "PS256 of an issuer without it": mint_with("PS256", RSA_KEY, "one"),
    "another issuer's algorithm": jwt.encode(payload(), EC_KEY, algorithm="ES256", headers={"kid": "ec"}).encode(),
    # the key (PyJWT CVE-2026-48523 took an algorithm that was not pinned)
    "signed by another key": mint(OTHER_KEY),
    "a key id that is not known": header(kid="two"),
    "no key id": header(kid=...),
    "an empty key id": header(kid=""),
    "a key id that is a path": header(kid="../../../../dev/null"),
    "a key id that is SQL": header(kid="one' OR '1'='1"),
    "a key id that is a list": header(kid=["one"]),
    "a key id that is a number": header(kid=1),
    "a key id that is null": header(kid=None),
    "a key id that begins alike": header(kid="one "),
    "a very long key id": header(kid="k" * 10_000),
    "a key too small": mint(SMALL_KEY, header={"kid": "small"}),
    "its own key (jwk)": mint(OTHER_KEY, header={"jwk": jwk(OTHER_KEY, "one")}),
    "a place for its key (jku)": mint(OTHER_KEY, header={"jku": "https://evil.example/keys"}),
    "a certificate's place (x5u)": mint(OTHER_KEY, header={"x5u": "https://evil.example/cert"}),
    "its own certificate (x5c)": mint(OTHER_KEY, header={"x5c": ["MIIB"]}),
    "jku beside a good signature": header(jku="https://evil.example/keys"),
    # extensions and other kinds (PyJWT CVE-2026-32597 and Authlib CVE-2025-59420 took an unknown `crit`)
    "crit": header(crit=["exp"], exp=NOW + 10),
    "crit, empty": header(crit=[]),
    "b64 false": header(b64=False, crit=["b64"]),
    "b64 true": header(b64=True),
    "zip": header(zip="DEF"),
    "an encrypted one's header": header(enc="A128GCM"),
    "another typ": header(typ="secevent+jwt"),
    "typ no text": header(typ=["JWT"]),
    "typ of a logout token": header(typ="logout+jwt"),
    "typ of a proof": header(typ="dpop+jwt"),
    "alg with a NUL": header(alg="RS256\0"),
    # the form
    "empty": b"",
    "two parts": HEAD + b"." + BODY,
    "four parts": GOOD + b"." + SIGNATURE,
    "five parts": GOOD + b".x.y",
    "an empty payload": HEAD + b".." + SIGNATURE,
    "padding": HEAD + b"=." + BODY + b"." + SIGNATURE,
    "a blank inside": HEAD + b" ." + BODY + b"." + SIGNATURE,
    "a line's end": GOOD + b"\n",
    "a line's end after the header": HEAD + b"\r\n." + BODY + b"." + SIGNATURE,
    "a blank before": b" " + GOOD,
    "a tab after": GOOD + b"\t",
    "a NUL after": GOOD + b"\0",
    "a scheme before": b"Bearer " + GOOD,
    "two tokens": GOOD + b"," + GOOD,
    "parts in another order": BODY + b"." + HEAD + b"." + SIGNATURE,
    "standard base64": HEAD + b"." + BODY + b"." + base64.b64encode(b"\xfb\xff" * 20).rstrip(b"="),
    "digits of another script": "٣".encode() + GOOD,
    "stray bits at the end": GOOD[:-1] + bytes([GOOD[-1] ^ 1]),
    "very long": mint(filler="x" * 20_000),
    "a header that is a list": raw_header('["RS256"]'),
    "a header that is no JSON": raw_header("{alg: RS256}"),
    "a header with a member twice": raw_header('{"alg":"none","alg":"RS256","typ":"JWT","kid":"one"}'),
    "a payload that is a list": raw_payload("[]"),
    "a payload that is no JSON": raw_payload("exp=1"),
    "a payload that is not UTF-8": sign({"alg": "RS256", "typ": "JWT", "kid": "one"}, b'{"iss":"\xff"}'),
    "a payload with NaN": raw_payload(json.dumps(payload(exp=...))[:-1] + ', "exp": NaN}'),
    "a payload nested deeply": raw_payload('{"a":' + "[" * 5_000 + "]" * 5_000 + "}"),
    "exp twice": raw_payload(repeated("exp", NOW - 10_000, NOW + 10_000)),
    "a member twice further in": raw_payload(json.dumps(payload())[:-1] + ', "cnf": {"jkt": "a", "jkt": "b"}}'),
    "exp twice, once in disguise": raw_payload(json.dumps(payload())[:-1] + f', "\\u0065xp": {NOW + 10_000}}}'),
    "aud twice": raw_payload(repeated("aud", "https://other.example", AUDIENCE)),
    # the issuer (joserfc CVE-2026-75509 took a list)
    "iss missing": mint(iss=...),
    "iss a list": mint(iss=[V1]),
    "iss an object": mint(iss={"iss": V1}),
    "iss of another tenant": mint(iss=V1.replace(TENANT, OTHER_TENANT)),
    "iss with a slash too many": mint(iss=V2 + "/"),
    "iss without its slash": mint(iss=V1.removesuffix("/")),
    "iss in capitals": mint(iss=V1.upper()),
    "iss of the common endpoint": mint(iss="https://login.microsoftonline.com/common/v2.0"),
    "iss of this issuer, key of the other": mint_with("ES256", EC_KEY, "ec", iss=V2, tid=TENANT),
    "tid of another tenant": mint(tid=OTHER_TENANT),
    "tid missing": mint(tid=...),
    "tid a list": mint(tid=[TENANT]),
    # the times
    "expired": mint(exp=NOW - 61),
    "exp missing": mint(exp=...),
    "exp null": mint(exp=None),
    "exp true": mint(exp=True),
    "exp a text": mint(exp=str(NOW + 3_600)),
    "exp negative": mint(exp=-1),
    "exp beyond all dates": mint(exp=10**15),
    "exp too large for a number of the machine": mint(exp=10**400),
    "iat too small for one": mint(iat=-(10**400)),
    "exp infinite": raw_payload(json.dumps(payload(exp=...))[:-1] + ', "exp": 1e400}'),
    "exp of 5,000 digits": raw_payload(json.dumps(payload(exp=...))[:-1] + ', "exp": ' + "9" * 5_000 + "}"),
    "nbf in the future": mint(nbf=NOW + 61),
    "nbf a text": mint(nbf="soon"),
    "iat in the future": mint(iat=NOW + 61),
    # the audience and the holder
    "aud missing": mint(aud=...),
    "aud of somebody else": mint(aud="https://graph.microsoft.com"),
    "aud of the control plane": mint(aud="https://management.azure.com"),
    "aud that begins alike": mint(aud=AUDIENCE + ".evil.example"),
    "aud with two slashes": mint(aud=AUDIENCE + "//"),
    "aud a list of others": mint(aud=["https://graph.microsoft.com"]),
    "aud a list with an object": mint(aud=[AUDIENCE, {}]),
    "aud an empty list": mint(aud=[]),
    "aud a list with a stranger": mint(aud=[AUDIENCE, "https://graph.microsoft.com"]),
    "aud empty": mint(aud=""),
    "aud in capitals": mint(aud=AUDIENCE.upper()),
    "aud with its scope": mint(aud=AUDIENCE + "/.default"),
    "aud an object": mint(aud={"aud": AUDIENCE}),
    "nobody's": mint(oid=..., sub=...),
    "oid a list": mint(oid=["a"]),
    "oid of two lines": mint(oid="aaaaaaaa\r\nroot"),
    "sub with half a letter": mint(oid=..., sub="a\ud800"),
    "oid very long": mint(oid="a" * 5_000),
    "an id token": mint(iss=V2, ver="2.0", scp=..., appid=..., roles=["Owner"], nonce="n"),
    "a logout token": mint(events={"http://schemas.openid.net/event/backchannel-logout": {}}),
    "scp a number": mint(scp=1),
    "roles an object": mint(roles={"Owner": True}),
    "groups of numbers": mint(groups=[1]),
    # elliptic curves
    "an EC signature in DER": with_der_signature(),
    "an EC signature of zeros": with_raw_ec_signature(bytes(64)),
    "an EC signature with r zero": with_raw_ec_signature(bytes(32) + b"\x01" * 32),
    "an EC signature with s zero": with_raw_ec_signature(b"\x01" * 32 + bytes(32)),
    "an EC signature with r beyond the curve": with_ec_numbers(lambda r, s: (ORDER, s)),
    "an EC signature with s beyond the curve": with_ec_numbers(lambda r, s: (r, ORDER)),
    "an EC signature with r and s exchanged": with_ec_numbers(lambda r, s: (s, r)),
    "an EC signature too short": with_raw_ec_signature(b"\x01" * 63),
    "an EC signature too long": with_raw_ec_signature(b"\x01" * 65),
    "an empty signature": HEAD + b"." + BODY + b".",
}


def test_there_are_enough_of_them():
    assert len(BAD) >= 60


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_token_is_refused_in_the_same_words_as_all(name):
    desk = Desk()
    await desk.verify(GOOD)
    with pytest.raises(NotAuthenticated) as caught:
        await desk.verify(BAD[name])
    assert caught.value.message == (
        "Unauthorized. Access token is missing, invalid, audience is incorrect (https://ai.azure.com), or have expired."
    )
    with pytest.raises(NotAuthenticated):  # and it was not remembered as anything
        await desk.verify(BAD[name])


@pytest.mark.parametrize(
    "members",
    [
        {"use": "enc"},
        {"use": None},
        {"key_ops": ["encrypt"]},
        {"key_ops": []},
        {"key_ops": 5},
        {"key_ops": "verify"},
        {"alg": "PS256"},
        {"alg": "none"},
        {"alg": 5},
        {"kty": "EC"},
        {"d": "AQAB"},
    ],
)
async def test_a_key_that_is_not_for_this_lets_nobody_in(members):
    desk = Desk()
    desk.issuers.keys.append(jwk(OTHER_KEY, "two", **members))
    with pytest.raises(NotAuthenticated):
        await desk.verify(mint(OTHER_KEY, header={"kid": "two"}))
    assert await desk.verify(GOOD)  # the others are as good as ever


async def test_the_numbers_of_a_signature_are_what_is_changed_above():
    assert await Desk().verify(with_ec_numbers(lambda r, s: (r, s)))


async def test_why_is_in_the_log_and_the_token_is_not(caplog):
    caplog.set_level("INFO", "forehearth.identity")
    desk = Desk()
    with pytest.raises(NotAuthenticated):
        await desk.verify(BAD["expired"])
    assert "a token is refused: it has expired" in caplog.text
    assert BAD["expired"].decode()[:40] not in caplog.text


@by_dice(read=0.03, refused=0.5)
def test_any_bytes_are_read_or_refused(dice):
    noise, at, kinds = dice.randbytes(dice.randrange(7)), dice.randrange(len(GOOD) + 1), set()
    letter = b"" if dice.random() < 0.5 else bytes([dice.choice(GOOD)])
    for text in (
        noise,
        GOOD[:at] + noise + GOOD[at + dice.randrange(4) :],
        GOOD[:at] + letter + GOOD[at + 1 :],
        noise.hex().encode() + b"." + GOOD,
    ):
        try:
            found = parse(text)
        except Unreadable:
            kinds.add("refused")
            continue
        assert text.startswith(found.signed)
        assert isinstance(found.payload, dict)
        kinds.add("read")
    return "read" if "read" in kinds else "refused"
