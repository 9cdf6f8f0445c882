"""SQL in files: each query has a name and says what it is for, and each migration comes once, in order."""

import pytest

from forehearth.core.errors import Misconfigured
from forehearth.stores.postgres.statements import numbered, statements
from forehearth.stores.queries import Migration, migrations, missing, queries

COUNTS = {
    ("sqlite", "documents"): 16,
    ("sqlite", "audit"): 3,
    ("sqlite", "jobs"): 26,
    ("postgres", "documents"): 15,
    ("postgres", "audit"): 3,
    ("postgres", "jobs"): 21,
    ("postgres", "schema"): 6,
}


@pytest.mark.parametrize(("store", "file"), COUNTS)
def test_every_query_is_read(store, file):
    assert len(queries(store, file)) == COUNTS[store, file]


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_migrations_come_in_order_and_once(store):
    numbers = [each.number for each in migrations(store)]
    assert numbers == list(range(1, len(numbers) + 1))


FIRST, SECOND, THIRD = (Migration(number=number, sql=f"SELECT {number}") for number in (1, 2, 3))


def test_what_was_applied_is_not_applied_again():
    assert missing([FIRST, SECOND, THIRD], {}) == [FIRST, SECOND, THIRD]
    assert missing([FIRST, SECOND, THIRD], {1: FIRST.digest}) == [SECOND, THIRD]
    assert missing([FIRST], {1: FIRST.digest}) == []


@pytest.mark.parametrize(
    ("applied", "says"),
    [({1: FIRST.digest, 9: "x"}, "newer Forehearth .migration 9."), ({1: "x"}, "another migration 1")],
)
def test_a_store_of_another_schema_is_left_alone(applied, says):
    with pytest.raises(Misconfigured, match=says):
        missing([FIRST, SECOND], applied)


def test_names_become_numbers_wherever_they_stand():
    found = numbered("SELECT a::text FROM b WHERE (:one IS NULL OR c = :one) AND d = :two_words AND e = '.' || :one")
    assert found.sql == "SELECT a::text FROM b WHERE ($1 IS NULL OR c = $1) AND d = $2 AND e = '.' || $1"
    assert found.arguments({"two_words": 2, "one": 1, "other": 3}) == [1, 2]


@pytest.mark.parametrize("file", ["documents", "audit", "jobs", "schema"])
def test_no_name_is_left_in_a_statement(file):
    assert all(":" not in each.sql for each in statements(file).values())
