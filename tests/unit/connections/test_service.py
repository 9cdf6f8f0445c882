"""Connections: those of the configuration beside those that are made, credentials sealed, and sealed anew."""

import msgspec
import pytest

from forehearth.connections.records import KIND, ConnectionRecord
from forehearth.connections.sealing import AeadSealer
from forehearth.connections.service import MOST, Connections
from forehearth.core.connection_settings import ConnectionSettings
from forehearth.core.document import Document
from forehearth.core.errors import Broken, Conflict, NotFound
from forehearth.core.place import Place
from forehearth.core.secret import Secret
from forehearth.server.encryption_keys import FileKeys, NoKeys
from forehearth.stores.memory import MemoryDocuments
from forehearth.testing.clock import VirtualClock

SALES, OTHER = Place(resource="here", project="sales"), Place(resource="here", project="other")
THERE = Place(resource="there", project="sales")
SECRET = "nobody-shows-this"
GIVEN = {
    SALES: {"given": ConnectionSettings(type="CognitiveSearch", target="g", default=True, key=Secret("given-key"))}
}


def wanted(**rest):
    return ConnectionSettings(**{"type": "CognitiveSearch", "target": "x", "key": Secret(SECRET)} | rest)


class Office:
    """Connections over a store in memory, with keys in a folder."""

    def __init__(self, folder):
        self.store, self.keys = MemoryDocuments(), FileKeys(folder / "encryption")
        self._number = 0
        self.connections = Connections(self.store, GIVEN, AeadSealer(self.keys, self._random), VirtualClock())

    def _random(self, size):
        self._number += 1
        return self._number.to_bytes(size)

    async def move(self, place, name, to_place, to_name, **changes):
        """What somebody can do who writes the store: put a record elsewhere, or change it."""
        found = await self.store.get(place, KIND, name)
        record = msgspec.structs.replace(msgspec.json.decode(found.body, type=ConnectionRecord), **changes)
        body = msgspec.json.encode(record)
        moved = msgspec.structs.replace(found, place=to_place, id=to_name, body=body, sequence=0, etag="")
        if (place, name) == (to_place, to_name):
            await self.store.replace(msgspec.structs.replace(moved, sequence=found.sequence), etag=None)
        else:
            await self.store.insert(moved)


async def revealed(connections, place, name):
    _, credentials = await connections.reveal(place, name)
    return credentials


@pytest.fixture
def office(tmp_path):
    return Office(tmp_path)


async def test_one_from_its_making_to_its_end(office):
    connections = office.connections
    made = await connections.create(SALES, "search", wanted(metadata={"team": "a"}))
    assert (made.name, made.credentials, made.stored, made.metadata) == ("search", "ApiKey", True, {"team": "a"})
    assert await connections.get(SALES, "search") == made
    assert await connections.reveal(SALES, "search") == (made, {"key": SECRET})
    assert [each.name for each in await connections.all(SALES)] == ["given", "search"]
    changed = await connections.replace(SALES, "search", wanted(target="y", key=None, keys={"a": Secret("1")}))
    assert (changed.target, changed.credentials) == ("y", "CustomKeys")
    assert await revealed(connections, SALES, "search") == {"a": "1"}
    assert await connections.delete(SALES, "search") == changed
    for ask in (connections.get, connections.reveal, connections.delete):
        with pytest.raises(NotFound):
            await ask(SALES, "search")


@pytest.mark.parametrize(
    ("credentials", "kind", "shown"),
    [
        ({"key": Secret(SECRET)}, "ApiKey", {"key": SECRET}),
        ({"sas": Secret(SECRET)}, "SAS", {"SAS": SECRET}),
        ({"keys": {"a": Secret(SECRET), "b": Secret("2")}}, "CustomKeys", {"a": SECRET, "b": "2"}),
        ({"entra": True}, "AAD", {}),
        ({}, "None", {}),
    ],
)
async def test_each_kind_of_credentials_is_kept_and_none_as_it_is(office, credentials, kind, shown):
    made = await office.connections.create(SALES, "c", wanted(**{"key": None} | credentials))
    assert (made.credentials, await revealed(office.connections, SALES, "c")) == (kind, shown)
    document = await office.store.get(SALES, KIND, "c")
    assert SECRET.encode() not in document.body
    assert SECRET not in repr((made, office.connections, document))


async def test_those_of_the_configuration_stay_as_they_are(office):
    connections = office.connections
    assert await revealed(connections, SALES, "given") == {"key": "given-key"}
    for change in (connections.create, connections.replace):
        with pytest.raises(Conflict, match="stands in the configuration"):
            await change(SALES, "given", wanted())
    with pytest.raises(Conflict, match="change it there"):
        await connections.delete(SALES, "given")
    await connections.create(OTHER, "given", wanted())
    with pytest.raises(NotFound):
        await connections.get(THERE, "given")


async def test_one_that_came_into_the_configuration_later_is_the_one_that_is_seen(office):
    await office.connections.create(OTHER, "given", wanted(target="kept"))
    await office.move(OTHER, "given", SALES, "given")
    assert [(each.name, each.target) for each in await office.connections.all(SALES)] == [("given", "g")]
    assert await revealed(office.connections, SALES, "given") == {"key": "given-key"}


