"""One server for all tests of a module."""

from pathlib import Path

import pytest

from tests.conftest import StartForehearth
from tests.integration.admin.wired import CONFIG, Client


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that is open to jobs of enrichment."""
    return tmp_path_factory.mktemp("tables")


@pytest.fixture(scope="module")
def client(start_module_forehearth: StartForehearth, tables: Path) -> Client:
    return Client(start_module_forehearth(f"{CONFIG}\nenrichment: {{directories: [{tables}]}}\n"))
