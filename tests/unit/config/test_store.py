"""The key `store`: an address that is one, and a pepper where a store is shared."""

import base64

import pytest

from forehearth.core.store_settings import StoreSettings
from tests.unit.config.reading import problems, read

ADDRESS = "postgresql://hearth:hunter2-hunter2@db.example.com:5432/forehearth"
PEPPER = base64.b64encode(bytes(range(32))).decode()
TEXT = "version: 1\nstore: {postgres: '${ADDRESS}', pepper: '${PEPPER}', connections: 4}\n"


def test_both_are_secrets():
    store = read(TEXT, {"ADDRESS": ADDRESS, "PEPPER": PEPPER}).store
    assert (store.postgres.reveal(), store.pepper.reveal(), store.connections) == (ADDRESS, PEPPER, 4)
    assert "hunter2" not in repr(store)
    assert PEPPER not in repr(store)


def test_without_it_the_store_is_a_file():
    assert read("version: 1\n").store == StoreSettings() == StoreSettings(postgres=None, pepper=None)


def test_an_address_may_not_stand_in_the_file():
    (found,) = problems(f"version: 1\nstore: {{postgres: '{ADDRESS}', pepper: '${{PEPPER}}'}}\n", {"PEPPER": PEPPER})
    assert found.path == "store.postgres"
    assert "may not stand in this file" in found.message


def test_a_shared_store_without_a_pepper_is_refused_with_a_way_to_make_one():
    (found,) = problems("version: 1\nstore:\n  postgres: ${ADDRESS}\n", {"ADDRESS": ADDRESS})
    assert (found.path, found.line) == ("store.postgres", 3)
    assert found.message == "servers that share a store have to hash keys with the same secret"
    assert found.hint.startswith("add the key pepper beside it; make one with 'head -c 32 /dev/urandom | base64'")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://hearth:hunter2@/forehearth?host=/run/postgresql",
        "postgres://db/forehearth",
        "postgresql:///forehearth?host=/run/postgresql&user=hearth",
        "postgresql://hearth:hunter2%40%2F%23@one:5432,two:5433/forehearth?target_session_attrs=read-write",
        "postgresql://hearth@[::1]:5432/forehearth?sslmode=verify-full&sslrootcert=/etc/ca.pem",
    ],
)
def test_addresses_that_are_taken(address):
    assert problems(TEXT, {"ADDRESS": address, "PEPPER": PEPPER}) == []


@pytest.mark.parametrize(
    "address",
    [
        "mysql://hearth:hunter2@db/forehearth",
        "hearth:hunter2@db/forehearth",
        "host=db user=hearth password=hunter2",
        "postgresql://hearth:hunter2@hunter2@db/forehearth",
        "postgresql://hearth:hunter2#x@db/forehearth",
        "postgresql://hearth:hunter2@db",
        "postgresql://hearth:hunter2@db/",
        "postgresql+asyncpg://hearth:hunter2@db/forehearth",
    ],
)
def test_an_address_that_is_none_is_refused_and_not_shown(address):
    (found,) = problems(TEXT, {"ADDRESS": address, "PEPPER": PEPPER})
    assert found.path == "store.postgres"
    assert found.message == "the secret is not the address of a PostgreSQL database"
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    "pepper", [PEPPER, base64.urlsafe_b64encode(b"\xfb\xff" * 16).decode(), base64.b64encode(b"\xfb\xff" * 16).decode()]
)
def test_a_pepper_in_either_alphabet(pepper):
    assert problems(TEXT, {"ADDRESS": ADDRESS, "PEPPER": pepper}) == []


@pytest.mark.parametrize(
    "pepper", ["hunter2", PEPPER[:-4], PEPPER + PEPPER, PEPPER.replace("A", "!"), "x" * 32, "0" * 64]
)
def test_a_pepper_that_is_none_is_refused_and_not_shown(pepper):
    (found,) = problems(TEXT, {"ADDRESS": ADDRESS, "PEPPER": pepper})
    assert (found.path, found.message) == ("store.pepper", "the secret is not 32 bytes in base64")
    assert pepper not in str(found)


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_connections_are_at_least_one(count):
    (found,) = problems(f"version: 1\nstore: {{connections: {count}}}\n")
    assert found.path == "store.connections"
