"""A provider is one file and one line: its keys are read and checked, and calls reach its host."""

import json

import pytest

from forehearth.config.loader import load
from forehearth.config.problems import ConfigError
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.core.principal import Grant, Principal
from forehearth.registry import PROVIDERS, Kind, Surroundings, over_http
from forehearth.server.compose import build_gateway
from forehearth.telemetry.cells import Cells
from forehearth.telemetry.metrics import Metrics
from tests.unit.doors import Host, answer, head
from tests.unit.providers.toy import Toy, ToySettings

WITH_TOY = {**PROVIDERS, "toy": Kind(settings=ToySettings, open=over_http(Toy))}
FILE = """
version: 1
backends:
  box:
    provider: toy
    address: http://toys.example:81/base
    token: ${TOY_TOKEN}
deployments:
  bear:
    backends: [{backend: box, model: brown}]
"""


def read(text: str):
    kinds = {name: kind.settings for name, kind in WITH_TOY.items()}
    return load(text, providers=kinds, environ={"TOY_TOKEN": "let-me-in"})


class Everybody:
    """An identity to whom all are the same."""

    def identify(self, head, resource, *, keys):
        grant = Grant(place=Place(resource=resource), permissions=frozenset(Permission))
        return Principal(name="anybody", kind="key", grants=(grant,))


async def test_a_call_reaches_the_toy_host(tmp_path):
    host = Host(answer({"choices": []}))
    around = Surroundings(http=host, environ={"http_proxy": "http://proxy.example:3128"}, embedded_socket="")
    gateway = build_gateway(
        read(FILE), around, identity=Everybody(), metrics=Metrics(Cells(tmp_path, "0")), created=0, providers=WITH_TOY
    )
    admitted = gateway.accept(head("/openai/v1/chat/completions"))
    reply = await admitted.answer(json.dumps({"model": "bear", "messages": [{"role": "user"}]}).encode())
    assert reply.status == 200
    (request,) = host.requests
    assert request.target == b"/base/toys/brown/chat/completions"
    assert dict(request.headers) == {b"x-toy": b"let-me-in"}
    assert (request.origin.host, request.origin.port) == ("toys.example", 81)
    assert request.origin.proxy == "http://proxy.example:3128"


def test_its_keys_are_checked_like_all_others():
    with pytest.raises(ConfigError) as caught:
        read(FILE.replace("token:", "tokn:"))
    assert "token" in str(caught.value)
