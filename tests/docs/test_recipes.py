"""The recipes for low-code platforms name what there is: deployments of their configuration, credentials without a key.

Whether the platforms can do them is the soak's to find out.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

DEPLOYMENTS = set(yaml.safe_load((ROOT / "examples" / "low-code.yaml").read_text())["deployments"])
N8N = ROOT / "examples" / "n8n"
FLOWS = (ROOT / "examples" / "node-red" / "flows.json").read_text()


def model_of(node: dict[str, Any]) -> str | None:
    """The deployment that a node of n8n asks, if it asks one."""
    named = node["parameters"].get("model") or node["parameters"].get("modelId")
    return named["value"] if isinstance(named, dict) else named


@pytest.mark.parametrize("path", sorted(N8N.glob("workflows/*.json")), ids=lambda path: path.stem)
def test_a_workflow_asks_deployments_that_are_there_with_credentials_that_are_there(path: Path) -> None:
    nodes = json.loads(path.read_text())["nodes"]
    models = {model_of(node) for node in nodes} - {None}
    assert models
    assert models <= DEPLOYMENTS
    given = {(each["id"], each["type"]) for each in json.loads((N8N / "credentials.json").read_text())}
    used = {(each["id"], kind) for node in nodes for kind, each in node.get("credentials", {}).items()}
    assert used
    assert used <= given


def test_credentials_have_neither_a_key_nor_an_address() -> None:
    for each in json.loads((N8N / "credentials.json").read_text()):
        assert each["data"].pop("apiKey") == "THE-KEY"
        assert any(str(value).startswith("THE-URL") for value in each["data"].values())


def test_flows_ask_deployments_that_are_there_and_have_no_key() -> None:
    named = {*re.findall(r'\\"model\\": \\"([^\\"]+)', FLOWS), *re.findall(r"/deployments/([^/]+)/", FLOWS)}
    assert named
    assert named <= DEPLOYMENTS
    keys = re.findall(r"api-key.{0,12}", FLOWS)
    assert keys
    assert all("$env(" in each for each in keys)
