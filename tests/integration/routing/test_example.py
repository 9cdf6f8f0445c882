"""`examples/azure-provisioned.yaml` does what its comments say, with hosts of our own in Azure's place."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

from forehearth.config.loader import load
from forehearth.gateway.admitted import Admitted
from forehearth.gateway.arrival import Gateway
from forehearth.registry import PROVIDER_SETTINGS, Surroundings
from forehearth.server.compose import build_gateway
from forehearth.telemetry.cells import Cells
from forehearth.telemetry.metrics import Metrics
from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer, Upstream
from forehearth.transport.client import HttpClient
from tests.conftest import ROOT
from tests.unit.doors import RESOURCE, Known, head

PLACES = {
    "west": "https://my-resource-west.openai.azure.com",
    "north": "https://my-resource-north.openai.azure.com",
    "local": "http://127.0.0.1:8000",
}
BUSY = Answer(status=429, headers=((b"retry-after", b"20"),), body=b"{}")
GOOD = Answer(body=b'{"id": "x", "choices": []}')
LONG = "word " * 400


class Azure:
    """The example's gateway, and its hosts: each notes what it is asked for, and what `busy` names answers 429."""

    def __init__(self) -> None:
        self.busy: set[str] = set()
        self.asked: list[str] = []
        self.gateway: Gateway | None = None

    def answer(self, place: str, seen: Seen) -> Answer:
        model = f"{place} {json.loads(seen.body)['model']}"
        self.asked.append(model)
        return BUSY if model in self.busy else GOOD

    async def call(self, text: str = LONG, *, model: str = "gpt-4o", headers: dict[str, str] | None = None, **rest):
        """Who was asked in turn, and the headers of the answer."""
        self.asked.clear()
        body = {"model": model, "messages": [{"role": "user", "content": text}], **rest}
        admitted = self.gateway.accept(head("/openai/v1/chat/completions", **headers or {}))
        assert isinstance(admitted, Admitted)
        reply = await admitted.answer(json.dumps(body).encode())
        assert reply.status == 200, reply.body
        return list(self.asked), {name.decode(): value.decode() for name, value in reply.headers}


@pytest.fixture
async def azure(tmp_path: Path) -> AsyncIterator[Azure]:
    text = ROOT.joinpath("examples", "azure-provisioned.yaml").read_text()
    stage = Azure()
    async with AsyncExitStack() as stack:
        for place, url in PLACES.items():
            host = await stack.enter_async_context(
                Upstream(respond=lambda seen, place=place: stage.answer(place, seen))
            )
            assert url in text
            text = text.replace(url, host.url)
        path = tmp_path / "example.yaml"
        path.write_text(text)
        environ = {"AZURE_WEST_KEY": "one", "AZURE_NORTH_KEY": "two"}
        settings = load(path, providers=PROVIDER_SETTINGS, environ=environ)
        server = msgspec.structs.replace(settings.server, resource=RESOURCE)
        client = await stack.enter_async_context(HttpClient())
        stage.gateway = build_gateway(
            msgspec.structs.replace(settings, server=server),
            Surroundings(http=client, environ={}, embedded_socket=""),
            identity=Known(),
            metrics=Metrics(Cells()),
            created=0,
        )
        yield stage


async def test_a_session_stays_in_its_region(azure: Azure):
    regions = {user: {(await azure.call(user=user))[0][0] for _ in range(3)} for user in map(str, range(12))}
    assert all(len(each) == 1 for each in regions.values())
    assert set.union(*regions.values()) == {"west gpt-4o-ptu", "north gpt-4o-ptu"}


async def test_what_is_provisioned_comes_first_and_spills_over_to_the_rest(azure: Azure):
    azure.busy = {"west gpt-4o-ptu", "north gpt-4o-ptu"}
    asked, headers = await azure.call()
    assert set(asked[:2]) == azure.busy
    assert asked[2] in ("west gpt-4o-standard", "north gpt-4o-standard")
    assert headers["x-ms-spillover-from-deployment"] == headers["x-ms-deployment-name"] == "gpt-4o"
    assert headers["x-ms-spillover-error"] == "429"
    asked, headers = await azure.call()
    assert len(asked) == 1, "the hosts said when to come again"
    assert headers["x-ms-spillover-error"] == "429"


async def test_the_local_model_is_the_last(azure: Azure):
    azure.busy = {f"{place} gpt-4o-{kind}" for place in ("west", "north") for kind in ("ptu", "standard")}
    asked, _ = await azure.call()
    assert set(asked[:4]) == azure.busy
    assert asked[4:] == ["local llama-3.1-8b"]


async def test_the_route_chooses_by_rule(azure: Azure):
    small, large = "local llama-3.1-8b", {"west gpt-4o-ptu", "north gpt-4o-ptu"}
    assert (await azure.call("hi", model="default"))[0] == [small]
    assert (await azure.call(LONG, model="default"))[0][0] in large
    assert (await azure.call(LONG, model="default", headers={"x_tier": "batch"}))[0] == [small]
    azure.busy = {small}
    asked, headers = await azure.call(LONG, model="default", headers={"x_tier": "batch"})
    assert asked[0] == small
    assert asked[1] in large
    assert headers["x-ms-spillover-from-deployment"] == "local-small"
    assert headers["x-ms-deployment-name"] == "gpt-4o"
