"""Whatever a URL looks like: what is not allowed is not connected to. Connections are counted, not believed."""

import socket

import pytest

from forehearth.core.egress import EgressRequest
from forehearth.core.egress_settings import EgressSettings
from forehearth.core.errors import AddressRefused
from forehearth.core.web_address import read
from forehearth.egress.client import GuardedClient
from tests.integration.egress.connects import Connects
from tests.integration.egress.corpus import CORPUS, NAMES


async def resolve(host, port):
    """The names of the corpus; any other leads to this machine."""
    found = []
    for text in NAMES.get(host, ["127.0.0.1"]):
        family = socket.AF_INET6 if ":" in text else socket.AF_INET
        found.append((family, (text, port) if family == socket.AF_INET else (text, port, 0, 0)))
    return found


def test_there_are_enough_of_them():
    assert len(CORPUS) == len({url for url, _ in CORPUS})
    assert len(CORPUS) >= 300


async def test_none_of_the_corpus_reaches_anything(listener):
    wrong = []
    with Connects() as connects:
        async with GuardedClient(EgressSettings(), resolve=resolve) as client:
            for url, reason in CORPUS:
                asked = url.replace(":P", f":{listener.port}").replace("+P", f"+{listener.port}")
                asked = asked.replace(":0P", f":0{listener.port}")
                try:
                    answer = await client.send(EgressRequest(url=asked, param="image_url"))
                    wrong.append((url, "answered", answer.status))
                except AddressRefused as error:
                    if (error.reason, error.param) != (reason, "image_url"):
                        wrong.append((url, error.reason, error.message))
            assert (client.busy, client.connections_opened) == (0, 0)
    assert wrong == []
    assert connects.where == []
    assert listener.connections == 0


async def test_what_is_never_asked_is_not_even_when_it_is_allowed(listener):
    wrong = []
    never = [url.replace(":P", f":{listener.port}") for url, reason in CORPUS if reason == "never"]
    with Connects() as connects:
        for url in never:
            async with GuardedClient(Allowing(url), resolve=resolve) as client:
                try:
                    await client.send(EgressRequest(url=url))
                    wrong.append((url, "answered"))
                except AddressRefused as error:
                    if error.reason != "never":
                        wrong.append((url, error.reason))
    assert len(never) > 45
    assert wrong == []
    assert connects.where == []
    assert listener.connections == 0


class Allowing:
    """Settings that allow one URL's host without having looked at it, which `EgressSettings` would."""

    def __init__(self, url):
        address = read(url)
        self.allowed = frozenset({(address.host, address.port)})
        self.public = True
        self.ca_bundle = None


async def test_a_refusal_names_what_was_asked_and_no_address_that_it_stands_for(listener):
    async with GuardedClient(EgressSettings(), resolve=resolve) as client:
        for name in ("ten.example", "shared.example", "metadata.example", "six-and-four.example"):
            with pytest.raises(AddressRefused) as caught:
                await client.send(EgressRequest(url=f"http://{name}:{listener.port}/"))
            assert f"'{name}'" in caught.value.message
            assert not any(address in caught.value.message for address in NAMES[name])
