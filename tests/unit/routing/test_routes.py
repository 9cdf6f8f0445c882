"""Routes: which deployments a call is for, by its size, its wishes and its headers; and who may have them."""

import base64

import msgspec
import pytest

from forehearth.core.call import Operation
from forehearth.core.errors import DeploymentNotFound, OperationNotSupported
from forehearth.core.principal import Principal
from forehearth.core.routing_settings import RouteCondition, RouteRule, RouteSettings
from forehearth.core.settings import ModelSettings
from forehearth.routing.deployment import Deployment
from forehearth.routing.directory import Directory
from forehearth.routing.routes import Route, fits, prompt_tokens, route
from tests.unit.routing.pools import a_call, backend

TEXT = {"role": "user", "content": "hi"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(bytes(30_000)).decode()}}


def saying(**body):
    return a_call(msgspec.json.encode({"model": "smart", "messages": [TEXT]} | body), name="smart")


def with_parts(*parts):
    return saying(messages=[{"role": "user", "content": [{"type": "text", "text": "hi"}, *parts]}])


@pytest.mark.parametrize(("size", "over", "under"), [(4_000, False, True), (40_400, True, False)])
def test_the_size_of_a_prompt_is_estimated_from_its_length(size, over, under):
    call = saying(messages=[{"role": "user", "content": "x" * size}])
    assert fits(RouteCondition(prompt_tokens_over=10_000), call) is over
    assert fits(RouteCondition(prompt_tokens_under=10_000), call) is under


def test_an_image_in_the_body_is_no_text():
    assert prompt_tokens(with_parts(IMAGE)) < 100


CAPABILITIES = [
    ("tools", saying(tools=[{"type": "function", "function": {"name": "f"}}]), True),
    ("tools", saying(functions=[{"name": "f"}]), True),
    ("tools", saying(tools=[]), False),
    ("tools", saying(messages=[{"role": "user", "content": 'say "tools"'}]), False),
    ("json_schema", saying(response_format={"type": "json_schema", "json_schema": {}}), True),
    ("json_schema", saying(response_format={"type": "json_object"}, user="json_schema"), False),
    ("json_schema", saying(messages=[{"role": "user", "content": "json_schema"}], user="json_schema"), False),
    ("vision", with_parts(IMAGE), True),
    ("vision", with_parts({"type": "input_image", "image_url": "https://x.example/a.png"}), True),
    ("vision", with_parts({"type": "text", "text": "image_url"}), False),
    ("vision", saying(messages=[{"role": "user", "content": "image_url"}], user="image_url"), False),
    ("vision", saying(messages=7, user="image_url"), False),
    ("stream", a_call(stream=True), True),
    ("stream", a_call(), False),
]


@pytest.mark.parametrize(("capability", "call", "asked"), CAPABILITIES)
def test_what_a_call_asks_for(capability, call, asked):
    assert fits(RouteCondition(asks_for=(capability,)), call) is asked


def test_every_condition_must_hold():
    both = RouteCondition(asks_for=("tools", "stream"), headers={"X-Tier": "gold"})
    gold = {b"x-tier": b"gold"}
    call = saying(tools=[{"type": "function"}])
    assert not fits(both, call)
    call = msgspec.structs.replace(call, stream=True)
    assert not fits(both, call)
    assert fits(both, msgspec.structs.replace(call, headers=gold))
    assert not fits(both, msgspec.structs.replace(call, headers={b"x-tier": b"gold "}))


def test_the_first_rule_that_fits_chooses():
    made = route(
        RouteSettings(
            rules=(
                RouteRule(when=RouteCondition(headers={"x-tier": "gold"}), deployments=("a", "b")),
                RouteRule(when=RouteCondition(asks_for=("stream",)), deployment="b"),
            ),
            deployment="c",
        )
    )
    gold = {b"x-tier": b"gold"}
    assert made.choose(a_call(headers=gold, stream=True)) == ("a", "b")
    assert made.choose(a_call(stream=True)) == ("b",)
    assert made.choose(a_call()) == ("c",)


def directory():
    kinds = {"a": "chat_completion", "b": "chat_completion", "vectors": "embeddings"}
    deployments = {
        name: Deployment(name=name, facts=ModelSettings(type=kind), backends=()) for name, kind in kinds.items()
    }
    routes = {"smart": Route(chain=("a", "b")), "mixed": Route(chain=("vectors", "a"))}
    return Directory(deployments, routes, created=0)


def somebody(*names):
    return Principal(name="somebody", kind="key", deployments=frozenset(names) if names else None)


def resolved(name, who=None, **call):
    return [each.name for each in directory().resolve(a_call(name=name, principal=who or somebody(), **call))]


def test_a_deployment_is_a_chain_of_one():
    assert resolved("a") == ["a"]


def test_a_route_is_its_chain():
    assert resolved("smart") == ["a", "b"]


def test_a_key_gets_those_of_a_chain_that_it_has():
    assert resolved("smart", somebody("b")) == ["b"]
    assert resolved("smart", somebody("smart")) == ["a", "b"]
    with pytest.raises(DeploymentNotFound):
        resolved("smart", somebody("vectors"))
    with pytest.raises(DeploymentNotFound):
        resolved("a", somebody("b"))


def test_what_cannot_do_the_operation_is_skipped():
    assert resolved("mixed") == ["a"]
    assert resolved("mixed", operation=Operation.EMBEDDINGS) == ["vectors"]
    with pytest.raises(OperationNotSupported):
        resolved("vectors")


def test_a_caller_may_name_where_to_spill_over():
    to_b = {b"x-ms-spillover-deployment": b"b"}
    assert resolved("a", headers=to_b) == ["a", "b"]
    assert resolved("smart", headers=to_b) == ["a", "b"]
    for other in (b"nothing", b"smart"):
        with pytest.raises(DeploymentNotFound):
            resolved("a", headers={b"x-ms-spillover-deployment": other})
    with pytest.raises(DeploymentNotFound):
        resolved("a", somebody("a"), headers=to_b)


def test_names_are_those_that_a_caller_can_ask_for():
    assert list(directory().named(somebody())) == ["a", "b", "vectors", "smart", "mixed"]
    named = directory().named(somebody("b"))
    assert {name: each.name for name, each in named.items()} == {"b": "b", "smart": "b"}


def test_a_name_can_lead_to_a_host_with_the_responses_api():
    def deployed(name, *responses):
        backends = tuple(backend(f"{name}{index}", responses=each) for index, each in enumerate(responses))
        return Deployment(name=name, facts=ModelSettings(), backends=backends)

    known = {"with": deployed("with", False, True), "without": deployed("without", False)}
    routes = {
        "mixed": Route(chain=("without", "with")),
        "by_rule": Route(chain=("without",), rules=((RouteCondition(), ("with",)),)),
        "never": Route(chain=("without",)),
    }
    directory = Directory(known, routes, created=0)
    names = ("with", "without", "mixed", "by_rule", "never", "unknown")
    assert [name for name in names if directory.has_responses(name)] == ["with", "mixed", "by_rule"]
    loose = a_call(name="mixed", only_responses=True)
    assert [each.name for each in directory.resolve(loose)] == ["with"]
    assert [each.name for each in directory.resolve(a_call(name="mixed"))] == ["without", "with"]
    with pytest.raises(OperationNotSupported):
        directory.resolve(a_call(name="without", only_responses=True))
