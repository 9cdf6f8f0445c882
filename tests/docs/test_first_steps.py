"""The tutorial's own configuration is the one that its page is run against."""

from tests.conftest import ROOT
from tests.docs import fences


def test_the_page_shows_the_configuration_that_serves_it() -> None:
    page = fences.read(ROOT, "docs/tutorial/first-steps.md")
    assert page.server
    shown = [fence.text for fence in page.fences if fence.title == "forehearth.yaml"]
    assert shown == [(ROOT / page.server).read_text()]
