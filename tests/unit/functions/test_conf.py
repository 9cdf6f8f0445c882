"""Settings: Fabric's defaults, what a call changes, and what is sent to which model."""

import openai
import pytest
from openai import AzureOpenAI, OpenAI

from forehearth.core.secret import Secret
from forehearth.functions.conf import NOT_GIVEN, Conf, default_conf, session, setup
from forehearth.functions.endpoints import endpoint, host_of
from forehearth.providers.azure_openai import AzureOpenAISettings

FABRIC = {
    "api_type": "responses",
    "concurrency": 200,
    "embedding_deployment_name": "text-embedding-ada-002",
    "model_deployment_name": "gpt-5-mini",
    "progress_bar_mode": "basic",
    "reasoning_effort": "low",
    "seed": NOT_GIVEN,
    "temperature": NOT_GIVEN,
    "timeout": None,
    "top_p": NOT_GIVEN,
    "verbosity": NOT_GIVEN,
}
"""What Fabric's documentation says of pandas, in September 2026."""


@pytest.mark.parametrize("name", FABRIC)
def test_the_defaults_are_those_of_fabric(name):
    assert getattr(default_conf, name) == FABRIC[name]
    assert getattr(Conf(), name) == FABRIC[name]


def test_the_client_of_a_notebook_is_made_of_these():
    assert (session.api_version, session.max_retries > 2**60) == ("2025-04-01-preview", True)


def test_a_conf_of_a_call_has_all_else_from_the_session(monkeypatch):
    monkeypatch.setattr(default_conf, "model_deployment_name", "other")
    conf = Conf(temperature=0.5)
    assert (conf.model_deployment_name, conf.temperature, default_conf.temperature) == ("other", 0.5, NOT_GIVEN)


def test_a_setting_that_there_is_not_is_refused():
    with pytest.raises(TypeError, match="temprature"):
        Conf(temprature=0.5)
    with pytest.raises(AttributeError):
        default_conf.temprature = 0.5


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"concurrency": 1_001}, "concurrency is 1 to 1,000, and not 1001"),
        ({"concurrency": 0}, "concurrency is 1 to 1,000"),
        ({"progress_bar_mode": "fancy"}, "progress_bar_mode is one of basic, stats, disable"),
        ({"api_type": "completions"}, "api_type is one of responses, chat_completions"),
    ],
)
def test_a_value_that_cannot_be_is_refused(given, complaint):
    with pytest.raises(ValueError, match=complaint):
        Conf(**given).check()


def test_names_of_earlier_releases():
    conf = Conf()
    conf.max_concurrency, conf.use_progress_bar = 4, False
    assert (conf.concurrency, conf.progress_bar_mode) == (4, "disable")
    conf.use_progress_bar = True
    assert (conf.max_concurrency, conf.use_progress_bar, conf.progress_bar_mode) == (4, True, "basic")


OPTIONS = [
    ({}, {"reasoning_effort": "low"}),
    ({"model_deployment_name": "gpt-5.1", "temperature": 0.5, "top_p": 0.1}, {"reasoning_effort": "low"}),
    ({"reasoning_effort": NOT_GIVEN, "verbosity": "high", "seed": 7}, {"verbosity": "high", "seed": 7}),
    ({"model_deployment_name": "gpt-4.1"}, {}),
    ({"model_deployment_name": "gpt-4.1", "temperature": 0.0, "top_p": None}, {"temperature": 0.0}),
    ({"model_deployment_name": "mine", "reasoning_effort": "high"}, {"reasoning_effort": "high"}),
    ({"temperature": openai.NOT_GIVEN, "seed": openai.omit, "reasoning_effort": None}, {}),
]


@pytest.mark.parametrize(("given", "sent"), OPTIONS)
def test_what_is_sent_depends_on_the_model(given, sent):
    assert Conf(**given).options() == sent


def test_the_default_effort_is_sent_as_a_plain_text():
    assert type(Conf().options()["reasoning_effort"]) is str


def test_a_client_of_openai_is_taken_over_by_its_address_and_key():
    assert host_of(OpenAI(base_url="https://host/openai/v1/", api_key="k")) == endpoint("https://host/openai/v1", "k")
    azure = host_of(AzureOpenAI(azure_endpoint="https://host", api_key="k", api_version="2024-10-21"))
    assert azure == AzureOpenAISettings(
        endpoint="https://host", form="classic", api_version="2024-10-21", api_key=Secret("k")
    )
    assert "k'" not in repr(azure)


def test_what_is_no_client_with_a_key_is_refused():
    with pytest.raises(ValueError, match="a str is no client"):
        setup("https://host")
    tokens = AzureOpenAI(azure_endpoint="https://host", azure_ad_token_provider=lambda: "t", api_version="2024-10-21")
    with pytest.raises(ValueError, match="no API key"):
        setup(tokens)


def test_the_client_of_a_call_goes_before_that_of_the_session(monkeypatch):
    monkeypatch.setattr(session, "client", endpoint("https://session/v1"))
    assert Conf().deployment("m").backend == session.client
    assert Conf(client=endpoint("https://call/v1")).deployment("m").backend == endpoint("https://call/v1")
    monkeypatch.setattr(session, "client", None)
    assert Conf().deployment("m").backend is None
