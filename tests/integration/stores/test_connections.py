"""Connections on every store: what is kept opens where it belongs, also after it was sealed anew, and nowhere else."""

import asyncio
import secrets

import msgspec
import pytest

from forehearth.connections.records import KIND
from forehearth.connections.sealing import AeadSealer
from forehearth.connections.service import Connections
from forehearth.core.connection_settings import ConnectionSettings
from forehearth.core.errors import Broken
from forehearth.core.place import Place
from forehearth.core.secret import Secret
from forehearth.server.encryption_keys import FileKeys
from forehearth.testing.clock import VirtualClock

HERE, THERE = Place(resource="here", project="sales"), Place(resource="there", project="sales")
SECRET = "nobody-shows-this \U0001f511"
SEARCH = ConnectionSettings(type="CognitiveSearch", target="x", key=Secret(SECRET))


@pytest.fixture
def connections(stores, tmp_path):
    sealer = AeadSealer(FileKeys(tmp_path / "encryption"), secrets.token_bytes)
    return Connections(stores.documents, {}, sealer, VirtualClock())


async def test_what_is_kept_opens_where_it_belongs_and_nowhere_else(connections, stores):
    made = await connections.create(HERE, "search", SEARCH)
    assert await connections.reveal(HERE, "search") == (made, {"key": SECRET})
    kept = await stores.documents.get(HERE, KIND, "search")
    assert b"nobody-shows-this" not in kept.body
    await stores.documents.insert(msgspec.structs.replace(kept, place=THERE, sequence=0, etag=""))
    with pytest.raises(Broken):
        await connections.reveal(THERE, "search")


async def test_it_opens_at_every_moment_while_all_are_sealed_anew(connections):
    names = [f"c{number}" for number in range(20)]
    for name in names:
        await connections.create(HERE, name, SEARCH)

    async def read():
        return [(await connections.reveal(HERE, name))[1] for name in names]

    found = await asyncio.gather(connections.reseal("here"), *(read() for _ in range(3)), connections.reseal("here"))
    assert found[1:4] == [[{"key": SECRET}] * 20] * 3
    assert await read() == [{"key": SECRET}] * 20
