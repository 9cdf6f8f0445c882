"""What an issuer's documents are asked for by."""

import pytest

from forehearth.core.errors import Broken, Misconfigured
from forehearth.core.identity_settings import IdentitySettings, OidcSettings
from forehearth.core.upstream import Request, Response
from forehearth.identity.issuers import trusted_issuers
from forehearth.server.fetching import LARGEST, Fetching
from forehearth.testing.clock import VirtualClock
from tests.unit.config.reading import problems, read

B2C = "https://contoso.b2clogin.com/contoso.onmicrosoft.com/discovery/v2.0/keys?p=b2c_1_signin"


class Host:
    """A `ports.sender.Sender` that answers with what it has."""

    def __init__(self, *bodies: bytes, status: int = 200) -> None:
        self._bodies = list(bodies)
        self._status = status
        self.asked: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.asked.append(request)
        return Response(status=self._status, headers=(), body=self._bodies.pop(0))


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "target"),
    [
        (B2C, "https", "contoso.b2clogin.com", 443, b"/contoso.onmicrosoft.com/discovery/v2.0/keys?p=b2c_1_signin"),
        ("https://login.example.com", "https", "login.example.com", 443, b"/"),
        ("https://login.example.com?p=1&q=%20", "https", "login.example.com", 443, b"/?p=1&q=%20"),
        ("http://[::1]:8080/keys/", "http", "::1", 8080, b"/keys/"),
    ],
)
async def test_a_document_is_asked_for_as_its_address_says(url, scheme, host, port, target):
    there = Host(b"it")
    assert await Fetching(there, {})(url) == b"it"
    (request,) = there.asked
    assert (request.origin.scheme, request.origin.host, request.origin.port) == (scheme, host, port)
    assert (request.method, request.target) == (b"GET", target)
    assert request.headers == ((b"accept", b"application/json"),)


@pytest.mark.parametrize(
    "url", ["https://u:p@login.example.com/keys", "https://login.example.com/keys#one", "ftp://login.example.com/keys"]
)
async def test_what_is_no_address_of_a_document_is_not_asked_for(url):
    there = Host(b"it")
    with pytest.raises(Misconfigured):
        await Fetching(there, {})(url)
    assert there.asked == []


@pytest.mark.parametrize(("body", "status"), [(b"it", 404), (b"it", 302), (bytes(LARGEST + 1), 200)])
async def test_what_is_no_document_is_refused(body, status):
    with pytest.raises(Broken):
        await Fetching(Host(body, status=status), {})(B2C)


async def test_a_discovery_document_may_name_keys_by_a_query():
    issuer = "https://contoso.b2clogin.com/tfp"
    there = Host(b'{"issuer": "%b", "jwks_uri": "%b"}' % (issuer.encode(), B2C.encode()), b'{"keys": []}')
    settings = IdentitySettings(oidc={"b2c": OidcSettings(issuer=issuer, audiences=("mine",))})
    await trusted_issuers(settings, Fetching(there, {}), VirtualClock())[issuer].keys.refreshed()
    assert [each.target for each in there.asked] == [
        b"/tfp/.well-known/openid-configuration",
        b"/contoso.onmicrosoft.com/discovery/v2.0/keys?p=b2c_1_signin",
    ]


def test_the_configuration_may_name_keys_by_a_query():
    text = 'version: 1\nidentity: {{oidc: {{b2c: {{issuer: "{}", audiences: [mine], keys_url: "{}"}}}}}}'
    settings = read(text.format("https://contoso.b2clogin.com/tfp", B2C))
    assert settings.identity.oidc["b2c"].keys_url == B2C
    for issuer, keys in (
        ("https://h/tfp?p=1", B2C),
        ("https://h/tfp", f"{B2C}#one"),
        ("https://h/tfp", "https://u:p@h/?p"),
    ):
        (problem,) = problems(text.format(issuer, keys))
        assert problem.path.startswith("identity.oidc.b2c.")
