"""Secrets hide, ids are UUIDs and differ, the error tree knows what may be tried elsewhere."""

import inspect
import json
import uuid

import msgspec
import pytest

from forehearth.core import errors
from forehearth.core.ids import request_ids
from forehearth.core.secret import Secret
from forehearth.testing.clock import VirtualClock


def test_a_secret_shows_itself_to_nobody():
    secret = Secret("canary-value")
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r:>9}", repr([secret]), repr({"k": secret})):
        assert "canary" not in shown
    with pytest.raises(TypeError):
        msgspec.json.encode({"k": secret})
    with pytest.raises(TypeError):
        json.dumps({"k": secret})
    assert secret.reveal() == "canary-value"
    assert secret.matches("canary-value")
    assert secret == Secret("canary-value")
    assert secret != "canary-value"
    assert len({secret, Secret("canary-value")}) == 1


def test_request_ids_are_uuids_and_differ():
    new = request_ids(7, VirtualClock())
    made = [new() for _ in range(10_000)]
    assert len(set(made)) == 10_000
    assert {uuid.UUID(one).version for one in made} == {7}
    assert made[0] == request_ids(7, VirtualClock())()


async def test_request_ids_begin_with_the_time():
    clock = VirtualClock(unix=1_800_000_000.123)
    new = request_ids(7, clock)
    first = new()
    assert uuid.UUID(first).int >> 80 == 1_800_000_000_123
    await clock.advance(0.002)
    assert first < new()


def test_the_drawn_tree_is_the_tree():
    drawn = [line.split()[0] for line in (errors.__doc__ or "").splitlines() if line.startswith("    ")]
    defined = [name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)]
    assert sorted(drawn) == sorted(defined)


@pytest.mark.parametrize(("status", "elsewhere"), [(429, True), (500, True), (529, True), (400, False), (404, True)])
def test_whether_another_backend_may_be_asked(status, elsewhere):
    assert errors.BackendRefused("m", status=status).retry_elsewhere is elsewhere
