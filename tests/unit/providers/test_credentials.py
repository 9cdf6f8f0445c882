"""What a backend lets us in by: which keys fit together, where a token may travel, and in whose requests it is."""

import ast
import subprocess
import sys

import msgspec
import pytest

from forehearth.config.loader import load
from forehearth.config.problems import ConfigError
from forehearth.config.secrets import held
from forehearth.core.call import Call, Operation
from forehearth.core.errors import Misconfigured, Unreachable
from forehearth.core.principal import Principal
from forehearth.core.secret import Secret
from forehearth.core.settings_types import Unfit
from forehearth.core.upstream import Request, Response
from forehearth.ports.token_source import Token
from forehearth.providers.azure_openai import AzureOpenAI, AzureOpenAISettings
from forehearth.providers.credentials import CredentialSettings
from forehearth.providers.openai_compatible import OpenAICompatible, OpenAICompatibleSettings
from forehearth.registry import PROVIDER_SETTINGS, PROVIDERS, Surroundings
from forehearth.server.handover import pack, unpack
from forehearth.transport.token_keeper import TokenKeepers
from tests.conftest import ROOT

TENANT = "11111111-2222-3333-4444-555555555555"
ENVIRON = {"SECRET": "a-client-secret-of-ours", "KEY": "a-key-of-the-backend"}
CALL = Call(
    request_id="r",
    surface="openai_v1",
    operation=Operation.CHAT,
    name="asked",
    body=b'{"model": "asked"}',
    model_in_body="asked",
    has_model_member=True,
    principal=Principal(name="p", kind="key"),
    forward={b"traceparent": b"00-a"},
    started=0.0,
)


def backend(lines: str, *, provider: str = "azure_openai", url: str = "https://r.example", more: str = "") -> str:
    key = "endpoint" if provider == "azure_openai" else "base_url"
    return (
        f"version: 1\nbackends:\n  b:\n    provider: {provider}\n    {key}: {url}\n{lines}"
        f"{more}\ndeployments: {{d: {{backends: [{{backend: b}}]}}}}\n"
    )


def credential(**members: str) -> str:
    return "    credential:\n" + "".join(f"      {name}: {value}\n" for name, value in members.items())


def read(text: str):
    return load(text, providers=PROVIDER_SETTINGS, environ=ENVIRON).backends["b"]


