"""One server for all tests of a module."""

import pytest

from tests.conftest import StartForehearth
from tests.integration.admin.wired import CONFIG, Client


@pytest.fixture(scope="module")
def client(start_module_forehearth: StartForehearth) -> Client:
    return Client(start_module_forehearth(CONFIG))
