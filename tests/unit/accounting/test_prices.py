"""What tokens cost: golden cases of the list that is shipped, and what holds for all prices."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from forehearth.accounting.prices import PriceList, Step, Tariff, at, configured, matches
from forehearth.core.money import amount, plain, units
from forehearth.core.price_settings import PriceSettings
from forehearth.core.usage import Usage

PRICES = PriceList.shipped()
NOW = 1_795_000_000.0


def cost(provider: str, model: str, **tokens: int) -> str:
    tariff = at(PRICES.find(provider, model), NOW)
    assert tariff is not None, f"{provider}/{model} has no price"
    price = tariff.price(Usage(**tokens))
    assert price is not None
    return f"{plain(price.amount)} {price.currency}"


@pytest.mark.parametrize(
    ("provider", "model", "tokens", "wanted"),
    [
        ("openai", "gpt-4o", {"prompt": 1_000_000}, "2.5 USD"),
        ("openai", "gpt-4o", {"prompt": 1_000_000, "completion": 1_000_000}, "12.5 USD"),
        ("openai", "gpt-4o", {"prompt": 1_000_000, "cached": 400_000}, "2 USD"),
        ("openai", "gpt-4o", {"prompt": 1, "completion": 1}, "0.0000125 USD"),
        ("openai", "gpt-4o-2024-08-06", {"prompt": 1_000}, "0.0025 USD"),
        ("openai", "GPT-4o", {"prompt": 1_000}, "0.0025 USD"),
        ("openai", "text-embedding-3-small", {"prompt": 7}, "0.00000014 USD"),
        ("azure", "o3-mini", {"prompt": 1_000_000, "completion": 1_000_000, "reasoning": 900_000}, "5.5 USD"),
        ("azure", "gpt-4o-mini", {"prompt": 1_000_000}, "0.15 USD"),
        ("azure", "text-embedding-3-large", {"prompt": 1_000_000}, "0.13 USD"),
        ("openai", "gpt-5.4", {"prompt": 272_000, "completion": 1_000}, "0.695 USD"),
        ("openai", "gpt-5.4", {"prompt": 272_001, "completion": 1_000}, "1.382505 USD"),
        ("anthropic", "claude-3-5-haiku-20241022", {"prompt": 1_000_000, "cached": 1_000_000}, "0.08 USD"),
    ],
)
def test_golden_cases(provider: str, model: str, tokens: dict[str, int], wanted: str):
    assert cost(provider, model, **tokens) == wanted


def test_a_model_that_nobody_lists_has_no_price():
    assert PRICES.find("azure", "my-own-model") == ()
    assert PRICES.find("nobody", "gpt-4o") == ()


def test_a_model_whose_price_cannot_be_counted_has_none_and_no_other_ones():
    """It is sold by tokens of sound, too; the broader names behind it in the list must not be taken for it."""
    assert PRICES.find("openai", "gpt-4o-realtime-preview") == ()


def test_an_answer_without_a_listed_price_is_not_free():
    tariff = at(PRICES.find("openai", "text-embedding-3-small"), NOW)
    assert tariff is not None
    assert tariff.price(Usage(prompt=5, completion=1)) is None


def test_the_list_says_what_it_is_and_when_it_was_made():
    source, _, day = PRICES.version.partition(", ")
    assert source.startswith("genai-prices ")
    assert len(day) == len("2026-11-26")


def test_every_price_in_the_list_is_a_whole_number_of_units_and_is_reached_by_its_own_name():
    """Reading one raises where it is not exact."""
    read = 0
    for provider in PRICES.providers:
        for model in PRICES.models(provider):
            for tariff in PRICES.find(provider, model):
                read += 1
                assert tariff.steps[0].over == 0
                assert [each.over for each in tariff.steps] == sorted({each.over for each in tariff.steps})
    assert read > 1_500


def test_addresses_tell_whose_models_they_are():
    assert PRICES.provider_at("https://api.openai.com/v1") == "openai"
    assert PRICES.provider_at("https://openrouter.ai/api/v1") == "openrouter"
    assert PRICES.provider_at("http://127.0.0.1:11434/v1") is None


def test_prices_change_on_their_day():
    tariffs = [Tariff(since=day, steps=(), currency="USD", version=str(day)) for day in (0.0, 100.0, 200.0)]
    assert [at(tariffs, now).version for now in (0.0, 99.9, 100.0, 500.0)] == ["0.0", "0.0", "100.0", "200.0"]
    assert at(tariffs[1:], 99.0) is None


def test_what_is_configured_counts_and_tells_its_rates():
    tariff = configured(PriceSettings(input="2.50", cached_input="0.25", output="10", currency="EUR"))
    price = tariff.price(Usage(prompt=1_000, cached=400, completion=10))
    assert price is not None
    assert (plain(price.amount), price.currency) == ("0.0017", "EUR")
    assert price.version == "configured: 2.50/0.25/10 per 1000000"
    by_the_thousand = configured(PriceSettings(input="0.0025", per=1_000)).price(Usage(prompt=1_000))
    assert by_the_thousand is not None
    assert plain(by_the_thousand.amount) == "0.0025"


rates = some.decimals(min_value=0, max_value=4_000, places=6).map(str)
counts = some.integers(0, 10**9)


@given(rates, rates, rates, counts, counts, counts)
def test_an_amount_is_exact(input_: str, cached_input: str, output: str, prompt: int, cached: int, completion: int):
    tariff = configured(PriceSettings(input=input_, cached_input=cached_input, output=output))
    price = tariff.price(Usage(prompt=prompt, cached=cached, completion=completion))
    assert price is not None
    from_cache = min(cached, prompt)
    wanted = (
        (prompt - from_cache) * Decimal(input_) + from_cache * Decimal(cached_input) + completion * Decimal(output)
    ).scaleb(-6)
    assert amount(price.amount) == wanted
    assert Decimal(plain(price.amount)) == wanted


@given(rates, counts, counts)
def test_tokens_from_a_cache_are_paid_once_and_never_dearer_than_the_whole_prompt(rate: str, prompt: int, cached: int):
    same = configured(PriceSettings(input=rate, cached_input=rate, output="1"))
    free = configured(PriceSettings(input=rate, cached_input="0", output="1"))
    usage = Usage(prompt=prompt, cached=cached)
    whole = same.price(Usage(prompt=prompt))
    assert same.price(usage) == whole
    part, rest = free.price(usage), same.price(Usage(prompt=prompt - min(cached, prompt)))
    assert part is not None
    assert rest is not None
    assert part.amount == rest.amount >= 0


@given(some.lists(some.tuples(counts, counts), max_size=20))
def test_a_sum_of_prices_is_the_price_of_the_sum(calls: list[tuple[int, int]]):
    """No step, no rounding: it does not matter how calls are put together."""
    tariff = Tariff(
        steps=(Step(input=2_500_000, cached_input=1_250_000, output=10_000_000),), currency="USD", version=""
    )
    together = tariff.price(Usage(prompt=sum(each for each, _ in calls), completion=sum(each for _, each in calls)))
    apart = [tariff.price(Usage(prompt=prompt, completion=completion)) for prompt, completion in calls]
    assert together is not None
    assert together.amount == sum(each.amount for each in apart if each is not None)


def test_what_nobody_can_have_used_has_no_price():
    tariff = configured(PriceSettings(input="9999999", output="1", currency="KRW"))
    assert tariff.price(Usage(prompt=1_000_000_000)) is None
    price = tariff.price(Usage(prompt=900_000))
    assert price is not None
    assert price.amount < 2**63


def test_clauses():
    both = {"and": [{"starts_with": "a"}, {"ends_with": "z"}]}
    assert matches(both, "abcz")
    assert not matches(both, "abc")
    assert matches({"or": [{"equals": "b"}, {"contains": "bc"}]}, "abcd")
    assert matches({"regex": "^a.c$"}, "abc")


def test_amounts_in_figures():
    assert [plain(each) for each in (0, 1, 10**12, 25 * 10**11, -(10**11))] == [
        "0",
        "0.000000000001",
        "1",
        "2.5",
        "-0.1",
    ]
    assert units(Decimal("0.000000000001")) == 1
    with pytest.raises(ValueError, match="multiple"):
        units(Decimal("0.0000000000001"))
