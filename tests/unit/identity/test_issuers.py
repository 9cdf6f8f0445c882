"""Whose tokens are trusted, as the configuration says it."""

from typing import Any

import pytest

from forehearth.core.errors import Misconfigured
from forehearth.core.identity_settings import EntraSettings, IdentitySettings, OidcSettings
from forehearth.identity.issuers import AUDIENCES, TrustedIssuer, trusted_issuers
from forehearth.testing.clock import VirtualClock
from tests.unit.identity.minting import TENANT, Issuers

OTHER = "99999999-2222-3333-4444-aaaaaaaaaaaa"
URL = "https://login.example.com/realms/one"


def trusted(entra: dict[str, Any] | None = None, /, **oidc: dict[str, Any]) -> dict[str, TrustedIssuer]:
    settings = IdentitySettings(
        entra=EntraSettings(**entra) if entra else None,
        oidc={name: OidcSettings(**{"issuer": URL, "audiences": ("mine",)} | each) for name, each in oidc.items()},
    )
    return trusted_issuers(settings, Issuers(), VirtualClock())


def test_nobody_is_trusted_who_is_not_named():
    assert trusted() == {}


def test_each_directory_has_an_issuer_for_each_form_of_token():
    found = trusted({"tenants": (TENANT, OTHER.upper())})
    assert set(found) == {
        f"https://sts.windows.net/{TENANT}/",
        f"https://login.microsoftonline.com/{TENANT}/v2.0",
        f"https://sts.windows.net/{OTHER}/",
        f"https://login.microsoftonline.com/{OTHER}/v2.0",
    }
    for iss, issuer in found.items():
        assert issuer.iss == iss
        assert issuer.tenant in iss
        assert issuer.name == "entra"
        assert issuer.algorithms == {"RS256"}
        assert issuer.audiences == AUDIENCES


@pytest.mark.parametrize(
    ("authority", "v1", "v2"),
    [
        ("https://login.microsoftonline.com/", "https://sts.windows.net/", "https://login.microsoftonline.com/"),
        ("https://login.microsoftonline.us", "https://sts.windows.net/", "https://login.microsoftonline.us/"),
        (
            "https://login.partner.microsoftonline.cn",
            "https://sts.chinacloudapi.cn/",
            "https://login.partner.microsoftonline.cn/",
        ),
    ],
)
async def test_sovereign_clouds_have_issuers_and_keys_of_their_own(authority: str, v1: str, v2: str):
    found = trusted({"tenants": (TENANT,), "authority": authority})
    assert set(found) == {f"{v1}{TENANT}/", f"{v2}{TENANT}/v2.0"}
    asked = Issuers()
    keys = trusted_issuers(
        IdentitySettings(entra=EntraSettings(tenants=(TENANT,), authority=authority)), asked, VirtualClock()
    )[f"{v1}{TENANT}/"].keys
    await keys.refreshed()
    assert asked.fetched == {f"{v2}{TENANT}/discovery/v2.0/keys": 1}


def test_audiences_of_ones_own_count_with_and_without_a_slash():
    found = trusted({"tenants": (TENANT,), "audiences": ("api://mine/",)}, one={"audiences": ("a/", "b")})
    assert found[f"https://sts.windows.net/{TENANT}/"].audiences == AUDIENCES | {"api://mine"}
    assert found[URL].audiences == {"a", "b"}


def test_another_issuer_is_as_it_is_configured():
    issuer = trusted(one={"algorithms": ("ES256", "EdDSA")})[URL]
    assert (issuer.name, issuer.tenant, issuer.algorithms) == ("one", "", {"ES256", "EdDSA"})


@pytest.mark.parametrize("name", ["entra", "development"])
def test_a_name_that_means_another_issuer_is_taken(name: str):
    with pytest.raises(Misconfigured, match=rf"identity\.oidc\.{name}: .* choose another"):
        trusted(**{name: {}})


def test_an_issuer_is_named_once():
    with pytest.raises(Misconfigured, match=r"identity\.oidc\.two\.issuer: one has the same"):
        trusted(one={}, two={"audiences": ("everything",)})
    with pytest.raises(Misconfigured, match=r"identity\.oidc\.own\.issuer: entra has the same"):
        trusted({"tenants": (TENANT,)}, own={"issuer": f"https://login.microsoftonline.com/{TENANT}/v2.0"})


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"one": {"issuer": "http://login.example.com"}}, r"identity\.oidc\.one\.issuer"),
        ({"one": {"issuer": "http://localhost.example.com"}}, r"identity\.oidc\.one\.issuer"),
        ({"one": {"keys_url": "http://login.example.com/keys"}}, r"identity\.oidc\.one\.keys_url"),
        ({"entra": {"tenants": (TENANT,), "authority": "http://login.example.com"}}, r"identity\.entra\.authority"),
    ],
)
def test_keys_are_not_fetched_where_others_can_put_in_theirs(settings: dict[str, dict[str, Any]], key: str):
    with pytest.raises(Misconfigured, match=f"{key}: .* use https"):
        trusted(settings.pop("entra", None), **settings)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "[::1]:8080", "localhost:8080"])
def test_this_machine_is_trusted_without_tls(host: str):
    assert trusted(one={"issuer": f"http://{host}"})
    assert trusted(one={"issuer": "http://login.example.com", "keys_url": f"http://{host}/keys"})
