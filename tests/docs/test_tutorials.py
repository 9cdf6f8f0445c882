"""The tutorials' own configurations are the ones that their pages are run against."""

import pytest

from tests.conftest import ROOT
from tests.docs import fences


@pytest.mark.parametrize("name", ["first-steps", "integrate"])
def test_the_page_shows_the_configuration_that_serves_it(name: str) -> None:
    page = fences.read(ROOT, f"docs/tutorial/{name}.md")
    assert page.server
    shown = [fence.text for fence in page.fences if fence.title == "forehearth.yaml"]
    assert shown == [(ROOT / page.server.split()[0]).read_text()]
