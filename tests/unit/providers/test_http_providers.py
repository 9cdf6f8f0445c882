"""How each kind of host is addressed: path, credential, model name, and the body otherwise as it came."""

import json

import msgspec
import pytest

from forehearth.core.call import Call, Operation
from forehearth.core.errors import Misconfigured, NotSupported
from forehearth.core.principal import Principal
from forehearth.core.secret import Secret
from forehearth.core.settings import OutboundSettings
from forehearth.core.settings_types import Unfit
from forehearth.core.upstream import Timeouts, TlsFiles
from forehearth.providers import address
from forehearth.providers.azure_openai import AzureOpenAI, AzureOpenAISettings
from forehearth.providers.embedded import Embedded, EmbeddedSettings
from forehearth.providers.openai_compatible import OpenAICompatible, OpenAICompatibleSettings

BODY = b'{"model": "asked", "odd": 1.0}'


def call(operation: Operation = Operation.CHAT, body: bytes = BODY, model: str | None = "asked") -> Call:
    return Call(
        request_id="r",
        surface="openai_v1",
        operation=operation,
        name="asked",
        body=body,
        model_in_body=model,
        has_model_member=b'"model"' in body,
        principal=Principal(name="p", kind="key"),
        forward={b"traceparent": b"00-a"},
        started=0.0,
    )


def azure(form: str, **more) -> AzureOpenAI:
    return AzureOpenAI("a", AzureOpenAISettings(endpoint="https://r.example/", form=form, api_key=Secret("kk"), **more))


@pytest.mark.parametrize(
    ("provider", "operation", "target", "model"),
    [
        (azure("classic"), Operation.CHAT,
         "/openai/deployments/%C3%A9/chat/completions?api-version=2024-10-21", "asked"),
        (azure("classic", api_version="2025-04-01-preview"), Operation.EMBEDDINGS,
         "/openai/deployments/%C3%A9/embeddings?api-version=2025-04-01-preview", "asked"),
        (azure("v1"), Operation.COMPLETIONS, "/openai/v1/completions", "é"),
        (azure("v1", api_version="preview"), Operation.CHAT, "/openai/v1/chat/completions?api-version=preview", "é"),
        (azure("models"), Operation.CHAT, "/models/chat/completions?api-version=2024-05-01-preview", "é"),
        (azure("models"), Operation.EMBEDDINGS, "/models/embeddings?api-version=2024-05-01-preview", "é"),
    ],
)  # fmt: skip
def test_azure_in_its_three_forms(provider, operation, target, model):
    request = provider.request(call(operation), "é")
    assert request.target == target.encode()
    assert json.loads(request.body) == {"model": model, "odd": 1.0}
    headers = dict(request.headers)
    assert headers[b"api-key"] == b"kk"
    assert headers[b"traceparent"] == b"00-a"
    assert (b"extra-parameters" in headers) is ("/models/" in target)
    assert (request.origin.scheme, request.origin.host, request.origin.port) == ("https", "r.example", 443)


def test_the_models_form_has_no_completions():
    with pytest.raises(NotSupported, match="chat completions"):
        azure("models").request(call(Operation.COMPLETIONS), "m")


def test_openai_compatible_with_a_path_and_a_key():
    settings = OpenAICompatibleSettings(
        base_url="http://[::1]:11434/deep/v1/",
        api_key=Secret("kk"),
        connection=OutboundSettings(
            ca_bundle="ca.pem", client_certificate="c.pem", client_key="k.pem", proxy="http://p:1", total_seconds=7
        ),
    )
    request = OpenAICompatible("o", settings).request(call(), "there")
    assert request.target == b"/deep/v1/chat/completions"
    assert request.body == b'{"model": "there", "odd": 1.0}'
    assert dict(request.headers)[b"authorization"] == b"Bearer kk"
    assert (request.origin.host, request.origin.port, request.origin.proxy) == ("::1", 11434, "http://p:1")
    assert request.origin.tls == TlsFiles(ca_bundle="ca.pem", certificate="c.pem", key="k.pem")
    assert request.timeouts == Timeouts(connect=5, first_byte=120, idle=60, total=7)
    assert "kk" not in repr(settings)


def test_a_host_without_key_gets_no_credential():
    request = OpenAICompatible("o", OpenAICompatibleSettings(base_url="http://h/v1")).request(call(), "m")
    assert b"authorization" not in dict(request.headers)
    assert request.origin.port == 80


@pytest.mark.parametrize(
    ("body", "model", "sent"),
    [
        (b'{"model": "m", "x": 1}', "m", b'{"model": "m", "x": 1}'),
        (b'{"model": null, "x": 1}', None, b'{"model": "m", "x": 1}'),
        (b'{"x": 1}', None, b'{"model":"m","x": 1}'),
        (b"{}", None, b'{"model":"m"}'),
    ],
)
def test_the_model_is_put_where_it_was_or_first(body, model, sent):
    request = OpenAICompatible("o", OpenAICompatibleSettings(base_url="http://h/v1")).request(
        call(body=body, model=model), "m"
    )
    assert request.body == sent


def test_embedded_goes_through_its_socket():
    request = Embedded("e", EmbeddedSettings(), socket="run/models.sock").request(call(Operation.EMBEDDINGS), "m")
    assert (request.origin.socket, request.target) == ("run/models.sock", b"/v1/embeddings")


@pytest.mark.parametrize(
    "url", ["", "host:80", "ftp://h/", "http://", "http://u:p@h/", "http://h/?a=b", "http://h:99999/", "http://h:x/"]
)
def test_an_address_that_cannot_be_dialled(url):
    with pytest.raises(Misconfigured):
        address.split(url)


def asked_in_responses() -> Call:
    return msgspec.structs.replace(call(), responses=b'{"odd" : 1.0, "model":"asked"}')


def test_a_host_with_the_responses_api_is_asked_by_it_what_came_by_it():
    with_it = OpenAICompatible("o", OpenAICompatibleSettings(base_url="http://h/v1", responses=True))
    request = with_it.request(asked_in_responses(), "theirs")
    assert (request.target, request.body) == (b"/v1/responses", b'{"odd" : 1.0, "model":"theirs"}')
    assert with_it.request(call(), "theirs").target == b"/v1/chat/completions"
    without = OpenAICompatible("o", OpenAICompatibleSettings(base_url="http://h/v1"))
    assert without.request(asked_in_responses(), "theirs").target == b"/v1/chat/completions"
    request = azure("v1", responses=True).request(asked_in_responses(), "theirs")
    assert request.target == b"/openai/v1/responses"
    assert azure("v1").request(asked_in_responses(), "theirs").target == b"/openai/v1/chat/completions"


@pytest.mark.parametrize("form", ["classic", "models"])
def test_forms_without_the_responses_api(form):
    with pytest.raises(Unfit, match="no Responses API"):
        azure(form, responses=True)
