"""Fixtures of the unit ring: no network, no processes, no waiting."""

from collections.abc import Callable

import pytest

from tests.unit.doors import Door, make_door


@pytest.fixture
def door() -> Callable[..., Door]:
    """See `tests.unit.doors.make_door`."""
    return make_door
