"""Tokens: who gets one, what it says, and that a gateway beside the issuer takes it for what it is."""

import base64
import json
import logging
from collections.abc import Awaitable
from typing import Any

import jwt
import pytest

from forehearth.core.errors import NotAuthenticated
from forehearth.core.identity_settings import DevelopmentIssuerSettings
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.core.secret import Secret
from forehearth.identity.assignments import Assignments
from forehearth.identity.claims import Claims
from forehearth.identity.development.denied import Denied
from forehearth.identity.development.identity_header import header_of
from forehearth.identity.development.issuer import CLIENT_GRANT, DEVICE_GRANT, DevelopmentIssuer, Issued
from forehearth.identity.development.people import SIGN_ON_CLIENT
from forehearth.identity.development.trust import trusted_issuer
from forehearth.identity.tokens import Tokens
from forehearth.testing.clock import VirtualClock
from tests.unit.identity.development.cast import (
    APPLICATION,
    CLIENT_SECRET,
    GROUP,
    INSTALLATION,
    MACHINE,
    MARIA,
    TENANT,
    make_issuer,
)

AI = "https://ai.azure.com"
ASKED = {"resource": AI}
SECRET_FORM = {
    "grant_type": CLIENT_GRANT,
    "client_id": APPLICATION,
    "client_secret": CLIENT_SECRET,
    "scope": f"{AI}/.default",
}


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def issuer(clock: VirtualClock) -> DevelopmentIssuer:
    return make_issuer(clock)


def header(name: str) -> str:
    return header_of(INSTALLATION.secret, name).reveal()


def payload(secret: Secret) -> dict[str, Any]:
    part = secret.reveal().split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def verified(issuer: DevelopmentIssuer, clock: VirtualClock, issued: Issued) -> Claims:
    trusted = trusted_issuer(issuer.trusted, clock)
    claims = Tokens({trusted.iss: trusted}, clock).verify(issued.token.reveal().encode())
    return await claims if isinstance(claims, Awaitable) else claims


def test_a_persons_token_says_what_entras_do(issuer: DevelopmentIssuer, clock: VirtualClock):
    now = int(clock.unix())
    issued = issuer.by_header(header("maria"), ASKED)
    assert payload(issued.token) == {
        "aud": AI,
        "iss": f"https://forehearth.invalid/{TENANT}/v2.0",
        "iat": now,
        "nbf": now,
        "exp": now + 3_600,
        "tid": TENANT,
        "uti": "00000000-0000-4000-8000-000000000001",
        "ver": "2.0",
        "azp": SIGN_ON_CLIENT,
        "azpacr": "0",
        "idtyp": "user",
        "name": "maria",
        "oid": MARIA,
        "sub": MARIA,
        "preferred_username": "maria@forehearth.invalid",
        "scp": "user_impersonation",
        "groups": [GROUP],
        "roles": ["Painter"],
    }
    assert (issued.audience, issued.client_id, issued.seconds) == (AI, SIGN_ON_CLIENT, 3_600)


def test_an_applications_token_says_what_entras_do(issuer: DevelopmentIssuer):
    told = payload(issuer.by_grant(SECRET_FORM).token)
    assert told["idtyp"] == "app"
    assert (told["azp"], told["app_displayname"], told["roles"]) == (APPLICATION, "robot", ["Machinist"])
    assert told["sub"] == told["oid"] != APPLICATION
    assert not {"scp", "preferred_username", "groups"} & set(told)


def test_no_two_tokens_are_alike(issuer: DevelopmentIssuer):
    tokens = {issuer.by_machine(ASKED).token.reveal() for _ in range(3)}
    assert len(tokens) == 3


def test_they_last_as_long_as_configured(clock: VirtualClock):
    issuer = make_issuer(clock, DevelopmentIssuerSettings(token_seconds=60))
    assert issuer.by_machine(ASKED).seconds == 60


def test_an_issuer_is_where_its_server_is():
    issuer = make_issuer(base="https://localhost:8443")
    assert issuer.trusted.issuer == f"https://localhost:8443/{TENANT}/v2.0"
    assert payload(issuer.by_machine(ASKED).token)["iss"] == issuer.trusted.issuer


def test_its_key_set_verifies_them(issuer: DevelopmentIssuer):
    token = issuer.by_machine(ASKED).token.reveal()
    keys = jwt.PyJWKSet.from_dict(dict(issuer.trusted.keys))
    key = keys[jwt.get_unverified_header(token)["kid"]]
    options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    jwt.decode(token, key, algorithms=["RS256"], audience=AI, issuer=issuer.trusted.issuer, options=options)
    assert "PRIVATE" not in json.dumps(issuer.trusted.keys)


