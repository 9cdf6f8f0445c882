"""The pieces of configuration on the how-to page are keys that exist, and its example reads."""

import re
from pathlib import Path

import msgspec
import pytest
import yaml

from forehearth.config.loader import load
from forehearth.providers.scripted import ScriptedSettings
from forehearth.providers.scripted_rules import Fault, Rule, When
from forehearth.registry import PROVIDER_SETTINGS

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs/how-to/scripted-answers.md").read_text()
PIECES = [yaml.safe_load(text) for text in re.findall(r"```yaml[^\n]*\n(.*?)```", PAGE, re.DOTALL)]


@pytest.mark.parametrize("piece", PIECES, ids=" ".join)
def test_a_piece_is_made_of_keys_that_exist(piece):
    if "backends" not in piece:
        msgspec.convert(piece, ScriptedSettings)
    else:
        load(yaml.safe_dump({"version": 1, **piece}), providers=PROVIDER_SETTINGS, environ={})


def test_the_example_reads():
    load(ROOT / "examples/scripted-faults.yaml", providers=PROVIDER_SETTINGS, environ={})


@pytest.mark.parametrize("key", [*Rule.__struct_fields__, *When.__struct_fields__, *ScriptedSettings.__struct_fields__])
def test_every_key_is_explained(key):
    assert re.search(rf"`{key}\b|\b{key}:", PAGE), f"{key} is not on the page"


@pytest.mark.parametrize("fault", Fault.__args__)
def test_every_fault_is_explained(fault):
    assert f"| `{fault}` |" in PAGE
