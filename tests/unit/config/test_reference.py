"""The page that lists every key is as the types are."""

import msgspec

from forehearth.config.docstrings import Docstrings
from forehearth.config.reference import page
from forehearth.core.settings import Settings
from forehearth.registry import PROVIDER_SETTINGS
from tests.conftest import ROOT
from tests.unit.config.toys import TOYS, Circle, Toy


def test_the_committed_page_is_the_newest():
    committed = (ROOT / "docs/reference/configuration.md").read_text()
    assert committed == page(PROVIDER_SETTINGS), "run scripts/write-reference"


def test_every_key_is_on_the_page():
    text = page(TOYS)
    for cls in (Settings, *TOYS.values(), Circle):
        for field in msgspec.structs.fields(cls):
            assert f"| `{field.encode_name}` |" in text


def test_what_a_line_says():
    lines = page(TOYS).splitlines()
    assert "| `port` | a whole number from 0 to 65535 | `8080` | Port for http; 0 takes a free one. |" in lines
    assert "| `address` | text | **required** | Where the toy is. |" in lines
    assert "| `word` | `alpha` or `beta` | `alpha` |  |" in lines
    assert "| `secret` | secret: `${NAME}` or `file:PATH` |  |  |" in lines
    assert "| `radius` | a number greater than 0 | **required** | Half its width. |" in lines
    assert "| `number` | a number | `0.5` |  |" in lines


def test_words_of_classes_without_any():
    class Silent:
        member: int = 0

    assert Docstrings().about(Silent).members == {}
    assert Docstrings().about(Silent).text == ""
    assert Docstrings().about(int).members == {}
    assert Docstrings().about(Toy).text == "A toy."
    made = type("Made", (), {"__module__": "no.such.module"})
    assert Docstrings().about(made).text == ""


def test_words_of_a_class_within_a_function():
    class Inner:
        """Deep inside."""

        member: int = 0
        """In there, too."""

    assert Docstrings().about(Inner).text == "Deep inside."
    assert Docstrings().about(Inner).members == {"member": "In there, too."}
