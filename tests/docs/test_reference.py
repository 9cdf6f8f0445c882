"""The reference pages name everything that the code has."""

import pytest

from forehearth.cli.main import COMMANDS
from forehearth.embedded.catalogue import CATALOGUE
from forehearth.embedded.schema_keywords import SUPPORTED
from forehearth.wire import azure_deployments, foundry_models, openai_v1, verdict
from tests.conftest import ROOT


def page(name: str) -> str:
    return (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")


def test_every_path_is_on_the_page_of_endpoints():
    text = page("endpoints.md")
    listed = [*openai_v1._INDEX, *foundry_models._INDEX, *azure_deployments._INDEX]
    assert [line for line in listed if line.removesuffix("?api-version=") not in text] == []
    assert [path for path in sorted(foundry_models.ROOT_PATHS) if path.decode() not in text] == []


def test_every_code_is_on_the_page_of_errors():
    text = page("errors.md")
    said = {f"| {status} | `{code}` |" for status, code in verdict._STATUS_AND_CODE.values()}
    assert sorted(row for row in said if row not in text) == []


@pytest.mark.parametrize("keyword", SUPPORTED)
def test_every_schema_keyword_is_on_the_page_of_embedded_models(keyword):
    assert f"| `{keyword}` | {SUPPORTED[keyword]} |" in page("embedded-models.md")


def test_every_model_and_command_has_its_line():
    assert [name for name in CATALOGUE if f"`{name}`" not in page("embedded-models.md")] == []
    assert [name for name in COMMANDS if f"`forehearth {name}" not in page("command-line.md")] == []
