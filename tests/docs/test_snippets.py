"""Every fenced block of the docs does what its page says, read from the top by somebody at a shell."""

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, StartForehearth
from tests.docs import fences
from tests.docs.session import Session, WrongSnippet
from tests.forehearth_server import ForehearthServer
from tests.media_host import MediaHost, media_host

PAGES = fences.pages(ROOT)

MEDIA_HOST = "MEDIA_HOST"
"""What stands in a configuration for the address of one."""
ServerOf = Callable[[fences.Page], Callable[[], ForehearthServer]]


@pytest.fixture(scope="module")
def media() -> Iterator[MediaHost]:
    """A host of sound and pictures, for the pages about them."""
    with media_host() as host:
        yield host


@pytest.fixture(scope="module")
def server_of(request: pytest.FixtureRequest, start_module_forehearth: StartForehearth) -> ServerOf:
    """The server that a page names, started when the first block needs it and shared by the pages that name it."""
    running: dict[str | None, ForehearthServer] = {}

    def started(server: str) -> ForehearthServer:
        path, *arguments = server.split()
        config = (ROOT / path).read_text()
        if MEDIA_HOST in config:
            config = config.replace(MEDIA_HOST, request.getfixturevalue("media").url)
        return start_module_forehearth(config, *arguments)

    def choose(page: fences.Page) -> Callable[[], ForehearthServer]:
        def start() -> ForehearthServer:
            if page.server not in running:
                running[page.server] = started(page.server) if page.server else request.getfixturevalue("forehearth")
            return running[page.server]

        return start

    return choose


@pytest.fixture
def reader(tmp_path: Path, server_of: ServerOf) -> Iterator[Callable[[fences.Page], Session]]:
    """A reader who comes to a page, and leaves nothing running."""
    readers: list[Session] = []

    def sit_down(page: fences.Page) -> Session:
        readers.append(Session(ROOT, tmp_path, server_of(page)))
        return readers[-1]

    yield sit_down
    for each in readers:
        each.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", PAGES)
def test_the_page_does_what_it_says(path: str, reader: Callable[[fences.Page], Session]) -> None:
    page = fences.read(ROOT, path)
    session = reader(page)
    for fence in page.fences:
        if fence.not_run is None:
            try:
                session.run(fence)
            except WrongSnippet as error:
                pytest.fail(f"{path}:{fence.line}: {error}", pytrace=False)


def test_the_blocks_that_are_not_run_are_known_and_few() -> None:
    table = tomllib.loads((ROOT / "tests" / "docs" / "not_run.toml").read_text())
    known = sorted((entry["page"], entry["reason"]) for entry in table.get("block", []))
    found = sorted((path, fence.not_run) for path in PAGES for fence in fences.read(ROOT, path).fences if fence.not_run)
    assert found == known
    assert len(known) <= table["most"]
