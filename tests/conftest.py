"""What every test may ask for: the repository's folder, the real server as a process of its own, and PostgreSQL."""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from forehearth.core.imports import for_good
from tests.forehearth_server import ForehearthServer, forehearth_server
from tests.integration.identity.loopback_issuer import LoopbackIssuer, loopback_issuer
from tests.postgres_server import PostgresServer, postgres_server

ROOT = Path(__file__).parent.parent

# Before numpy is imported: several processes of tests share the cores, and its threads would wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Find the tests, thousands of which stay to the end of the run."""
    with for_good():
        return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell the figures that tests recorded: how many cells were asked for, and how many were wrong."""
    reports = [each for some in terminalreporter.stats.values() for each in some if getattr(each, "when", "") == "call"]
    figures = [
        f"{value:>8,} {name}  ({each.nodeid.partition('::')[0]})"
        for each in reports
        for name, value in each.user_properties
        if isinstance(value, int | float)
    ]
    if figures:
        terminalreporter.section("figures")
        terminalreporter.write("".join(f"{line}\n" for line in figures))


@pytest.fixture(scope="session")
def repository_root() -> Path:
    """The folder that is the repository."""
    return ROOT


@pytest.fixture(scope="session")
def forehearth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForehearthServer]:
    """One server for the whole run, with the built-in embedded configuration. Read from it, do not change it."""
    with forehearth_server(tmp_path_factory.mktemp("forehearth")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL server for the whole run. Make a database of your own in it."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def issuer() -> Iterator[LoopbackIssuer]:
    """Whoever makes tokens for the tests of a module."""
    with loopback_issuer() as issuer:
        yield issuer


StartForehearth = Callable[..., ForehearthServer]
"""`start(config, *arguments, environment={}, folder=path, wait=True)`: see `forehearth_server`."""


@pytest.fixture
def start_forehearth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartForehearth]:
    """Starts servers of a test's own, which end with the test."""
    with launcher(tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="module")
def start_module_forehearth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartForehearth]:
    """Starts servers that the tests of a module share."""
    with launcher(tmp_path_factory) as start:
        yield start


@contextmanager
def launcher(folders: pytest.TempPathFactory) -> Iterator[StartForehearth]:
    """A function that starts servers; all of them are stopped at the end."""
    with ExitStack() as servers:

        def start(config: str | None = None, *arguments: str, **options: Any) -> ForehearthServer:
            folder = options.pop("folder", None) or folders.mktemp("server")
            return servers.enter_context(forehearth_server(folder, config, *arguments, **options))

        yield start
