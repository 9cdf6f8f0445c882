"""Limits in money before deployments whose price is not known are found before the first call."""

import json

import pytest

from forehearth.config.loader import load
from forehearth.config.problems import ConfigError
from forehearth.registry import PROVIDER_SETTINGS
from forehearth.server.price_checks import require_prices

PRICES = {"input": 1, "output": 2}
MONEY = [{"amount_per_day": 5}]


@pytest.fixture
def told(tmp_path):
    """What is wrong with the prices of a configuration: paths and messages."""

    def told(**sections):
        file = tmp_path / "forehearth.yaml"
        backends = {"script": {"provider": "scripted"}}
        file.write_text(json.dumps({"version": 1, "backends": backends, **sections}))
        settings = load(file, providers=PROVIDER_SETTINGS, environ={})
        try:
            require_prices(settings, "file.yaml")
        except ConfigError as error:
            return [(each.path, each.message) for each in error.problems]
        return []

    return told


def deployment(**members):
    return {"backends": [{"backend": "script"}], **members}


def test_a_deployment_s_own_limit_in_money_needs_its_price(told):
    assert told(deployments={"a": deployment(limits=MONEY, prices=PRICES), "b": deployment()}) == []
    found = told(deployments={"a": deployment(limits=[{"requests_per_minute": 1}, *MONEY])})
    message = "this limit is in money, and what calls of 'a' cost is not known, or in several currencies"
    assert found == [("deployments.a.limits[1].amount_per_day", message)]


def test_that_of_an_answer_is_part_of_it(told):
    prices = {"input": 1}
    assert told(deployments={"a": deployment(limits=MONEY, prices=prices)})
    assert told(deployments={"a": deployment(limits=MONEY, prices=prices, model={"type": "embeddings"})}) == []


def test_of_products_and_projects_all_deployments_that_they_reach(told):
    deployments = {"dear": deployment(prices=PRICES), "unknown": deployment()}
    paths = [path for path, _ in told(deployments=deployments, products={"all": {"limits": MONEY}})]
    assert paths == ["products.all.limits[0].amount_per_day"]
    assert told(deployments=deployments, products={"one": {"limits": MONEY, "deployments": ["dear"]}}) == []
    paths = [path for path, _ in told(deployments=deployments, projects={"p": {"limits": MONEY}})]
    assert paths == ["projects.p.limits[0].amount_per_day"]
    tenant = {"deployments": deployments, "projects": {"p": {"limits": MONEY}}}
    paths = [path for path, _ in told(deployments={"x": deployment()}, resources={"contoso": tenant})]
    assert paths == ["resources.contoso.projects.p.limits[0].amount_per_day"]


def test_a_price_that_is_not_listed(told):
    ((path, message),) = told(deployments={"a": deployment(price_as="azure/gpt-4oo")})
    assert path == "deployments.a"
    assert "no price of 'azure/gpt-4oo'" in message
