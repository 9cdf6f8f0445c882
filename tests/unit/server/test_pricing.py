"""Which price a deployment's backends have: said, listed for what they are, or none."""

from typing import Any

import msgspec
import pytest

from forehearth.core.call import Call, Operation
from forehearth.core.errors import Misconfigured
from forehearth.core.money import plain
from forehearth.core.price_settings import PriceSettings
from forehearth.core.principal import Principal
from forehearth.core.record import CallRecord
from forehearth.core.secret import Secret
from forehearth.core.settings import DeploymentBackend, DeploymentSettings, ModelSettings
from forehearth.core.usage import Usage
from forehearth.providers.azure_openai import AzureOpenAISettings
from forehearth.providers.openai_compatible import OpenAICompatible, OpenAICompatibleSettings
from forehearth.providers.scripted import ScriptedSettings
from forehearth.routing.deployment import Backend, Deployment
from forehearth.server.pricing import Pricing
from forehearth.testing.clock import VirtualClock
from tests.unit.doors import Host

BACKENDS = {
    "azure": AzureOpenAISettings(endpoint="https://west.openai.azure.com", api_key=Secret("sk-west")),
    "openai": OpenAICompatibleSettings(base_url="https://api.openai.com/v1"),
    "own": OpenAICompatibleSettings(base_url="http://127.0.0.1:11434/v1"),
    "script": ScriptedSettings(),
}
MILLION = Usage(prompt=1_000_000)
DEAR, CHEAP = PriceSettings(input="9"), PriceSettings(input="1", output="2")


def priced(*places: DeploymentBackend, **settings: Any) -> tuple[Pricing, Any]:
    """What makes the prices of a deployment with these backends, and the prices."""
    wanted = DeploymentSettings(backends=places, **settings)
    provider = OpenAICompatible("any", OpenAICompatibleSettings(base_url="http://any/v1"))
    deployment = Deployment(
        name="chat",
        facts=wanted.model,
        backends=tuple(
            Backend(name=each.backend, provider=provider, sender=Host(), model=each.model or "chat") for each in places
        ),
    )
    pricing = Pricing(BACKENDS, VirtualClock())
    return pricing, pricing.prices(deployment, wanted)


def cost(prices: Any, backend: str = "", model: str = "", usage: Usage = MILLION) -> str | None:
    found = prices(backend, model, usage)
    return None if found is None else f"{plain(found.amount)} {found.currency}"


def test_an_azure_backend_has_the_listed_price_of_its_model():
    _, prices = priced(DeploymentBackend(backend="azure", model="gpt-4o-mini"))
    assert cost(prices, "azure", "gpt-4o-mini") == "0.15 USD"


def test_the_models_own_name_is_better_than_that_of_the_azure_deployment():
    facts = ModelSettings(name="gpt-4o", version="2024-05-13")
    _, prices = priced(DeploymentBackend(backend="azure", model="our-deployment"), model=facts)
    assert cost(prices, "azure", "our-deployment") == "5 USD"
    _, prices = priced(DeploymentBackend(backend="azure", model="our-deployment"), model=ModelSettings(name="gpt-4o"))
    assert cost(prices, "azure", "our-deployment") == "2.5 USD"
    unlisted = ModelSettings(name="gpt-4o", version="of today")
    _, prices = priced(DeploymentBackend(backend="azure", model="our-deployment"), model=unlisted)
    assert cost(prices, "azure", "our-deployment") == "2.5 USD"


def test_a_provider_is_known_by_its_address():
    _, prices = priced(
        DeploymentBackend(backend="openai", model="gpt-4o"), DeploymentBackend(backend="own", model="gpt-4o")
    )
    assert cost(prices, "openai", "gpt-4o") == "2.5 USD"
    assert cost(prices, "own", "gpt-4o") is None


def test_what_nobody_lists_has_no_price():
    for place in (DeploymentBackend(backend="script"), DeploymentBackend(backend="azure", model="our-deployment")):
        _, prices = priced(place)
        assert cost(prices, place.backend, place.model or "chat") is None
        assert cost(prices) is None


def test_what_is_said_counts_and_at_a_backend_more_than_at_its_deployment():
    _, prices = priced(
        DeploymentBackend(backend="azure", model="gpt-4o"),
        DeploymentBackend(backend="own", prices=DEAR),
        DeploymentBackend(backend="script", price_as="openai/gpt-4o"),
        prices=CHEAP,
    )
    assert cost(prices, "azure", "gpt-4o") == "1 USD"
    assert cost(prices, "own", "chat") == "9 USD"
    assert cost(prices, "script", "chat") == "2.5 USD"
    _, prices = priced(DeploymentBackend(backend="own"), price_as="azure/gpt-4o")
    assert cost(prices, "own", "chat") == "2.5 USD"


@pytest.mark.parametrize(
    ("name", "hint"), [("openai/gpt-4oo", "did you mean 'gpt-4o'?"), ("opnai/gpt-4o", "did you mean 'openai'?")]
)
def test_a_name_that_the_list_does_not_have_is_a_mistake(name: str, hint: str):
    with pytest.raises(Misconfigured) as error:
        priced(DeploymentBackend(backend="own", price_as=name))
    assert hint in error.value.message


def test_before_it_is_known_who_answers_it_is_the_dearest():
    _, prices = priced(DeploymentBackend(backend="own", prices=CHEAP), DeploymentBackend(backend="script", prices=DEAR))
    assert cost(prices) == "9 USD"
    assert cost(prices, usage=Usage(prompt=1_000_000, completion=1)) is None
    other = msgspec.structs.replace(DEAR, currency="EUR")
    _, prices = priced(
        DeploymentBackend(backend="own", prices=CHEAP), DeploymentBackend(backend="script", prices=other)
    )
    assert cost(prices) is None


def test_limits_in_money_see_the_same_prices():
    pricing, _ = priced(
        DeploymentBackend(backend="own", prices=CHEAP), DeploymentBackend(backend="script", prices=DEAR)
    )
    call = Call(
        request_id="id-1",
        surface="openai_v1",
        operation=Operation.CHAT,
        name="chat",
        body=b"{}",
        principal=Principal(name="shop", kind="key"),
        started=0.0,
        record=CallRecord(deployment="chat"),
    )
    assert pricing.amount(call, MILLION) == 9
    call.record.backend, call.record.model = "own", "chat"
    assert pricing.amount(call, MILLION) == 1
    call.record.deployment = "elsewhere"
    assert pricing.amount(call, MILLION) is None