async def test_one_of_a_type_is_the_default(office):
    connections = office.connections
    with pytest.raises(Conflict, match="'given' is the default"):
        await connections.create(SALES, "search", wanted(default=True))
    await connections.create(SALES, "blob", wanted(type="AzureBlob", default=True))
    await connections.replace(SALES, "blob", wanted(type="AzureBlob", default=True, target="y"))
    await connections.create(SALES, "second", wanted(type="AzureBlob"))
    with pytest.raises(Conflict, match="'blob' is the default"):
        await connections.replace(SALES, "second", wanted(type="AzureBlob", default=True))


async def test_a_project_has_so_many_at_most(office):
    for number in range(MOST):
        await office.connections.create(SALES, f"c{number}", wanted(key=None))
    assert len(await office.connections.all(SALES)) == MOST + 1
    with pytest.raises(Conflict, match=f"at most {MOST}"):
        await office.connections.create(SALES, "more", wanted())
    await office.connections.create(OTHER, "more", wanted())


@pytest.mark.parametrize(
    ("place", "name", "changes"),
    [
        (OTHER, "search", {}),
        (THERE, "search", {}),
        (SALES, "stolen", {}),
        (SALES, "search", {"target": "https://thief.example.com"}),
        (SALES, "search", {"type": "ApiKey"}),
        (SALES, "search", {"credentials": "CustomKeys"}),
    ],
)
async def test_credentials_that_somebody_pointed_elsewhere_in_the_store_do_not_open(office, place, name, changes):
    await office.connections.create(SALES, "search", wanted())
    await office.move(SALES, "search", place, name, **changes)
    with pytest.raises(Broken, match="cannot be read") as raised:
        await office.connections.reveal(place, name)
    assert SECRET not in str(raised.value)


async def test_all_are_sealed_anew_with_a_new_key(office):
    connections, first = office.connections, []
    for place, name in ((SALES, "a"), (SALES, "b"), (THERE, "c")):
        await connections.create(place, name, wanted(key=Secret(name)))
        first.append(await office.store.get(place, KIND, name))
    await connections.create(SALES, "none", wanted(key=None))
    (old,) = office.keys.all()
    done = await connections.reseal("here")
    assert (done.new_key, done.resealed, done.unreadable) == (True, 2, 0)
    new, kept = office.keys.all()
    assert (kept, new == old) == (old, False)
    for before in first:
        after = await office.store.get(before.place, KIND, before.id)
        assert after.body != before.body
        assert await revealed(connections, before.place, before.id) == {"key": before.id}
    await connections.reseal("here")
    assert old not in office.keys.all()
    assert await revealed(connections, THERE, "c") == {"key": "c"}


async def test_what_does_not_open_is_counted_and_left_as_it_is(office):
    await office.connections.create(SALES, "search", wanted())
    await office.move(SALES, "search", SALES, "search", target="elsewhere")
    before = await office.store.get(SALES, KIND, "search")
    for _ in range(3):
        done = await office.connections.reseal("here")
        assert (done.resealed, done.unreadable) == (0, 1)
    assert await office.store.get(SALES, KIND, "search") == before
    await office.move(SALES, "search", SALES, "search", target="x")
    assert await revealed(office.connections, SALES, "search") == {"key": SECRET}  # its key was not forgotten


async def test_one_that_is_changed_meanwhile_keeps_the_change(office):
    """Somebody writes between the look and the write."""
    connections = office.connections
    await connections.create(SALES, "search", wanted())

    async def of_all_places(kind):
        found = await MemoryDocuments.of_all_places(office.store, kind)
        if kind == KIND and not office.changed:
            office.changed = True
            await connections.replace(SALES, "search", wanted(key=Secret("new")))
        return found

    office.changed = False
    office.store.of_all_places = of_all_places
    await connections.reseal("here")
    assert await revealed(connections, SALES, "search") == {"key": "new"}


async def test_a_store_that_is_shared_needs_a_key_that_is_given():
    store = MemoryDocuments()
    connections = Connections(store, {}, AeadSealer(NoKeys(), lambda size: b"n" * size), VirtualClock())
    with pytest.raises(Conflict, match=r"set store\.encryption_keys"):
        await connections.create(SALES, "search", wanted())
    assert (await connections.create(SALES, "open", wanted(key=None, entra=True))).credentials == "AAD"
    with pytest.raises(Conflict, match="encryption_keys"):
        await connections.reseal("here")


async def test_a_record_with_members_that_nobody_knows_is_not_taken_for_one(office):
    body = b'{"type":"ApiKey","target":"x","default":false,"credentials":"None","metadata":{},"sealed":null,"only":1}'
    document = Document(place=SALES, kind=KIND, id="odd", created=1, updated=1, body=body)
    await office.store.insert(document)
    with pytest.raises(msgspec.ValidationError, match="only"):
        await office.connections.get(SALES, "odd")
