"""An engine for each test."""

import pytest

from tests.unit.jobs.engine import Engine


@pytest.fixture
def engine() -> Engine:
    return Engine()
