import json

import pytest

from forehearth.config.loader import load
from forehearth.core.secret import Secret
from forehearth.core.settings import ProviderSettings, Settings
from forehearth.registry import PROVIDER_SETTINGS
from forehearth.server.handover import pack, unpack

EVERY_PROVIDER = """
version: 1
server:
  port: 0
  tls: {names: [hearth.services.ai.azure.com]}
log: {level: debug, format: json}
backends:
  azure:
    provider: azure_openai
    endpoint: https://example.openai.azure.com
    form: classic
    api_key: ${AZURE_KEY}
  vllm: {provider: openai_compatible, base_url: "http://127.0.0.1:8000/v1", api_key: "${VLLM_KEY}"}
  here: {provider: embedded, threads: 2}
  script: {provider: scripted}
deployments:
  small: {backends: [{backend: here, model: smollm2-135m-instruct}]}
  big: {model: {context_tokens: 128000}, backends: [{backend: azure}, {backend: vllm}, {backend: script}]}
routes:
  default: {deployment: small}
"""
ENVIRON = {"AZURE_KEY": "azure-secret-value", "VLLM_KEY": "vllm-secret-value"}


@pytest.fixture
def settings() -> Settings:
    return load(EVERY_PROVIDER, providers=PROVIDER_SETTINGS, environ=ENVIRON)


def test_settings_arrive_as_they_left(settings: Settings):
    packed = json.loads(json.dumps(pack(settings, PROVIDER_SETTINGS)))
    assert unpack(packed, PROVIDER_SETTINGS) == settings
    assert {type(each) for each in settings.backends.values()} == set(PROVIDER_SETTINGS.values())


def test_secrets_arrive_as_secrets(settings: Settings):
    arrived = unpack(pack(settings, PROVIDER_SETTINGS), PROVIDER_SETTINGS)
    assert arrived.backends["azure"].api_key == Secret(ENVIRON["AZURE_KEY"])
    assert not any(value in repr(arrived) for value in ENVIRON.values())


class Odd(ProviderSettings, frozen=True, kw_only=True):
    complex_number: complex


def test_a_value_that_cannot_travel_is_said_by_its_type():
    settings = Settings(backends={"odd": Odd(complex_number=1j)})
    with pytest.raises(NotImplementedError, match="complex in the settings"):
        pack(settings, {"odd": Odd})
