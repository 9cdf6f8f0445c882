"""Who shares answers: compared by value, whole."""

import itertools

import pytest

from forehearth.caching.scope import Chosen, Scope, scoping
from forehearth.core.principal import Principal
from tests.unit.caching.calls import ALICE, BOB, call

CALLS = {
    "alice": call(),
    "bob": call(principal=BOB),
    "a user of that id": call(principal=Principal(name="x", kind="user", id="key_a")),
    "of another directory": call(principal=Principal(name="x", kind="user", id="key_a", tenant="t")),
    "in a project": call(project="sales"),
    "with a header": call(headers={b"x-team": b"red"}),
    "with another": call(headers={b"x-team": b"blue"}),
    "with an empty one": call(headers={b"x-team": b""}),
    "with two": call(headers={b"x-team": b"red", b"x-region": b"eu"}),
    "with the other's value": call(headers={b"x-region": b"red"}),
}


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(CALLS, 2)))
def test_every_difference_is_another_scope(one, other):
    scope = scoping(("key", "project", "header:X-Team", "header:x-region"))
    assert scope(CALLS[one]) != scope(CALLS[other])
    assert scope(CALLS[one]) == scope(CALLS[one])


def test_callers_share_where_answers_do_not_vary_by_them_and_projects_never_do():
    scope = scoping(())
    assert scope(CALLS["alice"]) == scope(CALLS["bob"]) == scope(CALLS["with a header"])
    assert scope(CALLS["alice"]) != scope(CALLS["in a project"])


def test_a_caller_without_an_id_goes_by_its_name():
    one, other = (call(principal=Principal(name=name, kind="application")) for name in ("one", "other"))
    assert scoping(("key",))(one) != scoping(("key",))(other)


def test_no_value_of_a_header_is_kept():
    scope = scoping(("header:authorization",))(call(headers={b"authorization": b"Bearer secret"}))
    assert b"secret" not in repr(scope).encode()


def test_a_purge_of_one_caller_is_none_of_what_callers_share():
    assert not Chosen(caller=ALICE.id).has(Scope(project=""))
    assert Chosen(caller=ALICE.id).has(scoping(("key",))(CALLS["alice"]))
    assert Chosen(project="").has(Scope(project=""))
    assert not Chosen(project="").has(Scope(project="sales"))
