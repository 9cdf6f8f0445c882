"""Tests of the long tier may take long."""

from pathlib import Path

import pytest

from tests.soak.length import part

HERE = Path(__file__).parent
PATIENCE = 1_200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(part(PATIENCE, least=PATIENCE)))
