"""The example of three teams, run: keys of products, their deployments, their limits, and what callers are told."""

import json
import os
import subprocess
import sys
import urllib.request

import pytest

from tests.conftest import ROOT, StartForehearth
from tests.forehearth_server import ForehearthServer
from tests.integration.limits.asking import ask


@pytest.fixture(scope="module")
def teams(start_module_forehearth: StartForehearth) -> ForehearthServer:
    return start_module_forehearth((ROOT / "examples" / "three-teams.yaml").read_text(), "--workers", "2")


def make_key(server: ForehearthServer, name: str, *options: str) -> str:
    command = [sys.executable, "-m", "forehearth", "keys", "create", name, *options]
    environment = {**os.environ, **server.environment()}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_products_key_has_its_deployments_alone(teams: ForehearthServer) -> None:
    key = make_key(teams, "notebook", "--product", "lab")
    assert ask(teams, key, {"model": "small", "max_tokens": 20}).status == 200
    refused = ask(teams, key, {"model": "large", "max_tokens": 20})
    assert (refused.status, refused.body["error"]["code"]) == (404, "DeploymentNotFound")


def test_callers_are_told_what_is_left(teams: ForehearthServer) -> None:
    key = make_key(teams, "search-app", "--product", "search")
    first = ask(teams, key, {"model": "large", "max_tokens": 20})
    assert first.status == 200
    assert first.headers["x-ratelimit-limit-tokens"] == "40000"
    assert int(first.headers["consumed-tokens"]) > 0
    assert 0 < int(first.headers["remaining-tokens"]) < 40_000


def test_a_quota_of_one_value_is_used_up_and_said_in_each_surfaces_words(teams: ForehearthServer) -> None:
    key = make_key(teams, "notebook-2", "--product", "lab")
    too_much = {"model": "small", "max_tokens": 19_990}
    body = ask(teams, key, too_much, x_user="ada").body
    assert body["error"]["code"] == "QuotaExceeded"
    assert "products.lab.limits[1].tokens_per_hour" in body["error"]["message"]
    assert ask(teams, key, {"model": "small", "max_tokens": 19_000}, x_user="ada").status == 200
    classic = "/openai/deployments/small/chat/completions?api-version=2024-10-21"
    foundry = "/models/chat/completions?api-version=2024-05-01-preview"
    for path in (classic, foundry):
        refused = ask(teams, key, too_much, path=path, x_user="eve")
        assert refused.status == 403
        assert refused.body["error"]["message"].endswith(f"Request id: {refused.headers['x-request-id']}.")


def test_an_answer_is_as_long_as_the_product_allows(teams: ForehearthServer) -> None:
    key = make_key(teams, "search-app-2", "--product", "search")
    long = " ".join(["word"] * 2_000)
    body = {"model": "small", "messages": [{"role": "user", "content": long}], "max_tokens": 5_000}
    answer = json.loads(ask(teams, key, body).body)
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 800


def test_a_key_of_no_product_that_there_is_is_not_made(teams: ForehearthServer) -> None:
    with pytest.raises(AssertionError, match="there is no 'serach'; did you mean 'search'"):
        make_key(teams, "typo", "--product", "serach")


def test_what_was_refused_is_counted(teams: ForehearthServer) -> None:
    key = make_key(teams, "notebook-3", "--product", "lab")
    ask(teams, key, {"model": "small", "max_tokens": 19_990}, x_user="zoe")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        teams.url + "/metrics", timeout=30
    ) as answer:
        page = answer.read().decode()
    assert 'forehearth_limit_refusals_total{limit="products.lab.limits[1].tokens_per_hour"}' in page
