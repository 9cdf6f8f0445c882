"""What a worker does when it has started."""

import gc
from collections.abc import Iterator

import pytest

from forehearth.server.serving import settle


@pytest.fixture
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("thawed")
def test_what_is_there_at_the_start_is_looked_at_no_more_by_the_collector():
    kept = [[number] for number in range(1_000)]
    dropped = [[]]
    dropped[0].append(dropped)
    del dropped
    before = gc.get_freeze_count()
    settle()
    assert gc.get_freeze_count() >= before + len(kept)
    assert len(gc.get_objects()) < len(kept)