def problem(text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        read(text)
    return str(raised.value)


SECRET = {"kind": "client_secret", "tenant": TENANT, "client_id": "app", "client_secret": "${SECRET}"}


@pytest.mark.parametrize("provider", ["azure_openai", "openai_compatible"])
@pytest.mark.parametrize(
    "members",
    [
        SECRET,
        SECRET | {"authority": "https://login.microsoftonline.us", "scope": "https://cognitiveservices.azure.us/.default"},
        SECRET | {"tenant": "contoso.onmicrosoft.com"},
        {"kind": "client_certificate", "tenant": TENANT, "client_id": "app", "certificate": "FILE"},
        {"kind": "client_certificate", "tenant": TENANT, "client_id": "app", "certificate": "FILE",
         "certificate_password": "${SECRET}"},
        {"kind": "managed_identity"},
        {"kind": "managed_identity", "client_id": "app"},
        {"kind": "workload_identity"},
        {"kind": "workload_identity", "tenant": TENANT, "client_id": "app", "token_file": "FILE"},
        {"kind": "default"},
        {"kind": "default", "client_id": "app"},
    ],
)  # fmt: skip
def test_every_kind_reads_and_arrives_in_a_worker(provider, members, tmp_path):
    file = tmp_path / "file.pem"
    file.write_text("x")
    members = {name: str(file) if value == "FILE" else value for name, value in members.items()}
    text = backend(credential(**members), provider=provider)
    settings = load(text, providers=PROVIDER_SETTINGS, environ=ENVIRON)
    read = settings.backends["b"].credential
    assert read.kind == members["kind"]
    assert read.scope == members.get("scope", "https://cognitiveservices.azure.com/.default")
    assert (
        unpack(msgspec.json.decode(msgspec.json.encode(pack(settings, PROVIDER_SETTINGS))), PROVIDER_SETTINGS)
        == settings
    )
    assert ENVIRON["SECRET"] not in repr(settings)
    assert (Secret(ENVIRON["SECRET"]) in set(held(settings))) is ("${SECRET}" in members.values())


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"client_id": "app"}, "the key 'kind' is missing"),
        ({"kind": "password"}, "backends.b.credential.kind"),
        ({"kind": "client_secret"}, "client_secret needs tenant\n    add the key tenant"),
        ({k: v for k, v in SECRET.items() if k != "client_secret"}, "needs client_secret"),
        (SECRET | {"client_secret": "in-clear-text"}, "a secret may not stand in this file"),
        (SECRET | {"token_file": "/dev/null"}, "b.credential.token_file: a credential of the kind client_secret"),
        (SECRET | {"certificate": "/dev/null"}, "client_secret has no certificate"),
        (SECRET | {"certificate_password": "${SECRET}"}, "client_secret has no certificate_password"),
        ({"kind": "client_certificate", "tenant": TENANT, "client_id": "a"}, "needs certificate"),
        ({"kind": "managed_identity", "tenant": TENANT}, "managed_identity has no tenant"),
        ({"kind": "managed_identity", "authority": "https://a.example"}, "managed_identity has no authority"),
        ({"kind": "managed_identity", "client_secret": "${SECRET}"}, "managed_identity has no client_secret"),
        ({"kind": "default", "tenant": TENANT}, "default has no tenant"),
        ({"kind": "workload_identity", "token_file": "no-such-file"}, "no-such-file"),
        (SECRET | {"authority": "http://login.example"}, "b.credential.authority: secrets are sent to the authority"),
        (SECRET | {"tenant": "a/b"}, "b.credential.tenant"),
        (SECRET | {"scope": '"a b"'}, "b.credential.scope"),
        (SECRET | {"clientid": "a"}, "did you mean 'client_id'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_its_place(members, said):
    told = problem(backend(credential(**members)))
    assert said in told
    assert "in-clear-text" not in told


def test_azure_needs_exactly_one_of_key_and_credential():
    assert "there is neither api_key nor credential" in problem(backend(""))
    both = "    api_key: ${KEY}\n" + credential(kind="managed_identity")
    assert "backends.b.credential: there is a credential beside api_key" in problem(backend(both))
    assert "there is a credential beside api_key" in problem(backend(both, provider="openai_compatible"))
    assert read(backend("    api_key: ${KEY}\n")).credential is None
    assert read(backend("", provider="openai_compatible")).credential is None


@pytest.mark.parametrize("url", ["http://r.example", "http://10.0.0.1:80", "http://127.0.0.1.example", "http://[::2]"])
@pytest.mark.parametrize("provider", ["azure_openai", "openai_compatible"])
def test_a_token_never_travels_in_clear_text(url, provider):
    told = problem(backend(credential(kind="managed_identity"), provider=provider, url=url))
    assert "backends.b.credential: a token would travel in clear text over http" in told
    assert "https://" in told


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost", "https://r.example"])
def test_but_may_stay_on_this_machine_or_be_encrypted(url):
    assert read(backend(credential(kind="managed_identity"), url=url)).credential is not None


def test_nor_to_a_proxy():
    lines = credential(kind="managed_identity")
    proxied = "    connection: {proxy: http://p.example:1}\n"
    assert "the proxy in clear text" in problem(backend(lines, url="http://127.0.0.1:1", more=proxied))
    assert read(backend(lines, url="https://r.example", more=proxied)).connection.proxy == "http://p.example:1"


def test_whoever_makes_settings_by_hand_is_held_to_the_same():
    with pytest.raises(Unfit):
        CredentialSettings(kind="client_secret")
    with pytest.raises(Unfit):
        AzureOpenAISettings(endpoint="https://r.example")


class Tokens:
    """A source of tokens that are set by hand."""

    def __init__(self, token: str | None = "token-1") -> None:
        self.token = Secret(token) if token else None

    def current(self) -> Secret:
        if self.token is None:
            raise Unreachable("No token.", retry_after=7)
        return self.token


def azure(tokens: Tokens, form: str = "v1") -> AzureOpenAI:
    settings = AzureOpenAISettings(
        endpoint="https://r.example", form=form, credential=CredentialSettings(kind="managed_identity")
    )
    return AzureOpenAI("west", settings, tokens)


def compatible(tokens: Tokens) -> OpenAICompatible:
    settings = OpenAICompatibleSettings(
        base_url="https://r.example/v1", credential=CredentialSettings(kind="managed_identity")
    )
    return OpenAICompatible("west", settings, tokens)


@pytest.mark.parametrize(
    "make", [azure, lambda each: azure(each, "classic"), lambda each: azure(each, "models"), compatible]
)
def test_a_request_has_the_token_of_now_and_no_key(make):
    tokens = Tokens()
    provider = make(tokens)
    for text in ("token-1", "token-1", "token-2"):
        tokens.token = Secret(text)
        request = provider.request(CALL, "m")
        credentials = [field for field in request.headers if field[0] in (b"authorization", b"api-key")]
        assert credentials == [(b"authorization", f"Bearer {text}".encode())]
        assert (b"traceparent", b"00-a") in request.headers
        assert request.origin.host == "r.example"


@pytest.mark.parametrize("make", [azure, compatible])
def test_without_a_token_nothing_is_asked_and_the_log_learns_of_whom(make):
    with pytest.raises(Unreachable) as raised:
        make(Tokens(None)).request(CALL, "m")
    assert raised.value.backend == "west"
    assert raised.value.retry_after == 7
    assert raised.value.retry_elsewhere
    assert "west" not in raised.value.message


class Host:
    """A sender that keeps what it was given and says 200."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        return Response(status=200, body=b"{}")


class Named:
    """An issuer whose tokens say whose and what for they are."""

    def __init__(self, credential: CredentialSettings) -> None:
        self.text = f"a-token-of-{credential.client_id}-for-{credential.scope}"

    async def fetch(self) -> Token:
        return Token(secret=Secret(self.text), expires=4e9)


class NamedTokens(TokenKeepers):
    """Keepers with such issuers."""

    def keeper(self, credential, issuer, *, backend):
        return super().keeper(credential, lambda: Named(credential), backend=backend)


def opened(text: str, around: Surroundings):
    settings = load(text, providers=PROVIDER_SETTINGS, environ=ENVIRON)
    kinds = {kind.settings: kind for kind in PROVIDERS.values()}
    return {name: kinds[type(each)].open(name, each, around) for name, each in settings.backends.items()}


MANY = """
version: 1
backends:
  one: {provider: azure_openai, endpoint: "https://one.example", credential: &same {kind: managed_identity}}
  two: {provider: openai_compatible, base_url: "https://two.example/v1", credential: *same}
  three:
    provider: azure_openai
    endpoint: https://three.example
    credential: {kind: managed_identity, client_id: somebody}
  four:
    provider: azure_openai
    endpoint: https://four.example
    credential: {kind: managed_identity, scope: something}
  keyed: {provider: azure_openai, endpoint: "https://keyed.example", api_key: "${KEY}"}
  open: {provider: openai_compatible, base_url: "https://open.example"}
  local: {provider: azure_openai, endpoint: "http://127.0.0.1:1", credential: *same}
deployments: {d: {backends: [{backend: one}]}}
"""


async def test_backends_of_one_credential_and_scope_share_a_token_that_goes_to_them_alone():
    host = Host()
    async with NamedTokens() as keepers:
        environ = {"http_proxy": "http://p.example:1", "https_proxy": "http://p.example:1"}
        around = Surroundings(http=host, environ=environ, embedded_socket="", tokens=keepers)
        backends = opened(MANY, around)
        await keepers.begin()
        for each in backends.values():
            await each.sender.send(each.provider.request(CALL, "m"))
    bearers = {each.origin.host: dict(each.headers).get(b"authorization") for each in host.requests}
    usual = "https://cognitiveservices.azure.com/.default"
    tokens = [("None", usual), ("somebody", usual), ("None", "something")]
    one, three, four = (f"Bearer a-token-of-{whose}-for-{what}".encode() for whose, what in tokens)
    assert bearers == {
        "one.example": one,
        "two.example": one,
        "127.0.0.1": one,
        "three.example": three,
        "four.example": four,
        "keyed.example": None,
        "open.example": None,
    }
    proxies = {each.origin.host: each.origin.proxy for each in host.requests}
    assert proxies.pop("127.0.0.1") is None, "a token would be read by the proxy"
    assert set(proxies.values()) == {"http://p.example:1"}


async def test_an_answer_shows_neither_key_nor_token_nor_client_secret():
    class Echo:
        async def send(self, request: Request) -> Response:
            return Response(status=400, body=b" ".join([*dict(request.headers).values(), ENVIRON["SECRET"].encode()]))

    async with NamedTokens() as keepers:
        around = Surroundings(http=Echo(), environ={}, embedded_socket="", tokens=keepers)
        (secret,) = opened(backend(credential(**SECRET)), around).values()
        (keyed,) = opened(backend("    api_key: ${KEY}\n"), around).values()
        await keepers.begin()
        shown = (await secret.sender.send(secret.provider.request(CALL, "m"))).body
        assert shown == b"application/json Bearer *** 00-a ***"
        assert (await keyed.sender.send(keyed.provider.request(CALL, "m"))).body.startswith(
            b"application/json *** 00-a"
        )


@pytest.mark.parametrize(
    ("members", "remedy"),
    [
        ({"kind": "workload_identity"}, "AZURE_FEDERATED_TOKEN_FILE"),
        ({"kind": "client_certificate", "tenant": TENANT, "client_id": "app", "certificate": "/dev/null"}, "RSA key"),
    ],
)
async def test_a_credential_that_cannot_work_stops_the_start_with_a_remedy(members, remedy):
    around = Surroundings(http=Host(), environ={}, embedded_socket="")
    with pytest.raises(Misconfigured, match=remedy):
        opened(backend(credential(**members)), around)


def test_without_the_extra_the_message_says_how_to_get_it():
    """In a process of its own, where the library is not to be had."""
    program = """
import sys
sys.modules["azure.identity"] = None
from forehearth.core.errors import Misconfigured
from forehearth.registry import PROVIDERS, Surroundings, _issuer
from forehearth.providers.credentials import CredentialSettings
try:
    _issuer(CredentialSettings(kind="managed_identity"))
except Misconfigured as error:
    print(error.message)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'forehearth[azure]'" in ran.stdout


def test_the_library_is_imported_by_one_file_and_only_when_it_is_needed():
    importing = {
        str(path.relative_to(ROOT / "src/forehearth"))
        for path in (ROOT / "src/forehearth").rglob("*.py")
        if any(name.split(".")[0] in ("azure", "msal") for name in imports(path.read_text()))
    }
    assert importing == {"transport/azure_credentials.py"}
    program = "import sys, forehearth.server.worker; print([name for name in sys.modules if name.startswith('azure')])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def imports(source: str) -> list[str]:
    nodes = list(ast.walk(ast.parse(source)))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return plain + [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