async def test_a_gateway_beside_it_takes_its_tokens(issuer: DevelopmentIssuer, clock: VirtualClock):
    person = await verified(issuer, clock, issuer.by_header(header("maria"), ASKED))
    assert (person.issuer, person.tenant, person.kind, person.id) == ("development", TENANT, "user", MARIA)
    assert (person.groups, person.roles, person.scopes) == ({GROUP}, {"Painter"}, {"user_impersonation"})
    robot = await verified(issuer, clock, issuer.by_grant(SECRET_FORM))
    assert (robot.kind, robot.application, robot.roles) == ("application", APPLICATION, {"Machinist"})


async def test_its_tokens_end(issuer: DevelopmentIssuer, clock: VirtualClock):
    issued = issuer.by_machine(ASKED)
    await clock.advance(3_600 + 61)
    with pytest.raises(NotAuthenticated):
        await verified(issuer, clock, issued)


async def test_another_installations_tokens_are_refused(issuer: DevelopmentIssuer, clock: VirtualClock):
    other = INSTALLATION.__class__(tenant=MARIA, secret=Secret("x"), key=INSTALLATION.key)
    issued = make_issuer(clock, installation=other).by_machine(ASKED)
    with pytest.raises(NotAuthenticated):
        await verified(issuer, clock, issued)


async def test_where_it_is_off_its_tokens_are_refused(issuer: DevelopmentIssuer, clock: VirtualClock):
    token = issuer.by_machine(ASKED).token.reveal().encode()
    with pytest.raises(NotAuthenticated):
        Tokens({}, clock).verify(token)


async def test_an_id_token_opens_nothing(issuer: DevelopmentIssuer, clock: VirtualClock):
    issued = signed_in(issuer, "maria")
    assert issued.identity is not None
    told = payload(issued.identity)
    assert (told["aud"], told["oid"], told["preferred_username"]) == (SIGN_ON_CLIENT, MARIA, "maria@forehearth.invalid")
    with pytest.raises(NotAuthenticated):
        await verified(issuer, clock, Issued(token=issued.identity, audience="", client_id="", issued=0, expires=0))


async def test_the_developer_may_do_everything_at_the_default_resource(issuer: DevelopmentIssuer, clock: VirtualClock):
    assignments = Assignments(issuer.assignments, default="forehearth")
    developer = await verified(issuer, clock, issuer.by_machine(ASKED))
    (grant,) = assignments.grants_of(developer)["forehearth"]
    for place in (Place(resource="forehearth"), Place(resource="forehearth", project="default")):
        assert grant.allows(Permission.MODELS_CHAT, place)
        assert grant.allows(Permission.CHAT, place)
        assert grant.allows(Permission.READ_DEPLOYMENTS, place)
        assert not grant.allows(Permission.ADMINISTER, place)
    assert not grant.allows(Permission.CHAT, Place(resource="another"))


async def test_nobody_else_may_do_anything_by_default(issuer: DevelopmentIssuer, clock: VirtualClock):
    assignments = Assignments(issuer.assignments, default="forehearth")
    for issued in (
        issuer.by_header(header("maria"), ASKED),
        issuer.by_grant(SECRET_FORM),
        issuer.by_machine(ASKED | {"client_id": MACHINE}),
    ):
        assert assignments.grants_of(await verified(issuer, clock, issued)) == {}


def test_a_machine_is_asked_for_by_anybody_here(issuer: DevelopmentIssuer):
    assert payload(issuer.by_machine(ASKED).token)["name"] == "developer"
    assert payload(issuer.by_machine(ASKED | {"client_id": MACHINE}).token)["azp"] == MACHINE
    assert payload(issuer.by_header(header("maria"), ASKED | {"client_id": MACHINE}).token)["azp"] == MACHINE


@pytest.mark.parametrize("wrong", ["", "developer", "developer.AAAA", header("maria").replace("maria", "developer")])
def test_a_wrong_header_gets_nothing(issuer: DevelopmentIssuer, wrong: str):
    with pytest.raises(Denied) as caught:
        issuer.by_header(wrong, ASKED)
    assert (caught.value.error, caught.value.status) == ("invalid_client", 401)
    with pytest.raises(Denied):
        issuer.approve(wrong, "BCDF-GHJK")


