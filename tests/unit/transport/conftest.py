"""The client under test on both event loops it runs on, with bounds small enough to reach."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from forehearth.testing.certificates import Authority
from forehearth.transport.client import HttpClient
from forehearth.transport.limits import ClientLimits

LIMITS = ClientLimits(
    connections_per_origin=4,
    waiting_per_origin=2,
    head_bytes=8_192,
    body_bytes=100_000,
    header_count=50,
    interim_responses=4,
    second_address_after=0.05,
)


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    loops = {"asyncio": asyncio.new_event_loop}
    if item.path.parent == Path(__file__).parent:
        loops["uvloop"] = uvloop.new_event_loop
    return loops


@pytest.fixture
def limits() -> ClientLimits:
    return LIMITS


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    async with HttpClient(limits=LIMITS) as client:
        yield client


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))
