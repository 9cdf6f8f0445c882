"""Lists of models and deployments, the model's facts, and the indexes."""

import json

import pytest
from openai.types import Model

from tests.unit.doors import answer


@pytest.fixture
def get(door):
    client = door(answer({}))

    def read(target: str, status: int = 200, **headers: str):
        reply = client.get(target, **headers)
        assert reply.status == status
        assert dict(reply.headers)[b"apim-request-id"]
        return json.loads(reply.body)

    return read


def test_v1_lists_deployments_and_routes_as_models(get):
    listed = get("/openai/v1/models")
    models = [Model.model_validate(item) for item in listed["data"]]
    assert [(model.id, model.owned_by, model.created) for model in models] == [
        ("chat", "Somebody", 1_700_000_000),
        ("vectors", "Somebody", 1_700_000_000),
        ("default", "Somebody", 1_700_000_000),
    ]
    assert listed["data"][1]["capabilities"]["embeddings"] is True


def test_v1_gets_one_model(get):
    assert get("/openai/v1/models/default")["id"] == "default"
    assert get("/openai/v1/models/nobody", 404)["error"]["code"] == "DeploymentNotFound"


@pytest.mark.parametrize("family", ["models", "deployments"])
def test_classic_lists_and_gets(get, family):
    listed = get(f"/openai/{family}?api-version=2024-10-21")
    assert [item["id"] for item in listed["data"]] == ["chat", "vectors", "default"]
    assert get(f"/openai/{family}/default?api-version=2024-10-21") == listed["data"][2]
    assert get(f"/openai/{family}/nobody?api-version=2024-10-21", 404)["error"]["code"] == "DeploymentNotFound"
    assert get(f"/openai/{family}", 404)["error"]["code"] == "404"


@pytest.mark.parametrize(
    ("target", "headers", "kind", "name"),
    [
        ("/models/info", {}, "chat_completion", "chat"),
        ("/info?api-version=2024-05-01-preview", {}, "chat_completion", "chat"),
        ("/models/info?model=vectors", {}, "embeddings", "vectors"),
        ("/models/info", {"azureml_model_deployment": "vectors"}, "embeddings", "vectors"),
    ],
)
def test_info_tells_the_models_facts(get, target, headers, kind, name):
    assert get(target, **headers) == {"model_name": name, "model_type": kind, "model_provider_name": "Somebody"}


def test_info_of_an_unknown_model(get):
    assert get("/models/info?model=nobody", 404)["code"] == "DeploymentNotFound"


@pytest.mark.parametrize("target", ["/models/", "/models", "/openai/v1/", "/openai/v1", "/openai/"])
def test_a_base_url_itself_shows_what_is_there(get, target):
    assert any("chat/completions" in line for line in get(target)["operations"])