def test_a_header_of_somebody_who_is_no_longer_there(issuer: DevelopmentIssuer):
    with pytest.raises(Denied, match="no such user"):
        issuer.by_header(header("otto"), ASKED)


REFUSALS = {
    "no grant": ({"grant_type": ""}, "invalid_request", 900144),
    "password": ({"grant_type": "password"}, "unsupported_grant_type", 70003),
    "refresh": ({"grant_type": "refresh_token"}, "unsupported_grant_type", 70003),
    "assertion": ({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"}, "unsupported_grant_type", 70003),
    "no client": ({"client_id": ""}, "invalid_request", 900144),
    "unknown client": ({"client_id": MARIA}, "unauthorized_client", 700016),
    "no secret": ({"client_secret": ""}, "invalid_client", 7000218),
    "wrong secret": ({"client_secret": "wrong"}, "invalid_client", 7000215),
    "longer secret": ({"client_secret": CLIENT_SECRET + "x"}, "invalid_client", 7000215),
    "another's secret": ({"client_id": MACHINE}, "invalid_client", 7000215),
    "no scope": ({"scope": ""}, "invalid_request", 900144),
    "two scopes": ({"scope": f"{AI}/.default https://ml.azure.com/.default"}, "invalid_scope", 70011),
    "other audience": ({"scope": "https://graph.microsoft.com/.default"}, "invalid_resource", 500011),
    "no device code": ({"grant_type": DEVICE_GRANT}, "invalid_request", 900144),
    "unknown device code": ({"grant_type": DEVICE_GRANT, "device_code": "x"}, "bad_verification_code", 70000),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_grant_that_is_not_good(issuer: DevelopmentIssuer, name: str):
    changes, error, code = REFUSALS[name]
    with pytest.raises(Denied) as caught:
        issuer.by_grant(SECRET_FORM | changes)
    assert (caught.value.error, caught.value.code) == (error, code)
    assert CLIENT_SECRET not in caught.value.message


def test_a_person_has_no_client_secret(issuer: DevelopmentIssuer):
    with pytest.raises(Denied):
        issuer.by_grant(SECRET_FORM | {"client_id": SIGN_ON_CLIENT})


def test_the_older_way_to_name_an_audience(issuer: DevelopmentIssuer):
    issued = issuer.by_grant(SECRET_FORM | {"scope": "", "resource": f"{AI}/"})
    assert payload(issued.token)["aud"] == f"{AI}/"


def signed_in(issuer: DevelopmentIssuer, name: str) -> Issued:
    form = {"client_id": SIGN_ON_CLIENT, "scope": f"openid {AI}/.default"}
    begun = issuer.begin(form)
    assert issuer.approve(header(name), begun.user_code) == name
    return issuer.by_grant(form | {"grant_type": DEVICE_GRANT, "device_code": begun.device_code.reveal()})


def test_signing_in_with_a_device_code(issuer: DevelopmentIssuer):
    issued = signed_in(issuer, "maria")
    assert payload(issued.token)["oid"] == MARIA
    assert issued.scope == f"openid {AI}/.default"
    account = json.loads(base64.urlsafe_b64decode(issued.client_info + "=="))
    assert account == {"uid": MARIA, "utid": TENANT}


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"scope": f"{AI}/.default"}, "invalid_request"),
        ({"client_id": MARIA, "scope": f"{AI}/.default"}, "unauthorized_client"),
        ({"client_id": SIGN_ON_CLIENT}, "invalid_request"),
        ({"client_id": SIGN_ON_CLIENT, "scope": "openid"}, "invalid_scope"),
        ({"client_id": SIGN_ON_CLIENT, "scope": "https://management.azure.com/.default"}, "invalid_resource"),
    ],
)
def test_a_device_code_is_for_something_and_somebody(issuer: DevelopmentIssuer, form: dict[str, str], error: str):
    with pytest.raises(Denied) as caught:
        issuer.begin(form)
    assert caught.value.error == error


def test_a_token_is_not_shown(issuer: DevelopmentIssuer, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    issued = signed_in(issuer, "maria")
    issuer.by_grant(SECRET_FORM)
    assert issued.token.reveal() not in repr(issued)
    secrets = (issued.token.reveal(), CLIENT_SECRET, header("maria"), INSTALLATION.secret.reveal())
    assert "maria has a token" in caplog.text
    assert not any(secret in caplog.text for secret in secrets)
