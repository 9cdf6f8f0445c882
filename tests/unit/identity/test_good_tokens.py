"""Good tokens, built to the shapes that Entra ID documents, and what is known of their holders."""

import pytest

from forehearth.core.errors import NotAuthenticated
from forehearth.identity.claims import Claims
from forehearth.identity.tokens import KEPT
from tests.unit.identity.minting import (
    AUDIENCE,
    EC_KEY,
    ED_KEY,
    KEYS_URL,
    NOW,
    OTHER_KEY,
    RSA_KEY,
    TENANT,
    V2,
    Desk,
    jwk,
    mint,
    mint_with,
)

OID = "aaaaaaaa-0000-0000-0000-000000000001"
APP = "bbbbbbbb-0000-0000-0000-000000000002"
V2_MEMBERS = {"iss": V2, "ver": "2.0", "upn": ..., "appid": ..., "azp": APP}

SHAPES = {
    "v1 user": ({}, "user", "somebody@example.com"),
    "v1 application": ({"scp": ..., "upn": ..., "roles": ["Model.Call"], "idtyp": "app"}, "application", APP),
    "v1 application without idtyp": ({"scp": ..., "upn": ..., "roles": ["Model.Call"]}, "application", APP),
    "v2 user": ({**V2_MEMBERS, "preferred_username": "some@example.com"}, "user", "some@example.com"),
    "v2 application": ({**V2_MEMBERS, "scp": ..., "roles": ["Model.Call"], "idtyp": "app"}, "application", APP),
    "v1 application with nothing but its id": ({"scp": ..., "upn": ..., "appidacr": "1"}, "application", APP),
    "somebody of the directory's administrators": ({"wids": ["62e90394-69f5"]}, "user", "somebody@example.com"),
    "user with app roles": ({"roles": ["Model.Call"]}, "user", "somebody@example.com"),
    "managed identity": (
        {"scp": ..., "upn": ..., "idtyp": "app", "xms_mirid": "/subscriptions/s/…/vm1", "appidacr": "2"},
        "application",
        APP,
    ),
    "guest": (
        {"upn": ..., "unique_name": "live.com#guest@example.org", "idp": "live.com"},
        "user",
        "live.com#guest@example.org",
    ),
    "user without a name": ({"upn": ...}, "user", OID),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_every_shape_of_entra_is_read(shape):
    members, kind, name = SHAPES[shape]
    claims = await Desk().verify(mint(**members))
    assert (claims.issuer, claims.tenant, claims.id) == ("entra", TENANT, OID)
    assert (claims.kind, claims.name, claims.application) == (kind, name, APP)
    assert claims.expires == NOW + 3_600
    assert claims.scopes == (frozenset() if kind == "application" else {"user_impersonation"})
    assert claims.roles == (frozenset(members.get("roles", ())))


@pytest.mark.parametrize(
    "audience",
    [
        f"{base}{slash}"
        for base in (
            "https://ai.azure.com",
            "https://cognitiveservices.azure.com",
            "https://ml.azure.com",
            "https://ai.cognitiveservices.com",
        )
        for slash in ("", "/")
    ],
)
async def test_every_documented_audience_is_accepted(audience):
    desk = Desk()
    assert await desk.verify(mint(aud=audience))
    assert await desk.verify(mint(aud=[audience]))
    assert await desk.verify(mint(iss=V2, aud=audience))


async def test_other_issuers_than_entra_make_tokens_for_several():
    assert await Desk().verify(mint_with("ES256", EC_KEY, "ec", aud=["https://other.example", AUDIENCE]))


async def test_resources_by_their_application_id_are_accepted_where_they_are_configured():
    application_id = "7d312290-28c8-473c-a0ed-8e53749b6d6d"
    token = mint(iss=V2, ver="2.0", aud=application_id)
    assert await Desk(audiences=(application_id,)).verify(token)
    with pytest.raises(NotAuthenticated):
        await Desk().verify(token)


async def test_a_further_audience_is_accepted_where_it_is_configured():
    token = mint(aud="api://mine")
    assert await Desk(audiences=("api://mine",)).verify(token)
    with pytest.raises(NotAuthenticated):
        await Desk().verify(token)


async def test_groups_are_known_and_so_is_that_they_were_left_out():
    desk = Desk()
    assert (await desk.verify(mint(groups=["g1", "g2"]))).groups == {"g1", "g2"}
    overage = await desk.verify(mint(_claim_names={"groups": "src1"}, _claim_sources={"src1": {"endpoint": "…"}}))
    assert (overage.groups, overage.groups_omitted) == (frozenset(), True)


@pytest.mark.parametrize("members", [{"exp": NOW - 59}, {"nbf": NOW + 59}, {"iat": NOW + 59}, {"exp": NOW + 0.5}])
async def test_clocks_may_differ_by_a_minute(members):
    assert await Desk().verify(mint(**members))


@pytest.mark.parametrize(
    ("algorithm", "key", "key_id"), [("RS256", RSA_KEY, "one"), ("ES256", EC_KEY, "ec"), ("EdDSA", ED_KEY, "ed")]
)
async def test_another_issuer_has_the_algorithms_that_are_configured(algorithm, key, key_id):
    claims = await Desk().verify(mint_with(algorithm, key, key_id))
    assert (claims.issuer, claims.tenant) == ("one", "")
    with pytest.raises(NotAuthenticated):
        await Desk(algorithms=("PS384",)).verify(mint_with(algorithm, key, key_id))


@pytest.mark.parametrize(
    "members",
    [{"scp": ["one", "two"]}, {"scp": "one two"}, {"scp": ..., "scope": "one two"}, {"scp": "one " * 200 + "two"}],
)
async def test_scopes_are_read_in_every_form_that_issuers_give_them(members):
    claims = await Desk().verify(mint_with("ES256", EC_KEY, "ec", **members))
    assert claims.scopes == {"one", "two"}


async def test_a_name_is_made_fit_for_logs():
    claims = await Desk().verify(mint(upn="some\r\nbody\u202e\x1b[31m"))
    assert claims.name == "somebody[31m"


async def test_a_subject_that_is_the_client_is_an_application():
    claims = await Desk().verify(mint_with("ES256", EC_KEY, "ec", oid=..., sub="robot", azp="robot", scp=...))
    assert (claims.kind, claims.id) == ("application", "robot")


async def test_a_token_seen_before_is_known_at_once_and_not_past_its_end():
    desk, token = Desk(), mint(exp=NOW + 100)
    claims = await desk.verify(token)
    assert desk.tokens.verify(token) is claims
    await desk.clock.advance(99)
    assert desk.tokens.verify(token) is desk.tokens.known(token) is claims
    await desk.clock.advance(1.5)
    assert desk.tokens.known(token) is None
    again = desk.tokens.verify(token)  # within the skew: judged anew
    assert isinstance(again, Claims)
    assert again is not claims
    await desk.clock.advance(60)
    with pytest.raises(NotAuthenticated):
        desk.tokens.verify(token)


async def test_what_is_remembered_is_bounded():
    desk = Desk()
    await desk.verify(mint())
    for number in range(200):
        desk.tokens.verify(mint(jti=str(number)))
    assert len(desk.tokens._good) == 201 <= KEPT


async def test_a_key_that_its_issuer_has_withdrawn_is_good_no_more():
    desk, token = Desk(), mint()
    await desk.verify(token)
    desk.issuers.keys = [jwk(EC_KEY, "ec")]
    await desk.clock.advance(31)
    with pytest.raises(NotAuthenticated):
        await desk.verify(mint(header={"kid": "newer"}))  # it has the keys fetched again
    await desk.clock.advance(31)
    with pytest.raises(NotAuthenticated):
        await desk.verify(token)


async def test_a_key_that_took_an_old_ones_id_is_another():
    desk, token = Desk(), mint()
    await desk.verify(token)
    desk.issuers.keys[0] = jwk(OTHER_KEY, "one")
    await desk.clock.advance(31)
    with pytest.raises(NotAuthenticated):
        await desk.verify(mint(header={"kid": "newer"}))  # it has the keys fetched again
    assert desk.tokens.known(token) is None
    with pytest.raises(NotAuthenticated):
        await desk.verify(token)
    assert await desk.verify(mint(OTHER_KEY))


async def test_a_key_that_stays_keeps_its_tokens_known():
    desk, token = Desk(), mint()
    claims = await desk.verify(token)
    desk.issuers.keys.append(jwk(OTHER_KEY, "newer"))
    await desk.clock.advance(31)
    assert await desk.verify(mint(OTHER_KEY, header={"kid": "newer"}))
    assert desk.tokens.verify(token) is claims


async def test_a_token_that_lasts_does_not_outlast_its_issuers_keys():
    """One that nobody but its holder uses has the keys fetched again, too, and is refused when that fails for long."""
    desk, token = Desk(), mint(exp=2_000_000_000)
    claims = await desk.verify(token)
    await desk.clock.advance(25 * 3_600)
    assert await desk.verify(token) == claims
    assert desk.issuers.fetched[KEYS_URL] == 2
    desk.issuers.down = True
    await desk.clock.advance(71 * 3_600)
    assert await desk.verify(token) == claims
    await desk.clock.advance(2 * 3_600)
    with pytest.raises(NotAuthenticated):
        await desk.verify(token)


async def test_a_person_is_not_the_application_that_is_used():
    """Elsewhere than in Entra scopes are in `scope`, and app roles say nothing of who holds the token."""
    members = {"oid": ..., "sub": "mallory", "azp": "web-app", "appid": ..., "scp": ..., "roles": ["staff"]}
    claims = await Desk().verify(mint_with("ES256", EC_KEY, "ec", scope="openid profile", **members))
    assert (claims.kind, claims.id, claims.scopes) == ("user", "mallory", {"openid", "profile"})
    claims = await Desk().verify(mint_with("ES256", EC_KEY, "ec", **members))
    assert claims.kind == "user"
    for name in ("upn", "unique_name", "preferred_username"):  # nor in Entra, where a token tells no scopes
        claims = await Desk().verify(mint(**{"upn": ..., "scp": ..., "roles": ["staff"], name: "somebody"}))
        assert claims.kind == "user"
