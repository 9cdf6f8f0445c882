"""The documents at `/openapi/`: of their form, of every endpoint and of nothing else."""

import json

import openapi_spec_validator
import pytest
from openapi_spec_validator import OpenAPIV2SpecValidator, OpenAPIV31SpecValidator

from forehearth.core.endpoint import Endpoint
from forehearth.core.permission import Permission
from forehearth.server import served
from forehearth.server.describing import description
from forehearth.wire.described import DESCRIBED, described
from forehearth.wire.description_schemas import schemas
from forehearth.wire.descriptions import ADMIN, TOLD
from forehearth.wire.openapi import document
from forehearth.wire.swagger import swagger

SERVER = "https://gateway.example:8443"
DOCUMENTS = {name: description(name, SERVER) for name in (*TOLD, ADMIN)}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_is_a_document_by_the_schemas_of_openapi(name):
    openapi_spec_validator.validate(DOCUMENTS[name], cls=OpenAPIV31SpecValidator)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_is_one_of_swagger_too(name):
    older = swagger(DOCUMENTS[name])
    openapi_spec_validator.validate(older, cls=OpenAPIV2SpecValidator)
    assert not {"anyOf", "oneOf", "const", "components"} & {*keys(older)}
    assert f"{older['schemes'][0]}://{older['host']}{older['basePath']}".rstrip("/") == DOCUMENTS[name]["servers"][0][
        "url"
    ].rstrip("/")


def keys(value):
    if isinstance(value, dict):
        yield from value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys(each)


@pytest.mark.parametrize("name", TOLD)
def test_it_has_every_endpoint_and_no_other(name):
    told = TOLD[name]
    found = {
        (method.upper(), told.base + path)
        for path, operations in DOCUMENTS[name]["paths"].items()
        for method in operations
    }
    assert found == {(each.method, each.path) for each in served.endpoints()[told.surface]}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_operation_has_a_name_of_its_own_and_all_schemas_are_there_and_used(name):
    paths = DOCUMENTS[name]["paths"]
    names = [operation["operationId"] for item in paths.values() for operation in item.values()]
    assert len({*names}) == len(names)
    text = json.dumps(DOCUMENTS[name])
    for schema in DOCUMENTS[name]["components"]["schemas"]:
        assert f'"#/components/schemas/{schema}"' in text


def test_what_is_described_is_served():
    names = {each.name for endpoints in served.endpoints().values() for each in endpoints}
    assert DESCRIBED.keys() - names == set()


@pytest.mark.parametrize(
    ("method", "reads"), [("POST", "AnyObject"), ("PATCH", "AnyObject"), ("GET", None), ("DELETE", None)]
)
def test_an_endpoint_that_nobody_described_is_in_the_document_all_the_same(method, reads):
    endpoint = Endpoint(method=method, path="/models/new/{id}", permission=Permission.CHAT, name="new_thing")
    assert described(endpoint).reads == reads
    made = document(TOLD["foundry-models"], [endpoint], server=SERVER, version="1")
    operation = made["paths"]["/new/{id}"][method.lower()]
    assert operation["operationId"] == "new_thing"
    assert operation["parameters"][0]["name"] == "id"
    openapi_spec_validator.validate(made, cls=OpenAPIV31SpecValidator)


def test_members_that_are_refused_are_not_described():
    properties = schemas()["ResponseRequest"]["properties"]
    assert not {"prompt", "moderation", "context_management"} & properties.keys()
    assert {"input", "previous_response_id", "model"} <= properties.keys()


@pytest.mark.parametrize(
    ("name", "path", "method", "needed"),
    [
        ("azure-openai", "/deployments/{deployment}/chat/completions", "post", True),
        ("openai-v1", "/chat/completions", "post", False),
        ("foundry-models", "/chat/completions", "post", False),
        ("projects", "/{project}/agents", "get", True),
        ("projects", "/{project}/openai/v1/responses", "post", False),
    ],
)
def test_the_version_is_needed_where_the_surface_refuses_without(name, path, method, needed):
    parameters = DOCUMENTS[name]["paths"][path][method]["parameters"]
    assert [each["required"] for each in parameters if each["name"] == "api-version"] == [needed]


@pytest.mark.parametrize(("name", "schemes"), [("openai-v1", ["key", "bearer"]), ("projects", ["bearer"])])
def test_which_credentials_are_taken(name, schemes):
    for item in DOCUMENTS[name]["paths"].values():
        for operation in item.values():
            assert [next(iter(each)) for each in operation["security"]] == schemes


def test_a_file_is_a_field_of_a_form_in_swagger():
    parameters = swagger(DOCUMENTS["openai-v1"])["paths"]["/files"]["post"]["parameters"]
    assert [(each["name"], each["type"]) for each in parameters if each["in"] == "formData"] == [
        ("file", "file"),
        ("purpose", "string"),
    ]
